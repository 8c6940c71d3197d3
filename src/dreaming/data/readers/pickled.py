"""Krizhevsky's pickled batches, of CIFAR-10 and CIFAR-100: in their archive, or in its unpacked folder."""

import _codecs
import io
import operator
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from dreaming.data.contents import Contents, Split
from dreaming.data.readers.archives import members_of
from dreaming.errors import UserError


@dataclass(frozen=True)
class Batches:
    """How the batches of one data set are called, and what is in them.

    Attributes
    ----------
    title
        Of the data set.
    folder
        That holds them.
    train, test
        Names of the files of either split.
    meta
        Name of the file with the names of the classes.
    labels, names
        Keys of the labels in a batch, and of the names in the file with those.
    largest
        Bytes that no honest file goes beyond.
    """

    title: str
    folder: str
    train: tuple[str, ...]
    test: str
    meta: str
    labels: bytes
    names: bytes
    largest: int

    @property
    def members(self) -> tuple[str, ...]:
        """All files, in the order in which they are read."""
        return (*self.train, self.test, self.meta)

    def read_archive(self, paths: Sequence[Path]) -> Contents:
        """Read the archive without unpacking it to disk.

        Parameters
        ----------
        paths
            The archive alone.

        Returns
        -------
        Contents
            Images in the archive's order.

        Raises
        ------
        UserError
            If the archive is cut off, lacks a batch, or holds one that cannot be read.
        """
        (path,) = paths
        members = members_of(path, self.folder, self.members, self.largest, 4 * self.largest)
        return self._contents(members, f"{path}: {self.folder}")

    def read_batches(self, paths: Sequence[Path]) -> Contents:
        """Read the unpacked folder.

        Parameters
        ----------
        paths
            The training batches, the test batch and the names of the classes, in this order.

        Returns
        -------
        Contents
            As `read_archive`.

        Raises
        ------
        UserError
            If a batch cannot be read.
        """
        try:
            members = {name: path.read_bytes() for name, path in zip(self.members, paths, strict=True)}
        except OSError as error:
            raise UserError(f"{error.filename} cannot be read: {error.strerror or error}") from error
        return self._contents(members, str(paths[0].parent))

    def _contents(self, members: Mapping[str, bytes], where: str) -> Contents:
        classes = self._class_names(members[self.meta], f"{where}/{self.meta}")
        train, test = (
            self._split([(members[name], f"{where}/{name}") for name in names], len(classes))
            for names in (self.train, (self.test,))
        )
        return Contents(train, test, classes)

    def _class_names(self, content: bytes, where: str) -> tuple[str, ...]:
        listed = _unpickled(content, where, self.title).get(self.names)
        names = listed if isinstance(listed, list) else []
        found = [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names]
        if not 2 <= len(found) <= 256 or not all(isinstance(name, str) for name in found):
            raise UserError(f"{where} holds no list of class names; fetch it again")
        return tuple(found)

    def _split(self, batches: Sequence[tuple[bytes, str]], n_classes: int) -> Split:
        read = [self._batch(content, where, n_classes) for content, where in batches]
        images, labels = zip(*read, strict=True)
        return Split(
            torch.from_numpy(np.concatenate(images).reshape(-1, 3, 32, 32)),
            torch.from_numpy(np.concatenate(labels)),
        )

    def _batch(
        self, content: bytes, where: str, n_classes: int
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        batch = _unpickled(content, where, self.title)
        images, labels = batch.get(b"data"), _numbers(batch.get(self.labels))
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
            raise UserError(f"{where} holds no array of bytes where the images should be; fetch it again")
        if images.ndim != 2 or images.shape[1] != 3072 or not len(images):
            raise UserError(
                f"{where} holds images of shape {list(images.shape)}, not [n, 3072]; fetch it again"
            )
        if (
            not isinstance(labels, list)
            or len(labels) != len(images)
            or not all(type(label) is int and 0 <= label < n_classes for label in labels)
        ):
            raise UserError(
                f"{where} does not hold a label from 0 to {n_classes - 1} for each of its {len(images)} images;"
                " fetch it again"
            )
        return images, np.array(labels, dtype=np.int64)


def _unpickled(content: bytes, where: str, title: str) -> dict[bytes, Any]:
    """Read a pickled dictionary; nothing is run but what makes arrays of whole numbers."""
    try:
        # Python 2's strings stay bytes; in memory, since a file is asked at once for any length that is claimed.
        value = _BatchUnpickler(io.BytesIO(content), encoding="bytes").load()
    except _NameRefusedError as error:
        raise UserError(
            f"{where} is a pickle that asks for {error}, which no batch of {title} does;"
            " nothing of it was run, and it is better deleted"
        ) from None
    except Exception as error:  # whatever pickle and numpy stumble over
        said = (str(error) or type(error).__name__)[:200]
        raise UserError(f"{where} is damaged or cut off ({said}), or no batch of {title}") from error
    if not isinstance(value, dict):
        raise UserError(f"{where} holds a {type(value).__name__}, not a batch of {title}; fetch it again")
    return {key.encode() if isinstance(key, str) else key: item for key, item in value.items()}


def _numbers(labels: Any) -> Any:
    """Return labels as a list of Python's numbers, where they are numpy's."""
    if isinstance(labels, np.ndarray):
        return labels.tolist()
    if not isinstance(labels, list | tuple):
        return labels
    return [each.item() if isinstance(each, np.integer) else each for each in labels]


def _whole(kind: object, *_: object) -> np.dtype[Any]:
    """Return a type of whole numbers, in place of ``numpy.dtype``, which would make any type there is."""
    called = kind.decode("latin-1") if isinstance(kind, bytes) else kind
    if called not in _WHOLE_NUMBERS:
        raise ValueError("it has no array of bytes where the images should be")
    return np.dtype(str(called))


_WHOLE_NUMBERS = [f"{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8)]


class _NameRefusedError(Exception):
    """A pickle asks for a name that is no part of an array of whole numbers."""


class _BatchUnpickler(pickle._Unpickler):
    """The standard library's unpickler in Python, whose memory is not one array as long as a pickle claims."""

    _ALLOWED: ClassVar = {
        **{  # as numpy 1 and numpy 2 call them
            f"numpy.{core}.{name}": operator.attrgetter(name)(np._core)  # type: ignore[attr-defined]
            for core in ("core", "_core")
            for name in ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")
        },
        "numpy.ndarray": np.ndarray,
        "numpy.dtype": _whole,
        "_codecs.encode": _codecs.encode,  # bytes, as Python 3 writes them into an old pickle
    }

    def find_class(self, module: str, name: str) -> Any:
        asked = f"{module}.{name}"
        if asked not in self._ALLOWED:
            raise _NameRefusedError(asked[:200])
        return self._ALLOWED[asked]
