"""Fast convolution by tiles: the trilinear form of `dreaming.model.layers` with fewer products.

Along one axis, four neighbouring coarse pixels y₀ … y₃ see five neighbouring pairs of fine pixels d₀ … d₄ through
two taps w₀, w₁ of the kernel (a tap is the weights of a pair):

    Σⱼ yⱼ (dⱼ w₀ + dⱼ₊₁ w₁)  =  Σₖ dₖ sₖ,   where s = y w, a product of polynomials

and s, of degree 4, is known from its values at five points p, each of which takes one product: s(p) = y(p) w(p).
Five products do the work of eight, and along both axes 25 that of 64 (Toom 1963, Cook 1966; for filters Winograd
1980). So a tile of 4 x 4 coarse pixels becomes 25 rows each of its fine map, its coarse map and the kernel, and the
layers and their gradients are products of rows. A change of form is linear, and its gradient is its transpose: each
is one sparse matrix, applied to the rows of numbers that pixels are in maps that are channels-last.

The more points, the fewer products and the more rounding. In bfloat16 products are cheap and rounding is not: there
a tile has 2 x 2 coarse pixels, and nine products do the work of sixteen.
"""

from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.polynomial.polynomial import polyfromroots
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

Points = tuple[float, ...]
"""Of an axis, without infinity: as many as a tile has coarse pixels."""
FOUR: Points = (0.0, 1.0, -0.5, -2.0)  # with -1 for -1/2 and 2 for -2, rounding would be half as much again
TWO: Points = (0.0, 1.0)
PIXELS = 2**16  # of fine maps that are computed at once; the matrices for so many, 10 MB each, are kept

What = Literal["fine", "coarse", "kernel"]
Size = tuple[int, int, int]
Rows = Float[Tensor, "values tiles columns"]


def points(dtype: torch.dtype) -> Points:
    """Return the points by which maps of a number type are computed."""
    return TWO if dtype == torch.bfloat16 else FOUR


