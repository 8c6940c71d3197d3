"""What a reader finds: images with their labels, in memory, and what they are hashed to."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from dreaming.errors import UserError

UNLABELLED = -1
"""The label of every image of a set without labels: an index into no class, at which a readout would stop."""


@dataclass(frozen=True)
class Split:
    """Images with their labels, in the order of their source.

    Attributes
    ----------
    images : uint8 [n, c, s, s]
        Pixels, 0 to 255.
    labels : int64 [n]
        Index into the data set's classes; all are -1 in a set without labels.

    Examples
    --------
    >>> len(Split(torch.zeros(5, 3, 32, 32, dtype=torch.uint8), torch.zeros(5, dtype=torch.int64)))
    5
    """

    images: UInt8[Tensor, "n c s s"]
    labels: Int64[Tensor, "n"]

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "Split":
        """Copy the split to a device (or return it as it is, if it is there)."""
        return Split(self.images.to(device), self.labels.to(device))

    def first(self, n: int) -> "Split":
        """Return the first ``n`` images, or all if there are fewer."""
        return Split(self.images[:n].clone(), self.labels[:n].clone())


@dataclass(frozen=True)
class Contents:
    """What a reader finds in files: both splits and the names of the classes, none where there are no labels."""

    train: Split
    test: Split
    classes: tuple[str, ...]


def fingerprint(train: Split, test: Split) -> str:
    """Hash what is in use, so that two runs can be shown to have seen the same images.

    Parameters
    ----------
    train, test
        The splits, on any device.

    Returns
    -------
    str
        SHA-256, hexadecimal, over shape, pixels and labels (little-endian int64) of train, then test.
    """
    digest = hashlib.sha256()
    for split in (train, test):
        digest.update(repr(tuple(split.images.shape)).encode())
        digest.update(np.ascontiguousarray(split.images.cpu().numpy()).data)
        digest.update(np.ascontiguousarray(split.labels.cpu().numpy().astype("<i8")).data)
    return digest.hexdigest()


def limited(contents: Contents, limit: int | None) -> Contents:
    """Return the first images of each split.

    Parameters
    ----------
    contents
        What was read.
    limit
        Images to keep of each split, at least 1; more than there are keeps all, and so does None.

    Raises
    ------
    UserError
        If the limit is below 1, or leaves labelled images of one class only.
    """
    if limit is None:
        return contents
    if limit < 1:
        raise UserError(f"the limit on images is {limit}; --limit N needs N of at least 1")
    for name, split in (("train", contents.train), ("test", contents.test)):
        if contents.classes and (split.labels[:limit] == split.labels[0]).all():
            other = (split.labels != split.labels[0]).nonzero()
            enough = f"; --limit {int(other[0]) + 1} is the least with two" if len(other) else ""
            raise UserError(
                f"the first {limit} {name} images are all of class"
                f" {contents.classes[int(split.labels[0])]!r}, and a readout needs two classes{enough}"
            )
    return replace(contents, train=contents.train.first(limit), test=contents.test.first(limit))
