"""Wake, NREM and REM: objectives, their pieces, and the cycle they make."""

import copy

import pytest
import torch
from torch.nn import functional

from dreaming.errors import UserError
from dreaming.model import losses
from dreaming.model.conditions import condition, conditions
from dreaming.model.cycle import sleep_wake_cycle
from dreaming.model.hippocampus import Hippocampus, Replay
from dreaming.model.phases import NREM, REM, Outcome, Phase, Wake
from dreaming.model.plasticity import Optimizer, Plasticity, Synapses
from dreaming.rng import Random

EVERY = sorted(conditions())


@pytest.fixture
def night(cortex, days):
    """Memories of two days."""
    return Hippocampus().store(cortex.encoder(days[0])[0]).store(cortex.encoder(days[1])[0])


def draws_of(phase):
    return phase.draw(Random(0, (1, 0, phase.name)), 8, 8)


class TestWake:
    @pytest.mark.parametrize("noise", [0.0, 0.5])
    @pytest.mark.parametrize("reduction", ["mean", "squared_norm"])
    def test_its_loss_is_the_weighted_sum_of_equations_2_4_and_5(self, cortex, images, noise, reduction):
        phase = Wake(
            image_weight=2, kl_weight=0.25, externality_weight=3, latent_noise=noise, reduction=reduction
        )
        draws = draws_of(phase)
        assert set(draws) == ({"noise"} if noise else set())
        outcome = phase.objective(cortex, images, Hippocampus(), draws)
        z, d_logit = cortex.encoder(images)
        dream = cortex.generator(z + noise * draws["noise"] if noise else z)
        squared = (images - dream).square()
        image = squared.mean() if reduction == "mean" else squared.sum(dim=(1, 2, 3)).mean()
        kl = 0.5 * (z.mean(0) ** 2 + z.var(0) - 1 - z.var(0).log()).mean()
        real = functional.binary_cross_entropy_with_logits(d_logit, torch.ones(8))
        for name, expected in {"image": image, "kl": kl, "externality": real}.items():
            torch.testing.assert_close(outcome.terms[name], expected, rtol=1e-5, atol=0)
        torch.testing.assert_close(outcome.loss, 2 * image + 0.25 * kl + 3 * real, rtol=1e-5, atol=0)

    def test_the_noise_of_equation_12_is_scaled_by_its_deviation_and_stays_out_of_memory(
        self, cortex, images
    ):
        quiet = Wake().objective(cortex, images, Hippocampus(), {})
        noisy = Wake(latent_noise=0.5)
        outcome = noisy.objective(cortex, images, Hippocampus(), draws_of(noisy))
        assert torch.equal(outcome.memory, quiet.memory)
        assert torch.equal(outcome.terms["kl"], quiet.terms["kl"])
        assert not torch.equal(outcome.terms["image"], quiet.terms["image"])


class TestNREM:
    def test_it_recovers_the_replayed_latents_from_the_occluded_dream(self, cortex, images, night):
        phase = NREM()
        draws = draws_of(phase)
        found = phase.objective(cortex, images, night, draws)
        z_hat, _ = cortex.encoder(cortex.generator(night.today) * draws["mask"])
        torch.testing.assert_close(found.loss, functional.mse_loss(z_hat, night.today), rtol=1e-6, atol=0)
        assert found.memory is None

    def test_mixed_memories_are_also_what_it_has_to_recover(self, cortex, images, night):
        phase = NREM(replay=Replay(past=0.5, noise=0.5))
        draws = draws_of(phase)
        z = 0.25 * night.today + 0.25 * night.yesterday + 0.5 * draws["noise"]
        z_hat, _ = cortex.encoder(cortex.generator(z) * draws["mask"])
        found = phase.objective(cortex, images, night, draws).loss
        torch.testing.assert_close(found, functional.mse_loss(z_hat, z), rtol=1e-5, atol=0)

    def test_neither_the_dream_nor_the_memory_carries_a_gradient(self, cortex, images, night):
        loss = NREM().objective(cortex, images, night, draws_of(NREM())).loss
        gradients = torch.autograd.grad(loss, list(cortex.generator.parameters()), allow_unused=True)
        assert all(gradient is None for gradient in gradients)

    def test_it_does_not_look_at_the_images(self, cortex, images, night):
        for phase in (NREM(), REM()):
            seen = phase.objective(cortex, images, night, draws_of(phase)).loss
            blind = phase.objective(cortex, torch.zeros_like(images), night, draws_of(phase)).loss
            assert torch.equal(seen, blind)


class TestREM:
    def test_it_tells_the_dream_of_a_mixed_memory_as_internal(self, cortex, images, night):
        draws = draws_of(REM())
        z = 0.25 * night.today + 0.25 * night.yesterday + 0.5 * draws["noise"]
        _, d_logit = cortex.encoder(cortex.generator(z))
        expected = functional.binary_cross_entropy(torch.sigmoid(d_logit), torch.zeros(8))
        found = REM().objective(cortex, images, night, draws)
        torch.testing.assert_close(found.loss, expected, rtol=1e-5, atol=0)
        assert torch.equal(found.loss, found.terms["externality"])

    def test_a_recipe_without_noise_draws_none(self):
        assert draws_of(REM(replay=Replay(past=0.5))) == {}
        assert draws_of(REM())["noise"].shape == (8, 8)


