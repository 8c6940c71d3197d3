"""Training: epochs of sleep-wake cycles, snapshots, resume. No maths: that is in `dreaming.phases`."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from dreaming import hardware, snapshots
from dreaming.config import Config
from dreaming.data import Dataset, epoch_order, load, to_activity
from dreaming.dreams import sheet
from dreaming.errors import Stopped, UserError
from dreaming.hippocampus import Hippocampus
from dreaming.interrupts import Interrupt, listening
from dreaming.life import Life
from dreaming.phases import sleep_wake_cycle
from dreaming.progress import Silence
from dreaming.rng import Random, generator
from dreaming.runs import RunFolder, run_path, write

SHEET_COLUMNS = 12


def train(
    config: Config,
    *,
    out: str | Path = "runs",
    data_dir: str | Path | None = None,
    trust_data: bool = False,
    own_phases: str | Path | None = None,
    dataset: Dataset | None = None,
    progress: Silence | None = None,
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
    ['checksums.json', 'config.yaml', 'dreams', 'environment.json', 'losses.csv', 'snapshots', 'state.safetensors']
    """
    progress = progress or Silence()
    hardware.keep_memory()
    device = hardware.device(config.training.device)
    resolved = {"device": str(device), "precision": hardware.precision(config.training.precision, device)}
    config = config.model_copy(update={"training": config.training.model_copy(update=resolved)})
    if dataset is None:
        where = Path(data_dir) if data_dir is not None else None
        dataset = load(config.dataset.name, where, limit=config.dataset.limit, trust=trust_data)
    cycles = len(dataset.train) // config.training.batch_size
    if config.training.epochs and not cycles:
        raise UserError(
            f"a batch of {config.training.batch_size} images is larger than the {len(dataset.train)} images "
            f"{config.dataset.name} has to train on; use --set training.batch_size=N"
        )
    folder = RunFolder(run_path(Path(out), config.dataset.name, config.condition, config.seed))
    with listening() as interrupt:
        life = _opened(folder, config, dataset, device, own_phases)
        _live(life, folder, config, dataset.to(device), cycles, progress, interrupt)
    return folder.path


def _live(
    life: Life,
    folder: RunFolder,
    config: Config,
    dataset: Dataset,
    cycles: int,
    progress: Silence,
    interrupt: Interrupt,
) -> None:
    """Train from where the life stands to the last epoch."""
    epochs = config.training.epochs
    title = "/".join(folder.path.parts[-3:])
    if life.epochs_done >= epochs:
        progress.say(f"{title}: finished, {life.epochs_done} epochs")
        return
    done = life.epochs_done * cycles + life.cycles_done
    progress.start(title, epochs, cycles, done)
    while life.epochs_done < epochs:
        _epoch(life, config, dataset, cycles, progress, interrupt)
        if life.cycles_done < cycles:
            life.save(folder, config)
            raise Stopped(
                f"stopped in epoch {life.epochs_done + 1} of {epochs}, after {life.cycles_done} of {cycles} "
                f"cycles; all is saved in {folder.path}, and the same command goes on from there"
            )
        row = _close_epoch(life, cycles)
        _finite(row, folder)
        if config.training.keeps(life.epochs_done):
            _keep(life, folder, config, dataset)
        losses = [] if life.epochs_done == 1 else [_losses(folder, life.epochs_done - 1)]
        folder.write_table(folder.losses, pd.concat([*losses, pd.DataFrame([row])], ignore_index=True))
        life.save(folder, config)
        terms = {name: value for name, value in row.items() if "." in name}
        progress.epoch(life.epochs_done, row["seconds"], terms)


def _epoch(
    life: Life, config: Config, dataset: Dataset, cycles: int, progress: Silence, interrupt: Interrupt
) -> None:
    """Live through the rest of one epoch, or until somebody wishes to stop."""
    epoch, images = life.epochs_done + 1, dataset.train.images
    if life.cycles_done == 0 and not config.training.memories_across_epochs:
        life.hippocampus = Hippocampus()
    order = epoch_order(len(images), config.training.batch_size, generator(config.seed, "order", epoch))
    order = order.to(images.device)
    with _timed(life, images.device), torch.backends.cudnn.flags(enabled=True, deterministic=True):
        while life.cycles_done < cycles and not interrupt.requested:
            seen = to_activity(images[order[life.cycles_done]], config.networks.image_channels)
            random = Random(config.seed, (epoch, life.cycles_done), images.device)
            life.hippocampus, terms = sleep_wake_cycle(
                life.cortex, life.synapses, seen, life.hippocampus, config.phases, random
            )
            for name, value in terms.items():
                life.totals[name] = life.totals.get(name, 0) + value.to(torch.float64)
            life.cycles_done += 1
            progress.cycle()


@contextmanager
def _timed(life: Life, device: torch.device) -> Iterator[None]:
    """Add the seconds the block takes to those of the epoch."""
    begin = time.perf_counter()
    yield
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    life.seconds += time.perf_counter() - begin


