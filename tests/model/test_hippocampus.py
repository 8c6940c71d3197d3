"""The hippocampus: what it stores, when, and how it is replayed."""

import pytest
import torch

from dreaming.errors import UserError
from dreaming.model.cycle import sleep_wake_cycle
from dreaming.model.hippocampus import Hippocampus, Replay
from dreaming.model.phases import NREM, REM, Wake
from dreaming.model.plasticity import Optimizer, Synapses
from dreaming.rng import Random

Z, Z_OLD, NOISE = 8.0, 2.0, -4.0


def latents(value):
    return torch.full((3, 5), value, dtype=torch.float64)


def recalled(recipe, yesterday=True):
    hippocampus = Hippocampus(today=latents(Z), yesterday=latents(Z_OLD) if yesterday else None)
    values = recipe.recall(hippocampus, latents(NOISE)).unique().tolist()
    assert len(values) == 1
    return values[0]


@pytest.mark.parametrize(
    ("past", "noise", "expected"),
    [
        (0.0, 0.0, 8.0),  # NREM: a single memory
        (0.5, 0.5, 0.5),  # REM: ((8 + 2) / 2 - 4) / 2
        (0.5, 0.0, 5.0),  # memories only
        (0.0, 1.0, -4.0),  # noise only
        (0.7, 1.0, -4.0),
        (1.0, 0.0, 2.0),  # yesterday alone
        (0.25, 0.0, 6.5),  # ¾ 8 + ¼ 2: the share is yesterday's, not today's
        (0.0, 0.25, 5.0),  # ¾ 8 - ¼ 4: the share is the noise's
        (0.25, 0.75, -1.375),
    ],
)
def test_a_replay_mixes_two_days_and_noise_by_its_recipe(past, noise, expected):
    assert recalled(Replay(past=past, noise=noise)) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("past", "noise", "first_night", "expected"),
    [
        (0.5, 0.5, "with_noise", 2.0),  # (8 - 4) / 2: the program, memory undiluted by a yesterday
        (0.5, 0.5, "memory_alone", 8.0),  # the paper
        (0.5, 0.25, "with_noise", 5.0),
        (0.5, 0.0, "with_noise", 8.0),
        (0.5, 0.0, "memory_alone", 8.0),
        (0.5, 1.0, "with_noise", -4.0),
        (0.5, 1.0, "memory_alone", -4.0),  # a recipe of noise alone has no memory to stand alone
    ],
)
def test_the_first_night_has_no_yesterday(past, noise, first_night, expected):
    assert recalled(Replay(past=past, noise=noise, first_night=first_night), yesterday=False) == expected


@pytest.mark.parametrize("first_night", ["with_noise", "memory_alone"])
def test_the_first_nights_rule_ends_with_the_first_night(first_night):
    assert recalled(Replay(past=0.5, noise=0.5, first_night=first_night)) == 0.5


def test_mixing_is_element_by_element_and_batch_by_batch():
    random = torch.Generator().manual_seed(0)
    z, old, noise = torch.randn(3, 4, 6, generator=random, dtype=torch.float64)
    found = Replay(past=0.3, noise=0.2).recall(Hippocampus(z, old), noise)
    for i in range(4):
        for j in range(6):
            by_hand = 0.8 * (0.7 * z[i, j] + 0.3 * old[i, j]) + 0.2 * noise[i, j]
            assert found[i, j].item() == pytest.approx(by_hand.item(), rel=1e-13)


def test_nothing_can_be_replayed_before_the_first_day():
    with pytest.raises(UserError, match="none is stored yet"):
        Replay().recall(Hippocampus())


def test_a_recipe_with_noise_refuses_to_be_replayed_without_any():
    with pytest.raises((UserError, TypeError, ValueError)):
        Replay(noise=0.5).recall(Hippocampus(today=latents(Z)))


@pytest.mark.parametrize(
    "wrong", [{"past": -0.1}, {"past": 1.1}, {"noise": 2}, {"first_night": "no"}, {"old": 1}]
)
def test_impossible_recipes_are_refused(wrong):
    with pytest.raises(UserError):
        Replay(**wrong)


def test_what_is_stored_carries_no_gradient():
    z = latents(1.0).requires_grad_() * 2
    day = Hippocampus().store(z)
    assert not day.today.requires_grad
    assert not Replay().recall(day).requires_grad


def test_only_the_two_last_days_are_kept():
    monday = Hippocampus().store(latents(1.0))
    wednesday = monday.store(latents(2.0)).store(latents(3.0))
    assert wednesday.today.unique().item() == 3
    assert wednesday.yesterday.unique().item() == 2
    assert monday.today.unique().item() == 1
    assert monday.yesterday is None


def test_what_is_stored_are_the_latents_from_before_the_days_learning(cortex, images):
    with torch.no_grad():
        before = cortex.encoder(images)[0]
    hippocampus, _ = sleep_wake_cycle(
        cortex, Synapses(cortex, Optimizer()), images, Hippocampus(), [Wake()], Random(0)
    )
    with torch.no_grad():
        after = cortex.encoder(images)[0]
    assert torch.equal(hippocampus.today, before)
    assert not torch.equal(hippocampus.today, after)


def test_what_is_replayed_are_the_latents_from_before_the_days_learning(cortex, days):
    replayed = {}

    class RecordedNREM(NREM):
        def objective(self, cortex, images, hippocampus, draws):
            replayed["today"], replayed["yesterday"] = hippocampus.today, hippocampus.yesterday
            return super().objective(cortex, images, hippocampus, draws)

    synapses, hippocampus, before = Synapses(cortex, Optimizer(learning_rate=1e-2)), Hippocampus(), []
    for cycle, seen in enumerate(days):
        with torch.no_grad():
            before.append(cortex.encoder(seen)[0])
        cycle_phases = [Wake(), REM(), RecordedNREM(name="nrem")]  # the encoder has learnt twice by then
        hippocampus, _ = sleep_wake_cycle(
            cortex, synapses, seen, hippocampus, cycle_phases, Random(0, (cycle,))
        )
        assert torch.equal(replayed["today"], before[-1])
        if cycle:
            assert torch.equal(replayed["yesterday"], before[-2])
    assert not torch.equal(before[0], before[1])
