"""Whole cycles of cortices that are wide enough for tiles: beside the library's convolutions, and by their bits."""

import pytest
import torch

from dreaming.model import layers as convolution
from dreaming.model import tiling
from dreaming.model.cortex import Cortex
from dreaming.model.cycle import sleep_wake_cycle
from dreaming.model.hippocampus import Hippocampus
from dreaming.model.phases import NREM, REM, Wake
from dreaming.model.plasticity import Optimizer, Synapses
from dreaming.rng import Random

CYCLES = 3


def trained():
    """The terms of some cycles of PAD, and the weights after them: 32 channels, 32 images."""
    random = torch.Generator().manual_seed(0)
    cortex = Cortex(latent_dim=16, base_channels=32, random=random)
    synapses, hippocampus, terms = Synapses(cortex, Optimizer()), Hippocampus(), []
    for cycle in range(CYCLES):
        images = torch.rand(32, 3, 32, 32, generator=random) * 2 - 1
        hippocampus, found = sleep_wake_cycle(
            cortex, synapses, images, hippocampus, (Wake(), NREM(), REM()), Random(0, (1, cycle))
        )
        terms.append(torch.stack(list(found.values())))
    return torch.stack(terms).detach(), torch.cat(
        [weight.detach().flatten() for weight in cortex.parameters()]
    )


@pytest.fixture
def products(monkeypatch):
    """How many products of rows were computed."""
    found = []
    way = tiling._product
    monkeypatch.setattr(tiling, "_product", lambda *rows: found.append(rows) or way(*rows))
    return found


def test_cycles_by_tiles_are_those_of_the_library_up_to_rounding(monkeypatch, products):
    terms, weights = trained()
    # Both wide layers of both pathways, in three phases, and their gradients.
    assert len(products) > 12 * CYCLES
    products.clear()
    monkeypatch.setattr(convolution, "TILED_FROM", {})
    plain_terms, plain_weights = trained()
    assert not products
    torch.testing.assert_close(terms, plain_terms, rtol=1e-3, atol=1e-5)
    # Adam turns the sign of a gradient that is nearly 0 into a whole step: of few weights, and of a step a time.
    assert (weights - plain_weights).abs().mean() < 1e-6
    assert (weights - plain_weights).abs().max() <= 2 * 8 * 2e-4


@pytest.mark.parametrize("threads", [1, 2])
def test_cycles_by_tiles_are_repeated_to_the_bit(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        (terms, weights), (terms_again, weights_again) = trained(), trained()
    finally:
        torch.set_num_threads(before)
    assert torch.equal(terms, terms_again)
    assert torch.equal(weights, weights_again)
