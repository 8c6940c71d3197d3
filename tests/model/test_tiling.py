"""Convolution by tiles: fewer products against the library's convolution; each change of form and its transpose."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from dreaming.model import layers as convolution
from dreaming.model import tiling

SIZES = [
    (1, 2, 8, 8),
    (3, 5, 16, 8),
    (8, 4, 24, 16),
]  # channels of the fine and of the coarse map; the fine map


def maps(i, o, height, width, dtype=torch.float64):
    random = torch.Generator().manual_seed(100 * i + o)
    shapes = [(3, i, height, width), (3, o, height // 2, width // 2), (o, i, 4, 4)]
    return [
        torch.randn(shape, generator=random, dtype=torch.float64)
        .to(dtype)
        .contiguous(memory_format=torch.channels_last)
        for shape in shapes
    ]


def naive(x, w):
    """The layer, written out sum by sum."""
    padded = functional.pad(x, (1, 1, 1, 1))
    y = x.new_zeros(len(x), len(w), x.shape[2] // 2, x.shape[3] // 2)
    for r in range(y.shape[2]):
        for c in range(y.shape[3]):
            y[:, :, r, c] = torch.einsum(
                "bikl,oikl->bo", padded[:, :, 2 * r : 2 * r + 4, 2 * c : 2 * c + 4], w
            )
    return y


@pytest.fixture(params=[tiling.TWO, tiling.FOUR], ids=["two", "four"])
def tile(request, monkeypatch):
    """The points of an axis: float64 is computed as bfloat16 is, and as float32."""
    monkeypatch.setattr(tiling, "points", lambda dtype: request.param)
    return request.param


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.usefixtures("tile")
class TestTheLayers:
    def test_conv_is_the_convolution(self, sizes):
        x, _, w = maps(*sizes)
        torch.testing.assert_close(tiling.conv(x, w), naive(x, w), rtol=1e-12, atol=1e-12)

    def test_conv_transpose_is_its_transpose(self, sizes):
        x, y, w = maps(*sizes)
        torch.testing.assert_close((tiling.conv_transpose(y, w) * x).sum(), (naive(x, w) * y).sum())
        expected = functional.conv_transpose2d(y, w, stride=2, padding=1)
        torch.testing.assert_close(tiling.conv_transpose(y, w), expected, rtol=1e-12, atol=1e-12)

    def test_gradients_are_those_of_the_library(self, sizes):
        x, y, w = (value.requires_grad_() for value in maps(*sizes))
        for mine, theirs, g, of in (
            (tiling.conv(x, w), functional.conv2d(x, w, stride=2, padding=1), y, (x, w)),
            (tiling.conv_transpose(y, w), functional.conv_transpose2d(y, w, stride=2, padding=1), x, (y, w)),
        ):
            found = torch.autograd.grad(mine, of, g.detach())
            expected = torch.autograd.grad(theirs, of, g.detach())
            for one, other in zip(found, expected, strict=True):
                torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)

    def test_maps_and_gradients_are_channels_last(self, sizes):
        x, y, w = (value.requires_grad_() for value in maps(*sizes))
        for result in (tiling.conv(x, w), tiling.conv_transpose(y, w)):
            assert result.is_contiguous(memory_format=torch.channels_last)
            assert not result._is_view()  # the bias is added and the nonlinearity taken in place
            (gradient,) = torch.autograd.grad(result.sum(), w)
            assert gradient.is_contiguous(memory_format=torch.channels_last)

    def test_each_change_of_form_has_its_transpose(self, sizes, tile):
        for what, maps_ in zip(("fine", "coarse", "kernel"), maps(*sizes), strict=True):
            form = tiling.rows_of(what, maps_, tile)
            rows = torch.randn(form.shape, generator=torch.Generator().manual_seed(1), dtype=form.dtype)
            back = tiling.of_rows(what, rows, (len(maps_), *maps_.shape[2:]), tile)
            torch.testing.assert_close((form * rows).sum(), (back * maps_).sum(), rtol=1e-10, atol=1e-10)

    def test_fewer_products_do_the_same_work(self, sizes, tile):
        x, y, w = maps(*sizes)
        fine, coarse, kernel = (
            tiling.rows_of(what, maps_, tile)
            for what, maps_ in zip(("fine", "coarse", "kernel"), (x, y, w), strict=True)
        )
        products = fine.shape[0] * fine.shape[1] * kernel.shape[1] * kernel.shape[2]
        fewer, plain = {2: (9, 16), 4: (25, 64)}[len(tile)]
        assert products * plain == fewer * y.numel() * 16 * x.shape[1]
        form = torch.einsum("ntf,nto,nof->", fine, coarse, kernel)
        torch.testing.assert_close(form, (naive(x, w) * y).sum(), rtol=1e-10, atol=1e-10)


def test_the_points_of_four_round_less_than_the_usual_ones_and_more_than_those_of_two(monkeypatch):
    exact = maps(64, 64, 16, 16)
    x, y, w = (value.float() for value in exact)
    off = {}
    for at in (tiling.TWO, tiling.FOUR, (0.0, 1.0, -1.0, 2.0)):
        monkeypatch.setattr(tiling, "points", lambda dtype, at=at: at)
        pairs = (
            (tiling.conv(x, w), naive(exact[0], exact[2])),
            (tiling.conv_transpose(y, w), functional.conv_transpose2d(*exact[1:], stride=2, padding=1)),
        )
        off[at] = max(((found - true).norm() / true.norm()).item() for found, true in pairs)
    two, four, usual = off.values()
    assert two < 0.7 * four
    assert four < 0.8 * usual
    assert four < 2e-6


def test_many_maps_are_computed_piece_by_piece(monkeypatch):
    x, y, w = maps(8, 4, 24, 16)
    whole = [tiling.conv(x, w), tiling.conv_transpose(y, w)]
    monkeypatch.setattr(tiling, "PIXELS", 24 * 16)
    seen = []
    monkeypatch.setattr(
        tiling, "_matrix", lambda *words, way=tiling._matrix: seen.append(words) or way(*words)
    )
    for result, expected in zip([tiling.conv(x, w), tiling.conv_transpose(y, w)], whole, strict=True):
        torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)
        assert result.is_contiguous(memory_format=torch.channels_last)
    assert {size[0] for what, size, *_ in seen if what != "kernel"} == {1}


def test_autocast_changes_nothing():
    x, y, w = (value.requires_grad_() for value in maps(8, 4, 16, 16, torch.float32))
    expected = tiling.conv(x, w), tiling.conv_transpose(y, w)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = tiling.conv(x, w), tiling.conv_transpose(y, w)
        gradients = torch.autograd.grad(found[0].sum() + found[1].sum(), (x, y, w), retain_graph=True)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert all(gradient.dtype == torch.float32 for gradient in gradients)


@pytest.mark.usefixtures("tile")
@pytest.mark.parametrize("layer", [tiling.conv, tiling.conv_transpose])
def test_gradients_of_first_and_second_order(layer):
    x, y, w = maps(1, 2, 8, 8)
    leaves = [value[:1].clone().requires_grad_() for value in (x if layer is tiling.conv else y,)]
    leaves.append(w.clone().requires_grad_())
    with torch.random.fork_rng():
        assert gradcheck(layer, leaves)
        assert gradgradcheck(layer, leaves)


class TestTheChoice:
    @pytest.fixture
    def tiled(self, monkeypatch):
        """The layers that were computed by tiles so far."""
        found = []
        for name in ("conv", "conv_transpose"):
            way = getattr(tiling, name)
            monkeypatch.setattr(
                tiling, name, lambda *words, name=name, way=way: found.append(name) or way(*words)
            )
        return found

    @pytest.mark.parametrize(("dtype", "channels"), [(torch.bfloat16, 64), (torch.float32, 32)])
    @pytest.mark.parametrize("learns", [True, False])
    def test_wide_layers_of_many_tiles_are_tiled(self, dtype, channels, learns, tiled):
        enough = 32 * len(tiling.points(dtype)) ** 2 // 16
        for width, images, expected in (
            (channels, enough, ["conv", "conv_transpose"]),
            (channels - 1, enough, []),
            (channels, enough - 1, []),
        ):
            x, y, w = maps(width, 4, 8, 8, dtype)
            x, y = (value[:1].expand(images, -1, -1, -1) for value in (x, y))
            tiled.clear()
            with torch.set_grad_enabled(learns):
                convolution.conv(x, w)
                convolution.conv_transpose(y, w)
            assert tiled == expected

    @pytest.mark.parametrize(
        ("dtype", "size"), [(torch.float64, (8, 8)), (torch.float32, (8, 12)), (torch.float32, (12, 8))]
    )
    def test_exact_ones_and_maps_without_whole_tiles_are_not(self, dtype, size, tiled):
        x, y, w = maps(128, 4, *size, dtype)
        x, y = (torch.cat([value] * 30) for value in (x, y))
        assert convolution.conv(x, w).shape == y.shape
        assert convolution.conv_transpose(y, w).shape == x.shape
        assert not tiled

    @pytest.mark.parametrize(
        ("dtype", "channels", "off"), [(torch.float32, 128, 3e-6), (torch.bfloat16, 64, 0.03)]
    )
    def test_what_is_tiled_differs_by_rounding_alone(self, dtype, channels, off, tiled):
        x, y, w = (torch.cat([value] * 8) for value in maps(channels, 4, 16, 16, dtype))
        x, y, w = (value.requires_grad_() for value in (x, y, w))
        bias = torch.randn(32, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
        y = torch.cat([y] * 8, dim=1).detach()
        exact = [value.detach().double().requires_grad_() for value in (x, y, w, bias)]
        mine, theirs = convolution.conv(x, w, bias), convolution.conv(exact[0], exact[2], exact[3])
        compared = [(mine, theirs)]
        found = torch.autograd.grad(mine, (x, w, bias), y)
        compared += zip(found, torch.autograd.grad(theirs, (exact[0], *exact[2:]), exact[1]), strict=True)
        compared.append((convolution.conv_transpose(y, w), convolution.conv_transpose(exact[1], exact[2])))
        assert tiled == ["conv", "conv_transpose"]
        for one, other in compared:
            assert one.dtype == dtype
            assert (one.double() - other).abs().max() < off * other.abs().max()
