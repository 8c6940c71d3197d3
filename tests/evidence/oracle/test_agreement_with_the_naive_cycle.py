"""The whole cycle against the independent numpy implementation, in float64 and in float32.

Both are given the same weights, images and random numbers. In float64 every loss term, every weight and every
stored latent of three cycles agrees to about nine digits; there is no tolerance in which an error could hide.
"""

import numpy as np
import pytest
import torch
from tests.evidence.oracle import naive_pad as naive

from dreaming.model.conditions import condition, conditions
from dreaming.model.cortex import Cortex
from dreaming.model.cycle import sleep_wake_cycle
from dreaming.model.hippocampus import Hippocampus, Replay
from dreaming.model.occlusion import Occlusion
from dreaming.model.phases import NREM, REM, Wake
from dreaming.model.plasticity import Optimizer, Synapses
from dreaming.rng import Random

pytestmark = pytest.mark.usefixtures("shapes_unchecked")

BATCH, LATENTS, CHANNELS, CYCLES = 4, 6, 2, 3
RATE = 1e-3
ALONE = "memory_alone"

CYCLES_OF = {name: condition(name) for name in conditions()}
VARIANTS = {
    "squared norm": (Wake(reduction="squared_norm"), NREM(reduction="squared_norm"), REM()),
    "first night alone": (
        Wake(),
        NREM(replay=Replay(past=0.5, noise=0.5, first_night=ALONE)),
        REM(replay=Replay(past=0.5, noise=0.5, first_night=ALONE)),
    ),
    "mask per image": (Wake(), NREM(occlusion=Occlusion(mask_per_image=True)), REM()),
    "narrow occlusion": (Wake(), NREM(occlusion=Occlusion(probability=(0.3, 0.4), tile_size=(3, 5))), REM()),
    "latent noise": (Wake(latent_noise=0.7), NREM(), REM()),
    "other shares": (Wake(), NREM(replay=Replay(past=0.2)), REM(replay=Replay(past=0.3, noise=0.8))),
    "other weights": (
        Wake(image_weight=2, kl_weight=0.3, externality_weight=0.7),
        NREM(weight=1.5),
        REM(weight=0.4),
    ),
    "without KL": (Wake(kl_weight=0), NREM(), REM()),
    "without reconstruction": (Wake(image_weight=0), NREM(), REM()),
    "NREM off": (Wake(), NREM(weight=0), REM()),
    "REM off": (Wake(), NREM(), REM(weight=0)),
}
WAKE_TERMS = {"wake.image": "image_weight", "wake.kl": "kl_weight", "wake.externality": "externality_weight"}


class Chance(Random):
    """The random numbers of a run, widened to float64 exactly."""

    def at(self, *place):
        return Chance(self.seed, (*self.address, *place), self.device)

    def normal(self, stream, shape):
        return super().normal(stream, shape).double()

    def uniform(self, stream, shape):
        return super().uniform(stream, shape).double()


def as_naive(phase):
    """The same parameters in the oracle's words."""
    assert (phase.dose, phase.steps) == (1, 1)  # how often is not the oracle's matter
    values = phase.model_dump(exclude={"name", "occlusion", "dose", "steps"})
    values |= values.pop("replay", {})
    if phase.name == "wake":
        values.pop("weight")
    return {"kind": phase.name, **values}


def arrays(tensors):
    return {name: value.detach().double().numpy().copy() for name, value in tensors.items()}


class Twins:
    """A cortex and the oracle, alike in everything at birth."""

    def __init__(self, phases, idle, dtype=torch.float64, betas=(0.5, 0.999)):
        self.phases, self.idle, self.dtype = phases, idle, dtype
        self.cortex = Cortex(LATENTS, CHANNELS, random=torch.Generator().manual_seed(3)).to(dtype)
        with torch.no_grad():
            for weight in self.cortex.parameters():
                weight.mul_(5)  # away from the linear regime that tiny initial weights live in
        self.synapses = Synapses(self.cortex, Optimizer(learning_rate=RATE, betas=betas, idle_weights=idle))
        self.hippocampus = Hippocampus()
        self.encoder = arrays(self.cortex.encoder.state_dict())
        self.generator = arrays(self.cortex.generator.state_dict())
        self.adams = naive.Adam(RATE, betas), naive.Adam(RATE, betas)
        self.memories = {"today": None, "yesterday": None}

    def live(self, cycle):
        """One cycle of both; returns both's terms."""
        x = (
            2 * torch.rand(BATCH, 3, 32, 32, generator=torch.Generator().manual_seed(cycle)).to(self.dtype)
            - 1
        )
        random = (Chance if self.dtype == torch.float64 else Random)(0, (1, cycle))
        draws = {
            phase.name: {
                name: value.double().numpy()
                for name, value in phase.draw(random.at(phase.name), BATCH, LATENTS).items()
            }
            for phase in self.phases
        }
        self.hippocampus, terms = sleep_wake_cycle(
            self.cortex, self.synapses, x, self.hippocampus, self.phases, random
        )
        self.memories, expected = naive.cycle(
            self.encoder,
            self.generator,
            *self.adams,
            x.double().numpy(),
            self.memories,
            [as_naive(phase) for phase in self.phases],
            draws,
            self.idle,
        )
        return {name: value.item() for name, value in terms.items()}, expected

    def assert_alike(self, rtol, atol):
        for pathway, oracle in (("encoder", self.encoder), ("generator", self.generator)):
            weights = arrays(getattr(self.cortex, pathway).state_dict())
            assert set(weights) == set(oracle)
            for name, weight in weights.items():
                np.testing.assert_allclose(weight, oracle[name], rtol, atol, err_msg=f"{pathway}.{name}")
        for day in ("today", "yesterday"):
            mine, theirs = getattr(self.hippocampus, day), self.memories[day]
            assert (mine is None) == (theirs is None)
            if mine is not None:
                np.testing.assert_allclose(mine.double().numpy(), theirs, rtol, atol, err_msg=day)


