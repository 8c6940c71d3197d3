"""Organs: whose they are, from which random numbers they grow, how they learn, and which are refused."""

from typing import ClassVar

import pytest
import torch
from torch import nn

from dreaming.errors import UserError
from dreaming.model.cortex import Cortex
from dreaming.model.cycle import sleep_wake_cycle
from dreaming.model.hippocampus import Hippocampus
from dreaming.model.organs import grow_organs
from dreaming.model.phases import NREM, REM, Outcome, Phase, Wake
from dreaming.model.plasticity import Optimizer, Plasticity, Synapses
from dreaming.rng import Random


class Headed(Phase):
    """What its head makes of the latents is driven to 1."""

    plasticity: ClassVar = Plasticity(encoder=0, generator=0, head=+1)
    outputs: int = 3

    def organs(self, cortex):
        return {"head": nn.Linear(cortex.latent_dim, self.outputs)}

    def objective(self, cortex, images, hippocampus, draws):
        loss = (cortex.organs["head"](cortex.encoder.latents(images)) - 1).square().mean()
        return Outcome(loss, {"square": loss})


class Looking(Phase):
    """Uses a head that another phase brings, and leaves it as it is."""

    plasticity: ClassVar = Plasticity(encoder=+1, generator=0, head=0)

    def objective(self, cortex, images, hippocampus, draws):
        return Outcome(cortex.organs["head"](cortex.encoder.latents(images)).square().mean(), {})


class Ascending(Headed):
    """The same loss, which the head ascends."""

    plasticity: ClassVar = Plasticity(encoder=0, generator=0, head=-1)


def made(seed=1):
    return Cortex(latent_dim=8, base_channels=2, random=torch.Generator().manual_seed(seed))


def head_of(*phases, seed=0):
    return grow_organs(made(), phases, seed).organs["head"]


