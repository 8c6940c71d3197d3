"""Downloads that go on where they broke: mirrors in order, parts on disk, checksums."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
