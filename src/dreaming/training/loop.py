"""Training: epochs of sleep-wake cycles, snapshots, resume. No maths: that is in `dreaming.model.phases`."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from dreaming.config.config import Config
from dreaming.data import Dataset, epoch_order, load, to_activity
from dreaming.errors import RunsFailed, Stopped, UserError
from dreaming.model.cycle import active_phases, sleep_wake_cycle
from dreaming.model.hippocampus import Hippocampus
from dreaming.rng import Random, generator
from dreaming.system.locks import locked
from dreaming.system.progress import NoProgress
from dreaming.system.signals import Interrupt, listening
from dreaming.training import precision as advice
from dreaming.training.captured import CapturedCycle
from dreaming.training.precision import exactly, resolved
from dreaming.training.run import Run, folder_of
from dreaming.training.state import TrainingState


def train(
    config: Config,
    *,
    out: str | Path = "runs",
    data_dir: str | Path | None = None,
    trust_data: bool = False,
    own_phases: str | Path | None = None,
    dataset: Dataset | None = None,
    progress: NoProgress | None = None,
) -> Path:
    """Train a cortex through sleep-wake cycles, or go on with a training that was stopped.

    Parameters
    ----------
    config
        Everything the run is. `dreaming.configure` makes one.
    out
        The folder of runs; this run lies in ``OUT/DATASET/CONDITION/seed-N``.
    data_dir
        Where the archives of the data set are.
    trust_data
        Take files whose checksum is not the official one; the record says so.
    own_phases
        The Python file which defines phases of the user's own; it is copied into the run folder.
    dataset
        Images to use in place of those the config names.
    progress
        Who is told how it goes; nobody by default.

    Returns
    -------
    Path
        The run folder. A finished run is left alone.

    Raises
    ------
    UserError
        If anything asked for cannot be: see the sentence.
    Stopped
        On Ctrl-C or SIGTERM, after saving. The same call goes on, bit for bit.

    Examples
    --------
    >>> import dreaming, tempfile
    >>> with tempfile.TemporaryDirectory() as out:
    ...     config = dreaming.configure(
    ...         "pad",
    ...         networks={"base_channels": 2, "latent_dim": 8},
    ...         dataset={"limit": 128},
    ...         training={"epochs": 1, "snapshots": "ends"},
    ...     )
    ...     run = dreaming.train(config, out=out)
    ...     sorted(path.name for path in run.iterdir())
    ['config.yaml', 'dreams', 'environment.json', 'losses.csv', 'snapshots', 'state.before.safetensors',
     'state.safetensors']
    """
    progress = progress or NoProgress()
    config = resolved(config)
    dataset = _seen(config, dataset, data_dir, trust_data)
    with listening() as interrupt, locked(folder_of(config, Path(out)), "training"):
        session = Run.open(config, dataset, Path(out), own_phases)
        _live(session, progress, interrupt)
    return session.folder.path


def train_together(
    configs: Sequence[Config],
    *,
    out: str | Path = "runs",
    data_dir: str | Path | None = None,
    trust_data: bool = False,
    own_phases: str | Path | None = None,
    dataset: Dataset | None = None,
    progress: NoProgress | None = None,
) -> list[Path]:
    """Train cortices of one make side by side in one program, each in a run folder of its own.

    Parameters
    ----------
    configs
        They differ in nothing but the seed.
    out, data_dir, trust_data, own_phases, dataset, progress
        As for `train`.

    Returns
    -------
    list[Path]
        The run folders, in the order of the configs.

    Raises
    ------
    UserError
        If the configs differ in more than the seed.
    RunsFailed
        After the others are trained, if one has diverged.
    Stopped
        On Ctrl-C or SIGTERM, after saving each.

    Notes
    -----
    Each run is what `train` makes of it up to the order of summation: in float32, losses of the first 20 cycles
    agree within a relative 1e-3 (`dreaming doctor` measures it). Resume mixes freely with `train`.
    """
    progress = progress or NoProgress()
    configs = [resolved(config) for config in configs]
    if any(config.model_copy(update={"seed": configs[0].seed}) != configs[0] for config in configs):
        raise UserError("cortices train side by side only where their configs differ in nothing but the seed")
    seen = _seen(configs[0], dataset, data_dir, trust_data)
    with listening() as interrupt, ExitStack() as locks:
        for config in configs:
            locks.enter_context(locked(folder_of(config, Path(out)), "training"))
        sessions = [Run.open(config, seen, Path(out), own_phases) for config in configs]
        for session in sessions:
            _say_repairs(session, progress)
        failures = _side_by_side([each for each in sessions if not each.finished], progress, interrupt)
    if failures:
        raise RunsFailed(failures)
    return [session.folder.path for session in sessions]


def _side_by_side(going: list[Run], progress: NoProgress, interrupt: Interrupt) -> dict[Path, str]:
    """Train all to their last epoch, those behind first; return why some could not go on."""
    failures: dict[Path, str] = {}
    group: list[Run] = []
    while going:
        behind = min(session.cycles_done for session in going)
        step = [session for session in going if session.cycles_done == behind]
        if step != group:
            group = step
            configs, first = [session.config for session in group], group[0]
            program = CapturedCycle([session.life for session in group], configs, first.dataset.train.images)
            title = f"{first.title} and {len(group) - 1} more" if len(group) > 1 else first.title
            progress.start(title, first.config.training.epochs, first.cycles, behind)
        lives = [session.life for session in group]
        with exactly(group[0].config), timed(lives, group[0].dataset.train.images.device):
            program.run(lambda: not interrupt.requested, progress.cycle)
        if interrupt.requested and lives[0].cycles_done < group[0].cycles:
            raise Stopped("; ".join(str(session.stopped()) for session in group))
        for session in group:
            try:
                _close(session, progress)
            except UserError as failure:
                failures[session.folder.path] = str(failure)
                going.remove(session)
        going = [session for session in going if not session.finished]
    return failures


def _seen(config: Config, dataset: Dataset | None, data_dir: str | Path | None, trust_data: bool) -> Dataset:
    """Load what a run sees, unless it is given, and make sure that it fills a mini-batch."""
    if dataset is None:
        where = Path(data_dir) if data_dir is not None else None
        dataset = load(config.dataset.name, where, limit=config.dataset.limit, trust=trust_data)
    if config.training.epochs and len(dataset.train) < config.training.batch_size:
        raise UserError(
            f"a batch of {config.training.batch_size} images is larger than the {len(dataset.train)} images "
            f"{config.dataset.name} has to train on; use --set training.batch_size=N"
        )
    return dataset


def _live(session: Run, progress: NoProgress, interrupt: Interrupt) -> None:
    """Train from where the life stands to the last epoch."""
    life, config = session.life, session.config
    _say_repairs(session, progress)
    if session.finished:
        progress.say(f"{session.title}: finished, {life.epochs_done} epochs")
        return
    program = CapturedCycle([life], [config], session.dataset.train.images) if captures(config) else None
    progress.start(session.title, config.training.epochs, session.cycles, session.cycles_done)
    while not session.finished:
        with exactly(config), timed([life], session.dataset.train.images.device):
            if program is not None:
                program.run(lambda: not interrupt.requested, progress.cycle)
            else:
                _epoch(session, progress, interrupt)
        if life.cycles_done < session.cycles:
            raise session.stopped()
        _close(session, progress)


def _close(session: Run, progress: NoProgress) -> None:
    """Keep what an epoch came to, and say it, with what went wrong in it for the first time."""
    with exactly(session.config):
        row = session.close_epoch()
    epoch, terms = session.life.epochs_done, {name: value for name, value in row.items() if "." in name}
    progress.epoch(epoch, row["seconds"], terms)
    for line in session.news:
        progress.say(f"{session.title}: epoch {epoch}: {line}")


def _say_repairs(session: Run, progress: NoProgress) -> None:
    for repair in session.repairs:
        progress.say(f"{session.title}: {repair}")


def captures(config: Config) -> bool:
    """Return whether a run's cycles are captured: where the config asks for it, or on a GPU that was examined."""
    asked, where = config.training.path, torch.device(config.training.device)
    return asked == "captured" or (asked == "auto" and where.type == "cuda" and advice.advice(where).measured)


