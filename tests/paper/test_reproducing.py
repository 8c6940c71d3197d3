"""`dreaming reproduce`: runs what is missing, draws what there is, says what failed, can be stopped."""

import io
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from dreaming.cli.main import main
from dreaming.data import load_dataset
from dreaming.errors import Stopped, UserError
from dreaming.paper import reproduction
from dreaming.paper.figures import OF_THE_PAPER
from dreaming.paper.plan.plan import make_plan
from dreaming.paper.plan.profile import Profile
from dreaming.paper.reproduction import raise_failures, reproduce
from dreaming.paper.results import Attempts, figure_table, results_of
from dreaming.paper.tables import incomplete
from dreaming.runs.folder import RunFolder
from dreaming.system.progress import NoProgress

pytestmark = pytest.mark.usefixtures("without_drawing")

TINY = Profile(
    name="tiny",
    datasets=("digits",),
    seeds=2,
    epochs=2,
    long_epochs=2,
    limit=64,
    figures=("table-1", "figure-4", "figure-9"),
    settings=(
        "networks.base_channels=2",
        "networks.latent_dim=8",
        "networks.image_channels=1",
        "training.batch_size=32",
        "training.precision=float32",
    ),
)
TWO = ("figure-4", "figure-9")
BUT_ONE = TINY.beside((), ["optimizer.learning_rate=1e30"])
DIVERGES = "digits/pad+optimizer.learning_rate-1e30/seed-"
RUNS = [f"digits/{c}/seed-{s}" for c in ("pad", "without_memory_mix", "without_rem") for s in (0, 1)]


def content(folder):
    """What is reproduced, without what tells the time."""
    numbers = ["numbers.csv", "claims.csv", *(f"figures/{name}.csv" for name in TWO)]
    return {name: (folder / name).read_bytes() for name in numbers}


@pytest.fixture(autouse=True)
def _pictures_alone(monkeypatch):
    """Draw figures as PNG, which the report holds; what `whole` made has every kind of file."""
    monkeypatch.setattr(reproduction, "FILE_KINDS", ("png",))


@pytest.fixture(scope="module")
def whole(without_drawing, tmp_path_factory):
    """A reproduction of two figures, one run after another, in every kind of file: its folder."""
    out = tmp_path_factory.mktemp("whole")
    found = reproduce(TINY, only=TWO, out=out, device="cpu", workers=1)
    assert found.failures == {}
    assert found.report == out / "report.html"
    return out


def test_everything_lies_in_one_folder(whole):
    assert {path.name for path in whole.iterdir()} == {
        "runs",
        "figures",
        "numbers.csv",
        "claims.csv",
        "report.html",
    }
    assert {path.name for path in (whole / "figures").iterdir()} == {
        f"{name}.{kind}" for name in TWO for kind in ("csv", "svg", "pdf", "png")
    }
    assert sorted(str(p.parent.relative_to(whole / "runs")) for p in whole.rglob("losses.csv")) == RUNS


def test_a_figure_that_needs_no_run_is_made_alone(tmp_path):
    found = reproduce(TINY, only=["figure-9"], out=tmp_path, device="cpu")
    assert found.failures == {}
    assert (tmp_path / "figures/figure-9.png").exists()


@pytest.mark.parametrize("figure", [name for name in OF_THE_PAPER if name != "figure-9"])
def test_a_figure_of_which_no_run_is_there_has_a_table_of_what_is_missing(figure, tmp_path):
    tables = results_of(make_plan(TINY, [figure], tmp_path), load_dataset, Attempts(NoProgress()))
    table = figure_table(figure, TINY, tables)
    assert table["value"].isna().all()
    assert len(table) == 0 or incomplete(table)


def test_a_figures_table_holds_what_the_runs_measured(whole):
    table = pd.read_csv(whole / "figures/figure-4.csv")
    assert set(table["source"]) == {"measured"}  # nothing is published of digits
    assert len(table) == 3 * 2 * 3
    for title in RUNS:
        condition, seed = title.split("/")[1], int(title[-1])
        own = RunFolder(whole / "runs" / title).read_measures()
        own = own[(own["measure"] == "readout_accuracy") & (own["parameter"] == "latent")]
        rows = table[(table["condition"] == condition) & (table["seed"] == seed)]
        assert len(rows) == 3
        assert np.array_equal(rows.sort_values("epoch")["value"], own.sort_values("epoch")["value"])


def test_a_second_time_nothing_is_run_or_measured(whole):
    before = {path: path.stat().st_mtime_ns for path in (whole / "runs").rglob("*")}
    kept = content(whole)
    reproduce(TINY, only=TWO, out=whole, device="cpu")
    assert {path: path.stat().st_mtime_ns for path in (whole / "runs").rglob("*")} == before
    assert content(whole) == kept


