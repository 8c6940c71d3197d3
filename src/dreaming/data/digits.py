"""Scikit-learn's handwritten digits: real data that needs no download."""

import numpy as np
import torch
from PIL import Image

from dreaming.data.splits import Contents, Split

N_TRAIN, N_TEST = 1437, 360
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
    from sklearn.datasets import load_digits

    small, labels = load_digits(return_X_y=True)
    grey = np.rint(small * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    large = np.stack(
        [np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC)) for image in grey]
    )
    images = torch.from_numpy(large)[:, None].repeat(1, 3, 1, 1)
    targets = torch.from_numpy(labels.astype(np.int64))
    return Contents(
        Split(images[:N_TRAIN], targets[:N_TRAIN]), Split(images[N_TRAIN:], targets[N_TRAIN:]), CLASSES
    )
