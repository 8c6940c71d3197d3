from . import fetching as fetching
from . import mirror as mirror
from .fetching import fetch as fetch
