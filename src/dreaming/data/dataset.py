"""What a data set is in use: images and labels, in memory, with a fingerprint."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from dreaming.data.arrays import Given, read_arrays
from dreaming.data.contents import Contents, Split, fingerprint, limited
from dreaming.data.known import SOURCES
from dreaming.data.resizing import resized
from dreaming.errors import UserError, brief, spelled
from dreaming.system.texts import FOLDER_NAME


@dataclass(frozen=True)
class Dataset:
    """A data set in use. `of_arrays` makes one of a user's own images, `load_dataset` one that has a name.

    Attributes
    ----------
    name
        As it was asked for.
    train, test
        The two splits.
    classes
        The name of each label; none, if there are no labels.
    source
        File name to checksum as found ("md5:..." or "sha256:..."); empty where nothing is read from files
        with a published checksum (digits, house_digits, folder, arrays).
    official
        False if a file was accepted only because it was trusted.
    place
        Absolute path of the folder that it was read from, if any.
    limit
        How many images of each split were taken; all for None.

    Examples
    --------
    >>> split = Split(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), torch.tensor([0, 1]))
    >>> dataset = Dataset("mine", split, split, ("a", "b"))
    >>> dataset.to("cpu").fingerprint[:8]
    '93229294'
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    source: dict[str, str] = field(default_factory=dict)
    official: bool = True
    place: str | None = None
    limit: int | None = None
    _loaded: bool = False
    """Whether `load_dataset` made it, so that its name may be one that is known."""

    @classmethod
    def of_arrays(
        cls, name: str, train: Given, test: Given, classes: Sequence[str] | None = None
    ) -> "Dataset":
        """Make a data set of images of your own.

        Parameters
        ----------
        name
            What to call it, in run folders and tables: letters, digits and ``_ . + -``.
        train, test
            Images, or a tuple (images, labels), as arrays of numpy or torch. Images are square, of shape [n, h, w]
            (grey), [n, h, w, c] or [n, c, h, w], with 1 or 3 channels c; whole numbers of 0 to 255, or floats of 0
            to 1, which are rounded to 256 levels with a warning. Labels are whole numbers from 0 on, shape [n];
            without them there is no readout, nor another measure that needs classes.
        classes
            The name of each class; by default its number.

        Returns
        -------
        Dataset
            A copy, on the CPU: changing the arrays afterwards does not change it.

        Raises
        ------
        UserError
            If the name is that of a known data set, or the arrays cannot be read in one way alone.

        Warns
        -----
        UserWarning
            If pixels are floats, which are rounded, or are dark: whole numbers below 128.

        Examples
        --------
        >>> random = torch.Generator().manual_seed(0)
        >>> images = torch.randint(256, (20, 64, 64, 3), generator=random, dtype=torch.uint8)
        >>> mine = Dataset.of_arrays("mine", train=images[:10], test=images[10:])
        >>> mine.image_size, mine.resized(32).train.images.shape, mine.classes
        (64, torch.Size([10, 3, 32, 32]), ())
        """
        if not re.fullmatch(FOLDER_NAME, name):
            raise UserError(
                f"a data set cannot be called {brief(name)}; take letters, digits and _ . + -, no sign first"
            )
        if spelled(name, SOURCES) in SOURCES:
            raise UserError(f"{name!r} is a data set that is known; call your own images otherwise")
        contents, said = read_arrays(train, test, classes, name)
        if said:
            warnings.warn("; ".join(said), stacklevel=2)
        return cls(name, contents.train, contents.test, contents.classes)

    def __repr__(self) -> str:
        """Return the data set in one line."""
        size = f"{self.image_size} x {self.image_size}"
        return (
            f"Dataset {self.name}: {len(self.train):,} train and {len(self.test):,} test images of {size}, "
            f"{len(self.classes)} classes"
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) of images and labels of both splits as they are now: hashed at each call."""
        return fingerprint(self.train, self.test)

    @property
    def chance(self) -> float | None:
        """The share of test images that the best constant guess gets right; None without labels."""
        if not self.classes:
            return None
        commonest = self.train.labels.bincount().argmax()
        return int((self.test.labels == commonest).sum()) / len(self.test)

    @property
    def image_size(self) -> int:
        """Height and width of the images, in pixels."""
        return self.train.images.shape[-1]

    def to(self, device: torch.device | str) -> "Dataset":
        """Copy both splits to a device."""
        return replace(self, train=self.train.to(device), test=self.test.to(device))

    def limited(self, limit: int | None) -> "Dataset":
        """Return the data set of so many images of each split, with all classes in both; all of it for None.

        They are the first, or of a set that is sorted by class the first of each class.

        Raises
        ------
        UserError
            If the limit is below 1, or leaves out a class.
        """
        if limit is None or limit >= max(len(self.train), len(self.test)):
            return self
        used = limited(Contents(self.train, self.test, self.classes), limit)
        return replace(self, train=used.train, test=used.test, limit=limit)

    def resized(self, size: int) -> "Dataset":
        """Return the data set with images of so many pixels in height and width, shrunk or grown bilinearly."""
        if size < 1:
            raise UserError(f"images cannot be brought to {size} x {size} pixels; name a size of at least 1")
        train, test = (replace(each, images=resized(each.images, size)) for each in (self.train, self.test))
        return replace(self, train=train, test=test)
