from . import dry_run as dry_run
from . import foresight as foresight
from . import measuring as measuring
from . import own_conditions as own_conditions
from . import panels as panels
from . import plan as plan
from . import presets as presets
from . import profile as profile
