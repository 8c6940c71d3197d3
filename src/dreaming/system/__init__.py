"""The machine that a run works on: files that are whole, locks, signals, processors, progress, texts.

Nothing here knows what a cortex is. Whatever the operating system and its devices may do is met here and nowhere
else.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
