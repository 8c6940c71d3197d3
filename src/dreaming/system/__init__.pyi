from . import disk as disk
from . import hardware as hardware
from . import locks as locks
from . import progress as progress
from . import signals as signals
from . import source_code as source_code
from . import texts as texts
from . import threads as threads
