"""Street View House Numbers, cropped digits: Netzer's .mat files, or Hugging Face's parquet files."""

import struct
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import scipy.io
import torch
from scipy.io.matlab import MatReadError

from dreaming.data.parquet import read_parquet
from dreaming.data.splits import Contents, Split
from dreaming.errors import UserError

CLASSES = tuple(str(digit) for digit in range(10))
_MOST = 200_000  # images; the training file has 73,257

_NUMBERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "single", "double")

# What scipy's reader stumbles over in a file that is cut off, damaged, or of another kind.
_BROKEN = (
    MatReadError,
    RuntimeWarning,
    UserWarning,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    NotImplementedError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
)


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
    train, test = (read_parquet(path, "image", len(CLASSES)) for path in paths)
    return Contents(train, test, CLASSES)


def _split(path: Path) -> Split:
    try:
        # The headers first: a file that claims absurd shapes is refused before memory is asked for.
        with warnings.catch_warnings():
            for doubt in (RuntimeWarning, UserWarning):  # sizes that overflow, two arrays of one name
                warnings.simplefilter("error", doubt)
            listed = scipy.io.whosmat(path)
            shapes = {name: (shape, kind) for name, shape, kind in listed}
            if len(shapes) < len(listed):  # the reader would read the one that was not looked at, too
                raise UserError(f"{path} holds two arrays of one name; fetch it again")
            n = _number_of_images(shapes, path)
            arrays = scipy.io.loadmat(path, variable_names=["X", "y"])
        pixels = np.asarray(arrays["X"])
        labels = np.asarray(arrays["y"]).astype(np.float64).reshape(-1)
    except _BROKEN as error:
        raise UserError(f"{path} is damaged or cut off ({error}); fetch it again") from error
    if pixels.dtype != np.uint8 or pixels.shape != (32, 32, 3, n) or len(labels) != n:
        raise UserError(f"{path} does not hold what its header says; fetch it again")
    if not np.isin(labels, np.arange(11)).all():
        raise UserError(f"{path} holds labels other than 1 to 10 (10 being digit 0); fetch it again")
    return Split(
        torch.from_numpy(np.ascontiguousarray(pixels.transpose(3, 2, 0, 1))),
        torch.from_numpy(labels.astype(np.int64) % 10),
    )


def _number_of_images(shapes: Mapping[str, tuple[tuple[int, ...], str]], path: Path) -> int:
    match shapes:
        case {"X": ((32, 32, 3, int(n)), "uint8"), "y": ((int(rows), 1) | (1, int(rows)), kind)} if (
            n == rows and 1 <= n <= _MOST and kind in _NUMBERS
        ):
            return n
    found = [f"{name} {list(shape)} {kind}" for name, (shape, kind) in shapes.items()]
    listed = ", ".join(each[:80] for each in found[:4]) or "nothing"
    raise UserError(
        f"{path} holds {listed}, where SVHN has X [32, 32, 3, n] uint8 and y [n, 1]; fetch it again"
    )