def without_weight(phases):
    """Terms that a phase reports and does not learn from; the oracle does not compute them."""
    wake = next((phase for phase in phases if phase.name == "wake"), None)
    return {term for term, weight in WAKE_TERMS.items() if wake is not None and not getattr(wake, weight)}


def compare(phases, idle, dtype, rtol, atol):
    twins = Twins(phases, idle, dtype)
    for cycle in range(CYCLES):
        terms, expected = twins.live(cycle)
        assert set(terms) - without_weight(phases) == set(expected)
        for name, value in expected.items():
            assert terms[name] == pytest.approx(value, rel=rtol, abs=atol), f"{name} of cycle {cycle}"
        twins.assert_alike(rtol, atol)
    return twins


@pytest.mark.parametrize("idle", ["hold", "coast"])
@pytest.mark.parametrize("name", CYCLES_OF)
def test_a_condition_agrees_to_nine_digits(name, idle):
    compare(CYCLES_OF[name], idle, torch.float64, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("idle", ["hold", "coast"])
@pytest.mark.parametrize("name", VARIANTS)
def test_an_option_agrees_to_nine_digits(name, idle):
    compare(VARIANTS[name], idle, torch.float64, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("idle", ["hold", "coast"])
@pytest.mark.parametrize("name", CYCLES_OF)
def test_the_reference_path_in_float32_agrees_to_its_own_precision(name, idle):
    compare(CYCLES_OF[name], idle, torch.float32, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("idle", ["hold", "coast"])
@pytest.mark.parametrize("name", ["squared norm", "mask per image", "latent noise"])
def test_options_in_float32_agree_to_its_own_precision(name, idle):
    compare(VARIANTS[name], idle, torch.float32, rtol=1e-4, atol=1e-4)


ALTERATIONS = {
    "REM's shares": ("pad", (Wake(), NREM(), REM(replay=Replay(past=0.5001, noise=0.5)))),
    "REM's noise": ("pad", (Wake(), NREM(), REM(replay=Replay(past=0.5, noise=0.5001)))),
    "order": ("pad", (Wake(), REM(), NREM())),
    "NREM's weight": ("pad", (Wake(), NREM(weight=1.001), REM())),
    "KL's weight": ("pad", (Wake(kl_weight=1.001), NREM(), REM())),
    "reduction": ("pad", (Wake(), NREM(reduction="squared_norm"), REM())),
    "first night": ("pad", (Wake(), NREM(), REM(replay=Replay(past=0.5, noise=0.5, first_night=ALONE)))),
    "noise of equation 12": ("wake_only", (Wake(externality_weight=0, latent_noise=0.5001),)),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_the_comparison_sees_a_small_alteration(name):
    """The oracle is given one thing and the cortex another: the tolerance must not cover the difference."""
    original, altered = ALTERATIONS[name]
    twins = Twins(altered, "hold")
    oracle = Twins(CYCLES_OF[original], "hold")
    for cycle in range(CYCLES):
        twins.live(cycle)
        oracle.live(cycle)
    twins.encoder, twins.generator, twins.memories = oracle.encoder, oracle.generator, oracle.memories
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        twins.assert_alike(rtol=1e-9, atol=1e-12)


def test_holding_and_coasting_are_told_apart():
    twins, oracle = Twins(CYCLES_OF["pad"], "hold"), Twins(CYCLES_OF["pad"], "coast")
    for cycle in range(CYCLES):
        twins.live(cycle)
        oracle.live(cycle)
    twins.encoder = oracle.encoder
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        twins.assert_alike(rtol=1e-4, atol=1e-4)
