"""The images the cortex sees: where they come from, how they are read, and in which order they are shown.

A data set is two splits, each one uint8 tensor of images and one of labels; it is small enough to stay whole
in memory (or on the accelerator), so there is no loader and there are no workers.

Examples
--------
>>> from dreaming.data import load_dataset, to_activity
>>> digits = load_dataset("digits", limit=100)
>>> to_activity(digits.train.images[:2]).shape
torch.Size([2, 3, 32, 32])
"""

import lazy_loader

from dreaming.model.pixels import to_activity

__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["to_activity"]  # which a stub cannot hand on from another wing


def __dir__() -> list[str]:
    return __all__
