"""CIFAR-10 as it comes: Krizhevsky's archive, its unpacked folder, or Hugging Face's parquet files."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from dreaming.data.dataset import Contents, Split
from dreaming.data.readers.parquet import read_parquet
from dreaming.data.readers.pickles import array_of, read_batch
from dreaming.errors import UserError

TRAIN = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")
MEMBERS = (*TRAIN, "test_batch", "batches.meta")
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_FOLDER = "cifar-10-batches-py"
_LARGEST = 64 * 1024**2  # bytes; an honest batch has 31 million
_MOST_MEMBERS = 1000  # the honest archive has 9
_ALL = 256 * 1024**2  # bytes; the honest archive has 186 million


def read_archive(paths: Sequence[Path]) -> Contents:
    """Read ``cifar-10-python.tar.gz`` without unpacking it to disk.

    Parameters
    ----------
    paths
        The archive alone.

    Returns
    -------
    Contents
        50,000 and 10,000 images in the archive's order, for the official archive.

    Raises
    ------
    UserError
        If the archive is cut off, lacks a batch, or holds one that cannot be read.
    """
    (path,) = paths
    members: dict[str, bytes] = {}
    wanted = {f"{_FOLDER}/{name}": name for name in MEMBERS}
    try:
        with gzip.open(path) as unzipped, tarfile.open(fileobj=_Bounded(unzipped), mode="r|") as archive:
            for count, member in enumerate(archive):
                if member.size < 0:  # tarfile would go round in circles
                    raise tarfile.ReadError("a member of negative size")
                # The offset is where the next one begins, and all that lies between would be walked through.
                if archive.offset > _ALL or count == _MOST_MEMBERS:
                    raise UserError(f"{path} claims more than an archive of CIFAR-10 holds; fetch it again")
                name = wanted.get(member.name)
                if name is None or name in members:
                    continue
                members[name] = _member(archive, member, path)
                if len(members) == len(MEMBERS):
                    break
    except (
        *(tarfile.TarError, EOFError, OSError, zlib.error, LookupError),
        *(ValueError, OverflowError, MemoryError, RecursionError),  # of headers that are damaged or hostile
    ) as error:
        raise UserError(f"{path} is damaged or cut off ({error}); fetch it again") from error
    missing = [name for name in MEMBERS if name not in members]
    if missing:
        raise UserError(f"{path} lacks {_FOLDER}/{missing[0]}; fetch it again")
    return _contents(members, f"{path}: {_FOLDER}")


class _Bounded(io.RawIOBase):
    """A stream that ends in an error where an honest archive would have ended long before."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream, self._left = stream, _ALL

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        content = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(content)
        if self._left < 0:
            raise OSError(f"it unpacks to more than {_ALL} bytes")
        return content


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> bytes:
    if not member.isreg() or member.size > _LARGEST:
        raise UserError(
            f"{path} holds {member.name} as no plain file of at most {_LARGEST} bytes; fetch it again"
        )
    stream = archive.extractfile(member)
    content = stream.read(member.size) if stream is not None else b""
    if len(content) != member.size:
        raise UserError(f"{path} is cut off within {member.name}; fetch it again")
    return content


def read_batches(paths: Sequence[Path]) -> Contents:
    """Read the unpacked folder ``cifar-10-batches-py``.

    Parameters
    ----------
    paths
        The five training batches, the test batch and ``batches.meta``, in this order.

    Returns
    -------
    Contents
        As `read_archive`.

    Raises
    ------
    UserError
        If a batch cannot be read.
    """
    members = {}
    for name, path in zip(MEMBERS, paths, strict=True):
        try:
            size = path.stat().st_size
            if size > _LARGEST:
                raise UserError(f"{path} has {size} bytes, too many for a batch of CIFAR-10; fetch it again")
            members[name] = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    return _contents(members, str(paths[0].parent))


def read_parquets(paths: Sequence[Path]) -> Contents:
    """Read Hugging Face's two files: columns ``img`` (PNG) and ``label``, in the archive's class numbers."""
    train, test = (read_parquet(path, "img", len(CLASSES)) for path in paths)
    return Contents(train, test, CLASSES)


def _contents(members: Mapping[str, bytes], where: str) -> Contents:
    classes = _class_names(members["batches.meta"], f"{where}/batches.meta")
    train = _split([(members[name], f"{where}/{name}") for name in TRAIN], len(classes))
    test = _split([(members["test_batch"], f"{where}/test_batch")], len(classes))
    return Contents(train, test, classes)


def _class_names(content: bytes, where: str) -> tuple[str, ...]:
    names = read_batch(content, where).get(b"label_names")
    listed = names if isinstance(names, list) and 2 <= len(names) <= 256 else []
    found = [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in listed]
    if not found or not all(isinstance(name, str) and len(name) <= 100 for name in found):
        raise UserError(f"{where} holds no list of class names; fetch it again")
    return tuple(map(str, found))


def _split(batches: Sequence[tuple[bytes, str]], n_classes: int) -> Split:
    images, labels = zip(*(_batch(content, where, n_classes) for content, where in batches), strict=True)
    return Split(
        torch.from_numpy(np.concatenate(images).reshape(-1, 3, 32, 32)),
        torch.from_numpy(np.concatenate(labels)),
    )


def _batch(content: bytes, where: str, n_classes: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    entries = read_batch(content, where)
    images = array_of(entries.get(b"data"), where)
    if images.ndim != 2 or images.shape[1] != 3072 or not len(images):
        raise UserError(f"{where} holds images of shape {list(images.shape)}, not [n, 3072]; fetch it again")
    labels = entries.get(b"labels")
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
