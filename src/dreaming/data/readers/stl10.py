"""STL-10's labelled images, 96 x 96 as they come: Stanford's archive, or its unpacked folder.

Its 100,000 unlabelled images, which are most of the archive, are passed over: they come from other classes too, and
what is trained on them could not be compared with what is trained on the 5,000.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from dreaming.data.contents import Contents, Split
from dreaming.data.readers.archives import members_of
from dreaming.data.sources import Layout, RemoteFile, Source
from dreaming.errors import UserError

CLASSES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
MEMBERS = ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin")
_FOLDER = "stl10_binary"
_SIDE = 96
_LARGEST = 256 * 1024**2  # bytes of a file; the test images have 221 million
_ALL = 4 * 1024**3  # bytes of all files; the honest ones have 3.1 billion


def read_archive(paths: Sequence[Path]) -> Contents:
    """Read ``stl10_binary.tar.gz`` without unpacking it to disk.

    Parameters
    ----------
    paths
        The archive alone.

    Returns
    -------
    Contents
        5,000 and 8,000 images of 96 x 96 in the archive's order, for the official archive.

    Raises
    ------
    UserError
        If the archive is cut off, lacks a file, or holds one that is not as it should be.
    """
    (path,) = paths
    members = members_of(path, _FOLDER, MEMBERS, _LARGEST, _ALL)
    return _contents(members, f"{path}: {_FOLDER}")


def read_binaries(paths: Sequence[Path]) -> Contents:
    """Read the unpacked folder ``stl10_binary``: images and labels of train, then of test.

    Raises
    ------
    UserError
        If a file cannot be read, or is not as it should be.
    """
    members = {}
    for name, path in zip(MEMBERS, paths, strict=True):
        try:
            with path.open("rb") as file:
                members[name] = file.read(_LARGEST)
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    return _contents(members, str(paths[0].parent))


def _contents(members: Mapping[str, bytes], where: str) -> Contents:
    train, test = (
        _split(members[f"{name}_X.bin"], members[f"{name}_y.bin"], f"{where}/{name}")
        for name in ("train", "test")
    )
    return Contents(train, test, CLASSES)


def _split(pixels: bytes, labels: bytes, where: str) -> Split:
    n, numbers = len(labels), np.frombuffer(labels, dtype=np.uint8)
    if not n or len(pixels) != n * 3 * _SIDE**2:
        raise UserError(
            f"{where}_X.bin has {len(pixels)} bytes, not {3 * _SIDE**2} for each of the {n} labels of"
            f" {where}_y.bin; fetch it again"
        )
    if not np.isin(numbers, np.arange(1, len(CLASSES) + 1)).all():
        raise UserError(f"{where}_y.bin holds labels other than 1 to {len(CLASSES)}; fetch it again")
    # Images lie channel by channel, and in each column by column.
    images = np.frombuffer(pixels, dtype=np.uint8).reshape(n, 3, _SIDE, _SIDE).transpose(0, 1, 3, 2)
    return Split(torch.from_numpy(images.copy()), torch.from_numpy(numbers.astype(np.int64) - 1))


# Facts, looked up in public sources in November 2026: the md5 sums of torchvision, the size as several downloads of
# the same file record it.
SOURCE = Source(
    name="stl10",
    label="STL-10",
    n_train=5_000,
    n_test=8_000,
    host="ai.stanford.edu",
    licence="no licence stated; cite Coates, Ng and Lee 2011",
    layouts=(
        Layout(
            read_archive,
            (
                RemoteFile(
                    f"{_FOLDER}.tar.gz",
                    "md5:91f7769df0f17e558f3565bffb0c7dfb",
                    2_640_397_119,
                    (
                        "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
                        "https://cs.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
                    ),
                ),
            ),
        ),
        Layout(
            read_binaries,
            (
                RemoteFile(f"{_FOLDER}/train_X.bin", "md5:918c2871b30a85fa023e0c44e0bee87f"),
                RemoteFile(f"{_FOLDER}/train_y.bin", "md5:5a34089d4802c674881badbb80307741"),
                RemoteFile(f"{_FOLDER}/test_X.bin", "md5:7f263ba9f9e0b06b93213547f721ac82"),
                RemoteFile(f"{_FOLDER}/test_y.bin", "md5:36f9794fa4beb8a2c72628de14fa638e"),
            ),
        ),
    ),
)
