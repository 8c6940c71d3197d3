"""What a reproduction needs: profiles, the runs and measures that are missing, and their cost."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