@pytest.mark.parametrize("phase", [Wake(), NREM(), REM()], ids=lambda phase: phase.name)
def test_an_objective_is_pure(cortex, images, night, phase):
    before = {name: value.clone() for name, value in cortex.state_dict().items()}
    first, again = (phase.objective(cortex, images, night, draws_of(phase)).loss for _ in range(2))
    assert torch.equal(first, again)
    assert all(torch.equal(before[name], value) for name, value in cortex.state_dict().items())
    assert all(weight.grad is None for weight in cortex.parameters())


@pytest.mark.parametrize("name", EVERY)
def test_a_cycle_reports_the_terms_of_its_phases_in_their_order(cortex, images, name):
    _, terms = sleep_wake_cycle(
        cortex, Synapses(cortex, Optimizer()), images, Hippocampus(), condition(name), Random(0)
    )
    of = {
        "wake": ["wake.image", "wake.kl", "wake.externality"],
        "nrem": ["nrem.latent"],
        "rem": ["rem.externality"],
    }
    assert list(terms) == [term for phase in condition(name) for term in of[phase.name]]
    assert all(value.shape == () and not value.requires_grad and value.isfinite() for value in terms.values())


@pytest.mark.parametrize("idle", ["hold", "coast"])
@pytest.mark.parametrize("name", ["without_rem", "wake_only"])
def test_without_rem_the_externality_head_never_changes(cortex, days, name, idle):
    synapses, hippocampus = Synapses(cortex, Optimizer(idle_weights=idle)), Hippocampus()
    before = copy.deepcopy(cortex.state_dict())
    for cycle, seen in enumerate(days):
        hippocampus, _ = sleep_wake_cycle(
            cortex, synapses, seen, hippocampus, condition(name), Random(0, (cycle,))
        )
    still = {key for key, value in cortex.state_dict().items() if torch.equal(value, before[key])}
    assert still == {"encoder.externality_head.weight", "encoder.externality_head.bias"}


@pytest.mark.parametrize("name", sorted(set(EVERY) - {"untrained", "without_rem", "wake_only"}))
def test_in_every_other_condition_every_weight_learns(cortex, images, name):
    before = copy.deepcopy(cortex.state_dict())
    sleep_wake_cycle(cortex, Synapses(cortex, Optimizer()), images, Hippocampus(), condition(name), Random(0))
    assert not [key for key, value in cortex.state_dict().items() if torch.equal(value, before[key])]


def test_the_order_of_nrem_and_rem_matters(cortex, days):
    ends = []
    for name in ("pad", "rem_before_nrem"):
        twin = copy.deepcopy(cortex)
        sleep_wake_cycle(
            twin, Synapses(twin, Optimizer()), days[0], Hippocampus(), condition(name), Random(0)
        )
        ends.append(twin.encoder.latent_head.weight)
    assert not torch.equal(*ends)


def test_a_night_before_the_first_day_is_refused(cortex, images):
    with pytest.raises(UserError, match="waking phase come first"):
        sleep_wake_cycle(
            cortex, Synapses(cortex, Optimizer()), images, Hippocampus(), [NREM(), Wake()], Random(0)
        )


def test_a_phase_of_one_s_own_needs_an_objective_and_signs_alone(cortex, images):
    class Daydream(Phase):
        plasticity = Plasticity(encoder=0, generator=+1)
        target: float = 0.5

        def objective(self, cortex, images, hippocampus, draws):
            loss = (cortex.generator(hippocampus.today) - self.target).square().mean()
            return Outcome(loss, {"brightness": loss})

    before = copy.deepcopy(cortex.encoder.state_dict())
    synapses, hippocampus = Synapses(cortex, Optimizer(learning_rate=1e-2)), Hippocampus()
    hippocampus = hippocampus.store(cortex.encoder(images)[0])
    values = []
    for cycle in range(20):
        _, terms = sleep_wake_cycle(cortex, synapses, images, hippocampus, [Daydream()], Random(0, (cycle,)))
        values.append(terms["daydream.brightness"].item())
    assert values[-1] < 0.5 * values[0]
    assert all(torch.equal(value, before[key]) for key, value in cortex.encoder.state_dict().items())


def test_a_phase_that_only_looks_changes_nothing(cortex, images):
    class Look(Phase):
        plasticity = Plasticity(encoder=0, generator=0)

        def objective(self, cortex, images, hippocampus, draws):
            loss = losses.kl_to_standard_normal(cortex.encoder(images)[0])
            return Outcome(loss, {"kl": loss})

    before = copy.deepcopy(cortex.state_dict())
    _, terms = sleep_wake_cycle(
        cortex, Synapses(cortex, Optimizer()), images, Hippocampus(), [Look()], Random(0)
    )
    assert set(terms) == {"look.kl"}
    assert all(torch.equal(value, before[key]) for key, value in cortex.state_dict().items())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Wake(kl=0),
        lambda: Wake(weight=-1),
        lambda: Wake(latent_noise=-0.1),
        lambda: NREM(reduction="sum"),
        lambda: REM(occlusion={}),
        lambda: REM(name="REM sleep"),
        lambda: Wake(kl_weight=float("nan")),
        lambda: Wake(kl_weight=float("inf")),
    ],
)
def test_unknown_and_impossible_parameters_are_refused(wrong):
    with pytest.raises(UserError):
        wrong()


def test_parameters_are_frozen():
    with pytest.raises(UserError, match="frozen"):
        Wake().weight = 2
