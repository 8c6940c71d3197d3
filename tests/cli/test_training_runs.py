"""`dreaming train`: what it leaves on the disk, says, and does when it is given again."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import yaml
from tests.cli.tiny_runs import TINY, WAITING, results, told_to_stop, tree, without_seconds

import dreaming
from dreaming.cli.main import main
from dreaming.system.signals import SIGNALS


def test_a_run_folder_holds_config_environment_losses_snapshots_dreams_and_state(trained):
    run = trained / "digits/pad/seed-1"
    kept = [f"{epoch:04d}" for epoch in range(3)]
    assert set(tree(run)) == {
        "config.yaml",
        "environment.json",
        "losses.csv",
        "state.before.safetensors",
        "state.safetensors",
        "snapshots",
        "dreams",
        *(f"snapshots/{epoch}.safetensors" for epoch in kept),
        *(f"dreams/{epoch}.png" for epoch in kept),
    }
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert (config["condition"], config["seed"], config["dataset"]) == (
        "pad",
        1,
        {"name": "digits", "limit": 80},
    )
    assert list(config["phases"]) == ["wake", "nrem", "rem"]
    assert (config["training"]["device"], config["training"]["precision"]) == ("cpu", "float32")
    (session,) = json.loads((run / "environment.json").read_text())["sessions"]
    assert session["from"] == {"epoch": 1, "cycle": 0}
    assert len(session["dataset"]["fingerprint"]) == 64
    assert session["versions"]["torch"] == torch.__version__
    header, *rows = (run / "losses.csv").read_text().splitlines()
    terms = "wake.image,wake.kl,wake.externality,nrem.latent,rem.externality"
    assert header == f"epoch,cycles,seconds,{terms}"
    assert [row.split(",")[:2] for row in rows] == [["1", "5"], ["2", "5"]]
    assert all(float(value) > 0 for row in rows for value in row.split(",")[2:])


def test_a_training_says_a_line_an_epoch_and_where_its_results_are(dreaming_does):
    said = dreaming_does("train", *TINY, "--epochs", "3", "--snapshots", "ends").splitlines()
    assert said[0] == "digits/pad/seed-0: 3 epochs of 5 cycles"
    for epoch in (1, 2, 3):
        assert said[epoch].startswith(f"epoch {epoch}/3  reconstruction 0.")
        assert "  REM 0." in said[epoch]
    assert [" left" in line for line in said] == [False, True, True, False, False]
    assert "dreaming evaluate runs/digits/pad/seed-0" in said[4]
    assert len(said) == 5


def test_a_finished_run_is_left_alone(trained, dreaming_does):
    run = trained / "digits/pad/seed-0"
    before = tree(run), {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    said = dreaming_does("train", *TINY, "--epochs", "2", "--out", trained)
    assert "finished, 2 epochs" in said
    assert (tree(run), {path: path.stat().st_mtime_ns for path in run.rglob("*")}) == before
    said = dreaming_does("train", *TINY, "--epochs", "1", "--out", trained)
    assert "finished, 2 epochs" in said
    assert tree(run) == before[0]


def test_more_epochs_go_on_as_if_never_stopped(trained, dreaming_does, tmp_path):
    dreaming_does("train", *TINY, "--epochs", "3", "--out", trained)
    dreaming_does("train", *TINY, "--epochs", "3", "--out", tmp_path / "at once")
    assert results(trained / "digits/pad/seed-0") == results(tmp_path / "at once/digits/pad/seed-0")
    environment = json.loads((trained / "digits/pad/seed-0/environment.json").read_text())
    assert [session["from"]["epoch"] for session in environment["sessions"]] == [1, 3]


def test_two_seeds_at_once_are_two_single_runs(trained, dreaming_does, tmp_path):
    for seed in ("0", "1"):
        dreaming_does("train", *TINY, "--epochs", "2", "--seed", seed, "--out", tmp_path / "single")
    runs = [results(out / f"digits/pad/seed-{i}") for i in (0, 1) for out in (trained, tmp_path / "single")]
    assert runs[0] == runs[1]
    assert runs[2] == runs[3]
    assert runs[0]["snapshots/0002.safetensors"][1] != runs[2]["snapshots/0002.safetensors"][1]


@pytest.mark.parametrize(
    ("snapshots", "kept"), [("ends", "0 2"), ("1", "0 1"), ("all", "0 1 2"), ("02", "0 2")]
)
def test_the_snapshots_asked_for_are_kept(snapshots, kept, dreaming_does, tmp_path):
    dreaming_does("train", *TINY, "--epochs", "2", "--snapshots", snapshots, "--out", tmp_path / "out")
    run = tmp_path / "out/digits/pad/seed-0"
    names = [f"{int(epoch):04d}" for epoch in kept.split()]
    assert sorted(path.stem for path in (run / "snapshots").iterdir()) == names
    assert sorted(path.stem for path in (run / "dreams").iterdir()) == names


def test_an_untrained_cortex_is_kept_with_no_epoch_done(dreaming_does, tmp_path):
    dreaming_does("train", *TINY, "--condition", "untrained", "--out", tmp_path / "out")
    run = tmp_path / "out/digits/untrained/seed-0"
    assert [path.stem for path in (run / "snapshots").iterdir()] == ["0000"]
    assert not (run / "losses.csv").exists()


def test_a_name_makes_another_folder(dreaming_does, tmp_path):
    words = (
        "--set",
        "phases.rem.weight=0.5",
        "--name",
        "half_rem",
        "--epochs",
        "0",
        "--out",
        tmp_path / "out",
    )
    dreaming_does("train", *TINY, *words)
    config = yaml.safe_load((tmp_path / "out/digits/half_rem/seed-0/config.yaml").read_text())
    assert (config["condition"], config["phases"]["rem"]["weight"]) == ("half_rem", 0.5)


@pytest.mark.parametrize("name", ["off", "null", "1", "1e3", "2026-11-23", "b.2+c-d"])
def test_a_name_is_taken_as_it_is_written(name, dreaming_does, tmp_path):
    dreaming_does("train", *TINY, "--name", name, "--epochs", "0", "--out", tmp_path / "out")
    run = tmp_path / f"out/digits/{name}/seed-0"
    assert yaml.safe_load((run / "config.yaml").read_text())["condition"] == name


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (
            ("--set", "phases.rem.replay.noise=0.3", "--name", "pad"),
            r"its phases.rem.replay.noise is 0.5 .* says 0.3",
        ),
        (("--set", "training.batch_size=8"), "its training.batch_size is 16 .* says 8"),
        (("--set", "networks.latent_dim=9"), "its networks.latent_dim is 8 .* says 9"),
        (
            ("--set", "optimizer.learning_rate=0.1", "--name", "pad"),
            r"its optimizer.learning_rate is 0.0002 .* says 0.1",
        ),
        (("--limit", "70"), "its dataset.limit is 80 .* says 70"),
        (("--precision", "bfloat16"), "its training.precision is float32 .* says bfloat16"),
        (("--condition", "wake_only", "--name", "pad"), "its phases"),
    ],
)
@pytest.mark.parametrize("epochs", ["2", "3"])
def test_a_run_folder_of_another_config_is_refused_with_the_key(
    words, because, epochs, trained, dreaming_refuses
):
    words = ("train", *TINY, "--epochs", epochs, "--out", trained, *words)
    dreaming_refuses(*words, because=(because, "--out or --name"))


@pytest.fixture(scope="module")
def with_signal(tmp_path_factory):
    """Words for three epochs, in the second of which it waits for a signal."""
    file = tmp_path_factory.mktemp("own") / "own.py"
    file.write_text(WAITING)
    return ("train", *TINY, "--epochs", "3", "--snapshots", "ends", "--phases", f"{file}:waiting")


@pytest.fixture(scope="module")
def undisturbed(with_signal, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    assert main([*with_signal, "--out", str(out)]) == 0
    return results(out / "digits/waiting/seed-0")


@pytest.fixture(scope="module")
def stopped(with_signal, tmp_path_factory):
    """By signal: the folder of runs, status, output and errors. All train at once, to wait but once."""
    folders = {number: tmp_path_factory.mktemp(number.name) for number in SIGNALS}
    with ThreadPoolExecutor() as pool:
        endings = list(pool.map(lambda number: told_to_stop(with_signal, folders[number], number), SIGNALS))
    return {number: (folders[number], *ending) for number, ending in zip(SIGNALS, endings, strict=True)}


@pytest.mark.parametrize("number", SIGNALS)
def test_a_training_told_to_stop_saves_and_the_same_command_goes_on_bit_for_bit(
    number, stopped, undisturbed, with_signal, dreaming_does
):
    out, status, said, error = stopped[number]
    assert status == 3, (said, error)
    assert error.startswith("dreaming: stopped in epoch 2 of 3, after ")
    assert error.endswith("and the same command goes on from there\n")
    assert error.count("\n") == 1
    assert "epoch 3/3" not in said
    run = out / "digits/waiting/seed-0"
    assert str(run) in error
    assert not list(out.rglob("*.part"))
    again = dreaming_does(*with_signal, "--out", out)
    assert "cycles done" in again
    assert "epoch 3/3" in again
    assert results(run) == undisturbed
    first, second = json.loads((run / "environment.json").read_text())["sessions"]
    assert first["from"] == {"epoch": 1, "cycle": 0}
    assert second["from"] != first["from"]


def test_a_training_told_to_stop_in_this_process_ends_with_status_3(monkeypatch, capsys, tmp_path):
    from dreaming.system import progress

    def cycle(self):
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(progress.TerminalProgress, "cycle", cycle)
    words = ["train", *TINY, "--epochs", "2", "--out", str(tmp_path / "out")]
    assert main(words) == 3
    assert "stopped in epoch 1 of 2, after 1 of 5 cycles" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(words) == 0
    assert len(without_seconds(tmp_path / "out/digits/pad/seed-0/losses.csv")) == 3


def test_the_weights_of_a_run_are_those_the_library_trains(trained, tmp_path):
    config = dreaming.configure(
        "pad",
        networks={"base_channels": 2, "latent_dim": 8, "image_channels": 1},
        dataset={"limit": 80},
        training={"epochs": 2, "batch_size": 16, "device": "cpu"},
    )
    run = dreaming.train(config, out=tmp_path / "library")
    assert results(run) == results(trained / "digits/pad/seed-0")
