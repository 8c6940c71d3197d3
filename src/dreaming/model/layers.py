"""The 4 x 4 convolution of stride 2 that every map-to-map layer is, with its adjoint and its weight gradient.

All three come from one trilinear form of a fine map x, a coarse map y and a weight w:

    T(x, y, w) = <y, conv(x, w)> = <conv_transpose(y, w), x> = <w, conv_weight_grad(x, y)>

so each is a derivative of the others, and every gradient, of any order, is one of these three. `conv` is the
layer of the encoder, `conv_transpose` that of the generator. Each has one definition and more than one way to be
computed; the fastest for the shape, the number type and the device is taken (``benchmarks/layers.py`` times them).

Maps are best kept channels-last, and weights too: then no way needs a change of layout.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from dreaming.model import tiling

KERNEL, STRIDE, PADDING = 4, 2, 1
_side_by_side = ContextVar("side_by_side", default=False)
FEW_CHANNELS = 16  # below, the library's transposed convolution is slow
TILED_FROM = {torch.float32: 32, torch.bfloat16: 64}  # channels of the fine map from which tiles are faster
PRODUCTS = {
    "cuda"
}  # devices on which one matrix product is faster than the library's repeatable convolutions
TILES = 32  # how many there must be, for what changing the form of the kernels costs


@contextmanager
def side_by_side() -> Iterator[None]:
    """Compute layers as matrix products within the block, so that those of many cortices are batched products.

    A convolution whose weights differ from cortex to cortex would be a grouped one, which libraries do slowly.
    """
    token = _side_by_side.set(True)
    try:
        yield
    finally:
        _side_by_side.reset(token)


def conv(
    x: Float[Tensor, "b i hh ww"], w: Float[Tensor, "o i 4 4"], bias: Float[Tensor, " o"] | None = None
) -> Float[Tensor, "b o h w"]:
    """Convolve a fine map into one of half its height and width.

    Parameters
    ----------
    x
        Activity, shape [b, i, 2h, 2w].
    w
        Kernels, shape [o, i, 4, 4], of x's number type.
    bias
        Shape [o], or None.

    Returns
    -------
    Tensor
        Shape [b, o, h, w].

    Examples
    --------
    >>> conv(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4))
    tensor([[[[9., 9.],
              [9., 9.]]]])
    """
    if _side_by_side.get():
        return _conv_by_product(x, w, bias)
    if _tiled(w, len(x), x.shape[2] // 2, x.shape[3] // 2):
        return _biased(tiling.conv(x, w), bias)
    return _Conv.apply(x, w, bias)  # type: ignore[no-any-return, no-untyped-call]


def conv_transpose(
    y: Float[Tensor, "b o h w"], w: Float[Tensor, "o i 4 4"], bias: Float[Tensor, " i"] | None = None
) -> Float[Tensor, "b i hh ww"]:
    """Spread a coarse map over one of twice its height and width: the transposed convolution.

    Parameters
    ----------
    y
        Activity, shape [b, o, h, w].
    w
        Kernels, shape [o, i, 4, 4], of y's number type.
    bias
        Shape [i], or None.

    Returns
    -------
    Tensor
        Shape [b, i, 2h, 2w].

    Examples
    --------
    >>> conv_transpose(torch.ones(1, 1, 1, 1), torch.arange(16.0).reshape(1, 1, 4, 4))
    tensor([[[[ 5.,  6.],
              [ 9., 10.]]]])
    """
    if _side_by_side.get():
        return _conv_transpose_by_product(y, w, bias)
    if _tiled(w, len(y), *y.shape[2:]):
        return _biased(tiling.conv_transpose(y, w), bias)
    return _ConvTranspose.apply(y, w, bias)  # type: ignore[no-any-return, no-untyped-call]


def conv_weight_grad(x: Float[Tensor, "b i hh ww"], y: Float[Tensor, "b o h w"]) -> Float[Tensor, "o i 4 4"]:
    """Correlate a fine map with a coarse one: the gradient of the weights of both layers.

    Parameters
    ----------
    x
        Fine map, shape [b, i, 2h, 2w].
    y
        Coarse map, shape [b, o, h, w].

    Returns
    -------
    Tensor
        Shape [o, i, 4, 4]: at (o, i, k, l) the sum of y[:, o, r, c] * x[:, i, 2r + k - 1, 2c + l - 1].
    """
    return _ConvWeightGrad.apply(x, y)  # type: ignore[no-any-return, no-untyped-call]


def _tiled(w: Tensor, b: int, height: int, width: int) -> bool:
    """Return whether tiles are faster than the library's convolution, for b coarse maps of this size."""
    tile = len(tiling.points(w.dtype))
    whole = height % tile == 0 and width % tile == 0
    wide = w.device.type == "cpu" and w.shape[1] >= TILED_FROM.get(w.dtype, math.inf)
    return wide and whole and b * height * width >= TILES * tile**2


