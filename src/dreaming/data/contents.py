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

    def at(self, places: Int64[Tensor, "n"]) -> "Split":
        """Return the images in some places, copied."""
        return Split(self.images[places], self.labels[places])


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
    """Return so many images of each split, in the set's own order, with all of its classes in both.

    They are the first, where those of both splits show every class, or there are no labels; of a set that is
    sorted, as a folder is, they are the first of each class, as many of one as of another as far as there are any.

    Parameters
    ----------
    contents
        What was read.
    limit
        Images to keep of each split, at least 1; more than there are keeps all, and so does None.

    Raises
    ------
    UserError
        If the limit is below 1, or leaves out a class.

    Examples
    --------
    >>> labels = torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 1])
    >>> split = Split(torch.zeros(9, 1, 32, 32, dtype=torch.uint8), labels)
    >>> limited(Contents(split, split, ("cat", "dog")), 4).train.labels.tolist()
    [0, 0, 1, 1]
    """
    if limit is None:
        return contents
    if limit < 1:
        raise UserError(f"the limit on images is {limit}; --limit N needs N of at least 1")
    splits = contents.train, contents.test
    places = [torch.arange(min(limit, len(split))) for split in splits]
    if contents.classes:
        shown = [len(split.labels.unique()) for split in splits]
        if limit < max(shown):
            raise UserError(
                f"a limit of {limit} leaves out some of the {max(shown)} classes; --limit {max(shown)} is the "
                "least that leaves out none"
            )
        first = [len(split.labels[:limit].unique()) for split in splits]
        if first != shown:
            places = [_spread(split.labels, limit) for split in splits]
    train, test = (split.at(where) for split, where in zip(splits, places, strict=True))
    return replace(contents, train=train, test=test)


def _spread(labels: Int64[Tensor, "n"], limit: int) -> Int64[Tensor, "m"]:
    """Return the places, in order, of so many images: the first of each class, then the second, and so on."""
    number = torch.empty_like(labels)  # of an image within its class
    for label in labels.unique():
        own = labels == label
        number[own] = torch.arange(int(own.sum()))
    return number.argsort(stable=True)[:limit].sort().values