def test_runs_that_lie_elsewhere_without_their_snapshots_are_drawn_and_nothing_is_trained(whole, tmp_path):
    elsewhere = tmp_path / "runs"
    shutil.copytree(whole / "runs", elsewhere, ignore=shutil.ignore_patterns("*.safetensors"))
    before = sorted(elsewhere.rglob("*"))
    three = TINY.but(["seeds=3"])
    words = {"only": TWO, "device": "cpu", "runs": elsewhere, "training": False}
    assert reproduce(TINY, out=tmp_path / "two", **words).failures == {}
    assert content(tmp_path / "two") == content(whole)
    found = reproduce(three, out=tmp_path / "three", **words)
    assert {run.title for run in found.plan.missing} == {title[:-1] + "2" for title in RUNS}
    assert incomplete(pd.read_csv(tmp_path / "three/figures/figure-4.csv"))
    assert sorted(elsewhere.rglob("*")) == before


def test_another_figure_shares_the_runs_that_are_there(whole, tmp_path):
    said, out = Told(), tmp_path / "copy"
    shutil.copytree(whole, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("losses.csv")}
    reproduce(TINY, only=["table-1"], out=out, device="cpu", workers=1, progress=said)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert {title for title in said.started if "seed" in title} == {
        f"digits/{name}/seed-{seed}" for name in ("without_nrem", "wake_only") for seed in (0, 1)
    }


class Told(NoProgress):
    """Remembers what is told; stops after some epochs, as a key would."""

    def __init__(self, stop_after=None):
        self.started, self.epochs, self.said, self.stop_after = [], 0, [], stop_after

    def start(self, title, epochs, cycles, done):
        self.started.append(title)

    def epoch(self, epoch, seconds, terms):
        self.epochs += 1
        if self.epochs == self.stop_after:
            raise KeyboardInterrupt

    def say(self, text):
        self.said.append(text)


@pytest.mark.parametrize("after", [1, 2], ids=["within a run", "between two"])
def test_stopped_and_started_again_it_comes_to_the_same(whole, tmp_path, after):
    shutil.copytree(whole / "runs", tmp_path / "runs")
    for title in RUNS[:2]:
        shutil.rmtree(tmp_path / "runs" / title)
    with pytest.raises((Stopped, KeyboardInterrupt)):
        reproduce(TINY, only=TWO, out=tmp_path, device="cpu", workers=1, progress=Told(after))
    assert not (tmp_path / "report.html").exists()
    reproduce(TINY, only=TWO, out=tmp_path, device="cpu", workers=1)
    assert content(tmp_path) == content(whole)


def test_several_workers_come_to_the_same(whole, tmp_path):
    out = Path(shutil.copytree(whole, tmp_path / "copy"))
    for title in RUNS[0], RUNS[-1]:
        shutil.rmtree(out / "runs" / title)
    shutil.rmtree(out / "figures")
    reproduce(TINY, only=TWO, out=out, device="cpu", workers=2)
    assert content(out) == content(whole)


@pytest.fixture(scope="module")
def with_failures(whole, tmp_path_factory):
    """A reproduction in which one condition diverges and a snapshot of another is damaged."""
    out = Path(shutil.copytree(whole, tmp_path_factory.mktemp("failing") / "copy"))
    damaged = RunFolder(out / "runs/digits/without_rem/seed-1")
    damaged.snapshot(2).write_bytes(b"no weights")
    damaged.measures.unlink()
    said = Told()
    found = reproduce(BUT_ONE, only=["figure-4", "doses"], out=out, device="cpu", workers=1, progress=said)
    return SimpleNamespace(out=out, found=found, said=said.said)


def test_a_run_that_fails_is_seen_as_failed_and_the_rest_goes_on(with_failures):
    failures = with_failures.found.failures
    assert set(failures) == {DIVERGES + "0", DIVERGES + "1", "digits/without_rem/seed-1"}
    assert "became nan in epoch 1" in failures[DIVERGES + "0"]
    assert any(f"{DIVERGES}0: FAILED" in line for line in with_failures.said)
    assert (with_failures.out / "figures/figure-4.png").exists()


def test_what_failed_is_drawn_as_missing_and_never_averaged(with_failures):
    numbers = pd.read_csv(with_failures.out / "numbers.csv").set_index("condition")
    assert numbers.loc[DIVERGES.split("/")[1], "seeds"] == 0
    assert np.isnan(numbers.loc[DIVERGES.split("/")[1], "mean"])
    table = pd.read_csv(with_failures.out / "figures/figure-4.csv")
    gone = table[(table["condition"] == "without_rem") & (table["seed"] == 1)]
    assert gone["value"].isna().any()
    page = with_failures.found.report.read_text()
    assert "digits/without_rem/seed-1 lacks readout_accuracy" in page
    assert "became nan in epoch 1" in page


