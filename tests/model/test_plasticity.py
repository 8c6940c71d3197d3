"""Plasticity: signs, what holds still and what coasts, and the state that is carried over an interruption."""

import copy

import pytest
import torch

from dreaming.model.cortex import Cortex
from dreaming.model.cycle import sleep_wake_cycle
from dreaming.model.hippocampus import Hippocampus, Replay
from dreaming.model.phases import NREM, REM, Wake
from dreaming.model.plasticity import Optimizer, Plasticity, Synapses
from dreaming.rng import Random

FAST = Optimizer(learning_rate=1e-2)
COASTING = Optimizer(learning_rate=1e-2, idle_weights="coast")
HEADS = ("encoder.latent_head.", "encoder.externality_head.")


def copied(state):
    return {name: value.detach().clone() for name, value in state.items()}


def everything(cortex, synapses):
    """Weights and optimisers' state of a cortex, by name."""
    return copied({**cortex.state_dict(), **{f"adam.{k}": v for k, v in synapses.state().items()}})


def changed(before, after):
    """Names of what is not bit for bit the same."""
    assert set(before) <= set(after)
    return {name for name in after if name not in before or not torch.equal(before[name], after[name])}


def live(cortex, synapses, images, phases, hippocampus=None, address=(1,)):
    return sleep_wake_cycle(
        cortex, synapses, images, hippocampus or Hippocampus(), phases, Random(0, address)
    )


@pytest.fixture
def awake(cortex, days):
    """A cortex after a waking day: its optimisers have momentum, its hippocampus a memory."""

    def make(optimizer=FAST):
        synapses = Synapses(cortex, optimizer)
        hippocampus, _ = live(cortex, synapses, days[0], [Wake()])
        return cortex, synapses, hippocampus

    return make


def reference_adam(weights, synapses, pathway):
    """PyTorch's Adam on copies of the weights, with the same momentum."""
    clones = [weight.detach().clone().requires_grad_() for weight in weights]
    adam = torch.optim.Adam(clones, lr=1e-2, betas=(0.5, 0.999), fused=True)
    state = synapses.optimizers[pathway].state_dict()["state"]
    adam.load_state_dict({"state": copy.deepcopy(state), "param_groups": adam.state_dict()["param_groups"]})
    return clones, adam


class TestREM:
    def test_the_generator_gets_exactly_the_negated_gradient(self, awake, days):
        cortex, synapses, hippocampus = awake()
        generator, encoder = list(cortex.generator.parameters()), list(cortex.encoder.parameters())
        draws = REM().draw(Random(0, (1, "rem")), 8, cortex.latent_dim)
        loss = REM().objective(cortex, days[0], hippocampus, draws).loss
        gradients = torch.autograd.grad(loss, generator + encoder, allow_unused=True)
        expected = {}
        for name, weights, own, sign in (
            ("generator", generator, gradients[: len(generator)], -1),
            ("encoder", encoder, gradients[len(generator) :], +1),
        ):
            clones, adam = reference_adam(weights, synapses, name)
            for clone, gradient in zip(clones, own, strict=True):
                clone.grad = None if gradient is None else sign * gradient
            adam.step()
            expected[name] = clones
        before = copied(cortex.state_dict())
        live(cortex, synapses, days[0], [REM()], hippocampus)
        for name, weights in (("generator", generator), ("encoder", encoder)):
            for weight, clone in zip(weights, expected[name], strict=True):
                assert torch.equal(weight, clone)
        assert all(name in changed(before, cortex.state_dict()) for name in before if "generator" in name)

    def test_a_first_step_is_the_mirror_image_of_descending(self, cortex, images):
        """Adam's first step from rest is odd in the gradient, so the two changes are each other's negative."""
        steps = {}
        for sign in (+1, -1):
            twin = copy.deepcopy(cortex).double()
            before = copied(twin.generator.state_dict())
            loss = twin.encoder(twin.generator(torch.ones(4, 8, dtype=torch.float64)))[1].mean()
            Synapses(twin, FAST).change(loss, Plasticity(0, sign))
            steps[sign] = {k: v - before[k] for k, v in twin.generator.state_dict().items()}
        for name, step in steps[+1].items():
            assert step.abs().max() > 0
            torch.testing.assert_close(steps[-1][name], -step, rtol=1e-9, atol=1e-15)

    @pytest.mark.parametrize(("pathway", "direction"), [("encoder", -1), ("generator", +1)])
    def test_the_encoder_lowers_the_loss_and_the_generator_raises_it(
        self, cortex, images, pathway, direction
    ):
        hippocampus, phase = (
            Hippocampus().store(cortex.encoder(images)[0]),
            REM(replay=Replay(past=0.5, noise=0.5)),
        )
        draws = phase.draw(Random(0), 8, 8)
        twin = copy.deepcopy(cortex)
        live(twin, Synapses(twin, Optimizer(learning_rate=1e-3)), images, [phase], hippocampus)
        before = phase.objective(cortex, images, hippocampus, draws).loss.item()
        setattr(cortex, pathway, getattr(twin, pathway))
        after = phase.objective(cortex, images, hippocampus, draws).loss.item()
        assert (after - before) * direction > 0


