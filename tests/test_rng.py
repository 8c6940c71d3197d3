"""Named random streams: a draw depends on seed, stream and address, and on nothing else."""

import itertools

import numpy as np
import pytest
import torch

from dreaming.model.cycle import sleep_wake_cycle
from dreaming.model.hippocampus import Hippocampus
from dreaming.model.phases import NREM, REM, Wake
from dreaming.model.plasticity import Optimizer, Synapses
from dreaming.rng import STREAMS, Random, derived_seed, generator


def test_the_same_place_gives_the_same_numbers():
    for _ in range(2):
        assert torch.equal(
            Random(5, (1, 2)).at("rem").normal("noise", (3, 4)),
            Random(5, (1, 2, "rem")).normal("noise", (3, 4)),
        )


def test_another_seed_stream_or_address_gives_independent_numbers():
    places = [
        (seed, stream, address)
        for seed in (0, 1)
        for stream in STREAMS
        for address in ((), (1,), (2,), (1, 1), (1, 2), (1, 2, "nrem"), (1, 2, "rem"))
    ]
    numbers = torch.stack([Random(seed, address).normal(stream, (2000,)) for seed, stream, address in places])
    correlation = torch.corrcoef(numbers) - torch.eye(len(places))
    assert correlation.abs().max() < 5 / 2000**0.5


def test_an_address_is_not_the_same_as_a_longer_one_that_goes_on_with_zeros():
    addresses = [(), (0,), (0, 0), (1,), (1, 0), (1, 0, 0)]
    seeds = [derived_seed(7, "noise", *address) for address in addresses]
    assert len(set(seeds)) == len(addresses)


def test_seeds_of_a_whole_run_do_not_collide():
    phases = ("wake", "nrem", "rem")
    places = itertools.product((0, 1, 2**32, 2**63 - 1), ("noise", "occlusion"), range(20), range(20), phases)
    seeds = [derived_seed(*place) for place in places]
    assert len(set(seeds)) == len(seeds) == 4 * 2 * 20 * 20 * 3
    assert min(seeds) >= 0
    assert max(seeds) < 2**63


def test_streams_of_one_place_do_not_shift_each_other():
    alone = Random(0, (1,)).normal("noise", (5,))
    here = Random(0, (1,))
    here.uniform("occlusion", (100,))
    here.integers("order", 0, 9, (100,))
    assert torch.equal(here.normal("noise", (5,)), alone)


def test_a_stream_goes_on_where_it_was_and_does_not_repeat_itself():
    here = Random(0, (1,))
    assert not torch.equal(here.normal("noise", (5,)), here.normal("noise", (5,)))


def test_going_down_the_address_leaves_the_place_one_came_from_alone():
    here = Random(0, (1,))
    here.at("rem").normal("noise", (5,))
    assert torch.equal(here.normal("noise", (5,)), Random(0, (1,)).normal("noise", (5,)))


def test_no_draw_reads_or_moves_the_global_generators():
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    here = Random(0, (1,))
    draws = here.normal("noise", (5,)), here.uniform("noise", (5,)), here.integers("noise", 1, 8, (5,))
    generator(0, "order", 1)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert (np.random.get_state()[1] == numpy_before).all()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        assert torch.equal(Random(0, (1,)).normal("noise", (5,)), draws[0])


def test_ranges_of_the_draws():
    here = Random(0)
    whole = here.integers("order", 1, 8, (4000,))
    assert whole.unique().tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    uniform = here.uniform("occlusion", (4000,))
    assert 0 <= uniform.min() < 0.01
    assert 0.99 < uniform.max() < 1
    normal = here.normal("noise", (4000,))
    assert abs(normal.mean()) < 5 / 4000**0.5
    assert abs(normal.std() - 1) < 5 / 8000**0.5


def drawn_in_a_night(cortex, images, phases):
    """What each phase draws in one cycle."""
    seen = {}

    def listening_to(kind):
        def draw(self, *sizes):
            seen[self.name] = kind.draw(self, *sizes)
            return seen[self.name]

        return type(kind.__name__, (kind,), {"draw": draw, "__module__": __name__})

    cycle = [listening_to(type(phase))(**phase.model_dump()) for phase in phases]
    sleep_wake_cycle(cortex, Synapses(cortex, Optimizer()), images, Hippocampus(), cycle, Random(0, (1, 0)))
    return seen


@pytest.mark.parametrize(
    "others",
    [
        (Wake(), REM()),
        (Wake(), REM(), NREM()),
        (Wake(latent_noise=0.5), NREM(replay=REM().replay), REM()),
        (Wake(), NREM(weight=0), REM()),
    ],
    ids=["without NREM", "REM before NREM", "noise elsewhere", "NREM of weight 0"],
)
def test_leaving_out_or_changing_a_phase_does_not_shift_the_numbers_of_another(cortex, images, others):
    full = drawn_in_a_night(cortex, images, (Wake(), NREM(), REM()))
    other = drawn_in_a_night(cortex, images, others)
    assert torch.equal(other["rem"]["noise"], full["rem"]["noise"])
    if "nrem" in other:
        assert torch.equal(other["nrem"]["mask"], full["nrem"]["mask"])


def test_two_phases_of_one_night_and_two_nights_draw_different_noise():
    numbers = [
        Random(0, address).normal("noise", (6,))
        for address in ((1, 0, "nrem"), (1, 0, "rem"), (1, 1, "rem"), (2, 0, "rem"))
    ]
    for a, b in itertools.combinations(numbers, 2):
        assert not torch.equal(a, b)
