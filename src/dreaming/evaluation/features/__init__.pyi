from . import classifier as classifier
from . import controls as controls
from . import extractors as extractors
from . import frechet as frechet
from . import inception as inception