class TestNREM:
    @pytest.mark.parametrize("optimizer", [FAST, COASTING], ids=["hold", "coast"])
    @pytest.mark.parametrize("phase", [NREM(), NREM(replay=REM().replay), NREM(weight=0.5)])
    def test_it_never_moves_the_generator_nor_its_momentum(self, awake, days, optimizer, phase):
        cortex, synapses, hippocampus = awake(optimizer)
        before = everything(cortex, synapses)
        live(cortex, synapses, days[0], [phase], hippocampus)
        moved = changed(before, everything(cortex, synapses))
        assert moved
        assert not {name for name in moved if "generator" in name}

    def test_it_moves_every_weight_on_the_way_to_the_latents(self, awake, days):
        cortex, synapses, hippocampus = awake()
        before = everything(cortex, synapses)
        live(cortex, synapses, days[0], [NREM()], hippocampus)
        expected = {n for n in before if "encoder" in n and "externality" not in n}
        assert changed(before, everything(cortex, synapses)) == expected


IDLE = [(NREM(), "externality_head"), (REM(), "latent_head")]


class TestIdleWeights:
    @pytest.mark.parametrize(("phase", "head"), IDLE, ids=["NREM", "REM"])
    def test_a_head_without_a_gradient_holds_still_with_its_momentum(self, awake, days, phase, head):
        cortex, synapses, hippocampus = awake(FAST)
        before = everything(cortex, synapses)
        live(cortex, synapses, days[0], [phase], hippocampus)
        moved = changed(before, everything(cortex, synapses))
        assert not {name for name in moved if head in name}
        assert {name for name in moved if "trunk" in name}

    @pytest.mark.parametrize(("phase", "head"), IDLE, ids=["NREM", "REM"])
    def test_a_head_without_a_gradient_coasts_by_a_step_of_adam_with_gradient_0(
        self, awake, days, phase, head
    ):
        cortex, synapses, hippocampus = awake(COASTING)
        weights = list(cortex.encoder.parameters())
        clones, adam = reference_adam(weights, synapses, "encoder")
        for clone in clones:
            clone.grad = torch.zeros_like(clone)
        adam.step()
        before = copied(cortex.state_dict())
        live(cortex, synapses, days[0], [phase], hippocampus)
        for (name, weight), clone in zip(cortex.encoder.named_parameters(), clones, strict=True):
            if head in name:
                assert torch.equal(weight, clone)
                assert not torch.equal(weight, before[f"encoder.{name}"])

    @pytest.mark.parametrize(("phase", "head"), IDLE, ids=["NREM", "REM"])
    def test_a_head_that_never_got_a_gradient_has_nothing_to_coast_by(self, cortex, images, phase, head):
        synapses = Synapses(cortex, COASTING)
        before = copied(cortex.state_dict())
        live(cortex, synapses, images, [phase], Hippocampus().store(cortex.encoder(images)[0]))
        assert not {name for name in changed(before, cortex.state_dict()) if head in name}
        assert not {name for name in synapses.state() if head in name}

    @pytest.mark.parametrize("phases", [[Wake()], [Wake(), REM()], [Wake(), NREM(weight=0)]])
    def test_the_encoder_coasts_once_more_where_nrem_is_left_out(self, cortex, images, phases):
        steps = {}
        for optimizer in (FAST, COASTING):
            synapses = Synapses(copy.deepcopy(cortex), optimizer)
            twin = copy.deepcopy(cortex)
            synapses = Synapses(twin, optimizer)
            live(twin, synapses, images, phases)
            steps[optimizer.idle_weights] = synapses.state()["encoder.trunk.0.weight.step"].item()
        assert steps["coast"] == steps["hold"] + 1

    def test_the_encoder_does_not_coast_beside_an_nrem_that_happens(self, cortex, images):
        synapses = Synapses(cortex, COASTING)
        live(cortex, synapses, images, [Wake(), NREM(), REM()])
        assert synapses.state()["encoder.trunk.0.weight.step"].item() == 3
        assert synapses.state()["generator.layers.0.weight.step"].item() == 2