def conv(x: Float[Tensor, "b i hh ww"], w: Float[Tensor, "o i 4 4"]) -> Float[Tensor, "b o h w"]:
    """Compute `dreaming.model.layers.conv`, without a bias; tiles must divide h and w."""
    if len(pieces := x.split(_fitting(x))) > 1:
        return torch.cat([conv(piece, w) for piece in pieces])
    at, (b, _, height, width) = points(w.dtype), x.shape
    rows = _product(rows_of("fine", x, at), None, rows_of("kernel", w, at))
    return of_rows("coarse", rows, (b, height // 2, width // 2), at)


def conv_transpose(y: Float[Tensor, "b o h w"], w: Float[Tensor, "o i 4 4"]) -> Float[Tensor, "b i hh ww"]:
    """Compute `dreaming.model.layers.conv_transpose`, without a bias; tiles must divide h and w."""
    if len(pieces := y.split(_fitting(y, 4))) > 1:
        return torch.cat([conv_transpose(piece, w) for piece in pieces])
    at, (b, _, height, width) = points(w.dtype), y.shape
    rows = _product(None, rows_of("coarse", y, at), rows_of("kernel", w, at))
    return of_rows("fine", rows, (b, 2 * height, 2 * width), at)


def _fitting(maps: Tensor, fine: int = 1) -> int:
    """Count how many maps are computed at once, where each of their pixels is so many of the fine map."""
    return max(1, PIXELS // (fine * maps.shape[2] * maps.shape[3]))


def rows_of(what: What, maps: Float[Tensor, "b c h w"], at: Points = FOUR) -> Rows:
    """Evaluate each tile of maps, or each kernel: a row for each value, of 4 c columns (of a coarse map, c)."""
    b, _, height, width = maps.shape
    return _Change.apply(maps, what, (b, height, width), at, False)  # type: ignore[no-any-return, no-untyped-call]


def of_rows(what: What, rows: Rows, size: Size, at: Points = FOUR) -> Float[Tensor, "b c h w"]:
    """Transpose `rows_of`: add rows up to maps, whose number, height and width are the size."""
    return _Change.apply(rows, what, size, at, True)  # type: ignore[no-any-return, no-untyped-call]


def _product(
    x: Float[Tensor, "n t k"] | None, y: Float[Tensor, "n t o"] | None, w: Float[Tensor, "n o k"] | None
) -> Rows:
    return _Product.apply(x, y, w)  # type: ignore[no-any-return, no-untyped-call]


class _Product(torch.autograd.Function):
    """Of the rows x, y and w, those that are not given: the derivative by them of Σ <y, x wᵀ>.

    The gradient of one that is given is the derivative by it, with the gradient that came in for what was not.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor | None, y: Tensor | None, w: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, y, w)
        with torch.autocast("cpu", enabled=False):  # rows are made for the number type that the maps have
            if x is None:
                return torch.bmm(y, w)  # type: ignore[arg-type]
            return torch.bmm(x, w.mT) if y is None else torch.bmm(y.mT, x)  # type: ignore[union-attr]

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        three = [g if rows is None else rows for rows in ctx.saved_tensors]
        return tuple(
            _product(*(None if other == given else rows for other, rows in enumerate(three)))
            if needed
            else None
            for given, needed in enumerate(ctx.needs_input_grad)
        )


class _Change(torch.autograd.Function):
    """A change of form, or back; the gradient of the one is the other.

    Rows lie in memory tile by tile, where they were made next to each other, and products value by value.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor, what: What, size: Size, at: Points, back: bool) -> Tensor:
        ctx.change = what, size, at, not back
        values = (len(at) + 1) ** 2
        matrix = _matrix(what, size, at, back, torch.promote_types(value.dtype, torch.float32))
        pixels = 1 if what == "coarse" else 4  # of a row
        b, height, width = size
        if back:
            channels = value.shape[2] // pixels
            maps = matrix @ value.reshape(-1, channels)
            return maps.as_strided_(
                (b, channels, height, width), (height * width * channels, 1, width * channels, channels)
            )
        columns = pixels * value.shape[1]
        rows = matrix @ value.permute(0, 2, 3, 1).reshape(-1, value.shape[1])
        tiles = rows.numel() // (values * columns)
        return rows.as_strided_((values, tiles, columns), (columns, values * columns, 1))

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        return _Change.apply(g, *ctx.change), None, None, None, None  # type: ignore[no-untyped-call]


class _Sparse(NamedTuple):
    """A sparse matrix by its rows: the columns and values of their entries, and the first entry of each."""

    columns: Tensor
    values: Tensor
    first: Tensor

    def __matmul__(self, dense: Tensor) -> Tensor:
        """Multiply in the number type of the values; the result has that of the dense matrix."""
        found, *_ = torch.embedding_bag(
            dense.detach().to(self.values.dtype),
            self.columns,
            self.first,
            per_sample_weights=self.values,
            include_last_offset=True,
        )
        return found.to(dense.dtype)


@lru_cache(maxsize=64)
def _matrix(what: What, size: Size, at: Points, back: bool, dtype: torch.dtype) -> _Sparse:
    """Return the matrix that makes rows of the pixels of maps of a size, or its transpose."""
    b, *sides = size
    down, across = (_along(what, side, at) for side in sides)
    one, other = (sparse.csr_array(axis.reshape(-1, axis.shape[-1])) for axis in (down, across))
    matrix = sparse.kron(sparse.eye_array(b), sparse.kron(one, other), format="csr")
    # its rows are counted by map, and along both axes by tile, value and pixel of the row
    order = np.arange(matrix.shape[0]).reshape(b, *down.shape[:3], *across.shape[:3])
    by_value, by_tile = (2, 5, 0, 1, 4, 3, 6), (0, 1, 4, 2, 5, 3, 6)
    matrix = matrix[order.transpose(by_value if back else by_tile).ravel()]
    matrix = sparse.csr_array(matrix.T) if back else matrix
    columns, first = (torch.from_numpy(each.astype(np.int32)) for each in (matrix.indices, matrix.indptr))
    return _Sparse(columns, torch.from_numpy(matrix.data).to(dtype), first)


def _along(what: What, side: int, points: Points) -> NDArray[np.floating]:
    """Return what each pixel of an axis counts in each tile's values, pixel by pixel of a row: [t, n, p, side]."""
    tile = len(points)
    if what == "kernel":
        return np.kron(_values(points, 2), np.eye(2)).reshape(1, tile + 1, 2, 4)
    if what == "coarse":
        return np.kron(np.eye(side // tile), _values(points, tile)).reshape(-1, tile + 1, 1, side)
    interpolating = np.zeros((tile + 1, tile + 1))  # polynomials that are 1 at one point and 0 at the others
    for k, p in enumerate(points):
        others = [q for q in points if q != p]
        interpolating[k, :tile] = polyfromroots(others) / np.prod([p - q for q in others])
    interpolating[-1] = polyfromroots(points)
    padded = np.zeros((side // (2 * tile), tile + 1, 2, side + 2))
    for number, pixel in np.ndindex(len(padded), 2):
        first = 2 * tile * number + pixel
        padded[number, :, pixel, first : first + 2 * tile + 2 : 2] = interpolating
    return padded[..., 1:-1]


def _values(points: Points, coefficients: int) -> NDArray[np.floating]:
    """Return the matrix that evaluates a polynomial of so many coefficients; at infinity it is the last of them."""
    return np.vstack([np.vander(points, coefficients, increasing=True), np.eye(coefficients)[-1]])
