from . import cortices as cortices
from . import measure as measure
from . import organisation as organisation
from . import projection as projection
from . import realism as realism
from . import record as record
from . import robustness as robustness
from . import separability as separability
