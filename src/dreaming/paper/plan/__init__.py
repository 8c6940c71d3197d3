"""What a reproduction needs: the figures' panels, profiles, the runs and measures that are missing, their cost."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