def _biased(maps: Tensor, bias: Tensor | None) -> Tensor:
    return maps if bias is None else maps.add_(bias[:, None, None])


class _Conv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, w)
        if x.device.type in PRODUCTS:
            return _conv_of_rows(x, w, bias)
        return functional.conv2d(x, w, bias, STRIDE, PADDING)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        (x, w), (need_x, need_w, need_bias) = ctx.saved_tensors, ctx.needs_input_grad
        return (
            conv_transpose(g, w) if need_x else None,
            conv_weight_grad(x, g) if need_w else None,
            g.sum((0, 2, 3)) if need_bias else None,
        )


class _ConvTranspose(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(y, w)
        if y.device.type in PRODUCTS:
            return _conv_transpose_of_rows(y, w, bias)
        if y.device.type == "cpu" and w.shape[1] < FEW_CHANNELS:
            return _conv_transpose_by_blocks(y, w, bias)
        return functional.conv_transpose2d(y, w, bias, STRIDE, PADDING)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        (y, w), (need_y, need_w, need_bias) = ctx.saved_tensors, ctx.needs_input_grad
        return (
            conv(g, w) if need_y else None,
            conv_weight_grad(g, y) if need_w else None,
            g.sum((0, 2, 3)) if need_bias else None,
        )


class _ConvWeightGrad(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        if x.device.type in PRODUCTS:
            return _conv_weight_grad_of_rows(x, y)
        shape = (y.shape[1], x.shape[1], KERNEL, KERNEL)
        w = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        size, padding, one = [STRIDE] * 2, [PADDING] * 2, [1, 1]
        gradients = torch.ops.aten.convolution_backward(
            y, x, w, None, size, padding, one, False, [0, 0], 1, [False, True, False]
        )
        return cast(Tensor, gradients[1])

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        (x, y), (need_x, need_y) = ctx.saved_tensors, ctx.needs_input_grad
        return conv_transpose(y, g) if need_x else None, conv(x, g) if need_y else None


def _conv_transpose_by_blocks(y: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    """Compute blocks of 2 x 2 fine pixels as channels, by a 2 x 2 convolution of stride 1, and lay them out.

    The library's transposed convolution into few channels runs at an eighth of the speed of this.
    """
    b, o, height, width = y.shape
    i = w.shape[1]
    # kernel row 2a + p of the fine map is row 1 - a of the block's kernel, at pixel p of the block
    kernels = w.reshape(o, i, 2, 2, 2, 2).flip(2, 4)  # o i a p a' p'
    kernels = kernels.permute(3, 5, 1, 0, 2, 4).reshape(4 * i, o, 2, 2)
    blocks = functional.conv2d(y, kernels, None if bias is None else bias.repeat(4), padding=1)
    pixels = blocks.permute(0, 2, 3, 1).reshape(b, height + 1, width + 1, 2, 2, i).permute(0, 1, 3, 2, 4, 5)
    fine = pixels.reshape(b, 2 * height + 2, 2 * width + 2, i)
    return fine[:, 1:-1, 1:-1].permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def _conv_by_product(x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve by one matrix product over all windows."""
    seen = windows(x.permute(0, 2, 3, 1))
    y = functional.linear(seen, w.permute(0, 2, 3, 1).flatten(1), bias)
    return y.permute(0, 3, 1, 2)


def _conv_transpose_by_product(y: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    """Spread by one matrix product into windows, and add where they overlap: each block of 2 x 2 lies in four."""
    b, _, height, width = y.shape
    i = w.shape[1]
    spread = y.permute(0, 2, 3, 1) @ w.permute(0, 2, 3, 1).flatten(1)
    spread = spread.reshape(b, height, width, 2, 2, 2, 2, i)  # b h w a p a' p' i
    corners = [
        functional.pad(spread[:, :, :, a, :, c], (0, 0, 0, 0, 0, 0, c, 1 - c, a, 1 - a))
        for a in (0, 1)
        for c in (0, 1)
    ]
    blocks = (corners[0] + corners[1]) + (corners[2] + corners[3])  # b h+1 w+1 p p' i
    fine = blocks.permute(0, 1, 3, 2, 4, 5).reshape(b, 2 * height + 2, 2 * width + 2, i)
    fine = fine[:, 1:-1, 1:-1]
    return (fine if bias is None else fine + bias).permute(0, 3, 1, 2)


def _conv_of_rows(x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve by one matrix product over all windows, outside of what torch derives."""
    seen, taps = _rows(windows(_pixels(x))), _pixels(w).flatten(1).mT
    rows = seen @ taps if bias is None else torch.addmm(bias, seen, taps)
    return _maps(rows, len(x), x.shape[2] // STRIDE, x.shape[3] // STRIDE)


def _conv_transpose_of_rows(y: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    """Spread by one matrix product into windows, and sum at once the four in which each block of 2 x 2 lies."""
    b, o, height, width = y.shape
    i = w.shape[1]
    taps = _pixels(w).reshape(o, 2, 2, 2, 2 * i).flip(1, 3)  # o a p a' (p' i), the later block first
    spread = (_rows(_pixels(y)) @ taps.flatten(1)).reshape(b, height, width, 2, 2, 2, 2 * i)
    spread = functional.pad(spread, (0, 0) * 4 + (1, 1, 1, 1))
    two = spread.unfold(1, 2, 1).diagonal(dim1=3, dim2=-1)  # b h+1 w+2 p a' (p' i), and a
    four = two.unfold(2, 2, 1).diagonal(dim1=4, dim2=-1)  # b h+1 w+1 p (p' i), and a, a'
    fine = four.transpose(2, 3).sum((-2, -1)).reshape(b, 2 * height + 2, 2 * width + 2, i)[:, 1:-1, 1:-1]
    fine = fine.contiguous() if bias is None else fine + bias
    return _maps(fine, b, 2 * height, 2 * width)


def _conv_weight_grad_of_rows(x: Tensor, y: Tensor) -> Tensor:
    """Correlate by one matrix product over all windows; of few channels, by one a map, for a long one is slow."""
    coarse, seen = _pixels(y).flatten(1, 2), windows(_pixels(x)).flatten(1, 2)
    narrow = x.shape[1] < FEW_CHANNELS
    rows = (coarse.mT @ seen).sum(0) if narrow else coarse.flatten(0, 1).mT @ seen.flatten(0, 1)
    return _maps(rows, y.shape[1], KERNEL, KERNEL)


def _pixels(maps: Tensor) -> Tensor:
    return maps.permute(0, 2, 3, 1)


def _rows(pixels: Tensor) -> Tensor:
    return pixels.flatten(0, 2)


def _maps(rows: Tensor, b: int, height: int, width: int) -> Tensor:
    """Let rows be maps that are channels-last, in their place: a view could not be changed in place later."""
    channels = rows.numel() // (b * height * width)
    return rows.as_strided_(
        (b, channels, height, width), (height * width * channels, 1, width * channels, channels)
    )


def windows(x: Tensor) -> Tensor:
    """Cut a fine map into the windows that conv sees: [b, 2h, 2w, i] to [b, h, w, 16 i], in order k, l, i."""
    padded = functional.pad(x, (0, 0, PADDING, PADDING, PADDING, PADDING))
    seen = padded.unfold(-3, KERNEL, STRIDE).unfold(-3, KERNEL, STRIDE)  # b h w i k l
    return seen.permute(0, 1, 2, 4, 5, 3).flatten(-3)
