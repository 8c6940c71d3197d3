"""What a data set is once it is read: images and labels, in memory, with a fingerprint."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from dreaming.errors import UserError


@dataclass(frozen=True)
class Split:
    """Images with their labels, in the order of their source.

    Attributes
    ----------
    images : uint8 [n, c, 32, 32]
        Pixels, 0 to 255.
    labels : int64 [n]
        Index into the data set's classes.

    Examples
    --------
    >>> len(Split(torch.zeros(5, 3, 32, 32, dtype=torch.uint8), torch.zeros(5, dtype=torch.int64)))
    5
    """

    images: UInt8[Tensor, "n c 32 32"]
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
    """What a reader finds in files: both splits and the names of the classes."""

    train: Split
    test: Split
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """A data set in use.

    Attributes
    ----------
    name
        As it was asked for.
    train, test
        The two splits.
    classes
        The name of each label.
    fingerprint
        SHA-256 (hexadecimal) of images and labels of both splits as they are in use, after any limit.
    source
        File name to checksum as found ("md5:..." or "sha256:..."); empty where nothing is read from files
        with a published checksum (digits, house_digits, folder).
    official
        False if a file was accepted only because it was trusted.

    Examples
    --------
    >>> split = Split(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), torch.tensor([0, 1]))
    >>> dataset = Dataset("mine", split, split, ("a", "b"), fingerprint(split, split))
    >>> dataset.to("cpu").fingerprint[:8]
    '93229294'
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    fingerprint: str
    source: dict[str, str] = field(default_factory=dict)
    official: bool = True

    def to(self, device: torch.device | str) -> "Dataset":
        """Copy both splits to a device."""
        return replace(self, train=self.train.to(device), test=self.test.to(device))


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
        If the limit is below 1, or leaves images of one class only.
    """
    if limit is None:
        return contents
    if limit < 1:
        raise UserError(f"the limit on images is {limit}; --limit N needs N of at least 1")
    for name, split in (("train", contents.train), ("test", contents.test)):
        if (split.labels[:limit] == split.labels[0]).all():
            other = (split.labels != split.labels[0]).nonzero()
            enough = f"; --limit {int(other[0]) + 1} is the least with two" if len(other) else ""
            raise UserError(
                f"the first {limit} {name} images are all of class"
                f" {contents.classes[int(split.labels[0])]!r}, and a readout needs two classes{enough}"
            )
    return replace(contents, train=contents.train.first(limit), test=contents.test.first(limit))
