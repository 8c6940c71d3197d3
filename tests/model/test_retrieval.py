"""Retrieval: Hopfield completion against an oracle and its limits; what is stored how long; what phases find."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from dreaming.errors import UserError
from dreaming.model.cycle import Step, draw, phase_objective, sleep_wake_cycle
from dreaming.model.hippocampus import Hippocampus, HippocampusConfig, Replay, hopfield_retrieval
from dreaming.model.phases import NREM, REM, Outcome, Phase, Wake
from dreaming.model.plasticity import Optimizer, Plasticity, Synapses
from dreaming.rng import Random


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class TestHopfield:
    @given(st.integers(1, 6), st.integers(1, 7), st.integers(1, 5), st.floats(0, 50), st.integers(1, 4))
    def test_it_is_what_numpy_makes_of_the_equation_row_by_row(self, b, m, n, beta, iterations):
        cue, memories = normal(b, n), normal(m, n, seed=1)
        found = hopfield_retrieval(cue, memories, beta, iterations)
        X = memories.numpy()
        for row, begun in zip(found.numpy(), cue.numpy(), strict=True):
            xi = begun
            for _ in range(iterations):
                xi = X.T @ softmax(beta * (X @ xi))
            np.testing.assert_allclose(row, xi, rtol=1e-9, atol=1e-12)

    def test_at_beta_0_it_is_the_mean_of_all_memories(self):
        memories = normal(5, 4)
        found = hopfield_retrieval(normal(3, 4, seed=1), memories, beta=0.0)
        torch.testing.assert_close(found, memories.mean(0).expand(3, 4))

    @pytest.mark.parametrize("iterations", [1, 10])
    def test_towards_infinite_beta_it_is_the_nearest_of_memories_of_one_length(self, iterations):
        memories = torch.nn.functional.normalize(normal(20, 6), dim=1)
        cue = memories[:4] + 0.1 * normal(4, 6, seed=1)
        found = hopfield_retrieval(cue, memories, 1e6, iterations)
        torch.testing.assert_close(found, memories[torch.cdist(cue, memories).argmin(dim=1)])
        torch.testing.assert_close(found, memories[:4])

    def test_a_memory_alone_is_retrieved_from_any_cue(self):
        memory = normal(1, 4)
        torch.testing.assert_close(hopfield_retrieval(normal(3, 4, seed=1), memory, 2.0), memory.expand(3, 4))

    def test_its_gradient_is_that_of_finite_differences(self):
        cue, memories = normal(2, 3).requires_grad_(), normal(4, 3, seed=1).requires_grad_()
        assert torch.autograd.gradcheck(lambda c, x: hopfield_retrieval(c, x, 1.5, 3), (cue, memories))

    def test_the_order_of_memories_does_not_matter(self):
        cue, memories = normal(3, 4), normal(6, 4, seed=1)
        torch.testing.assert_close(
            hopfield_retrieval(cue, memories, 2.0, 3), hopfield_retrieval(cue, memories.flip(0), 2.0, 3)
        )


def filled(days, batch=3, **config):
    """A hippocampus whose memories say on which day, and which of the day, they are: 10 · day + number."""
    hippocampus = Hippocampus(config=HippocampusConfig(**config))
    for day in range(days):
        latents = (10.0 * day + torch.arange(batch, dtype=torch.float64))[:, None].expand(batch, 4)
        images = latents[:, :, None, None].expand(batch, 4, 5, 5)
        hippocampus = hippocampus.store(latents, images)
    return hippocampus


class TestStoring:
    @pytest.mark.parametrize("stores", ["latents", "images"])
    @pytest.mark.parametrize("capacity", [1, 2, 3, 5])
    @pytest.mark.parametrize("days", [1, 2, 3, 7])
    def test_the_last_days_are_kept_and_no_others(self, stores, capacity, days):
        hippocampus = filled(days, capacity=capacity, stores=stores)
        kept = range(days - 1, max(-1, days - 1 - capacity), -1)
        assert hippocampus.days == len(kept)
        found = hippocampus.memories.flatten(1)[:, 0].tolist()
        assert found == [10 * day + number for day in kept for number in range(3)]

    def test_with_two_days_nothing_but_these_two_is_stored(self):
        assert list(filled(5).tensors) == ["today", "yesterday"]

    def test_cortices_side_by_side_store_as_each_alone(self):
        alone = [filled(5, capacity=4), filled(6, capacity=4)]
        both = Hippocampus(config=HippocampusConfig(capacity=4))
        for day in range(5):
            each = [(10.0 * (day + late) + torch.arange(3.0))[:, None].expand(3, 4) for late in (0, 1)]
            both = both.store(torch.stack(each).double())
        for number, hippocampus in enumerate(alone):
            for name, day in hippocampus.tensors.items():
                assert torch.equal(both.tensors[name][number], day)

    def test_what_is_stored_is_not_changed_by_the_next_day(self):
        before = filled(4, capacity=3)
        kept = before.memories.clone()
        before.store(torch.zeros(3, 4, dtype=torch.float64))
        assert torch.equal(before.memories, kept)

    def test_images_have_to_be_given_where_they_are_stored(self):
        with pytest.raises(ValueError, match="stores images, and was given none"):
            Hippocampus(config=HippocampusConfig(stores="images")).store(torch.zeros(2, 3))

    def test_of_nothing_stored_there_are_no_memories(self):
        with pytest.raises(UserError, match="none is stored yet"):
            _ = Hippocampus().memories

    @pytest.mark.parametrize(
        "wrong", [{"capacity": 0}, {"beta": -1}, {"iterations": 0}, {"cue_noise": 2}, {"retrieval": "all"}]
    )
    def test_impossible_ones_are_refused(self, wrong):
        with pytest.raises(UserError):
            HippocampusConfig(**wrong)


def found_by(hippocampus, address=(), batch=3):
    draws = hippocampus.config.draw(Random(0, address), batch, 4, (4, 5, 5))
    return hippocampus.in_phase(lambda images: images.mean((2, 3)) + 0.5, draws)


class TestWhatPhasesFind:
    def test_by_default_it_is_the_hippocampus_itself_and_nothing_is_drawn(self):
        hippocampus = filled(3)
        assert hippocampus.config.draw(Random(0), 3, 4, (4, 5, 5)) == {}
        assert hippocampus.in_phase(lambda images: images, {}) is hippocampus
        steps = [Step(phase) for phase in (Wake(), NREM(), REM())]
        assert {key for each in draw(steps, Random(0), 3, 4).values() for key in each} == {"mask", "noise"}

    def test_capacity_alone_changes_nothing_that_a_replay_finds(self):
        one, other = filled(5, capacity=2), filled(5, capacity=4)
        assert torch.equal(other.today, one.today)
        assert torch.equal(other.yesterday, one.yesterday)

    def test_uniform_draws_each_of_both_memories_from_all(self):
        hippocampus = filled(6, capacity=4, retrieval="uniform")
        days = [
            found_by(hippocampus, (night,)).retrieve(which)[:, 0] for night in range(400) for which in (0, 1)
        ]
        counts = torch.stack(days).flatten().unique(return_counts=True)
        assert counts[0].tolist() == sorted(hippocampus.memories[:, 0].tolist())
        assert (counts[1] - 200).abs().max() < 5 * 200**0.5
        first, second = torch.stack(days[::2]).flatten(), torch.stack(days[1::2]).flatten()
        assert np.corrcoef(first, second)[0, 1] == pytest.approx(0, abs=5 / 1200**0.5)

    def test_uniform_has_a_yesterday_in_the_first_night(self):
        found = found_by(filled(1, retrieval="uniform"))
        assert found.yesterday.shape == (3, 4)

    def test_hopfield_of_whole_cues_and_large_beta_is_what_is_recent(self):
        hippocampus = Hippocampus(config=HippocampusConfig(retrieval="hopfield", cue_noise=0, capacity=3))
        for day in range(3):
            hippocampus = hippocampus.store(
                torch.nn.functional.normalize(10 * normal(3, 4, seed=day), dim=1) * 9
            )
        found = found_by(hippocampus)
        torch.testing.assert_close(found.today, hippocampus.today)
        torch.testing.assert_close(found.yesterday, hippocampus.yesterday)

    def test_hopfield_completes_a_cue_of_which_a_share_is_noise(self):
        hippocampus = filled(3, capacity=3, retrieval="hopfield", beta=0.01, iterations=2, cue_noise=0.4)
        draws = hippocampus.config.draw(Random(0), 3, 4, ())
        assert draws["memory.replaced"].shape == (2, 3, 4)
        found = hippocampus.in_phase(lambda images: images, draws)
        for which, memory in enumerate((hippocampus.today, hippocampus.yesterday)):
            cue = torch.where(draws["memory.replaced"][which], draws["memory.noise"][which], memory)
            expected = hopfield_retrieval(cue, hippocampus.memories, 0.01, 2)
            torch.testing.assert_close((found.today, found.yesterday)[which], expected)
        many = HippocampusConfig(retrieval="hopfield", cue_noise=0.4).draw(Random(1), 100, 64, ())
        assert many["memory.replaced"].double().mean().item() == pytest.approx(0.4, abs=0.02)

    def test_what_there_is_no_cue_of_is_not_retrieved(self):
        assert found_by(filled(1, retrieval="hopfield")).yesterday is None
        assert found_by(Hippocampus(config=HippocampusConfig(retrieval="uniform"))).today is None

    def test_images_are_encoded_anew_without_a_gradient(self):
        hippocampus = filled(2, stores="images")
        weight = torch.tensor(2.0, requires_grad=True)
        found = hippocampus.in_phase(lambda images: images.mean((2, 3)) * weight, {})
        assert torch.equal(found.today, 2 * hippocampus.today.mean((2, 3)))
        assert not found.today.requires_grad
        assert torch.equal(found.retrieve(0), hippocampus.today)
        assert torch.equal(Replay(past=1).recall(found), found.yesterday)

    def test_retrieval_waits_until_it_is_asked_for(self):
        calls = []
        found = filled(2, stores="images").in_phase(lambda images: calls.append(1) or images.mean((2, 3)), {})
        assert (found.days, len(found.memories), calls) == (2, 6, [])
        assert found.today is found.today
        assert calls == [1]


class Recalling(Phase):
    """A user's own: what is recalled from a masked cue, of all that is stored."""

    plasticity = Plasticity(encoder=+1, generator=0)

    def objective(self, cortex, images, hippocampus, draws):
        cue = hippocampus.memories[:4].clone()
        cue[:, ::2] = 0
        recalled = hippocampus.complete(cue)
        loss = (cortex.encoder.latents(images[:4]) - recalled).square().mean()
        return Outcome(loss, {"error": (recalled - hippocampus.memories[:4]).square().mean()})


