from . import dry_run as dry_run
from . import own_conditions as own_conditions
from . import plan as plan
from . import presets as presets
from . import profile as profile
