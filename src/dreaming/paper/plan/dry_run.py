"""What a plan will cost on this machine, from a cycle, a readout step and an inference that are measured here."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from dreaming import data
from dreaming.config.config import Config
from dreaming.config.description import describe
from dreaming.evaluation.features.latents import infer
from dreaming.evaluation.readout import Protocol, train_readout
from dreaming.paper.plan.plan import Plan, PlannedRun
from dreaming.system import hardware
from dreaming.system.threads import cores
from dreaming.training.precision import resolved
from dreaming.training.timing import cycle_milliseconds

ROUNDS = 3
TRIED = 256
"""Images that inference is timed on."""
READOUT_EPOCHS, READOUT_BATCH = Protocol().epochs, Protocol().batch_size
PASSES = {"robustness": 9, "organisation": 1, "projection": 0, "readout": 0, "realism": 0}
"""How often each measure infers the test images, besides the latents that all share."""
QUIET = 0.9
"""Share of the time from which a core counts as this process's own."""
SCHEDULE = Path("/proc/thread-self/schedstat")
"""Where Linux tells how long a thread waited for a core, in ns: the second number."""


@dataclass(frozen=True)
class Load:
    """What else the machine did while something was measured on it.

    Attributes
    ----------
    average
        Processes that wanted a core in the minute before, as the system counts them; None where it does not.
    cores
        That this process may use.
    share
        Of the time in which the measuring thread wanted a core, the part in which it had one; 1 where the system
        does not tell.
    """

    average: float | None
    cores: int
    share: float

    @property
    def quiet(self) -> bool:
        """Whether it had the cores to itself."""
        return self.share >= QUIET


@contextmanager
def watched() -> Iterator[Callable[[], Load]]:
    """Watch the load while the block measures; what is given tells it afterwards."""
    average = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    computed, waited = time.thread_time(), _waited()
    share = 1.0
    yield lambda: Load(average, cores(), share)
    computed, waited = time.thread_time() - computed, _waited() - waited
    share = computed / (computed + waited) if computed else 1.0


def _waited() -> float:
    """Return the seconds that this thread has waited for a core so far; 0 where the system does not tell."""
    try:
        return int(SCHEDULE.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


@dataclass(frozen=True)
class Cost:
    """What is still to be spent.

    Attributes
    ----------
    training
        Seconds for each run, by its title, one after another.
    measuring
        Seconds for each run, by its title; a rough figure.
    megabytes
        Of snapshots, when all are there.
    cycle
        Milliseconds that a cycle of PAD takes here, as measured.
    load
        What else the machine did meanwhile.
    recorded
        Seconds of all that runs which have begun tell of themselves; the load now does not bear on them.
    """

    training: dict[str, float]
    measuring: dict[str, float]
    megabytes: float
    cycle: float
    load: Load
    recorded: float = 0.0

    @property
    def seconds(self) -> float:
        """All of it, one run after another."""
        return sum(self.training.values()) + sum(self.measuring.values())

    @property
    def alone(self) -> float:
        """All of it if the machine is left alone: what was measured now, by what the measuring thread computed."""
        return self.recorded + self.load.share * (self.seconds - self.recorded)


def estimate(plan: Plan) -> Cost:
    """Estimate what a plan costs here.

    Training: a cycle of PAD is measured at the plan's size, and scaled by multiply-accumulates to other conditions;
    a run that has begun tells its own seconds. Measuring: inference and the readout's steps are measured.

    Raises
    ------
    UserError
        If a data set is unknown, or a device is not there.
    """
    if not plan.runs:
        return Cost({}, {}, 0.0, 0.0, Load(None, cores(), 1.0))
    sizes = {dataset: _sizes(dataset, plan.profile.limit) for dataset in plan.profile.datasets}
    first = plan.runs[0].config
    own = plan.profile.config(
        *(plan.profile.datasets[0], "pad", 0, plan.profile.epochs, "0", first.training.device)
    )
    pad = resolved(own)
    with watched() as load:
        cycle = cycle_milliseconds(pad, ROUNDS)
        inference, step = _inference(pad), _step(pad)
    whole = sum(describe(pad).multiply_accumulates.values())
    training, measuring, megabytes = {}, {}, 0.0
    costs: dict[str, float] = {}
    recorded = 0.0
    for run in plan.runs:
        name, (n_train, n_test) = run.config.condition, sizes[run.config.dataset.name]
        if name not in costs:
            costs[name] = sum(describe(run.config).multiply_accumulates.values()) / whole
        cycles = n_train // run.config.training.batch_size
        known, left = _seconds_an_epoch(run), max(0, run.config.training.epochs - run.done)
        training[run.title] = left * (known or cycles * costs[name] * cycle / 1000)
        recorded += left * (known or 0.0)
        readout = (n_train + n_test) * inference + READOUT_EPOCHS * n_train / READOUT_BATCH * step
        missing = run.unmeasured(plan.measures)
        snapshots = len({epoch for epochs in missing.values() for epoch in epochs})
        passes = sum(PASSES[measure] * len(epochs) for measure, epochs in missing.items())
        dreams = 4 * min(plan.profile.samples, n_train) * len(missing.get("realism", ()))
        measuring[run.title] = snapshots * readout + (passes * n_test + dreams) * inference
        kept = run.config.training
        snapshots = sum(kept.keeps(epoch) for epoch in range(kept.epochs + 1))
        megabytes += 4e-6 * snapshots * sum(describe(run.config).weights.values())
    return Cost(training, measuring, megabytes, cycle, load(), recorded)


def _sizes(dataset: str, limit: int | None) -> tuple[int, int]:
    about = data.describe(dataset)
    sizes = (about.n_train, about.n_test)
    return sizes if limit is None else (min(limit, sizes[0]), min(limit, sizes[1]))


def _seconds_an_epoch(run: PlannedRun) -> float | None:
    return float(median(run.folder.read_losses()["seconds"])) if run.done else None


def _shortest(work: Callable[[], object]) -> float:
    """Time something a few times, after one time that is not counted; return the seconds of the shortest."""
    spent = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return min(spent[1:])


def _inference(config: Config) -> float:
    """Return the seconds that the inference of one image takes."""
    cortex = config.networks.build(0).to(hardware.device(config.training.device))
    images = torch.zeros(TRIED, 3, 32, 32, dtype=torch.uint8)
    return _shortest(lambda: infer(cortex, images, config.networks.image_channels).cpu()) / TRIED


def _step(config: Config) -> float:
    """Return the seconds that a step of the readout takes."""
    steps = 20
    latents = torch.zeros(1, steps * READOUT_BATCH, config.networks.latent_dim)
    latents, labels = latents.to(config.training.device), torch.arange(latents.shape[1]) % 10
    once = Protocol(epochs=1)
    return _shortest(lambda: train_readout(latents, labels, 10, 0, once)) / steps