def test_a_phase_of_ones_own_uses_all_that_is_stored(cortex, days):
    hippocampus = Hippocampus(config=HippocampusConfig(capacity=3, retrieval="hopfield"))
    for cycle, seen in enumerate(days):
        hippocampus, terms = sleep_wake_cycle(
            cortex,
            Synapses(cortex, Optimizer()),
            seen,
            hippocampus,
            [Wake(), Recalling()],
            Random(0, (cycle,)),
        )
    assert hippocampus.days == 3
    assert terms["recalling.error"].isfinite()


@pytest.mark.parametrize("retrieval", ["uniform", "hopfield"])
def test_nrem_replays_what_is_retrieved(retrieval, cortex, days):
    hippocampus = Hippocampus(config=HippocampusConfig(capacity=3, retrieval=retrieval))
    for seen in days:
        hippocampus = hippocampus.store(cortex.encoder.latents(seen))
    (drawn,) = draw([Step(NREM())], Random(0), 8, 8, hippocampus.config).values()
    found = phase_objective(NREM(), cortex, days[0], hippocampus, drawn).loss
    replayed = hippocampus.in_phase(cortex.encoder.latents, drawn).today
    expected = NREM().objective(cortex, days[0], Hippocampus(replayed), drawn).loss
    assert torch.equal(found, expected)
    assert not torch.equal(found, NREM().objective(cortex, days[0], hippocampus, drawn).loss)
