"""A user's own images and labels as arrays: taken if there is one way to read them, else refused."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import UInt8
from torch import Tensor

from dreaming.data.contents import UNLABELLED, Contents, Split
from dreaming.errors import UserError, brief
from dreaming.model.pixels import by_channel

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
        What they were taken for, where that is not plain, and what was done to them; in a sentence for each split.

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
        Split(pixels, torch.from_numpy(numbers)) for pixels, numbers in zip(images, labels, strict=True)
    )
    return Contents(train_split, test_split, known), said


def _images(values: Any, where: str, said: list[str]) -> UInt8[Tensor, "n c s s"]:
    """Return pixels of 0 to 255, in memory of their own."""
    found = by_channel(values, where).detach().cpu()
    dtype = str(found.dtype).removeprefix("torch.")
    if not found.numel():
        raise UserError(f"{where} are none: they have shape {list(found.shape)}")
    low, high = (end.item() for end in found.aminmax())
    if found.is_floating_point():
        said.append(
            f"{where} are {dtype} of {low:.3g} to {high:.3g}: taken as 0 (black) to 1 (white), and rounded to 256"
            " levels"
        )
        wide = found if found.dtype == torch.float64 else found.float()
        found = (wide * 255).round().to(torch.uint8)
    elif high == 1:
        raise UserError(
            f"{where} are whole numbers of 0 and 1, all but black where 255 is white; multiply them by 255, or give"
            " floats"
        )
    elif 1 < high < 128:
        said.append(f"{where} run to {high}, and are dark: taken as 0 (black) to 255 (white)")
    return found.clone(memory_format=torch.contiguous_format)


def _labels(values: Any, n: int, where: str) -> npt.NDArray[np.int64]:
    try:
        array = np.asarray(values.tolist() if isinstance(values, Tensor) else values)
    except ValueError as error:  # lists that are not of one length
        raise UserError(f"{where} are no list of numbers") from error
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
