"""Street View House Numbers, cropped digits: Netzer's .mat files, or Hugging Face's parquet files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.io
import torch

from dreaming.data.contents import Contents, Split
from dreaming.data.readers.digits import CLASSES
from dreaming.data.readers.parquet import hub_places, read_parquet
from dreaming.data.sources import Layout, RemoteFile, Source
from dreaming.errors import UserError


def read_mats(paths: Sequence[Path]) -> Contents:
    """Read ``train_32x32.mat`` and ``test_32x32.mat``.

    The files store images as [32, 32, 3, n] and digit 0 as label 10; both are put right.

    Parameters
    ----------
    paths
        The training file, then the test file.

    Returns
    -------
    Contents
        73,257 and 26,032 images in the files' order, for the official files.

    Raises
    ------
    UserError
        If a file is cut off, damaged, or holds other arrays.
    """
    train, test = (_split(path) for path in paths)
    return Contents(train, test, CLASSES)


def read_parquets(paths: Sequence[Path]) -> Contents:
    """Read Hugging Face's two files: columns ``image`` (PNG) and ``label``, where 0 is digit 0."""
    train, test = (read_parquet(path, len(CLASSES)) for path in paths)
    return Contents(train, test, CLASSES)


def _split(path: Path) -> Split:
    try:
        arrays = scipy.io.loadmat(path, variable_names=["X", "y"])
    except Exception as error:  # whatever scipy stumbles over
        raise UserError(f"{path} is damaged or cut off ({error}); fetch it again") from error
    pixels, labels = (np.asarray(arrays.get(name)) for name in ("X", "y"))
    n = labels.size
    if pixels.shape != (32, 32, 3, n) or pixels.dtype != np.uint8 or labels.dtype.kind not in "uif" or not n:
        raise UserError(
            f"{path} holds X {list(pixels.shape)} {pixels.dtype} and y {list(labels.shape)} {labels.dtype},"
            " where SVHN has X [32, 32, 3, n] uint8 and y [n, 1]; fetch it again"
        )
    if not np.isin(labels, np.arange(11)).all():
        raise UserError(f"{path} holds labels other than 1 to 10 (10 being digit 0); fetch it again")
    return Split(
        torch.from_numpy(np.ascontiguousarray(pixels.transpose(3, 2, 0, 1))),
        torch.from_numpy(labels.reshape(-1).astype(np.int64) % 10),
    )


_STANFORD = "//ufldl.stanford.edu/housenumbers"
# The md5 sums of torchvision, looked up in November 2026. No mirror of the .mat files was found, and no published
# checksum of ufldl-stanford/svhn's parquet files, so those need to be trusted.
SOURCE = Source(
    name="svhn",
    label="SVHN",
    n_train=73_257,
    n_test=26_032,
    chance=0.196,
    host="ufldl.stanford.edu",
    licence="non-commercial use only; cite Netzer et al. 2011",
    layouts=(
        Layout(
            read_mats,
            (
                RemoteFile(
                    "train_32x32.mat",
                    "md5:e26dedcc434d2e4c54c9b2d4a06d8373",
                    182_040_794,
                    (f"http:{_STANFORD}/train_32x32.mat", f"https:{_STANFORD}/train_32x32.mat"),
                ),
                RemoteFile(
                    "test_32x32.mat",
                    "md5:eb5a983be6a315427106f1b164d9cef3",
                    64_275_384,
                    (f"http:{_STANFORD}/test_32x32.mat", f"https:{_STANFORD}/test_32x32.mat"),
                ),
            ),
        ),
        Layout(
            read_parquets,
            (
                RemoteFile(
                    "cropped_digits/train-00000-of-00001.parquet",
                    None,
                    also=hub_places("svhn", "train", "cropped_digits"),
                ),
                RemoteFile(
                    "cropped_digits/test-00000-of-00001.parquet",
                    None,
                    also=hub_places("svhn", "test", "cropped_digits"),
                ),
            ),
        ),
    ),
)
