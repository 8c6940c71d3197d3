from . import arguments as arguments
from . import main as main
from . import verbs as verbs
