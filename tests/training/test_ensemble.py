"""Several cortices in one program, each with its own run folder, resume point and end."""

import signal

import pandas as pd
import pytest
import torch

import dreaming
from dreaming.errors import Stopped, UserError
from dreaming.runs.folder import RunFolder
from dreaming.runs.tensors import read_tensors
from dreaming.system.progress import NoProgress
from dreaming.training.loop import train
from dreaming.training.population import train_together

pytestmark = pytest.mark.usefixtures("without_drawing", "shapes_unchecked")


def config(seed, epochs=2, **options):
    return dreaming.configure(
        "pad",
        networks={"base_channels": 4, "latent_dim": 8},
        dataset={"limit": 40},
        training={
            "batch_size": 8,
            "epochs": epochs,
            "device": "cpu",
            "precision": "float32",
            "snapshots": "ends",
        },
        seed=seed,
        **options,
    )


SEEDS = (0, 1, 5)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    out = tmp_path_factory.mktemp("alone")
    return [train(config(seed), out=out) for seed in SEEDS]


def losses(run):
    return RunFolder(run).read_losses().drop(columns="seconds")


def weights(run):
    tensors, _ = read_tensors(RunFolder(run).state)
    return tensors


def assert_alike(run, other):
    pd.testing.assert_frame_equal(losses(run), losses(other), rtol=1e-3, atol=1e-5)
    mine, theirs = weights(run), weights(other)
    assert list(mine) == list(theirs)
    for name, value in theirs.items():
        if name.startswith("cortex."):
            torch.testing.assert_close(mine[name], value, rtol=0, atol=2e-3)


def test_each_run_is_what_it_would_have_been_alone(alone, tmp_path):
    together = train_together([config(seed) for seed in SEEDS], out=tmp_path)
    assert [run.name for run in together] == ["seed-0", "seed-1", "seed-5"]
    for run, other in zip(together, alone, strict=True):
        assert_alike(run, other)
        assert sorted(path.name for path in run.rglob("*")) == sorted(path.name for path in other.rglob("*"))


def test_runs_that_stand_elsewhere_are_brought_into_step(alone, tmp_path):
    train(config(1, epochs=1), out=tmp_path)
    for run, other in zip(train_together([config(seed) for seed in SEEDS], out=tmp_path), alone, strict=True):
        assert_alike(run, other)


def test_a_finished_run_is_left_alone(alone):
    before = [(run / "state.safetensors").read_bytes() for run in alone]
    assert train_together([config(seed) for seed in SEEDS], out=alone[0].parents[2]) == alone
    assert [(run / "state.safetensors").read_bytes() for run in alone] == before


class StopsAt(NoProgress):
    """Sends the signal of Ctrl-C after some cycles."""

    def __init__(self, cycle):
        self.left = cycle

    def cycle(self):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_saves_each_and_either_way_goes_on(alone, tmp_path):
    configs = [config(seed) for seed in SEEDS]
    with pytest.raises(Stopped, match=r"after 2 of 5 cycles.*seed-0.*after 2 of 5 cycles.*seed-5"):
        train_together(configs, out=tmp_path, progress=StopsAt(7))
    assert_alike(train(configs[0], out=tmp_path), alone[0])
    for run, other in zip(train_together(configs, out=tmp_path), alone, strict=True):
        assert_alike(run, other)


def test_one_that_diverges_does_not_take_the_others_along(alone, tmp_path):
    configs = [config(seed) for seed in SEEDS]
    train_together([each.but(["training.epochs=1"]) for each in configs], out=tmp_path)
    folder = RunFolder(tmp_path / "digits/pad/seed-1")
    spoil(folder)
    with pytest.raises(UserError, match=r"became nan in epoch 2.*seed-1 keeps.*the runs beside are whole"):
        train_together(configs, out=tmp_path)
    for number in (0, 2):
        assert_alike(tmp_path / f"digits/pad/seed-{SEEDS[number]}", alone[number])
    assert len(losses(folder.path)) == 1


def spoil(folder):
    """Put a weight that is no number into the state of a run."""
    from dreaming.runs.tensors import write_tensors

    tensors, about = read_tensors(folder.state)
    tensors["cortex.encoder.trunk.0.weight"][0] = torch.nan
    write_tensors(folder.state, tensors, about)


def test_configs_that_differ_in_more_than_the_seed_are_refused(tmp_path):
    with pytest.raises(UserError, match="nothing but the seed"):
        train_together([config(0), config(1).but(["optimizer.learning_rate=0.1"])], out=tmp_path)
    assert not list(tmp_path.iterdir())
