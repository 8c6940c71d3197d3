"""House numbers drawn from scikit-learn's handwritten digits: colour scenes that need no download.

``digits`` is nearly linear in its pixels. Here the same digits are set into scenes as Street View House Numbers
has them: a centred digit, neighbours cut off at the edges, paint lighter or darker than the wall, shading, blur,
clutter. What a digit is then hides behind what a linear readout of pixels cannot undo.

Writers. The 1,797 digits are the test part of UCI's Optical Recognition of Handwritten Digits. 13 people wrote
them; who wrote which is not published. But the labels show forms: one sequence of 130 classes comes 14 times, with
23 digits missing in all. If each form was filled in by one person, one person filled in two. The first eleven
forms (1,415 digits) are for training and the last three (382) for test, in the middle and as neighbours. So no
digit is in both splits, and at most one writer is.

Numbers. An image depends on its split and its index alone: not on the run's seed, nor on how many are drawn.
Images are drawn in blocks of 100, each from named random streams of its own; all arithmetic is in float64
before it is rounded to bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8

from dreaming.data.contents import Contents, Split
from dreaming.data.readers import digits
from dreaming.data.readers.digits import CLASSES, written
from dreaming.data.sources import Source
from dreaming.errors import UserError
from dreaming.rng import Random

N_TRAIN, N_TEST = 8000, 2000
MOST = 1_000_000
"""Images of a split; three gigabytes of them."""
BLOCK = 100
FIRST_TEST_DIGIT = 1415

_SEED = 0
"""The data set's own; another makes another data set."""
_FINE, _MARGIN = 4, 4
"""Points of a digit's picture to each cell of its 8 x 8, and points of nothing around it."""
_SIDE = 8 * _FINE + 2 * _MARGIN
_SPECKS = 3

RANGES: Mapping[str, tuple[float, float]] = {
    "height": (25, 30),  # of a digit, pixels
    "aspect": (0.75, 1.0),  # its width over its height
    "right": (-1.3, 1.3),  # of its middle from the image's, pixels
    "down": (-1.3, 1.3),
    "turn": (-0.08, 0.08),  # of the whole number, radians
    "slant": (-0.15, 0.15),  # pixels to the right for a pixel down
    "pitch": (7.0, 8.5),  # from digit to digit, cells
    "thickness": (0.5, 0.75),  # share of a cell's ink above which there is paint, from 1 down
    "wall": (0.15, 0.45),  # lightness from 0 to 1 under light paint; under dark paint, from 1 to 0
    "contrast": (0.35, 0.6),  # lightness between wall and paint
    "tint": (-0.08, 0.08),  # of wall and paint, a channel
    "edge distance": (13, 28),  # from the middle to where the wall ends, pixels
    "edge lightness": (0.15, 0.85),
    "bar distance": (6, 24),
    "bar width": (0.3, 1.6),  # half of it, pixels
    "bar strength": (0, 0.6),  # 0 none, 1 opaque
    "speck strength": (-1, 0.6),  # below 0: none
    "speck size": (0.5, 1.6),  # standard deviation, pixels
    "light": (0, 0.2),  # shading: light at one border more than in the middle
    "blur": (0.4, 0.9),  # standard deviation, pixels
    "noise": (0, 0.04),  # largest error of a sensor
}
"""What is drawn uniformly, and between which bounds; what is not named here is drawn from 0 to 1."""
NEIGHBOUR = 0.7
"""Probability of a neighbour, on each side."""
LIGHT_PAINT = 0.57
"""Probability that the paint is lighter than the wall."""

_ROW, _COLUMN = np.mgrid[0:32, 0:32].astype(np.float64)
_Plane = Float[np.ndarray, "n 32 32"]


@dataclass(frozen=True)
class Handwriting:
    """The digits of one split.

    Attributes
    ----------
    pictures : float64 [k+1, 40, 40]
        Ink from 0 to 1 (the spline goes a little beyond), and last a picture without any.
    labels : int64 [k]
        Which digit each is.
    """

    pictures: Float[np.ndarray, "k1 side side"]
    labels: Int64[np.ndarray, " k"]


class Scene:
    """The random numbers of the images of one block, by name; each is asked for once.

    Examples
    --------
    >>> Scene("train", 0).between("height").shape
    (100,)
    """

    def __init__(self, split: Literal["train", "test"], block: int) -> None:
        self._random = Random(_SEED, ("house_digits", split, block))

    def between(self, name: str, *shape: int, bounds: str | None = None) -> Float[np.ndarray, "100 ..."]:
        """Draw for each image of the block, uniformly between the `RANGES` of that name (or of ``bounds``)."""
        low, high = RANGES.get(bounds or name, (0, 1))
        drawn = self._random.at(name).uniform("images", (BLOCK, *shape)).double().numpy()
        return low + (high - low) * drawn


