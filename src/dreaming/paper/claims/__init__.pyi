from . import answer as answer
from . import claims as claims
from . import numbers as numbers
from . import verdicts as verdicts
