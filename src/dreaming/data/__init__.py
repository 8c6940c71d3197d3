"""The images the cortex sees: where they come from, how they are read, and in which order they are shown.

A data set is two splits, each one uint8 tensor of images and one of labels; it is small enough to stay whole
in memory (or on the accelerator), so there is no loader and there are no workers.

Examples
--------
>>> from dreaming.data import load, to_activity
>>> digits = load("digits", limit=100)
>>> to_activity(digits.train.images[:2]).shape
torch.Size([2, 3, 32, 32])
"""

from typing import TYPE_CHECKING, Any

from dreaming.data.batches import epoch_order, to_activity
from dreaming.data.loading import Description, check, describe, load, names
from dreaming.data.sources import FileCheck
from dreaming.data.splits import Dataset, Split

if TYPE_CHECKING:
    from dreaming.data.fetching import fetch

__all__ = [
    "Dataset",
    "Description",
    "FileCheck",
    "Split",
    "check",
    "describe",
    "epoch_order",
    "fetch",
    "load",
    "names",
    "to_activity",
]


def __getattr__(name: str) -> Any:
    if name != "fetch":
        raise AttributeError(f"module 'dreaming.data' has no attribute {name!r}")
    from dreaming.data.fetching import fetch  # and with it requests, which nothing else needs

    return fetch
