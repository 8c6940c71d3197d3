"""Runs whose phases bring organs: recorded, shown, resumed to the bit, the same on every path."""

import signal
from pathlib import Path

import pytest
import torch
from tests.cli.tiny_runs import results
from tests.training.test_captured import CPU, IMAGES, assert_same, born, forever, next_epoch, nothing, plain

import dreaming
from dreaming.cli.main import main
from dreaming.errors import Stopped, UserError
from dreaming.runs import findings
from dreaming.runs.folder import RunFolder
from dreaming.runs.tensors import read_tensors
from dreaming.system.progress import NoProgress
from dreaming.training.captured import CapturedCycle
from dreaming.training.population import train_together
from dreaming.training.state import TrainingState

FILE = Path(__file__).with_name("contrasting.py")
BOTH = ("projector", "critic")
pytestmark = pytest.mark.usefixtures("without_drawing", "shapes_unchecked")


def config(name="both", seed=0, settings=(), **training):
    return dreaming.configure(
        phases=f"{FILE}:{name}",
        networks={"base_channels": 4, "latent_dim": 8},
        dataset={"limit": 80},
        training={
            **{"batch_size": 8, "epochs": 2, "device": "cpu", "precision": "float32", "snapshots": "all"},
            **training,
        },
        seed=seed,
        settings=settings,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return dreaming.train(config(), out=tmp_path_factory.mktemp("organs"))


def test_organs_are_in_snapshots_and_states_and_learn(trained):
    first, last = (read_tensors(RunFolder(trained).snapshot(epoch))[0] for epoch in (0, 2))
    state, _ = read_tensors(RunFolder(trained).state)
    for organ in BOTH:
        names = [name for name in first if name.startswith(f"organs.{organ}.")]
        assert names
        for name in names:
            assert torch.equal(state[f"cortex.{name}"], last[name])
        assert any(name.startswith(f"adam.{organ}.") for name in state)
        assert any(not torch.equal(first[name], last[name]) for name in names)


def test_a_run_without_organs_has_no_trace_of_them(tmp_path):
    run = dreaming.train(config("contrast", settings=["phases.contrast.weight=0"]), out=tmp_path / "with")
    alone = config("contrast").model_copy(update={"phases": (dreaming.Wake(), dreaming.NREM())})
    other = dreaming.train(alone, out=tmp_path / "without")
    mine, theirs = (read_tensors(RunFolder(each).state)[0] for each in (run, other))
    assert not [name for name in theirs if "organ" in name or "projector" in name]
    assert {name for name in mine if name not in theirs} == {
        name for name in mine if name.startswith(("cortex.organs.", "adam.projector."))
    }
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


class Stops(NoProgress):
    def __init__(self, after):
        self.left = after

    def cycle(self):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("path", ["plain", "captured"])
def test_a_stop_and_the_rest_are_the_whole_bit_for_bit(path, trained, tmp_path):
    mine = config(path=path)
    with pytest.raises(Stopped):
        dreaming.train(mine, out=tmp_path, progress=Stops(13))
    found, whole = results(dreaming.train(mine, out=tmp_path)), results(trained)
    assert found.pop("config.yaml").replace(b"path: captured", b"path: plain") == whole.pop("config.yaml")
    assert found == whole


@pytest.mark.parametrize("name", ["contrast", "both"])
def test_an_ensemble_trains_them_as_each_alone(name, monkeypatch):
    """In float64, where the order of summation does not show; batch norm's buffers included."""
    to_activity = dreaming.data.to_activity
    monkeypatch.setattr("dreaming.training.captured.to_activity", lambda *seen: to_activity(*seen).double())
    configs = [config(name, seed) for seed in (0, 1, 7)]
    alone, together = born(configs, torch.float64), born(configs, torch.float64)
    assert any("running_mean" in key for key in alone[0].cortex.state_dict())
    program = CapturedCycle(together, configs, IMAGES)
    for epoch in (1, 2):
        program.run(forever, nothing)
        for life, other, each in zip(alone, together, configs, strict=True):
            plain(life, each, epoch)
            assert_same(other, life, rtol=1e-6, atol=1e-8)
        next_epoch(*alone, *together)


def test_runs_of_one_file_read_anew_go_side_by_side(tmp_path):
    runs = train_together([config(seed=seed, epochs=1) for seed in (0, 1)], out=tmp_path)
    assert [run.name for run in runs] == ["seed-0", "seed-1"]


def test_it_is_loaded_with_its_organs_where_its_code_is_trusted_and_without_where_not(
    trained, tmp_path, monkeypatch
):
    weights, _ = read_tensors(RunFolder(trained).snapshot(2))
    assert set(dreaming.load(trained).state_dict()) == set(weights)
    monkeypatch.setenv("DREAMING_STATE", str(tmp_path / "of another user"))
    mine = dreaming.load(trained).state_dict()
    assert set(mine) == {name for name in weights if not name.startswith("organs.")}
    assert all(torch.equal(value, weights[name]) for name, value in mine.items())
    assert main(["evaluate", str(trained), "--epochs", "last"]) == 0
    assert main(["dream", str(trained), "--count", "2", "--to", str(tmp_path / "dream.png")]) == 0


def test_organs_of_a_later_stage_are_there_from_the_start():
    mine = config("contrast")
    stage = dreaming.config.schedule.Stage(after=1, condition="contrast", phases=mine.phases)
    later = mine.model_copy(update={"phases": (dreaming.Wake(),), "schedule": (stage,)})
    first, other = (TrainingState.initial(each, CPU).cortex for each in (mine, later))
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in first.state_dict().items())


def test_describe_shows_their_weights_and_signs(capsys):
    words = ("--set=networks.latent_dim=8", "--set=networks.base_channels=2", "--phases", f"{FILE}:both")
    assert main(["describe", *words]) == 0
    said = capsys.readouterr().out
    rows = [line.replace("│", " ").replace("|", " ").split() for line in said.splitlines()]
    signs = {row[0]: row[1:5] for row in rows if row and row[-1] == "G"}
    assert signs["wake"] == ["+1", "+1", "0", "0"]
    assert signs["contrast"] == ["+1", "0", "+1", "0"]
    assert signs["critic"] == ["0", "-1", "0", "+1"]
    assert "projector: 125 weights" in said  # 8 · 8 + 8, 2 · 8, 8 · 4 + 4 and the temperature
    assert "critic: 3,073 weights" in said


def test_organs_that_are_lost_or_dead_are_found(tmp_path):
    run = dreaming.train(config("silent", epochs=1), out=tmp_path / "dead")
    said = [found.in_words(8) for found in findings.so_far(RunFolder(run))]
    assert "dead organ: critic 0" in said
    healthy = dreaming.train(config("both", epochs=1), out=tmp_path / "healthy")
    assert not [found for found in findings.so_far(RunFolder(healthy)) if found.kind == "dead organ"]
    with pytest.raises(UserError, match=r"organs\.critic\.1\.weight became nan in epoch 1"):
        dreaming.train(config("lost", epochs=1), out=tmp_path / "lost")


def test_a_refusal_comes_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match="phase 'forgotten' has a sign of plasticity for 'head'"):
        dreaming.train(config("forgotten"), out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
