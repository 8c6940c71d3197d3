"""What TensorBoard is given is what the run folder holds, with nothing left out and nothing twice."""

import importlib.util

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tests.cli.tiny_runs import TINY

import dreaming
from dreaming.cli.main import main
from dreaming.runs.folder import RunFolder

RUN = "digits/pad/seed-0"


def trained(out, *words):
    assert main(["train", *TINY, *words, "--out", str(out)]) == 0
    return RunFolder(out / RUN)


def logged(folder):
    """Reads the events back."""
    events = EventAccumulator(str(folder.path / "tensorboard"))
    events.Reload()
    return events


def test_losses_and_dreams_of_each_epoch_are_there_once_also_of_those_before_it_was_asked_for(tmp_path):
    trained(tmp_path, "--epochs", "1")
    folder = trained(tmp_path, "--epochs", "3", "--log", "tensorboard")
    events, losses = logged(folder), folder.read_losses()
    terms = [name for name in losses.columns if "." in name]
    assert sorted(events.Tags()["scalars"]) == sorted(name.replace(".", "/") for name in terms)
    for name in terms:
        scalars = events.Scalars(name.replace(".", "/"))
        assert [each.step for each in scalars] == [1, 2, 3]
        assert np.allclose([each.value for each in scalars], losses[name], rtol=1e-6)
    sheets = events.Images("dreams")
    assert [each.step for each in sheets] == [1, 2, 3]
    with Image.open(folder.dreams(3)) as sheet:
        assert (sheets[-1].width, sheets[-1].height) == sheet.size


def test_it_is_refused_in_a_sentence_where_the_package_is_missing(tmp_path, monkeypatch, capsys):
    known = importlib.util.find_spec
    monkeypatch.setattr(
        "dreaming.training.tensorboard.find_spec", lambda name: None if name == "tensorboard" else known(name)
    )
    assert main(["train", *TINY, "--log", "tensorboard", "--out", str(tmp_path / "runs")]) == 2
    assert capsys.readouterr().err == (
        "dreaming: TensorBoard wants the package tensorboard: pip install 'dreaming[tensorboard]'\n"
    )
    assert not (tmp_path / "runs").exists()


def test_the_python_door_is_the_same(tmp_path):
    config = dreaming.configure(
        networks={"base_channels": 2, "latent_dim": 8},
        dataset={"limit": 64},
        training={"epochs": 1, "batch_size": 32, "device": "cpu", "snapshots": "ends"},
    )
    run = dreaming.train(config, out=tmp_path, on_epoch=dreaming.TensorBoard())
    assert "wake/image" in logged(RunFolder(run)).Tags()["scalars"]
