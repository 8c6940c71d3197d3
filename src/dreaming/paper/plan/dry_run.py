"""What `dreaming reproduce --dry-run` shows: the runs, what is there, and what they will cost here.

The cost follows from a cycle, a readout step and an inference that are measured on this machine.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from dreaming import data
from dreaming.config.config import Config
from dreaming.config.description import describe
from dreaming.evaluation.readout import Protocol, train_readout
from dreaming.paper.figures.figure import OWN_MEASURES
from dreaming.paper.plan.plan import Plan, make_plan
from dreaming.paper.plan.profile import Profile
from dreaming.system import hardware
from dreaming.system.progress import duration, print_table
from dreaming.system.terminal import tell
from dreaming.system.texts import plural
from dreaming.system.threads import cores
from dreaming.training.precision import resolved
from dreaming.training.timing import cycle_milliseconds

ROUNDS = 3
TRIED = 256
"""Images that inference is timed on."""
READOUT_EPOCHS, READOUT_BATCH = Protocol().epochs, Protocol().batch_size
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
    """Watch the load while the block measures; what is given returns it afterwards."""
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
    profile = plan.profile
    first = profile.config(
        profile.datasets[0], "pad", 0, profile.epochs, "0", plan.runs[0].config.training.device
    )
    pad = resolved(first)
    with watched() as load:
        cycle = cycle_milliseconds(pad, ROUNDS)
        inference, step = _inference(pad), _step(pad)
    whole = sum(describe(pad).multiply_accumulates.values())
    training, measuring, megabytes, recorded = {}, {}, 0.0, 0.0
    measures = plan.measures
    for run in plan.runs:
        config, about = run.config, describe(run.config)
        n_train, n_test = _sizes(config.dataset.name, profile.limit)
        left = max(0, config.training.epochs - run.done)
        if run.done:
            training[run.title] = left * float(median(run.folder.read_losses()["seconds"]))
            recorded += training[run.title]
        else:
            share = sum(about.multiply_accumulates.values()) / whole
            cycles = n_train // config.training.batch_size
            training[run.title] = left * cycles * share * cycle / 1000
        readout = (n_train + n_test) * inference + READOUT_EPOCHS * n_train / READOUT_BATCH * step
        missing = run.unmeasured(measures)
        snapshots = len(
            {epoch for name, epochs in missing.items() if name != OWN_MEASURES for epoch in epochs}
        )
        passes = sum(
            ((name == OWN_MEASURES) + each.passes) * len(epochs)
            for name, epochs in missing.items()
            for each in measures[name]
        )
        dreams = 4 * min(profile.samples, n_train) * len(missing.get("realism", ()))
        measuring[run.title] = snapshots * readout + (passes * n_test + dreams) * inference
        kept = sum(config.training.keeps(epoch) for epoch in range(config.training.epochs + 1))
        megabytes += 4e-6 * kept * sum(about.weights.values())
    return Cost(training, measuring, megabytes, cycle, load(), recorded)


def _sizes(dataset: str, limit: int | None) -> tuple[int, int]:
    about = data.dataset_info(dataset)
    sizes = (about.n_train, about.n_test)
    return sizes if limit is None else (min(limit, sizes[0]), min(limit, sizes[1]))


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
    return _shortest(lambda: cortex.infer(images).cpu()) / TRIED


def _step(config: Config) -> float:
    """Return the seconds that a step of the readout takes."""
    steps = 20
    latents = torch.zeros(1, steps * READOUT_BATCH, config.networks.latent_dim)
    latents, labels = latents.to(config.training.device), torch.arange(latents.shape[1]) % 10
    once = Protocol(epochs=1)
    return _shortest(lambda: train_readout(latents, labels, 10, 0, once)) / steps


def dry_run(
    profile: Profile,
    only: Sequence[str] = (),
    out: str | Path | None = None,
    device: str = "auto",
    data_dir: str | Path | None = None,
    runs: str | Path | None = None,
) -> Plan:
    """Print the plan, its cost, and what cannot be measured here; run nothing, and write nothing.

    Raises
    ------
    UserError
        If there is no such figure, or the folder holds other runs.
    """
    plan = make_plan(profile, only, out, device, runs)
    cost = estimate(plan)
    rows = [
        (
            run.title,
            f"{min(run.done, run.config.training.epochs)} of {run.config.training.epochs}",
            run.state + (", lacks epochs" if run.lacking else ""),
            *(
                duration(left[run.title]) if left[run.title] else "-"
                for left in (cost.training, cost.measuring)
            ),
        )
        for run in plan.runs
    ]
    print_table(("run", "epochs", "state", "training left", "measuring left"), rows)
    needing = {run.title.rpartition("/")[0]: run.figures for run in reversed(plan.runs)}
    for name, figures in reversed(needing.items()):
        tell(f"{name}: for {', '.join(figures)}")
    for line in (*cost_in_words(plan, cost).split("\n"), *plan.unavailable(data_dir)):
        tell(line)
    return plan


def load_in_words(cost: Cost) -> str:
    """Return a sentence on the load under which a cost was measured, and on what it comes to without it."""
    load = cost.load
    average = (
        "" if load.average is None else f", with a load of {load.average:.1f} on {load.cores} cores before"
    )
    had = f"had a core for {100 * load.share:.0f} % of the time that it wanted one"
    if load.quiet:
        return f"While this was measured, the measuring thread {had}{average}."
    return (
        f"Others took cores while this was measured: the measuring thread {had}{average}. By what it computed, all "
        f"would take about {duration(cost.alone)} on a machine left alone; measure again there."
    )


def cost_in_words(plan: Plan, cost: Cost) -> str:
    """Return a few sentences on what a plan comes to."""
    if not plan.runs:
        return f"{', '.join(plan.figures)}: no run is needed"
    finished = len(plan.runs) - len(plan.missing)
    training, measuring = sum(cost.training.values()), sum(cost.measuring.values())
    drawn = plural(len(plan.figures), "figure or table", "figures and tables")
    said = (
        f"{plural(len(plan.runs), 'run')} for {drawn}, {finished} of them finished, into "
        f"{plan.out}. One after another on this machine, from a measured cycle of {cost.cycle:.0f} ms: about "
        f"{duration(training)} of training and, roughly, {duration(measuring)} of measuring; their snapshots take "
        f"{cost.megabytes / 1000:.1f} GB. {load_in_words(cost)}"
    )
    own = (
        f"Measured beside the paper's: {', '.join(plan.profile.measures)}; of these, only the inference of test "
        "images is counted."
    )
    beside = [own] if OWN_MEASURES in plan.figures else []
    return "\n".join([said, *beside, *(run.lacking for run in plan.runs if run.lacking)])
