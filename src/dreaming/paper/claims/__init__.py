"""What the paper claims, and what was found: claims by interval, numbers of the tables."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
