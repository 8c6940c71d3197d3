"""Labels: given to a phase that declares that it sees them, to no other, the same on every path."""

import math

import pytest
import torch
from tests.cli.tiny_runs import results
from tests.training.test_captured import assert_same, born, forever, next_epoch, nothing
from tests.training.test_organs import FILE, config

import dreaming
from dreaming.cli.main import main
from dreaming.data import epoch_order, load_dataset, to_activity
from dreaming.errors import UserError
from dreaming.model.cycle import sleep_wake_cycle
from dreaming.model.hippocampus import Hippocampus
from dreaming.rng import Random, generator
from dreaming.runs.folder import RunFolder
from dreaming.training.captured import CapturedCycle

TRAIN = load_dataset("digits", limit=32).train
pytestmark = pytest.mark.usefixtures("without_drawing", "shapes_unchecked")


def plain(life, config, epoch):
    """An epoch of the plain path, written out."""
    life.hippocampus = Hippocampus()
    order = epoch_order(len(TRAIN), 8, generator(config.seed, "order", epoch))
    for cycle, which in enumerate(order):
        life.hippocampus, terms = sleep_wake_cycle(
            life.cortex,
            life.synapses,
            to_activity(TRAIN.images[which]).double(),
            life.hippocampus,
            config.phases,
            Random(config.seed, (epoch, cycle)),
            TRAIN.labels[which],
        )
        for name, value in terms.items():
            life.totals[name] = life.totals.get(name, 0) + value.double()
    life.cycles_done = len(order)


def test_it_sees_the_labels_of_its_images_and_no_other_phase_does(cortex, images):
    seen = {}

    class Watching(dreaming.Wake):
        sees_labels = True

        def objective(self, cortex, images, hippocampus, draws, labels=None):
            seen["labels"] = labels
            return super().objective(cortex, images, hippocampus, draws)

    class Strict(dreaming.NREM):
        def objective(self, *given, **more):
            seen["others"] = more
            return super().objective(*given)

    labels = torch.arange(8)
    synapses = dreaming.Synapses(cortex, dreaming.Optimizer())
    phases = [Watching(name="wake"), Strict(name="nrem")]
    sleep_wake_cycle(cortex, synapses, images, Hippocampus(), phases, Random(0), labels)
    assert seen["labels"] is labels
    assert seen["others"] == {}
    with pytest.raises(UserError, match="phase 'wake' sees labels, and these images have none"):
        sleep_wake_cycle(cortex, synapses, images, Hippocampus(), phases, Random(0))


def test_labels_are_learned(tmp_path):
    run = dreaming.train(config("supervised", epochs=6), out=tmp_path)
    losses = RunFolder(run).read_losses()["supervised.cross_entropy"]
    assert losses.iloc[0] == pytest.approx(math.log(10), abs=0.2)
    assert losses.iloc[-1] < losses.iloc[0]


def test_captured_they_are_the_same_bit_for_bit(tmp_path):
    plainly, captured = (
        results(dreaming.train(config("supervised", path=path), out=tmp_path / path))
        for path in ("plain", "captured")
    )
    del plainly["config.yaml"], captured["config.yaml"]
    assert plainly == captured


def test_in_an_ensemble_each_sees_those_of_its_own_images(monkeypatch):
    monkeypatch.setattr("dreaming.training.captured.to_activity", lambda *seen: to_activity(*seen).double())
    configs = [config("supervised", seed) for seed in (0, 1)]
    alone, together = born(configs, torch.float64), born(configs, torch.float64)
    program = CapturedCycle(together, configs, TRAIN.images, TRAIN.labels)
    for epoch in (1, 2):
        program.run(forever, nothing)
        for life, other, each in zip(alone, together, configs, strict=True):
            plain(life, each, epoch)
            assert_same(other, life, rtol=1e-7, atol=1e-9)
        next_epoch(*alone, *together)


def test_images_without_labels_are_refused_before_training(dataset_of, tmp_path):
    data = dataset_of()
    bare = dreaming.Dataset.of_arrays("bare", data.train.images, data.test.images)
    with pytest.raises(UserError, match="phase 'supervised' sees labels, and bare has none"):
        dreaming.train(config("supervised"), out=tmp_path / "runs", dataset=bare)
    assert not (tmp_path / "runs").exists()


def test_describe_counts_its_cost(capsys):
    words = ("--set=networks.latent_dim=8", "--set=networks.base_channels=2")
    assert main(["describe", *words, "--phases", f"{FILE}:supervised"]) == 0
    assert "classifier: 90 weights" in capsys.readouterr().out
