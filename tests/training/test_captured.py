"""Epochs as a program: bit for bit the plain path for one cortex, within rounding for an ensemble."""

import copy

import pytest
import torch

import dreaming
from dreaming.data import epoch_order, load_dataset, to_activity
from dreaming.model.conditions import conditions
from dreaming.model.cycle import draw, phase_objective, sleep_wake_cycle, steps_of
from dreaming.model.hippocampus import Hippocampus
from dreaming.rng import Random, generator
from dreaming.training import ensemble
from dreaming.training.captured import CapturedCycle
from dreaming.training.state import TrainingState

pytestmark = pytest.mark.usefixtures("shapes_unchecked")

CPU = torch.device("cpu")
IMAGES = load_dataset("digits", limit=32).train.images
CYCLES = 4


def config(condition="pad", seed=0, **training):
    return dreaming.configure(
        condition,
        networks={"base_channels": 4, "latent_dim": 8},
        training={"batch_size": 8, "epochs": 3, "device": "cpu", "precision": "float32", **training},
        seed=seed,
    )


def born(configs, dtype=torch.float32):
    lives = [TrainingState.initial(each, CPU) for each in configs]
    for life, each in zip(lives, configs, strict=True):
        if dtype == torch.float64:
            life.cortex.double()
            life.synapses = type(life.synapses)(life.cortex, each.optimizer)
    return lives


def plain(life, config, epoch):
    """One epoch of the plain path, written out."""
    if not config.training.memories_across_epochs:
        life.hippocampus = Hippocampus()
    order = epoch_order(len(IMAGES), 8, generator(config.seed, "order", epoch))
    for cycle, which in enumerate(order):
        life.hippocampus, terms = sleep_wake_cycle(
            life.cortex,
            life.synapses,
            to_activity(IMAGES[which]).to(next(life.cortex.parameters()).dtype),
            life.hippocampus,
            config.phases,
            Random(config.seed, (epoch, cycle)),
        )
        for name, value in terms.items():
            life.totals[name] = life.totals.get(name, 0) + value.double()
    life.cycles_done = len(order)


@pytest.fixture
def _in_float64(monkeypatch):
    """Let programs see in float64, where the order of summation does not show."""
    monkeypatch.setattr("dreaming.training.captured.to_activity", lambda *seen: to_activity(*seen).double())


def next_epoch(*lives):
    for life in lives:
        life.epochs_done, life.cycles_done, life.totals = life.epochs_done + 1, 0, {}


def state(life):
    days = {"today": life.hippocampus.today, "yesterday": life.hippocampus.yesterday}
    return {**life.cortex.state_dict(), **life.synapses.state(), **days, **life.totals}


def assert_same(life, other, **tolerance):
    mine, theirs = state(life), state(other)
    assert list(mine) == list(theirs)
    for name, value in mine.items():
        if value is not None:
            torch.testing.assert_close(
                value, theirs[name], msg=lambda m, n=name: f"{n}: {m}", **tolerance or {"rtol": 0, "atol": 0}
            )


def forever():
    return True


def nothing():
    pass


@pytest.mark.parametrize(
    ("condition", "across"), [*((name, False) for name in conditions()), ("pad", True), ("nrem_mixed", True)]
)
def test_a_program_of_one_cortex_is_the_plain_path_bit_for_bit(condition, across):
    mine = config(condition, memories_across_epochs=across)
    alone, programmed = born([mine, mine])
    program = CapturedCycle([programmed], [mine], IMAGES)
    for epoch in (1, 2):
        plain(alone, mine, epoch)
        program.run(forever, nothing)
        assert_same(programmed, alone)
        next_epoch(alone, programmed)


def test_a_program_stops_when_it_is_not_wanted_and_another_goes_on():
    mine = config()
    alone, programmed = born([mine, mine])
    plain(alone, mine, 1)
    lived = []
    CapturedCycle([programmed], [mine], IMAGES).run(lambda: len(lived) < 2, lambda: lived.append(1))
    assert programmed.cycles_done == 2
    CapturedCycle([programmed], [mine], IMAGES).run(forever, nothing)
    assert_same(programmed, alone)


