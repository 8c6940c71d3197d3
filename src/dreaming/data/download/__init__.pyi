from . import fetching as fetching
from . import mirror as mirror
from . import part as part
from .fetching import fetch as fetch
