"""Training: the life of a run from its first cycle to its last, alone or with others.

Read `loop` first, from top to bottom; the other modules are what it calls.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