class TestOff:
    @pytest.mark.parametrize("phase", [Wake(weight=0), NREM(weight=0), REM(weight=0)], ids=lambda p: p.name)
    @pytest.mark.parametrize("optimizer", [FAST, COASTING], ids=["hold", "coast"])
    def test_a_phase_of_weight_0_leaves_everything_bit_for_bit_as_it_is(self, awake, days, phase, optimizer):
        cortex, synapses, hippocampus = awake(optimizer)
        before = everything(cortex, synapses)
        after, terms = live(cortex, synapses, days[1], [phase], hippocampus)
        assert not changed(before, everything(cortex, synapses))
        assert after is hippocampus
        assert terms == {}

    @pytest.mark.parametrize("off", ["nrem", "rem"])
    def test_a_phase_of_weight_0_is_the_same_as_one_left_out(self, cortex, days, off):
        results = []
        for keep in (True, False):
            twin, hippocampus = copy.deepcopy(cortex), Hippocampus()
            synapses = Synapses(twin, FAST)
            phases = [phase for phase in (Wake(), NREM(), REM()) if keep or phase.name != off]
            phases = [
                phase.model_copy(update={"weight": 0.0}) if phase.name == off else phase for phase in phases
            ]
            for cycle, seen in enumerate(days):
                hippocampus, terms = live(twin, synapses, seen, phases, hippocampus, (cycle,))
            results.append((everything(twin, synapses), list(terms)))
        assert not changed(results[0][0], results[1][0])
        assert results[0][1] == results[1][1]

    @pytest.mark.parametrize(
        ("weight", "unmoved"),
        [("image_weight", "generator."), ("externality_weight", "encoder.externality_head.")],
    )
    def test_a_term_of_weight_0_gives_its_synapses_no_gradient_and_no_momentum(
        self, cortex, images, weight, unmoved
    ):
        synapses = Synapses(cortex, FAST)
        before = copied(cortex.state_dict())
        live(cortex, synapses, images, [Wake(**{weight: 0})])
        moved = changed(before, cortex.state_dict())
        assert moved == {name for name in before if not name.startswith(unmoved)}
        assert not {name for name in synapses.state() if name.startswith(unmoved)}

    def test_wake_without_any_term_stores_its_latents_and_learns_nothing(self, cortex, images):
        synapses = Synapses(cortex, FAST)
        before = everything(cortex, synapses)
        silent = Wake(image_weight=0, kl_weight=0, externality_weight=0)
        hippocampus, terms = live(cortex, synapses, images, [silent])
        assert not changed(before, everything(cortex, synapses))
        assert hippocampus.today is not None
        assert set(terms) == {"wake.image", "wake.kl", "wake.externality"}


class TestState:
    def test_it_names_three_tensors_for_each_weight(self, awake):
        cortex, synapses, _ = awake()
        names = {
            f"{n}.{key}" for n, _ in cortex.named_parameters() for key in ("step", "exp_avg", "exp_avg_sq")
        }
        assert set(synapses.state()) == names

    @pytest.mark.parametrize("optimizer", [FAST, COASTING], ids=["hold", "coast"])
    @pytest.mark.parametrize("phases", [[Wake(), NREM(), REM()], [Wake(externality_weight=0), NREM()]])
    def test_it_goes_round_bit_for_bit(self, cortex, days, optimizer, phases):
        synapses, hippocampus = Synapses(cortex, optimizer), Hippocampus()
        for cycle in range(2):
            hippocampus, _ = live(cortex, synapses, days[cycle], phases, hippocampus, (cycle,))
        twin = copy.deepcopy(cortex)
        other = Synapses(twin, optimizer)
        other.restore(copied(synapses.state()))
        assert not changed(everything(cortex, synapses), everything(twin, other))
        live(cortex, synapses, days[2], phases, hippocampus, (2,))
        live(twin, other, days[2], phases, hippocampus, (2,))
        assert not changed(everything(cortex, synapses), everything(twin, other))

    def test_without_it_the_next_day_is_another(self, awake, days):
        cortex, synapses, hippocampus = awake()
        twin = copy.deepcopy(cortex)
        live(cortex, synapses, days[1], [Wake()], hippocampus)
        live(twin, Synapses(twin, FAST), days[1], [Wake()], hippocampus)
        assert changed(copied(cortex.state_dict()), twin.state_dict())