@pytest.mark.parametrize("condition", [name for name in conditions() if name != "untrained"])
@pytest.mark.usefixtures("_in_float64")
def test_an_ensemble_lives_as_each_cortex_alone(condition):
    configs = [config(condition, seed) for seed in (0, 7)]
    alone, together = born(configs, torch.float64), born(configs, torch.float64)
    program = CapturedCycle(together, configs, IMAGES)
    for epoch in (1, 2):
        program.run(forever, nothing)
        for life, other, each in zip(alone, together, configs, strict=True):
            plain(life, each, epoch)
            assert_same(other, life, rtol=1e-7, atol=1e-9)
        next_epoch(*alone, *together)


@pytest.mark.usefixtures("_in_float64")
def test_an_ensemble_stopped_midway_goes_on_in_another_program():
    configs = [config(seed=seed) for seed in (0, 1)]
    whole, parts = born(configs, torch.float64), born(configs, torch.float64)
    CapturedCycle(whole, configs, IMAGES).run(forever, nothing)
    lived = []
    CapturedCycle(parts, configs, IMAGES).run(lambda: len(lived) < 3, lambda: lived.append(1))
    CapturedCycle(parts, configs, IMAGES).run(forever, nothing)
    for life, other in zip(parts, whole, strict=True):
        assert_same(life, other, rtol=1e-12, atol=1e-12)


def test_a_cortex_that_diverges_takes_no_other_along():
    configs = [config(seed=seed) for seed in (0, 1, 2)]
    healthy, beside = born(configs), born(configs)
    with torch.no_grad():
        beside[1].cortex.encoder.trunk[0].weight.fill_(torch.inf)
    CapturedCycle(healthy, configs, IMAGES).run(forever, nothing)
    CapturedCycle(beside, configs, IMAGES).run(forever, nothing)
    assert not beside[1].totals["wake.image"].isfinite()
    for number in (0, 2):
        assert_same(beside[number], healthy[number])


def test_lives_out_of_step_are_refused():
    configs = [config(seed=seed) for seed in (0, 1)]
    lives = born(configs)
    lives[1].cycles_done = 1
    with pytest.raises(ValueError, match="different cycles"):
        CapturedCycle(lives, configs, IMAGES)


def test_gathering_and_scattering_change_nothing():
    lives = born([config(seed=seed) for seed in (0, 1)])
    before = [copy.deepcopy(life.cortex.state_dict()) for life in lives]
    gathered = ensemble.stack([life.cortex for life in lives])
    weight = gathered.encoder.trunk[1].weight
    assert weight[1].is_contiguous(memory_format=torch.channels_last)
    ensemble.unstack(gathered, [life.cortex for life in lives])
    for life, old in zip(lives, before, strict=True):
        for name, value in life.cortex.state_dict().items():
            assert torch.equal(value, old[name])


def test_an_ensemble_has_the_losses_of_its_cortices():
    mine = config()
    lives = born([config(seed=seed) for seed in (0, 1)], torch.float64)
    images = to_activity(IMAGES[:16]).double().unflatten(0, (2, 8))
    draws = draw(steps_of(mine.phases), Random(0), 8, 8)
    gathered = ensemble.stack([life.cortex for life in lives])
    found = ensemble.phase_objective(mine.phases[0], gathered, images, Hippocampus(), draws["wake"])
    for number, life in enumerate(lives):
        one = phase_objective(mine.phases[0], life.cortex, images[number], Hippocampus(), draws["wake"])
        torch.testing.assert_close(found.loss[number], one.loss)
        torch.testing.assert_close(found.memory[number], one.memory)
        for name, value in one.terms.items():
            torch.testing.assert_close(found.terms[name][number], value)
