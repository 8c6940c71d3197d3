"""The trilinear form of coarsen, refine and correlate: each way against PyTorch, and their gradients."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from dreaming.convolution import coarsen, correlate, refine

CHANNELS = [(1, 2), (3, 5), (16, 3), (128, 4)]  # few, some and many channels of the fine map: all ways


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
        torch.testing.assert_close(coarsen(x, w, bias), expected, rtol=1e-12, atol=1e-12)

    def test_refine_is_the_transposed_convolution(self, channels, layout):
        _, y, w = maps(*channels, layout=layout)
        bias = torch.arange(channels[0], dtype=torch.float64)
        expected = functional.conv_transpose2d(y, w, bias, stride=2, padding=1)
        torch.testing.assert_close(refine(y, w, bias), expected, rtol=1e-12, atol=1e-12)

    def test_correlate_is_the_sum_it_says(self, channels, layout):
        x, y, w = maps(*channels, layout=layout)
        padded = functional.pad(x, (1, 1, 1, 1))
        expected = torch.empty_like(w)
        for k in range(4):
            for m in range(4):
                seen = padded[:, :, k : k + 8 : 2, m : m + 12 : 2]
                expected[:, :, k, m] = torch.einsum("borc,birc->oi", y, seen)
        torch.testing.assert_close(correlate(x, y), expected, rtol=1e-11, atol=1e-11)

    def test_every_way_is_the_one_trilinear_form(self, channels, layout):
        x, y, w = maps(*channels, layout=layout)
        form = (y * coarsen(x, w)).sum()
        torch.testing.assert_close((x * refine(y, w)).sum(), form, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close((w * correlate(x, y)).sum(), form, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("operation", [coarsen, refine, correlate])
def test_gradients_of_first_and_second_order(operation):
    x, y, w = maps(3, 2)
    x, y = x[:1, :, :4, :4], y[:1, :, :2, :2]
    arguments = {
        coarsen: (x, w, torch.ones(2, dtype=torch.float64)),
        refine: (y, w, torch.ones(3, dtype=torch.float64)),
        correlate: (x, y),
    }[operation]
    leaves = [value.clone().requires_grad_() for value in arguments]
    with torch.random.fork_rng():
        assert gradcheck(operation, leaves)
        assert gradgradcheck(operation, leaves)


@pytest.mark.parametrize("channels", CHANNELS[:3])  # wide layers are tiled, and have their own test
def test_in_bfloat16_each_way_rounds_its_result_and_no_more(channels):
    x, y, w = (value.to(torch.bfloat16) for value in maps(*channels))
    wide = [value.double() for value in (x, y, w)]
    for rounded, exact in (
        (coarsen(x, w), coarsen(wide[0], wide[2])),
        (refine(y, w), refine(wide[1], wide[2])),
        (correlate(x, y), correlate(wide[0], wide[1])),
    ):
        assert rounded.dtype == torch.bfloat16
        spread = exact.abs().max().item()
        torch.testing.assert_close(rounded.double(), exact, rtol=2**-8, atol=2**-14 * spread)


def test_channels_last_goes_in_and_comes_out():
    x, y, w = maps(16, 16, torch.float32)
    for result in (
        coarsen(x, w),
        refine(y, w),
        refine(y, w[:, :3].contiguous(memory_format=torch.channels_last)),
    ):
        assert result.is_contiguous(memory_format=torch.channels_last)