def test_a_loss_that_reaches_no_weight_changes_nothing(awake):
    cortex, synapses, _ = awake()
    before = everything(cortex, synapses)
    synapses.change(torch.zeros(()), Plasticity(+1, +1))
    assert not changed(before, everything(cortex, synapses))


def test_no_gradient_outlives_a_step(cortex, images):
    live(cortex, Synapses(cortex, FAST), images, [Wake(), NREM(), REM()])
    assert all(weight.grad is None for weight in cortex.parameters())


@pytest.mark.parametrize("sign", [0, 1, -1])
def test_a_pathway_moves_only_if_its_sign_says_so(cortex, sign):
    synapses = Synapses(cortex, FAST)
    before = everything(cortex, synapses)
    loss = cortex.encoder(cortex.generator(torch.ones(2, 8)))[0].square().sum()
    synapses.change(loss, Plasticity(encoder=0, generator=sign))
    moved = changed(before, everything(cortex, synapses))
    assert not {name for name in moved if "encoder" in name}
    assert bool(moved) == bool(sign)


def test_learning_rate_and_betas_are_adams(cortex, days):
    """Two Wake days against PyTorch's Adam with other parameters than the defaults."""
    mine, theirs = copy.deepcopy(cortex), copy.deepcopy(cortex)
    synapses = Synapses(mine, Optimizer(learning_rate=3e-3, betas=(0.7, 0.9)))
    adam = torch.optim.Adam(theirs.parameters(), lr=3e-3, betas=(0.7, 0.9), fused=True)
    hippocampus = Hippocampus()
    for seen in days[:2]:
        hippocampus, _ = live(mine, synapses, seen, [Wake()], hippocampus)
        adam.zero_grad()
        Wake().objective(theirs, seen, Hippocampus(), {}).loss.backward()
        adam.step()
    assert not changed(copied(mine.state_dict()), theirs.state_dict())


def plain_adam(cortex, gradients):
    """One step from rest of PyTorch's Adam that is not fused, on row-major copies of the weights."""
    clones = [weight.detach().clone(memory_format=torch.contiguous_format) for weight in cortex.parameters()]
    for clone, gradient in zip(clones, gradients, strict=True):
        clone.requires_grad_().grad = gradient.clone(memory_format=torch.contiguous_format)
    torch.optim.Adam(clones, lr=1e-2, betas=(0.5, 0.999), fused=False).step()
    return clones


class TestLayoutInMemory:
    """The fused Adam of the CPU pairs weights, gradients and moments by their place in memory, unasked."""

    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
    @pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
    def test_each_weight_steps_by_its_own_gradient(self, images, precision, layout):
        cortex = Cortex(latent_dim=8, base_channels=4, random=torch.Generator().manual_seed(1))
        cortex.precision = precision
        cortex.to(memory_format=layout)
        loss = Wake().objective(cortex, images, Hippocampus(), {}).loss
        gradients = torch.autograd.grad(loss, list(cortex.parameters()), retain_graph=True)
        expected = plain_adam(cortex, gradients)
        Synapses(cortex, FAST).change(loss, Wake.plasticity)
        for (name, weight), plain in zip(cortex.named_parameters(), expected, strict=True):
            torch.testing.assert_close(
                weight.detach(), plain.detach(), rtol=1e-5, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}"
            )

    def test_momentum_that_was_stored_goes_back_to_its_own_weight(self, images):
        cortex = Cortex(latent_dim=8, base_channels=4, random=torch.Generator().manual_seed(1))
        cortex.to(memory_format=torch.channels_last)
        synapses = Synapses(cortex, FAST)
        live(cortex, synapses, images, [Wake()])
        stored = {k: v.clone(memory_format=torch.contiguous_format) for k, v in synapses.state().items()}
        twin = copy.deepcopy(cortex)
        other = Synapses(twin, FAST)
        other.restore(stored)
        live(cortex, synapses, images, [Wake()])
        live(twin, other, images, [Wake()])
        assert not changed(copied(cortex.state_dict()), twin.state_dict())