def _close_epoch(life: Life, cycles: int) -> dict[str, Any]:
    """Return the epoch's row of losses.csv, and begin the next epoch."""
    life.epochs_done += 1
    means = {name: (total / cycles).item() for name, total in life.totals.items()}
    row = {"epoch": life.epochs_done, "cycles": cycles, "seconds": round(life.seconds, 3), **means}
    life.cycles_done, life.seconds, life.totals = 0, 0.0, {}
    return row


def _finite(row: dict[str, Any], folder: RunFolder) -> None:
    """Stop where a loss has left the numbers, before anything of that epoch is written."""
    lost = [name for name, value in row.items() if not math.isfinite(value)]
    if lost:
        raise UserError(
            f"{lost[0]} became {row[lost[0]]} in epoch {row['epoch']}, so training stops; {folder.path} keeps all "
            "as it was after the epoch before"
        )


def _keep(life: Life, folder: RunFolder, config: Config, dataset: Dataset) -> None:
    """Keep the weights of this epoch, and a sheet of its dreams."""
    snapshots.save(folder, config, life.epochs_done, life.cortex)
    columns = min(SHEET_COLUMNS, len(dataset.train) // 2)
    seen = to_activity(dataset.train.images[: 2 * columns], config.networks.image_channels)
    title = f"{config.condition} on {config.dataset.name}, seed {config.seed}, after epoch {life.epochs_done}"
    picture = sheet(life.cortex, config.phases, seen[:columns], seen[columns:], config.seed, title)
    write(folder.dreams(life.epochs_done), picture)


def _opened(
    folder: RunFolder,
    config: Config,
    dataset: Dataset,
    device: torch.device,
    own_phases: str | Path | None,
) -> Life:
    """Begin a run folder, or go on with the one that is there, after making sure it is the same run."""
    life = Life.born(config, device)
    images = {"name": dataset.name, "fingerprint": dataset.fingerprint, "official": dataset.official}
    session = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **hardware.record(device),
        "precision": config.training.precision,
        "dataset": {**images, "files": dataset.source},
    }
    sessions: list[dict[str, Any]] = []
    if folder.config.exists():
        _same_run(folder, config, dataset)
        life.restore(folder, config)
        _complete(folder, life)
        if life.epochs_done >= config.training.epochs:
            return life
        sessions = folder.read_environment()["sessions"]
    else:
        if folder.path.is_dir() and (folder.snapshots()[1:] or folder.losses.exists()):
            raise UserError(f"{folder.config} is missing, so nobody can say which run this folder holds")
        if own_phases is not None:
            write(folder.own_phases(), Path(own_phases).read_bytes())
        _keep(life, folder, config, dataset.to(device))
        life.save(folder, config)
    begun = {"epoch": life.epochs_done + 1, "cycle": life.cycles_done}
    folder.write_environment({"sessions": [*sessions, {"from": begun, **session}]})
    folder.write(folder.config, config.to_yaml().encode())
    return life


def _same_run(folder: RunFolder, config: Config, dataset: Dataset) -> None:
    """Refuse to go on with a run of another config or on other images."""
    there = Config.of_run(folder)
    difference = _difference(there.identity(), config.identity())
    if difference:
        path, old, new = difference
        raise UserError(
            f"{folder.path} holds a run of another config: its {path} is {old} and this command says {new}; "
            "use another --out or --name"
        )
    seen = folder.read_environment()["sessions"][-1].get("dataset", {}).get("fingerprint")
    if seen != dataset.fingerprint:
        raise UserError(
            f"{folder.path} was trained on other images than {dataset.name} has now; use another --out"
        )


def _difference(old: Any, new: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """Find the first place where two nested values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        if list(old) != list(new):
            return path or "config", list(old), list(new)
        found = (_difference(old[key], new[key], f"{path}.{key}".lstrip(".")) for key in old)
        return next((difference for difference in found if difference), None)
    return None if old == new else (path, old, new)


def _losses(folder: RunFolder, epochs: int) -> pd.DataFrame:
    """Read the losses of the epochs that are done; rows of an epoch that was not saved are left out.

    Raises
    ------
    UserError
        If a row is missing.
    """
    table = folder.read_losses()
    table = table[table["epoch"] <= epochs]
    if table["epoch"].tolist() != list(range(1, epochs + 1)):
        raise UserError(
            f"{folder.losses} is damaged: it should have a row for each of the {epochs} epochs done"
        )
    return table


def _complete(folder: RunFolder, life: Life) -> None:
    """Make sure that what a run should have written by now is there."""
    kept = Config.of_run(folder).training
    missing = [e for e in range(life.epochs_done + 1) if kept.keeps(e) and not folder.snapshot(e).exists()]
    if missing:
        raise UserError(f"{folder.snapshot(missing[0])} is missing; restore it, or train into another --out")
    if life.epochs_done:
        _losses(folder, life.epochs_done)