def _epoch(session: Run, progress: NoProgress, interrupt: Interrupt) -> None:
    """Live through the rest of one epoch, or until somebody wishes to stop: the plain path."""
    life, config, images = session.life, session.config, session.dataset.train.images
    epoch = life.epochs_done + 1
    if life.cycles_done == 0 and not config.training.memories_across_epochs:
        life.hippocampus = Hippocampus()
    order = epoch_order(len(images), config.training.batch_size, generator(config.seed, "order", epoch))
    order = order.to(images.device)
    while life.cycles_done < session.cycles and not interrupt.requested:
        seen = to_activity(images[order[life.cycles_done]], config.networks.image_channels)
        random = Random(config.seed, (epoch, life.cycles_done), images.device)
        phases = active_phases(config.phases_in(epoch), life.cycles_done)
        life.hippocampus, terms = sleep_wake_cycle(
            life.cortex, life.synapses, seen, life.hippocampus, phases, random
        )
        for name, value in terms.items():
            life.totals[name] = life.totals.get(name, 0) + value.to(torch.float64)
        life.cycles_done += 1
        progress.cycle()


@contextmanager
def timed(lives: Sequence[TrainingState], device: torch.device) -> Iterator[None]:
    """Add the seconds the block takes to those of the epoch, shared between lives that are side by side."""
    begin = time.perf_counter()
    yield
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    for life in lives:
        life.seconds += (time.perf_counter() - begin) / len(lives)
