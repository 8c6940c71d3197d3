"""A run as it lies on disk: its folder, tensors, tables, snapshots, sheets of dreams, and findings.

The names of its files stand here and nowhere else.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