def read_house_digits(n_train: int = N_TRAIN, n_test: int = N_TEST) -> Contents:
    """Draw house numbers.

    Parameters
    ----------
    n_train, n_test
        Images of the two splits, 1 to 1,000,000.

    Returns
    -------
    Contents
        Colour images of ten classes. Of each ten images (from a multiple of ten on), each shows another class.

    Raises
    ------
    UserError
        If more are asked for.

    Examples
    --------
    >>> few, more = read_house_digits(10, 10), read_house_digits(20, 10)
    >>> bool((few.train.images == more.train.images[:10]).all())
    True
    >>> few.test.labels.unique().tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    return Contents(_drawn("train", n_train), _drawn("test", n_test), CLASSES)


def _drawn(split: Literal["train", "test"], n: int) -> Split:
    if n > MOST:
        raise UserError(f"house_digits draws at most {MOST:,} images of a split, not {n:,}; lower --limit")
    images = torch.empty(n, 3, 32, 32, dtype=torch.uint8)
    labels = torch.empty(n, dtype=torch.int64)
    for block, (some, classes) in enumerate(zip(images.split(BLOCK), labels.split(BLOCK), strict=True)):
        pictures, targets = draw_block(handwriting(split), Scene(split, block))
        some.copy_(torch.from_numpy(pictures[: len(some)]))
        classes.copy_(torch.from_numpy(targets[: len(some)]))
    return Split(images, labels)


@cache
def handwriting(split: Literal["train", "test"]) -> Handwriting:
    """Enlarge the digits of one split by cubic splines, to 4 x 4 points a cell."""
    from scipy import ndimage

    small, labels = written()
    part = slice(FIRST_TEST_DIGIT) if split == "train" else slice(FIRST_TEST_DIGIT, None)
    ink = small[part].reshape(-1, 8, 8) / 16
    enlarge = ndimage.zoom(np.eye(8), (_FINE, 1), mode="grid-constant", grid_mode=True)
    pictures = np.zeros((len(ink) + 1, _SIDE, _SIDE))
    pictures[:-1, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN] = enlarge @ ink @ enlarge.T
    return Handwriting(pictures, labels[part])


def draw_block(
    writing: Handwriting, scene: Scene
) -> tuple[UInt8[np.ndarray, "100 3 32 32"], Int64[np.ndarray, "100"]]:
    """Draw the images of one block, and return which digits stand in their middles."""
    targets = np.argsort(scene.between("class").reshape(-1, 10), axis=1).ravel()
    paint = ink(writing, digits_side_by_side(writing, targets, scene), scene)
    return photograph(colour(paint, scene), scene), targets


def digits_side_by_side(
    writing: Handwriting, targets: Int64[np.ndarray, " n"], scene: Scene
) -> Int64[np.ndarray, "n 3"]:
    """Choose for each image the pictures of the digit at the left, in the middle and at the right."""
    by_class = np.argsort(writing.labels, kind="stable")
    ends = np.cumsum(np.bincount(writing.labels, minlength=10))
    counts = np.bincount(writing.labels, minlength=10)[targets]
    middle = by_class[ends[targets] - 1 - (scene.between("digit") * counts).astype(np.int64)]
    beside = (scene.between("neighbours", 2) * len(writing.labels)).astype(np.int64)
    none = len(writing.labels)
    beside[scene.between("presence", 2) >= NEIGHBOUR] = none
    return np.stack([beside[:, 0], middle, beside[:, 1]], axis=1)


def ink(writing: Handwriting, chosen: Int64[np.ndarray, "n 3"], scene: Scene) -> _Plane:
    """Write three digits beside each other onto each image; 0 is wall, 1 is paint.

    The image's pixels are traced back: shifted, turned and slanted to the number's own frame, whose unit is a cell
    of the 8 x 8 and whose origin is the middle of the digit in the middle; then to the digit they lie on.
    """
    from scipy import ndimage  # here, since it takes long to import and most runs see other images

    height, turn = scene.between("height"), scene.between("turn")
    y = _ROW - 15.5 - _each(scene.between("down"))
    x = _COLUMN - 15.5 - _each(scene.between("right"))
    y, x = (
        _each(np.cos(turn)) * y - _each(np.sin(turn)) * x,
        _each(np.sin(turn)) * y + _each(np.cos(turn)) * x,
    )
    x = (x + _each(scene.between("slant")) * y) * _each(8 / (height * scene.between("aspect")))
    y *= _each(8 / height)
    pitch = _each(scene.between("pitch"))
    place = np.clip(np.rint(x / pitch), -1, 1)
    x -= place * pitch
    row, column = (np.clip((cell + 4) * _FINE - 0.5 + _MARGIN, 0, _SIDE - 1) for cell in (y, x))
    digit = np.take_along_axis(chosen, 1 + place.astype(np.int64).reshape(len(chosen), -1), axis=1)
    row += _SIDE * digit.reshape(row.shape)
    found = ndimage.map_coordinates(writing.pictures.reshape(-1, _SIDE), [row, column], order=1)
    least = _each(1 - scene.between("thickness"))
    paint: _Plane = np.clip((found - least) / 0.18 + 0.5, 0, 1)
    return paint


def colour(paint: _Plane, scene: Scene) -> Float[np.ndarray, "n 3 32 32"]:
    """Paint walls, what stands around on them, and numbers; later layers cover earlier ones."""
    sign = np.where(scene.between("polarity") < LIGHT_PAINT, 1, -1)
    wall = scene.between("wall")
    wall = np.where(sign > 0, wall, 1 - wall)
    number = wall + sign * scene.between("contrast")
    beyond = np.clip(_from_line(scene, "edge") + 0.5, 0, 1)
    bar = _each(scene.between("bar width")) + 0.5 - np.abs(_from_line(scene, "bar"))
    bar = np.clip(bar, 0, 1) * _each(scene.between("bar strength"))
    layers = [
        (np.ones_like(paint), wall[:, None] + scene.between("wall tint", 3, bounds="tint")),
        (beyond, scene.between("edge lightness")[:, None] + scene.between("edge tint", 3, bounds="tint")),
        (bar, scene.between("bar colour", 3)),
        (paint, number[:, None] + scene.between("paint tint", 3, bounds="tint")),
        *((_speck(scene, i), scene.between(f"speck colour {i}", 3)) for i in range(_SPECKS)),
    ]
    shown = np.ones_like(paint)
    shares = []
    for cover, _ in reversed(layers):
        shares.append((shown * cover).reshape(len(paint), 1024))
        shown = shown * (1 - cover)
    colours = np.stack([tone for _, tone in reversed(layers)], axis=2)
    seen: Float[np.ndarray, "n 3 1024"] = np.clip(colours, 0, 1) @ np.stack(shares, axis=1)
    return seen.reshape(len(paint), 3, 32, 32)


def photograph(seen: Float[np.ndarray, "n 3 32 32"], scene: Scene) -> UInt8[np.ndarray, "n 3 32 32"]:
    """Light a scene from one side, blur it, add the noise of a sensor, and round to bytes."""
    angle = 2 * np.pi * scene.between("light angle")
    toward = _each(np.cos(angle)) * (_COLUMN - 15.5) + _each(np.sin(angle)) * (_ROW - 15.5)
    lit = seen * (1 + _each(scene.between("light")) * toward / 15.5)[:, None]
    near = np.exp(-((_ROW - _COLUMN) ** 2) / (2 * _each(scene.between("blur")) ** 2))
    near = (near / near.sum(axis=2, keepdims=True))[:, None]
    blurred = near @ lit @ near.swapaxes(2, 3)
    grain = 2 * scene.between("grain", 3, 32, 32) - 1
    noisy = blurred + scene.between("noise")[:, None, None, None] * grain
    rounded: Float[np.ndarray, "n 3 32 32"] = np.rint(255 * np.clip(noisy, 0, 1))
    return rounded.astype(np.uint8)


def _each(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 1 1"]:
    return values[:, None, None]


def _from_line(scene: Scene, name: str) -> _Plane:
    """Return how many pixels each pixel lies beyond a line, of any direction, at a distance from the middle."""
    angle = 2 * np.pi * scene.between(f"{name} angle")
    away = _each(np.cos(angle)) * (_COLUMN - 15.5) + _each(np.sin(angle)) * (_ROW - 15.5)
    beyond: _Plane = away - _each(scene.between(f"{name} distance"))
    return beyond


def _speck(scene: Scene, i: int) -> _Plane:
    row, column = (_each(31 * scene.between(f"speck {axis} {i}")) for axis in ("row", "column"))
    strength = np.clip(scene.between(f"speck strength {i}", bounds="speck strength"), 0, 1)
    spread = 2 * scene.between(f"speck size {i}", bounds="speck size") ** 2
    speck: _Plane = _each(strength) * np.exp(-((_ROW - row) ** 2 + (_COLUMN - column) ** 2) / _each(spread))
    return speck


def _limited(limit: int | None) -> Contents:
    """Draw as many images of each split as the limit says, also where that is more than by default."""
    n_train, n_test = (N_TRAIN, N_TEST) if limit is None else (max(limit, 10), max(limit, 10))
    return read_house_digits(n_train, n_test)


SOURCE = Source(
    name="house_digits",
    label="House digits",
    n_train=N_TRAIN,
    n_test=N_TEST,
    host=digits.SOURCE.host,
    licence=digits.SOURCE.licence,
    make=_limited,
)