def bits(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class TestGrowth:
    def test_pathways_are_the_same_bit_for_bit_with_organs_and_without(self):
        alone, grown = made(), grow_organs(made(), [Headed()])
        assert same(bits(alone.encoder), bits(grown.encoder))
        assert same(bits(alone.generator), bits(grown.generator))
        assert list(alone.state_dict()) == [n for n in grown.state_dict() if not n.startswith("organs.")]

    def test_weights_go_with_the_seed_and_the_phases_name_alone(self):
        first = bits(head_of(Headed()))
        assert same(first, bits(head_of(Wake(), Headed())))
        assert not same(first, bits(head_of(Headed(), seed=1)))
        assert not same(first, bits(head_of(Headed(name="other"))))

    def test_torchs_global_generator_is_left_as_it_was(self):
        before = torch.get_rng_state()
        head_of(Headed())
        assert torch.equal(torch.get_rng_state(), before)

    def test_phases_that_bring_none_leave_a_cortex_as_it_is(self):
        assert not grow_organs(made(), [Wake(), NREM(), REM()]).organs

    def test_two_phases_share_an_organ_of_one_make(self):
        cortex = grow_organs(made(), [Headed(), Ascending(name="again")])
        assert list(cortex.organs) == ["head"]
        assert same(bits(cortex.organs["head"]), bits(head_of(Headed())))

    def test_an_organ_may_have_no_weights(self, images):
        class Bare(Headed):
            def organs(self, cortex):
                return {"head": nn.Identity()}

        cortex = grow_organs(made(), [Bare()])
        sleep_wake_cycle(cortex, Synapses(cortex, Optimizer()), images, Hippocampus(), [Bare()], Random(0))


class TestLearning:
    def cycle(self, *phases, images):
        """The weights before and after a cycle."""
        cortex = grow_organs(made(), phases)
        before = bits(cortex)
        synapses = Synapses(cortex, Optimizer(learning_rate=1e-2))
        sleep_wake_cycle(cortex, synapses, images, Hippocampus(), phases, Random(0))
        return before, bits(cortex)

    @pytest.mark.parametrize(("phase", "sign"), [(Headed(), +1), (Ascending(), -1)])
    def test_an_organ_moves_by_its_sign_and_nothing_else_moves(self, phase, sign, images):
        before, after = self.cycle(phase, images=images)
        assert {name for name in before if not torch.equal(before[name], after[name])} == {
            "organs.head.weight",
            "organs.head.bias",
        }
        cortex = grow_organs(made(), [phase])
        loss = phase.objective(cortex, images, Hippocampus(), {}).loss
        (gradient,) = torch.autograd.grad(loss, cortex.organs["head"].bias)
        moved = after["organs.head.bias"] - before["organs.head.bias"]
        torch.testing.assert_close(moved, -sign * 1e-2 * gradient.sign())  # Adam's first step

    def test_an_organ_of_sign_0_serves_and_stays(self, images):
        before, after = self.cycle(Headed(weight=0), Looking(), images=images)
        assert torch.equal(before["organs.head.weight"], after["organs.head.weight"])
        assert not torch.equal(before["encoder.latent_head.weight"], after["encoder.latent_head.weight"])

    def test_phases_that_do_not_name_it_leave_it_bit_for_bit(self, images):
        before, after = self.cycle(Wake(), NREM(), REM(), Headed(weight=0), images=images)
        assert torch.equal(before["organs.head.weight"], after["organs.head.weight"])

    def test_a_frozen_organ_stays(self, images):
        class Frozen(Headed):
            plasticity: ClassVar = Plasticity(encoder=+1, generator=0, head=+1)

            def organs(self, cortex):
                head = nn.Linear(8, 3)
                head.weight.requires_grad_(False)
                return {"head": head}

        before, after = self.cycle(Frozen(), images=images)
        assert torch.equal(before["organs.head.weight"], after["organs.head.weight"])
        assert not torch.equal(before["organs.head.bias"], after["organs.head.bias"])

    def test_momentum_is_carried_over_also_of_a_single_number(self, images):
        class Scaled(Headed):
            def organs(self, cortex):
                head = nn.Linear(8, 3)
                head.register_parameter("scale", nn.Parameter(torch.tensor(2.0)))
                return {"head": head}

            def objective(self, cortex, images, hippocampus, draws):
                scaled = super().objective(cortex, images, hippocampus, draws)
                return Outcome(scaled.loss * cortex.organs["head"].scale, {})

        def cycle(cortex, synapses):
            sleep_wake_cycle(cortex, synapses, images, Hippocampus(), [Scaled()], Random(0))

        whole = grow_organs(made(), [Scaled()])
        synapses = Synapses(whole, Optimizer())
        cycle(whole, synapses)
        half = grow_organs(made(), [Scaled()])
        half.load_state_dict(whole.state_dict())
        others = Synapses(half, Optimizer())
        others.restore({name: value.clone() for name, value in synapses.state().items()})
        assert synapses.state()["head.scale.exp_avg"].shape == ()
        cycle(whole, synapses)
        cycle(half, others)
        assert same(bits(whole), bits(half))
        assert same(synapses.state(), others.state())


def bringing(organs, plasticity=Headed.plasticity):
    class Bringing(Headed):
        def organs(self, cortex):
            return organs(cortex)

    Bringing.plasticity = plasticity
    return Bringing(name="mine")


def fails(cortex):
    raise RuntimeError("no\nhead")


@pytest.mark.parametrize(
    ("phases", "because"),
    [
        ([Looking()], "phase 'looking' has a sign of plasticity for 'head', and no phase brings an organ"),
        ([bringing(lambda _: {"hat": nn.Linear(1, 1)})], "'hat' of phase 'mine' has no sign of plasticity"),
        ([Headed(), Headed(name="other", outputs=4)], "'head' of phase 'other' is another than an earlier"),
        ([Headed(), bringing(lambda _: {"head": nn.Bilinear(1, 8, 3)})], "is another than an earlier"),
        ([bringing(lambda _: nn.Linear(1, 1))], "organs of phase 'mine' are no dict"),
        ([bringing(lambda _: {"head": torch.zeros(3)})], "organs of phase 'mine' are no dict"),
        ([bringing(fails)], "phase 'mine' fails to bring its organs with RuntimeError: no head"),
        ([bringing(lambda cortex: {"head": cortex.encoder})], "shares weights with another network"),
        ([bringing(lambda _: {"head": nn.LazyLinear(3)})], "'head' of phase 'mine' has a lazy layer"),
        (
            [bringing(lambda _: {"head": nn.Linear(8, 3).double()})],
            "'head' of phase 'mine' has weights of float64",
        ),
        (
            [bringing(lambda _: {"generator": nn.Linear(1, 1)})],
            "'generator' of phase 'mine' cannot be called so",
        ),
        (
            [bringing(lambda _: {"keys": nn.Linear(1, 1)}, Plasticity(0, 0, keys=+1))],
            "'keys' of phase 'mine' cannot be called so",
        ),
    ],
)
def test_what_cannot_be_an_organ_is_refused(phases, because):
    with pytest.raises(UserError, match=because):
        grow_organs(made(), phases)


def test_a_cortex_without_the_organ_of_a_phase_is_refused_by_hand():
    cortex = made()
    with pytest.raises(UserError, match=r"for head, which this cortex lacks; .* grow_organs"):
        Synapses(cortex, Optimizer()).change(cortex.generator(torch.zeros(1, 8)).sum(), Headed.plasticity)
