"""What a long run leaves open: nothing. Files, threads, figures, memory and lines of log over many small epochs."""

import gc
import io
import os
import subprocess
import sys

import pytest
from benchmarks.residence import held
from matplotlib.figure import Figure
from rich.console import Console
from tests.cli.tiny_runs import SMALL, TINY

import dreaming
from dreaming.cli.main import main
from dreaming.evaluation.statistics.comparison import compare
from dreaming.paper.plan.profile import Profile
from dreaming.paper.reproduction import reproduce
from dreaming.system.progress import NoProgress, TerminalProgress
from dreaming.training.population import train_together

EPOCHS = 20
PATHS = [("plain", "float32"), ("plain", "bfloat16"), ("captured", "float32")]


class Log(TerminalProgress):
    """What a log would hold."""

    def __init__(self):
        self.text = io.StringIO()
        super().__init__(Console(file=self.text, soft_wrap=True))

    @property
    def lines(self):
        return self.text.getvalue().splitlines()


@pytest.fixture
def nothing_stays_open():
    """Of a test after which as many files and threads are open as before."""
    before = held(os.getpid())
    yield
    gc.collect()
    after = held(os.getpid())
    assert (after.files, after.threads) == (before.files, before.threads)


@pytest.fixture
def few_images(dataset_of):
    """Two cycles of eight an epoch."""
    return dataset_of(train=16, test=10)


@pytest.mark.usefixtures("nothing_stays_open", "without_drawing")
@pytest.mark.parametrize(("path", "precision"), PATHS)
def test_a_run_leaves_nothing_open_and_says_a_line_an_epoch(
    path, precision, tiny_config, few_images, tmp_path
):
    training = {"epochs": EPOCHS, "path": path, "precision": precision, "snapshots": "all"}
    # With two channels, latents of bfloat16 are the same for all images, and their divergence is infinite.
    config = tiny_config(training=training, networks={"base_channels": 4})
    with Log() as log:
        dreaming.train(config, out=tmp_path, dataset=few_images, progress=log)
    assert sum(line.startswith("epoch ") for line in log.lines) == EPOCHS
    assert len(log.lines) == EPOCHS + 1


@pytest.mark.usefixtures("nothing_stays_open", "without_drawing")
def test_cortices_side_by_side_leave_nothing_open(tiny_config, few_images, tmp_path):
    configs = [tiny_config(training={"epochs": EPOCHS}, seed=seed) for seed in (0, 1)]
    with Log() as log:
        train_together(configs, out=tmp_path, dataset=few_images, progress=log)
    assert len(log.lines) <= 2 * EPOCHS + 1


LOOKING = """
import os
from pathlib import Path

from dreaming import NREM


class Looking(NREM):
    def objective(self, *words):
        found = [sum(1 for _ in Path("/proc/self", each).iterdir()) for each in ("fd", "task")]
        with Path(PLACE, str(os.getpid())).open("a") as file:
            print(*found, file=file)
        return super().objective(*words)
"""


def test_processes_leave_nothing_open_and_say_a_line_an_epoch(tmp_path):
    """Each looks at itself in each cycle, which a parent that has to wait for a core might be too late for."""
    own, looks = tmp_path / "own.py", tmp_path / "looks"
    own.write_text(LOOKING.replace("PLACE", repr(str(looks))))
    looks.mkdir()
    words = ("train", *SMALL, "--limit=16", "--set=training.batch_size=8", f"--epochs={EPOCHS}")
    words += ("--phases", f"{own}:Looking", "--seeds=2", "--workers=2", f"--out={tmp_path / 'runs'}")
    command = [sys.executable, "-m", "dreaming", *words]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert sum(": epoch " in line for line in lines) == 2 * EPOCHS
    assert len(lines) == 2 * EPOCHS + 2 + 2
    children = [path.read_text().splitlines() for path in looks.iterdir()]
    assert [len(seen) for seen in children] == [2 * EPOCHS + 2] * 2  # and two cycles to try the phase
    for seen in children:
        assert seen[4] == seen[-1]  # files and threads; the first cycles load what the later ones use


def figures():
    gc.collect()
    return [found for found in gc.get_objects() if issubclass(type(found), Figure)]


def test_pictures_leave_no_figure_behind_and_reproducing_says_a_line_for_each_value(tmp_path, monkeypatch):
    profile = Profile(
        name="tiny",
        datasets=("digits",),
        seeds=1,
        epochs=2,
        long_epochs=2,
        limit=64,
        figures=("figure-4", "figure-9"),
        settings=(
            "networks.base_channels=2",
            "networks.latent_dim=8",
            "networks.image_channels=1",
            "training.batch_size=32",
            "training.precision=float32",
        ),
    )
    before = figures()  # of other tests, whose fixtures may hold some
    with Log() as log:
        found = reproduce(profile, out=tmp_path, device="cpu", workers=1, progress=log)
    runs = [run.folder.path for run in found.plan.runs]
    trained = sum(line.startswith("epoch ") for line in log.lines)
    measured = sum(": readout accuracy of " in line for line in log.lines)
    assert trained == 2 * len(runs)
    assert measured <= (2 + 1 + 2) * len(runs)  # each epoch, the untrained cortex, two controls
    assert len(log.lines) <= trained + measured + 3 * len(runs) + 2
    compare(runs, tmp_path / "comparison")
    assert main(["dream", str(runs[0]), "--count", "4"]) == 0
    assert not [figure for figure in figures() if not any(figure is old for old in before)]


class Meter(NoProgress):
    """Notes the memory of this process after some cycles."""

    def __init__(self, *after):
        self.after, self.count, self.noted = after, 0, []

    def cycle(self):
        self.count += 1
        if self.count in self.after:
            self.noted.append(held(os.getpid()).own)


@pytest.mark.usefixtures("without_drawing")
def test_100_cycles_take_no_memory_that_they_do_not_give_back(tiny_config, dataset_of, tmp_path):
    meter = Meter(40, 140)
    config = tiny_config(settings=["training.batch_size=32"], training={"epochs": 7})  # of 20 cycles
    dreaming.train(config, out=tmp_path, dataset=dataset_of(train=640), progress=meter)
    first, last = meter.noted
    assert last - first < 8  # MiB; if each cycle kept its images, which are 393 kB, it would be 37


def test_the_command_says_a_line_an_epoch(capsys, tmp_path):
    assert main(["train", *TINY, "--epochs", "12", "--snapshots", "ends", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12 + 2  # what is trained; where it lies
