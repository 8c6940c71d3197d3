"""The trilinear form: each way to compute it against PyTorch, and its gradients."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from dreaming.model import layers
from dreaming.model.layers import conv, conv_transpose, conv_weight_grad

CHANNELS = [(1, 2), (3, 5), (16, 3), (128, 4)]  # few, some and many channels of the fine map: all ways
ROUNDING = 2**-8  # of bfloat16: one has 8 significant bits


@pytest.fixture(autouse=True, params=[(), ("cpu",)], ids=["library", "products"])
def ways(request, monkeypatch):
    """Run each test also as on a GPU, where layers are matrix products."""
    monkeypatch.setattr(layers, "PRODUCTS", {"cuda", *request.param})


def maps(fine, coarse, dtype=torch.float64, layout=torch.channels_last):
    random = torch.Generator().manual_seed(fine * 1000 + coarse)
    shapes = [(2, fine, 8, 12), (2, coarse, 4, 6), (coarse, fine, 4, 4)]
    return [
        torch.randn(shape, generator=random, dtype=torch.float64).to(dtype).contiguous(memory_format=layout)
        for shape in shapes
    ]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("channels", CHANNELS)
class TestAgainstTheLibrary:
    def test_coarsen_is_the_convolution(self, channels, layout):
        x, _, w = maps(*channels, layout=layout)
        bias = torch.arange(channels[1], dtype=torch.float64)
        expected = functional.conv2d(x, w, bias, stride=2, padding=1)
        torch.testing.assert_close(conv(x, w, bias), expected, rtol=1e-12, atol=1e-12)

    def test_refine_is_the_transposed_convolution(self, channels, layout):
        _, y, w = maps(*channels, layout=layout)
        bias = torch.arange(channels[0], dtype=torch.float64)
        expected = functional.conv_transpose2d(y, w, bias, stride=2, padding=1)
        torch.testing.assert_close(conv_transpose(y, w, bias), expected, rtol=1e-12, atol=1e-12)

    def test_correlate_is_the_sum_it_says(self, channels, layout):
        x, y, w = maps(*channels, layout=layout)
        padded = functional.pad(x, (1, 1, 1, 1))
        expected = torch.empty_like(w)
        for k in range(4):
            for m in range(4):
                seen = padded[:, :, k : k + 8 : 2, m : m + 12 : 2]
                expected[:, :, k, m] = torch.einsum("borc,birc->oi", y, seen)
        torch.testing.assert_close(conv_weight_grad(x, y), expected, rtol=1e-11, atol=1e-11)

    def test_every_way_is_the_one_trilinear_form(self, channels, layout):
        x, y, w = maps(*channels, layout=layout)
        form = (y * conv(x, w)).sum()
        torch.testing.assert_close((x * conv_transpose(y, w)).sum(), form, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close((w * conv_weight_grad(x, y)).sum(), form, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("operation", [conv, conv_transpose, conv_weight_grad])
def test_gradients_of_first_and_second_order(operation):
    x, y, w = maps(3, 2)
    x, y = x[:1, :, :4, :4], y[:1, :, :2, :2]
    arguments = {
        conv: (x, w, torch.ones(2, dtype=torch.float64)),
        conv_transpose: (y, w, torch.ones(3, dtype=torch.float64)),
        conv_weight_grad: (x, y),
    }[operation]
    leaves = [value.clone().requires_grad_() for value in arguments]
    with torch.random.fork_rng():
        assert gradcheck(operation, leaves)
        assert gradgradcheck(operation, leaves)


@pytest.mark.parametrize("channels", CHANNELS[:3])  # wide layers are tiled, and have their own test
@pytest.mark.parametrize("way", ["conv", "conv_transpose", "conv_weight_grad"])
def test_in_bfloat16_each_way_differs_by_rounding_alone(way, channels):
    operation, operands = both_numbers(way, channels)
    assert operation(*operands).dtype == torch.bfloat16
    assert rounds_alone(operation(*operands), operation, operands)


@pytest.mark.parametrize("channels", CHANNELS[:3])
@pytest.mark.parametrize("way", ["conv", "conv_transpose", "conv_weight_grad"])
def test_more_than_rounding_is_seen_in_bfloat16(way, channels):
    operation, operands = both_numbers(way, channels)
    first, second = operands
    right = operation(*operands)
    assert not rounds_alone(right * 1.02, operation, operands)
    assert not rounds_alone(right + 0.02 * right.abs().max(), operation, operands)
    slanted = second * torch.linspace(1, 1.1, second.shape[-1]).to(torch.bfloat16)
    assert not rounds_alone(operation(first, slanted), operation, operands)
    assert not rounds_alone(right.roll(1, -1), operation, operands)
    one_wrong = torch.where(right.abs() == right.abs().max(), -right, right)
    assert not rounds_alone(one_wrong, operation, operands)


def both_numbers(way, channels):
    """One of the three, and its two operands in bfloat16."""
    x, y, w = (value.to(torch.bfloat16) for value in maps(*channels))
    return {
        "conv": (conv, (x, w)),
        "conv_transpose": (conv_transpose, (y, w)),
        "conv_weight_grad": (conv_weight_grad, (x, y)),
    }[way]


def rounds_alone(found, operation, operands):
    """Whether a result is the exact one but for rounding, of which processors do more or less.

    Some add in float32 and round once, others round sums on the way. So a number may be off by some roundings of
    all that was added up for it, not of what it came to, which is small where terms cancel; on the whole, results
    are off by a rounding or two.
    """
    exact = operation(*(value.double() for value in operands))
    summed = operation(*(value.double().abs() for value in operands))
    off = (found.double() - exact).abs()
    each, all_ = 4 * ROUNDING * summed, 2 * ROUNDING * exact.square().mean().sqrt()
    return bool((off <= each).all() and off.square().mean().sqrt() <= all_)


def test_channels_last_goes_in_and_comes_out():
    x, y, w = maps(16, 16, torch.float32)
    for result in (
        conv(x, w),
        conv_transpose(y, w),
        conv_transpose(y, w[:, :3].contiguous(memory_format=torch.channels_last)),
    ):
        assert result.is_contiguous(memory_format=torch.channels_last)
