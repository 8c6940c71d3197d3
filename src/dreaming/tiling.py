"""Fast convolution by tiles: the trilinear form of `dreaming.convolution` with nine products in place of sixteen.

Along one axis, two neighbouring coarse pixels y₀, y₁ see three neighbouring pairs of fine pixels d₀, d₁, d₂ through
two taps w₀, w₁ of the kernel (a tap is the weights of a pair):

    y₀ (d₀ w₀ + d₁ w₁) + y₁ (d₁ w₀ + d₂ w₁) = (d₀ - d₁) y₀ w₀ + d₁ (y₀ + y₁) (w₀ + w₁) + (d₂ - d₁) y₁ w₁

Three products do the work of four, and along both axes nine that of sixteen (Winograd 1980, F(2, 2)). So a tile of
2 x 2 coarse pixels becomes nine rows, a matrix each for fine map, coarse map and kernel; the layers and their
gradients are products of those matrices. Each change of form below is linear, and its gradient is its transpose.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Nine = Float[Tensor, "9 rows columns"]


def coarsen(x: Float[Tensor, "b i hh ww"], w: Float[Tensor, "o i 4 4"]) -> Float[Tensor, "b o h w"]:
    """Compute `dreaming.convolution.coarsen`, without a bias; h and w must be even."""
    b, _, height, width = x.shape
    products = rows_of_fine(x) @ rows_of_kernel(w).transpose(1, 2)
    return coarse_of_rows(products, b, height // 2, width // 2)


def refine(y: Float[Tensor, "b o h w"], w: Float[Tensor, "o i 4 4"]) -> Float[Tensor, "b i hh ww"]:
    """Compute `dreaming.convolution.refine`, without a bias; h and w must be even."""
    b, _, height, width = y.shape
    return fine_of_rows(rows_of_coarse(y) @ rows_of_kernel(w), b, height, width)


def rows_of_fine(x: Float[Tensor, "b i hh ww"]) -> Nine:
    """Take the three differences along both axes of each tile of a fine map; a row has 4 i columns."""
    return _linear(_rows_of_fine, _fine_of_rows, x, (x.shape[0], x.shape[2] // 2, x.shape[3] // 2))


def fine_of_rows(rows: Nine, b: int, height: int, width: int) -> Float[Tensor, "b i hh ww"]:
    """Transpose `rows_of_fine`: add rows up to the fine map over a coarse map of this height and width."""
    return _linear(_fine_of_rows, _rows_of_fine, rows, (b, height, width))


def rows_of_coarse(y: Float[Tensor, "b o h w"]) -> Nine:
    """Take the three sums along both axes of each tile of a coarse map; a row has o columns."""
    return _linear(_rows_of_coarse, _coarse_of_rows, y, (y.shape[0], y.shape[2], y.shape[3]))


def coarse_of_rows(rows: Nine, b: int, height: int, width: int) -> Float[Tensor, "b o h w"]:
    """Transpose `rows_of_coarse`."""
    return _linear(_coarse_of_rows, _rows_of_coarse, rows, (b, height, width))


def rows_of_kernel(w: Float[Tensor, "o i 4 4"]) -> Nine:
    """Take the three sums along both axes of the taps of a kernel; o rows of 4 i columns."""
    return _linear(_rows_of_kernel, _kernel_of_rows, w, ())


Form = Callable[..., Tensor]


class _Linear(torch.autograd.Function):
    """A linear change of form, whose gradient is its transpose, whose gradient is the form again."""

    @staticmethod
    def forward(ctx: Any, form: Form, transpose: Form, value: Tensor, size: tuple[int, ...]) -> Tensor:
        ctx.forms, ctx.size = (form, transpose), size
        return form(value, *size)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        form, transpose = ctx.forms
        return None, None, _linear(transpose, form, g, ctx.size), None


def _linear(form: Form, transpose: Form, value: Tensor, size: tuple[int, ...]) -> Tensor:
    return _Linear.apply(form, transpose, value, size)  # type: ignore[no-any-return, no-untyped-call]


# Axes below: a and c count the three of a tile's rows and columns, p and q the two pixels of a pair.


def _rows_of_fine(x: Tensor, b: int, height: int, width: int) -> Tensor:
    i = x.shape[1]
    pairs = functional.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1)).view(b, height + 1, 2, width + 1, 2, i)
    upper, middle, lower = pairs[:, 0:-1:2], pairs[:, 1::2], pairs[:, 2::2]
    tall = x.new_empty(3, b, height // 2, 2, width + 1, 2, i)
    torch.sub(upper, middle, out=tall[0])
    tall[1].copy_(middle)
    torch.sub(lower, middle, out=tall[2])
    left, centre, right = tall[..., 0:-1:2, :, :], tall[..., 1::2, :, :], tall[..., 2::2, :, :]
    rows = x.new_empty(3, 3, b, height // 2, width // 2, 2, 2, i)
    into = rows.permute(0, 1, 2, 3, 5, 4, 6, 7)  # a c b h p w q i
    torch.sub(left, centre, out=into[:, 0])
    into[:, 1].copy_(centre)
    torch.sub(right, centre, out=into[:, 2])
    return rows.view(9, -1, 4 * i)


def _fine_of_rows(rows: Tensor, b: int, height: int, width: int) -> Tensor:
    i = rows.shape[2] // 4
    left, centre, right = (
        rows.view(3, 3, b, height // 2, width // 2, 2, 2, i).permute(1, 0, 2, 3, 5, 4, 6, 7).unbind()
    )  # each a b h p w q i
    tall = rows.new_empty(3, b, height // 2, 2, width + 1, 2, i)
    torch.sub(centre, left, out=tall[..., 1::2, :, :]).sub_(right)
    tall[..., 0, :, :].copy_(left[..., 0, :, :])
    torch.add(left[..., 1:, :, :], right[..., :-1, :, :], out=tall[..., 2:-1:2, :, :])
    tall[..., -1, :, :].copy_(right[..., -1, :, :])
    upper, middle, lower = tall.unbind()
    pairs = rows.new_empty(b, height + 1, 2, width + 1, 2, i)
    torch.sub(middle, upper, out=pairs[:, 1::2]).sub_(lower)
    pairs[:, 0].copy_(upper[:, 0])
    torch.add(upper[:, 1:], lower[:, :-1], out=pairs[:, 2:-1:2])
    pairs[:, -1].copy_(lower[:, -1])
    fine = pairs.view(b, 2 * height + 2, 2 * width + 2, i)[:, 1:-1, 1:-1]
    return _channels_last(rows, b, i, 2 * height, 2 * width).copy_(fine.permute(0, 3, 1, 2))


def _rows_of_coarse(y: Tensor, b: int, height: int, width: int) -> Tensor:
    o = y.shape[1]
    tiles = y.permute(0, 2, 3, 1).reshape(b, height // 2, 2, width // 2, 2, o)
    return _three_of_two(tiles.permute(2, 4, 0, 1, 3, 5)).view(9, -1, o)


def _coarse_of_rows(rows: Tensor, b: int, height: int, width: int) -> Tensor:
    o = rows.shape[2]
    y = _channels_last(rows, b, o, height, width)
    tiles = y.permute(0, 2, 3, 1).view(b, height // 2, 2, width // 2, 2, o)
    _two_of_three(rows.view(3, 3, b, height // 2, width // 2, o), tiles.permute(2, 4, 0, 1, 3, 5))
    return y


def _rows_of_kernel(w: Tensor) -> Tensor:
    o, i = w.shape[:2]
    taps = w.permute(0, 2, 3, 1).reshape(o, 2, 2, 2, 2, i)  # o a p c q i
    return _three_of_two(taps.permute(1, 3, 0, 2, 4, 5)).view(9, o, 4 * i)


def _kernel_of_rows(rows: Tensor) -> Tensor:
    o, i = rows.shape[1], rows.shape[2] // 4
    w = _channels_last(rows, o, i, 4, 4)
    taps = w.permute(0, 2, 3, 1).view(o, 2, 2, 2, 2, i)
    _two_of_three(rows.view(3, 3, o, 2, 2, i), taps.permute(1, 3, 0, 2, 4, 5))
    return w


def _channels_last(like: Tensor, *shape: int) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def _three_of_two(two: Tensor) -> Tensor:
    """Make first, sum and second of the two along each of the first two axes: [2, 2, ...] to [3, 3, ...]."""
    three = two.new_empty(3, 3, *two.shape[2:])
    three[::2, ::2].copy_(two)
    torch.add(two[:, 0], two[:, 1], out=three[::2, 1])
    torch.add(three[0], three[2], out=three[1])
    return three


def _two_of_three(three: Tensor, out: Tensor) -> None:
    """Transpose `_three_of_two`: to each of the two, itself and the sum: [3, 3, ...] to [2, 2, ...]."""
    tall = torch.add(three[::2], three[1])
    torch.add(tall[:, ::2], tall[:, 1:2], out=out)
