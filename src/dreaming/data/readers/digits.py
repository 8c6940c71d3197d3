"""Scikit-learn's handwritten digits: real data that needs no download."""

from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from dreaming.data.contents import Contents, Split
from dreaming.data.sources import Source

CLASSES = tuple(str(digit) for digit in range(10))


def read_digits() -> Contents:
    """Scale the digits of ``sklearn.datasets.load_digits`` up to 32 x 32 x 3.

    These are the 1,797 test images of UCI's Optical Recognition of Handwritten Digits, 8 x 8 pixels of
    0 to 16, written by 13 people. Images that stand near each other are often by one writer, so nothing is
    shuffled: the first 1,437 train and the last 360 test, which keeps writers apart as far as the
    order of the set does.
    Pixels become ``round(value * 255 / 16)``, then the image is scaled up by Pillow's bicubic filter, which
    works in integers and gives the same bytes on every machine; the three channels are equal.

    Returns
    -------
    Contents
        1,437 and 360 images of ten classes.

    Examples
    --------
    >>> digits = read_digits()
    >>> len(digits.train), len(digits.test), digits.train.images.shape[1:]
    (1437, 360, torch.Size([3, 32, 32]))
    """
    small, labels = written()
    grey = np.rint(small * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    large = np.stack(
        [np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC)) for image in grey]
    )
    images = torch.from_numpy(large)[:, None].repeat(1, 3, 1, 1)
    targets = torch.from_numpy(labels)
    n = SOURCE.n_train
    return Contents(Split(images[:n], targets[:n]), Split(images[n:], targets[n:]), CLASSES)


def written() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Read the digits as they were written down, out of scikit-learn's file: to import all of it takes a second.

    Returns
    -------
    pixels
        0 to 16, shape [1797, 64].
    labels
        0 to 9, shape [1797].
    """
    where = find_spec("sklearn")
    path = Path(cast(str, where.origin)).parent / "datasets/data/digits.csv.gz" if where else Path()
    if path.is_file():
        table = np.loadtxt(path, delimiter=",")
        return table[:, :-1], table[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return pixels, labels.astype(np.int64)


SOURCE = Source(
    name="digits",
    label="Digits",
    n_train=1437,
    n_test=360,
    host="scikit-learn (no download)",
    licence="CC BY 4.0; cite Alpaydin and Kaynak 1998",
    make=lambda _: read_digits(),
)
