"""Occlusion masks: their extremes, their tiles, their distribution, and agreement with the naive mask."""

import numpy as np
import pytest
import torch
from scipy import stats
from tests.evidence.oracle import naive_pad as naive

from dreaming.errors import UserError
from dreaming.model import occlusion
from dreaming.model.occlusion import Occlusion, occlusion_mask
from dreaming.rng import Random

SIZES = range(1, 9)


def uniform(masks=1, seed=0):
    return torch.rand(masks, 32, 32, generator=torch.Generator().manual_seed(seed))


def mask(p, s, u):
    return occlusion_mask(torch.tensor([p]), torch.tensor([s]), u)


@pytest.fixture
def drawn(monkeypatch):
    """Records (probability, size) of every mask that is drawn."""
    seen = []
    original = occlusion.occlusion_mask

    def recording(probability, size, draws):
        seen.extend(zip(probability.tolist(), size.tolist(), strict=True))
        return original(probability, size, draws)

    monkeypatch.setattr(occlusion, "occlusion_mask", recording)
    return seen


@pytest.mark.parametrize("size", SIZES)
def test_probability_0_is_the_identity(size):
    assert (mask(0.0, size, uniform()) == 1).all()


@pytest.mark.parametrize("size", SIZES)
def test_probability_1_silences_everything(size):
    assert (mask(1.0, size, uniform()) == 0).all()


def test_the_extremes_hold_for_the_extreme_draws_of_a_half_open_interval():
    below_one = np.nextafter(np.float32(1), np.float32(0)).item()
    assert (mask(0.0, 1, torch.zeros(1, 32, 32)) == 1).all()
    assert (mask(1.0, 1, torch.full((1, 32, 32), below_one)) == 0).all()


@pytest.mark.parametrize("per_image", [False, True])
def test_drawn_masks_keep_to_both_extremes(per_image):
    for probability, value in ((0.0, 1), (1.0, 0)):
        recipe = Occlusion(probability=(probability, probability), mask_per_image=per_image)
        assert (recipe.draw(Random(3), 16) == value).all()


@pytest.mark.parametrize("size", [*SIZES, 13, 32])
def test_tiles_are_constant_and_cut_off_at_the_far_edges(size):
    tiles = -(-32 // size)
    u = uniform(seed=size)
    silent = u[0, :tiles, :tiles].numpy() < 0.5
    expected = np.kron(~silent, np.ones((size, size)))[:32, :32]
    assert (mask(0.5, size, u)[0, 0].numpy() == expected).all()
    assert size == 32 or 0 < expected.mean() < 1


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("size", SIZES)
def test_it_agrees_with_the_naive_mask(p, size):
    u = uniform(seed=100 + size)
    p = torch.tensor(p).item()  # the same float32 number on both sides
    assert (mask(p, size, u)[0, 0].numpy() == naive.mask(p, size, u[0].numpy())).all()


def test_several_masks_agree_with_the_naive_mask_one_by_one():
    u, p, s = uniform(8), torch.linspace(0, 1, 8), torch.arange(1, 9)
    for i, found in enumerate(occlusion_mask(p, s, u)):
        assert (found[0].numpy() == naive.mask(p[i].item(), s[i].item(), u[i].numpy())).all()


def test_a_mask_silences_all_channels_and_all_images_alike_by_default():
    found = Occlusion().draw(Random(0), batch_size=64)
    assert found.shape == (1, 1, 32, 32)
    assert set(found.unique().tolist()) <= {0.0, 1.0}


def test_a_mask_per_image_means_a_mask_for_each():
    found = Occlusion(mask_per_image=True, probability=(0.5, 0.5)).draw(Random(0), batch_size=12)
    assert found.shape == (12, 1, 32, 32)
    assert len(found.flatten(1).unique(dim=0)) == 12


def test_a_mask_per_image_means_a_probability_and_a_size_for_each(drawn):
    Occlusion(mask_per_image=True).draw(Random(0), batch_size=128)
    probabilities, sizes = zip(*drawn, strict=True)
    assert len(set(probabilities)) == 128
    assert set(sizes) == set(SIZES)


def test_masks_of_different_images_are_independent():
    recipe = Occlusion(mask_per_image=True, probability=(0.5, 0.5), tile_size=(1, 1))
    found = recipe.draw(Random(0), batch_size=8).flatten(1)
    correlation = torch.corrcoef(found) - torch.eye(8)
    assert correlation.abs().max() < 5 / 32  # 1,024 tiles: a standard deviation of 1 / 32


def test_probability_and_size_are_drawn_uniformly_over_their_ranges(drawn):
    for cycle in range(2000):
        Occlusion().draw(Random(0, (cycle,)), 64)
    probabilities, sizes = map(np.array, zip(*drawn, strict=True))
    assert stats.kstest(probabilities, "uniform").pvalue > 0.001
    counts = np.bincount(sizes, minlength=9)
    assert counts[0] == 0
    assert len(counts) == 9
    assert stats.chisquare(counts[1:]).pvalue > 0.001
    assert abs(np.corrcoef(probabilities, sizes)[0, 1]) < 0.1


def test_probability_and_size_keep_to_narrower_ranges(drawn):
    for cycle in range(300):
        Occlusion(probability=(0.3, 0.6), tile_size=(2, 4)).draw(Random(0, (cycle,)), 64)
    probabilities, sizes = zip(*drawn, strict=True)
    assert 0.3 <= min(probabilities) < 0.32
    assert 0.58 < max(probabilities) <= 0.6
    assert set(sizes) == {2, 3, 4}


@pytest.mark.parametrize("p", [0.2, 0.7])
@pytest.mark.parametrize("size", [1, 4])
def test_a_tile_is_silenced_with_its_probability(p, size):
    recipe = Occlusion(probability=(p, p), tile_size=(size, size), mask_per_image=True)
    silent = 1 - recipe.draw(Random(1), 200).mean().item()
    tiles = 200 * (32 // size) ** 2
    assert silent == pytest.approx(p, abs=5 * (p * (1 - p) / tiles) ** 0.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"probability": (0.6, 0.3)},
        {"tile_size": (8, 1)},
        {"probability": (-0.1, 1.0)},
        {"probability": (0.0, 1.1)},
        {"tile_size": (0, 8)},
        {"tile_size": (1, 129)},
        {"size": (1, 8)},
    ],
)
def test_impossible_occlusions_are_refused(wrong):
    with pytest.raises(UserError):
        Occlusion(**wrong)
