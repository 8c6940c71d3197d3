"""Runs with other hippocampi: the same on every path, saved, and resumed to the bit."""

import pytest
import torch
from tests.cli.tiny_runs import results
from tests.training.test_captured import IMAGES, assert_same, born, forever, next_epoch, nothing
from tests.training.test_organs import Stops

import dreaming
from dreaming.data import to_activity
from dreaming.errors import Stopped
from dreaming.rng import Random, generator
from dreaming.runs.folder import RunFolder
from dreaming.runs.tensors import read_tensors
from dreaming.training.captured import CapturedCycle

pytestmark = pytest.mark.usefixtures("shapes_unchecked")

KINDS = {
    "uniform": {"retrieval": "uniform", "capacity": 4},
    "hopfield": {"retrieval": "hopfield", "capacity": 3, "beta": 1e4},
    "images": {"stores": "images"},
    "uniform images": {"retrieval": "uniform", "stores": "images", "capacity": 3},
    "hopfield images": {"retrieval": "hopfield", "stores": "images", "capacity": 1},
    "a week": {"capacity": 7},
}


def config(kind, seed=0, **training):
    return dreaming.configure(
        networks={"base_channels": 2, "latent_dim": 8},
        dataset={"limit": 40},
        hippocampus=KINDS[kind],
        training={
            **{"batch_size": 8, "epochs": 2, "device": "cpu", "precision": "float32", "snapshots": "ends"},
            **training,
        },
        seed=seed,
    )


@pytest.mark.usefixtures("without_drawing")
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_in_the_middle_and_another_path_change_no_bit(kind, across, tmp_path):
    mine = config(kind, memories_across_epochs=across)
    whole = dreaming.train(mine, out=tmp_path / "whole")
    captured = config(kind, memories_across_epochs=across, path="captured")
    with pytest.raises(Stopped):
        dreaming.train(captured, out=tmp_path / "parts", progress=Stops(8))
    stored, _ = read_tensors(RunFolder(tmp_path / "parts/digits" / mine.condition / "seed-0").state)
    assert any(name.startswith("hippocampus.") for name in stored)
    parts = dreaming.train(mine, out=tmp_path / "parts")
    assert results(parts) == results(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_an_ensemble_remembers_as_each_alone(kind, monkeypatch):
    monkeypatch.setattr("dreaming.training.captured.to_activity", lambda *seen: to_activity(*seen).double())
    configs = [config(kind, seed) for seed in (0, 1)]
    alone, together = born(configs, torch.float64), born(configs, torch.float64)
    program = CapturedCycle(together, configs, IMAGES)
    for epoch in (1, 2):
        program.run(forever, nothing)
        sizes = [v.nbytes for draws in program.draws.values() for v in draws.values()]
        assert max(sizes) <= 2 * 2 * 8 * 3 * 32 * 32 * 4  # of images, those of one cycle
        for life, other, each in zip(alone, together, configs, strict=True):
            life.hippocampus = dreaming.Hippocampus(config=each.hippocampus)
            order = dreaming.data.epoch_order(len(IMAGES), 8, generator(each.seed, "order", epoch))
            for cycle, which in enumerate(order):
                life.hippocampus, terms = dreaming.sleep_wake_cycle(
                    life.cortex,
                    life.synapses,
                    to_activity(IMAGES[which]).double(),
                    life.hippocampus,
                    each.phases,
                    Random(each.seed, (epoch, cycle)),
                )
                for name, value in terms.items():
                    life.totals[name] = life.totals.get(name, 0) + value.double()
            life.cycles_done = len(order)
            assert_same(other, life, rtol=1e-6, atol=1e-8)
            for name, day in life.hippocampus.tensors.items():
                torch.testing.assert_close(other.hippocampus.tensors[name], day, rtol=1e-6, atol=1e-8)
        next_epoch(*alone, *together)


def test_another_hippocampus_is_another_run(tmp_path):
    run = dreaming.train(config("uniform", epochs=1), out=tmp_path)
    other = config("uniform").but(["hippocampus.capacity=9", f"condition={run.parent.name}"])
    with pytest.raises(dreaming.UserError, match=r"its hippocampus\.capacity is 4 and this command says 9"):
        dreaming.train(other, out=tmp_path)
    assert RunFolder(run).read_config().hippocampus.retrieval == "uniform"


@pytest.mark.parametrize("kind", KINDS)
def test_its_cost_is_described(kind):
    assert dreaming.config.description.describe(config(kind)).multiply_accumulates["rem"] > 0
