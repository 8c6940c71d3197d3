"""What a long run leaves open: nothing. Files, threads, figures, memory and lines of log over many small epochs."""

import gc
import io
import os
from contextlib import suppress
from multiprocessing import active_children

import pytest
from benchmarks.residence import held
from matplotlib.figure import Figure
from rich.console import Console
from tiny_runs import TINY

import dreaming
from dreaming.cli import main
from dreaming.evaluation.comparison import compare
from dreaming.paper.profile import Profile
from dreaming.paper.reproduction import reproduce
from dreaming.population import train_all
from dreaming.progress import Display, Silence
from dreaming.training import train_together

EPOCHS = 20
PATHS = [("plain", "float32"), ("plain", "bfloat16"), ("captured", "float32")]


class Log(Display):
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


class Children(Log):
    """Looks at what the children keep open after each epoch."""

    looks: list = []  # noqa: RUF012 - shared with the parts of the display

    def part(self, name):
        part = super().part(name)
        tell = part.epoch

        def epoch(*about):
            tell(*about)
            with suppress(ProcessLookupError, FileNotFoundError):  # of one that ends just now
                found = [held(child.pid) for child in active_children()]
                if len(found) == 2:
                    self.looks.append(sum(each.files + each.threads for each in found))

        part.epoch = epoch
        return part


def test_processes_leave_nothing_open_and_say_a_line_an_epoch(tiny_config, tmp_path):
    sections = {"dataset": {"limit": 16}, "training": {"epochs": EPOCHS, "snapshots": "all"}}
    configs = [tiny_config(**sections, seed=seed) for seed in (0, 1)]
    with Children() as log:
        log.looks.clear()
        train_all(configs, out=tmp_path, workers=2, progress=log)
    assert not active_children()
    assert sum(": epoch " in line for line in log.lines) == 2 * EPOCHS
    assert len(log.lines) == 2 * EPOCHS + 2
    assert len(log.looks) > EPOCHS / 2
    early, late = log.looks[: len(log.looks) // 2], log.looks[len(log.looks) // 2 :]
    # A look may find a file that is being written, and late ones find a run that has ended.
    assert min(late) <= min(early)


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
            *("networks.base_channels=2", "networks.latent_dim=8", "networks.image_channels=1"),
            *("training.batch_size=32", "training.precision=float32"),
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


class Meter(Silence):
    """Notes the memory of this process after some cycles."""

    def __init__(self, *after):
        self.after, self.count, self.noted = after, 0, []

    def cycle(self):
        self.count += 1
        if self.count in self.after:
            self.noted.append(held(os.getpid()).own)


@pytest.mark.usefixtures("without_drawing")
def test_300_cycles_take_no_memory_that_they_do_not_give_back(tiny_config, dataset_of, tmp_path):
    meter = Meter(100, 400)
    config = tiny_config(training={"epochs": 20})  # of 20 cycles
    dreaming.train(config, out=tmp_path, dataset=dataset_of(train=160), progress=meter)
    first, last = meter.noted
    assert last - first < 8  # MiB; if each cycle kept its images, which are 98 kB, it would be 29


def test_the_command_says_a_line_an_epoch(capsys, tmp_path):
    assert main(["train", *TINY, "--epochs", "12", "--snapshots", "ends", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12 + 2  # what is trained; where it lies
