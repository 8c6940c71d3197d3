"""A user's own images and labels as arrays: taken if there is one way to read them, else refused."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dreaming.data.contents import UNLABELLED, Contents, Split
from dreaming.errors import UserError, brief

Given = Any
"""Images, or a tuple of images and labels: arrays, tensors or nested lists."""


def read_arrays(
    train: Given, test: Given, classes: Sequence[str] | None, name: str
) -> tuple[Contents, list[str]]:
    """Read both splits of a data set of arrays; see `dreaming.data.dataset.Dataset.of_arrays`.

    Returns
    -------
    contents
        Both splits, in memory of their own.
    said
        What was done to the numbers, if anything, in a sentence for each split.

    Raises
    ------
    UserError
        If images or labels can be read in no way, or in two.
    """
    parts = [
        (split, *(given if isinstance(given, tuple) and len(given) == 2 else (given, None)))
        for split, given in (("train", train), ("test", test))
    ]
    said: list[str] = []
    images = [_images(pixels, f"the {split} images of {name!r}", said) for split, pixels, _ in parts]
    shapes = [list(each.shape[1:]) for each in images]
    if shapes[0] != shapes[1]:
        raise UserError(
            f"the train images of {name!r} have channels, height and width {shapes[0]} and the test images"
            f" {shapes[1]}; both need the same"
        )
    given = [labels is not None for *_, labels in parts]
    if given[0] != given[1]:
        raise UserError(
            f"{name!r} has labels of its {parts[given.index(True)][0]} images alone; give both or none"
        )
    if not given[0]:
        if classes is not None:
            raise UserError(f"{name!r} has classes and no labels; give train=(images, labels), and test")
        labels = [np.full(len(each), UNLABELLED) for each in images]
        known: tuple[str, ...] = ()
    else:
        labels = [
            _labels(values, len(pixels), f"the {split} labels of {name!r}")
            for (split, _, values), pixels in zip(parts, images, strict=True)
        ]
        known = _classes(labels, classes, name)
    train_split, test_split = (
        Split(torch.from_numpy(pixels), torch.from_numpy(numbers))
        for pixels, numbers in zip(images, labels, strict=True)
    )
    return Contents(train_split, test_split, known), said


def _array(values: Any, where: str) -> npt.NDArray[Any]:
    """Make an array of numbers, of the caller's own memory or not."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = values.float() if values.dtype == torch.bfloat16 else values
        values = values.numpy()
    try:
        return np.asarray(values)
    except ValueError as error:  # lists of lists that are not of one length
        raise UserError(f"{where} are of mixed sizes; bring them to one size first") from error


def _images(values: Any, where: str, said: list[str]) -> npt.NDArray[np.uint8]:
    """Return pixels of 0 to 255, [n, c, s, s], in memory of their own."""
    array = _array(values, where)
    if array.dtype == object:
        raise UserError(f"{where} are of mixed sizes, or no numbers; bring them to one size first")
    return np.array(_pixels(_channels_first(array, where), where, said), order="C")


def _channels_first(array: npt.NDArray[Any], where: str) -> npt.NDArray[Any]:
    """Return the images with their channels before height and width, wherever they were."""
    shape = list(array.shape)
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim != 4:
        raise UserError(
            f"{where} have shape {shape}, where [n, h, w], [n, h, w, c] or [n, c, h, w] is wanted, with 1 or 3"
            " channels c"
        )
    first, last = (
        array.shape[axis] in (1, 3) and len({array.shape[side] for side in sides}) == 1
        for axis, sides in ((1, (2, 3)), (3, (1, 2)))
    )
    if first and last:
        raise UserError(f"{where} have shape {shape}, whose channels may be the second axis or the last")
    if not first and not last:
        raise UserError(
            f"{where} have shape {shape}, and must be square, with 1 or 3 channels; cut or pad them to squares"
        )
    if not array.size:
        raise UserError(f"{where} are none: they have shape {shape}")
    return array if first else array.transpose(0, 3, 1, 2)


def _pixels(array: npt.NDArray[Any], where: str, said: list[str]) -> npt.NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "iuf":
        raise UserError(f"{where} are {array.dtype}; give uint8 of 0 to 255, or floats of 0 to 1")
    low, high = array.min(), array.max()
    top = 1 if array.dtype.kind == "f" else 255
    if not (low >= 0 and high <= top):  # NaN is neither
        kind = "floats are" if top == 1 else "whole numbers are"
        raise UserError(
            f"{where} run from {low} to {high}, where {kind} pixels of 0 to {top}; bring them to that range,"
            " or to uint8 of 0 to 255"
        )
    if top == 255:
        return array.astype(np.uint8)
    said.append(
        f"{where} are {array.dtype} of {low:.3g} to {high:.3g}: taken as 0 (black) to 1 (white), and rounded to"
        " 256 levels"
    )
    return (array * 255).round().astype(np.uint8)


def _labels(values: Any, n: int, where: str) -> npt.NDArray[np.int64]:
    array = _array(values, where)
    if array.shape != (n,):
        raise UserError(f"{where} have shape {list(array.shape)}, not one label for each of {n} images")
    if array.dtype.kind not in "iu":
        raise UserError(
            f"{where} are {array.dtype}, not whole numbers; number the classes from 0, as"
            " numpy.unique(labels, return_inverse=True)[1] does"
        )
    return array.astype(np.int64)


def _classes(
    labels: Sequence[npt.NDArray[np.int64]], classes: Sequence[str] | None, name: str
) -> tuple[str, ...]:
    """Return the names of the classes, after making sure that each label is the number of one."""
    there = np.unique(np.concatenate(labels))
    for split, values in zip(("train", "test"), labels, strict=True):
        if len(np.unique(values)) < 2:
            raise UserError(
                f"the {split} labels of {name!r} are all {values[0]}, and a readout needs two classes; leave the"
                " labels out to do without a readout"
            )
    if classes is None and not np.array_equal(there, np.arange(len(there))):
        raise UserError(
            f"the labels of {name!r} are {brief(there.tolist())}, which are not the numbers from 0 on; name the"
            " classes, or number them as numpy.unique(labels, return_inverse=True)[1] does"
        )
    known = tuple(map(str, range(len(there)) if classes is None else classes))
    if not 0 <= there[0] <= there[-1] < len(known):
        raise UserError(
            f"the labels of {name!r} run from {there[0]} to {there[-1]}, and {len(known)} classes are numbered 0 to"
            f" {len(known) - 1}"
        )
    return known
