from . import comparison as comparison
from . import judgement as judgement
from . import statistics as statistics
from .comparison import compare as compare