def test_the_user_is_told_at_the_end(with_failures):
    with pytest.raises(
        UserError, match=r"failed: .*; the rest is done, and .*report\.html says what is missing"
    ):
        raise_failures(with_failures.found)


def test_runs_of_another_config_are_not_gone_on_with(whole):
    with pytest.raises(UserError, match=r"holds a run of another config: its networks.latent_dim is 8"):
        reproduce(TINY.but(["networks.latent_dim=4"]), only=["figure-4"], out=whole, device="cpu")


def profile_file(folder):
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY.model_dump(mode="json")))
    return path


WITH_INCEPTION = TINY.model_copy(update={"features": ("inception",), "seeds": 1})
LACKS = "realism cannot be measured as things are, and all else can: the features 'inception' need"


def test_what_cannot_be_measured_is_said_before_any_training_and_all_else_is_done(tmp_path):
    said = Told()
    said.start = lambda title, *rest: said.say(f"started {title}")
    found = reproduce(WITH_INCEPTION, only=["figure-3"], out=tmp_path, device="cpu", workers=1, progress=said)
    assert said.said[0].startswith(LACKS)
    assert [text for text in said.said if text.startswith("started digits/pad")]
    assert list(found.failures) == ["digits/pad/seed-0"]
    assert "the features 'inception' need" in found.failures["digits/pad/seed-0"]
    assert (tmp_path / "figures/figure-3.png").exists()


def test_what_is_measured_already_or_not_asked_for_is_not_said_to_be_lacking(tmp_path):
    asked = make_plan(WITH_INCEPTION, ["figure-3"], tmp_path, "cpu")
    assert len(asked.unavailable(tmp_path)) == 1
    assert make_plan(WITH_INCEPTION, ["figure-4"], tmp_path, "cpu").unavailable(tmp_path) == []
    assert make_plan(TINY, ["figure-3"], tmp_path, "cpu").unavailable(tmp_path) == []


def test_a_dry_run_says_what_cannot_be_measured(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("--set=features=inception", "--only=figure-3", "--out=here", "--dry-run", "--device=cpu")
    assert main(["reproduce", *words]) == 0
    assert LACKS in " ".join(capsys.readouterr().out.split())


def reproducing(tmp_path, out, *words):
    """The status of `dreaming reproduce` of figure 4 of the tiny profile, read from a file."""
    words = (
        "--profile",
        profile_file(tmp_path),
        "--only",
        "figure-4",
        "--device",
        "cpu",
        "--out",
        out,
        *words,
    )
    return main(["reproduce", *map(str, words)])


def test_a_dry_run_lists_the_runs_and_their_cost_and_writes_nothing(tmp_path, capsys):
    assert reproducing(tmp_path, tmp_path / "out", "--dry-run") == 0
    said = capsys.readouterr().out
    for title in RUNS:
        assert title in said.replace("\n", "")
    assert "6 runs for 1 figures and tables, 0 of them finished" in said
    assert "from a measured cycle of" in said
    assert not (tmp_path / "out").exists()


def test_a_dry_run_sees_what_is_there(whole, tmp_path, capsys):
    assert reproducing(tmp_path, whole, "--dry-run") == 0
    assert "6 runs for 1 figures and tables, 6 of them finished" in capsys.readouterr().out


def test_the_command_says_where_the_report_is(whole, tmp_path, capsys):
    assert reproducing(tmp_path, whole) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"The report: {whole / 'report.html'}"


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (["--profile", "qick"], "did you mean 'quick'"),
        (["--only", "figure-77"], "there is no 'figure-77' to be drawn; did you mean"),
        (["--workers", "0"], "--workers is 0"),
        (["--set", "sedes=2"], "did you mean 'seeds'"),
        (["--set", "datasets=cifar"], "did you mean 'cifar10'"),
        (["--schedule", "pad"], "--schedule wants"),
        (["--sweep", "phases.rem.dosis=1"], "did you mean 'dose'"),
        (["--only", "doses"], "--sweep phases.rem.dose=0,0.5,1"),
    ],
)
def test_bad_words_are_refused_in_a_sentence_and_nothing_is_written(words, because, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["reproduce", "--out", str(out), *words]) == 2
    error = capsys.readouterr().err
    assert because in error
    assert error.startswith("dreaming: ")
    assert error.count("\n") == 1
    assert not out.exists()


def test_pictures_of_a_csv_are_images(whole):
    table = pd.read_csv(io.BytesIO((whole / "figures/figure-9.csv").read_bytes()))
    assert len(table) == 24
    assert table["png"].str.len().min() > 50
