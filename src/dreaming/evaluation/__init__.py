"""What is measured of a cortex. Each measure writes tidy rows into the run folder; figures read those.

`measuring` applies measures to snapshots; each measure is a module of `measures`, what they look at is made in
`features`, and runs are compared in `statistics`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
