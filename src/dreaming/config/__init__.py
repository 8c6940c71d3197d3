"""What a run is, as data: the config, how one is made of names and settings, and what it would cost.

A config is frozen, typed and validated; it is written beside the results of its run and read back as the same.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
