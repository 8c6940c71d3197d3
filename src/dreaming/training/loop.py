"""Training a cortex: epochs of sleep-wake cycles, kept so that the same call goes on from any of them.

`train` is a run from beginning to end. The maths is in `dreaming.model`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from dreaming.config.config import Config
from dreaming.data import Dataset, epoch_order, to_activity
from dreaming.errors import UserError
from dreaming.model.cycle import active_phases, sleep_wake_cycle
from dreaming.model.hippocampus import Hippocampus
from dreaming.rng import Random, generator, seeded
from dreaming.runs.folder import RunFolder
from dreaming.runs.images import images_for, named_as_beside, named_for
from dreaming.system.defaults import torch_defaults
from dreaming.system.locks import locked
from dreaming.system.progress import NoProgress, told
from dreaming.system.signals import listening
from dreaming.training import callback
from dreaming.training.callback import OnEpoch
from dreaming.training.captured import CapturedCycle
from dreaming.training.precision import exactly, resolved
from dreaming.training.resume import open_run
from dreaming.training.run import Run, run_folder_path
from dreaming.training.state import TrainingState


@torch_defaults()
def train(
    config: Config,
    *,
    out: str | Path = "runs",
    data_dir: str | Path | None = None,
    trust_data: bool = False,
    dataset: Dataset | None = None,
    on_epoch: OnEpoch | None = None,
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
    dataset
        Images to use in place of those the config names, such as `dreaming.Dataset.of_arrays` makes; the run is
        recorded under their name.
    on_epoch
        Called with an `EpochDone` after each epoch, when all of it is kept: to watch, draw or measure. It cannot
        change the run. If it raises, the run stops with all saved; `dreaming.Stopped` is the wish to stop.
    progress
        Who is told how it goes; by default the cell of a notebook, and elsewhere nobody.

    Returns
    -------
    Path
        The run folder. A finished run is left alone.

    Raises
    ------
    UserError
        If anything asked for cannot be: see the sentence.
    Stopped
        On Ctrl-C or SIGTERM, after saving, or if ``on_epoch`` raises it. The same call goes on, bit for bit.

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
    progress = told(progress)
    config = named_for(config, dataset)
    path = run_folder_path(config, Path(out))
    config = resolved(RunFolder(path).at_hand(config), RunFolder(path))
    dataset = images_of(config, dataset, data_dir, trust_data)
    config = named_as_beside(config, RunFolder(path), dataset)
    with listening() as interrupt, locked(path, "training"):
        run = open_run(config, dataset, Path(out))
        show_repairs_and_stages(run, progress)
        if run.finished:
            progress.say(f"{run.folder.title}: finished, {run.state.epochs_done} epochs")
            return run.folder.path
        captured = (
            CapturedCycle([run.state], [config], run.images, run.labels)
            if config.training.path == "captured"
            else None
        )
        progress.start(run.folder.title, config.training.epochs, run.cycles, run.cycles_done)
        while not run.finished:
            if config.schedule:
                progress.stage(config.condition_in(run.state.epochs_done + 1))
            with exactly(config), timed([run.state], run.images.device):
                if captured is not None:
                    captured.run(lambda: not interrupt.requested, progress.cycle)
                else:
                    run_epoch(run, lambda: not interrupt.requested, progress.cycle)
            if run.state.cycles_done < run.cycles:
                raise run.stopped()
            close_and_show(run, progress, on_epoch)
    return run.folder.path


def run_epoch(run: Run, wanted: Callable[[], bool], after_cycle: Callable[[], None]) -> None:
    """Run the rest of one epoch, cycle by cycle, or as much of it as is wanted."""
    state, config = run.state, run.config
    epoch = state.epochs_done + 1
    if state.cycles_done == 0 and not config.training.memories_across_epochs:
        state.hippocampus = Hippocampus(config=config.hippocampus)
    order = epoch_order(len(run.images), config.training.batch_size, generator(config.seed, "order", epoch))
    order = order.to(run.images.device)
    while state.cycles_done < run.cycles and wanted():
        images = to_activity(run.images[order[state.cycles_done]], config.networks.image_channels)
        labels = run.labels if run.labels is None else run.labels[order[state.cycles_done]]
        phases = active_phases(config.phases_in(epoch), state.cycles_done)
        random = Random(config.seed, (epoch, state.cycles_done), images.device)
        with seeded(
            config.seed, "noise", epoch, state.cycles_done
        ):  # for what networks of users draw themselves
            state.hippocampus, terms = sleep_wake_cycle(
                state.cortex, state.synapses, images, state.hippocampus, phases, random, labels
            )
        for name, value in terms.items():
            state.totals[name] = state.totals.get(name, 0) + value.to(torch.float64)
        state.cycles_done += 1
        after_cycle()


def close_and_show(run: Run, progress: NoProgress, on_epoch: OnEpoch | None) -> None:
    """Close an epoch of a run and show what it has come to, with what was found wrong in it for the first time."""
    with exactly(run.config):
        row = run.close_epoch()
    epoch, terms = run.state.epochs_done, {name: value for name, value in row.items() if "." in name}
    phases = {phase.name: phase for phase in run.config.phases_in(epoch)}
    named = {tuple(name.split(".", 1)): value for name, value in terms.items()}
    said = {phases[phase].called(term): value for (phase, term), value in named.items()}
    progress.epoch(epoch, row["seconds"], said)
    for line in run.news:
        progress.say(f"{run.folder.title}: epoch {epoch}: {line}")
    if on_epoch is not None:
        callback.call(on_epoch, run, terms)


def show_repairs_and_stages(run: Run, progress: NoProgress) -> None:
    """Show what had to be repaired before a run could go on, and which stage lies beyond its last epoch."""
    epochs = run.config.training.epochs
    beyond = [stage for stage in run.config.schedule if stage.after >= epochs]
    said = [
        f"{stage.condition} begins after epoch {stage.after}, and the last epoch is {epochs}; ask for more --epochs"
        for stage in beyond[:1]
    ]
    for line in (*run.repairs, *said):
        progress.say(f"{run.folder.title}: {line}")


def images_of(
    config: Config, dataset: Dataset | None, data_dir: str | Path | None, trust_data: bool
) -> Dataset:
    """Load the images of a run, unless they are given, and make sure that they serve its phases."""
    dataset = images_for(config, dataset, data_dir, trust_data)
    seeing = [phase.name for cycle in config.cycles() for phase in cycle if phase.sees_labels]
    if seeing and not dataset.classes:
        raise UserError(f"phase '{seeing[0]}' sees labels, and {dataset.name} has none; leave that phase out")
    if config.training.epochs and len(dataset.train) < config.training.batch_size:
        raise UserError(
            f"a batch of {config.training.batch_size} images is larger than the {len(dataset.train)} images "
            f"{config.dataset.name} has to train on; use --set training.batch_size=N"
        )
    return dataset


@contextmanager
def timed(states: Sequence[TrainingState], device: torch.device) -> Iterator[None]:
    """Add the seconds the block takes to those of the epoch, shared between cortices that are side by side."""
    begin = time.perf_counter()
    yield
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    for state in states:
        state.seconds += (time.perf_counter() - begin) / len(states)
