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

from pathlib import Path
from typing import Any

import lazy_loader

from dreaming.errors import nearest
from dreaming.model.pixels import to_activity

_imported, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["to_activity"]  # which a stub cannot hand on from another wing


def __getattr__(name: str) -> Any:
    if name in __all__:
        return _imported(name)
    here = {path.stem for path in Path(__file__).parent.iterdir()}
    known = [each for each in __all__ if each not in here]
    begun = [each for each in known if each.startswith(name)]
    raise AttributeError(f"dreaming.data has no '{name}'; {nearest(name, begun or known)}")


def __dir__() -> list[str]:
    return __all__
