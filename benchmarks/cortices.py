"""Cortices that learn in the library's own loops, so many cycles in each turn: ways to be measured."""

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

import dreaming
from benchmarks.measure import Way
from dreaming.config.config import Config
from dreaming.data import Dataset, Split
from dreaming.runs.folder import RunFolder
from dreaming.system.progress import NoProgress
from dreaming.system.signals import Interrupt
from dreaming.training.captured import CapturedCycle
from dreaming.training.loop import run_epoch
from dreaming.training.precision import exactly, resolved
from dreaming.training.run import Run
from dreaming.training.state import TrainingState
from dreaming.training.timing import CYCLES, one_cycle, synchronize


def cycles_of(config: Config, images: Tensor, cortices: int = 1) -> Way:
    """Return what runs cycles of a config as `dreaming.train` does, or of an ensemble that differs in its seeds.

    Parameters
    ----------
    config
        Device and precision resolved; its path says whether a single run's cycles are captured.
    images
        Pixels, uint8 [n, c, 32, 32].
    cortices
        How many are side by side. More than one, or captured ones, see the first 20 mini-batches again and again,
        whose random numbers are drawn ahead; a single plain one draws its own in each cycle.
    """
    if cortices == 1 and resolved(config).training.path == "plain":
        return Plain(config, images)
    return Programmed([config.model_copy(update={"seed": seed}) for seed in range(cortices)], images)


class Plain:
    """A cortex on the plain path of training; a cycle is from the choice of its images to the sum of its losses."""

    def __init__(self, config: Config, images: Tensor) -> None:
        where = torch.device(config.training.device)
        seen = Split(images, torch.zeros(len(images), dtype=torch.int64)).to(where)
        dataset = Dataset("images", seen, seen, ())
        self.run = Run(TrainingState.initial(config, where), RunFolder(Path()), config, dataset)

    def __call__(self, count: int) -> list[float]:
        """Run so many cycles; return the milliseconds of each."""
        run, clock = self.run, Clock(count, torch.device(self.run.config.training.device))
        with exactly(run.config):
            while not clock.interrupt.requested:
                if run.state.cycles_done == run.cycles:
                    run.state.epochs_done += 1
                    run.state.cycles_done, run.state.totals = 0, {}
                run_epoch(run, lambda: not clock.interrupt.requested, clock.cycle)
        return clock.milliseconds


class Clock(NoProgress):
    """Who is told of each cycle, notes how long it took, and asks to stop after so many."""

    def __init__(self, count: int, where: torch.device) -> None:
        self.count, self.where = count, where
        self.interrupt, self.milliseconds = Interrupt(), []
        self.before = time.perf_counter()

    def cycle(self) -> None:
        synchronize(self.where)
        now = time.perf_counter()
        self.milliseconds.append(1e3 * (now - self.before))
        self.before = now
        self.interrupt.requested = len(self.milliseconds) >= self.count


class Programmed:
    """Cortices in one program: on a GPU captured and replayed."""

    def __init__(self, configs: Sequence[Config], images: Tensor) -> None:
        self.config = configs[0]
        where = torch.device(self.config.training.device)
        few = images[: CYCLES * self.config.training.batch_size].to(where)
        self.program = CapturedCycle(
            [TrainingState.initial(config, where) for config in configs], configs, few
        )
        self.program.open()

    def __call__(self, count: int) -> list[float]:
        """Run so many cycles; return the milliseconds of each, of all cortices together."""
        with exactly(self.config):
            return [one_cycle(self.program) for _ in range(count)]


def pad(
    base_channels: int = 64,
    latent_dim: int = 256,
    batch: int = 64,
    precision: str = "float32",
    device: str = "cpu",
    path: str = "auto",
) -> Config:
    """The PAD condition at a width, a batch and a precision."""
    return dreaming.configure(
        "pad",
        networks={"base_channels": base_channels, "latent_dim": latent_dim},
        training={"batch_size": batch, "precision": precision, "device": device, "path": path},
    )
