from . import features as features
from . import measures as measures
from . import measuring as measuring
from . import readout as readout
from . import statistics as statistics
from .measuring import evaluate as evaluate
