"""A run under way: a life, the folder that keeps it, and the config it follows; no maths and no loop."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from dreaming import hardware, snapshots
from dreaming.config import Config
from dreaming.data import Dataset, to_activity
from dreaming.dreams import sheet
from dreaming.errors import Stopped, UserError
from dreaming.life import Life
from dreaming.runs import RunFolder, run_path, write

SHEET_COLUMNS = 12


@dataclass(eq=False)
class Session:
    """A run under way.

    Attributes
    ----------
    life
        What learns, and where it stands.
    folder
        Where all is kept.
    config
        What the run is, device and precision resolved.
    dataset
        What is seen, on the device of the life.
    """

    life: Life
    folder: RunFolder
    config: Config
    dataset: Dataset

    @classmethod
    def open(
        cls, config: Config, dataset: Dataset, out: Path, own_phases: str | Path | None = None
    ) -> "Session":
        """Begin a run folder, or go on with the one that is there, after making sure it is the same run.

        Raises
        ------
        UserError
            If the folder holds another run, or a damaged one.
        """
        folder = RunFolder(run_path(out, config.dataset.name, config.condition, config.seed))
        device = hardware.device(config.training.device)
        life = _opened(folder, config, dataset, device, own_phases)
        return cls(life, folder, config, dataset.to(device))

    @property
    def title(self) -> str:
        """Data set, condition and seed, as the folders are named."""
        return "/".join(self.folder.path.parts[-3:])

    @property
    def cycles(self) -> int:
        """Cycles of an epoch."""
        return len(self.dataset.train) // self.config.training.batch_size

    @property
    def cycles_done(self) -> int:
        """Cycles done since the beginning."""
        return self.life.epochs_done * self.cycles + self.life.cycles_done

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done."""
        return self.life.epochs_done >= self.config.training.epochs

    def stopped(self) -> Stopped:
        """Save all in the middle of an epoch, and say where the run stands."""
        self.life.save(self.folder, self.config)
        return Stopped(
            f"stopped in epoch {self.life.epochs_done + 1} of {self.config.training.epochs}, after "
            f"{self.life.cycles_done} of {self.cycles} cycles; all is saved in {self.folder.path}, and the same "
            "command goes on from there"
        )

    def close_epoch(self) -> dict[str, Any]:
        """Keep what an epoch that is done has come to, and return its row of losses.csv.

        Raises
        ------
        UserError
            If a loss has left the numbers; all stays as it was after the epoch before.
        """
        row = _close_epoch(self.life, self.cycles, self.config)
        _finite(row, self.folder)
        epoch = self.life.epochs_done
        if self.config.training.keeps(epoch):
            _keep(self.life, self.folder, self.config, self.dataset)
        losses = [] if epoch == 1 else [_losses(self.folder, epoch - 1)]
        table = pd.concat([*losses, pd.DataFrame([row])], ignore_index=True)
        self.folder.write_table(self.folder.losses, table)
        self.life.save(self.folder, self.config)
        return row


def _close_epoch(life: Life, cycles: int, config: Config) -> dict[str, Any]:
    """Return the epoch's row of losses.csv, and begin the next epoch."""
    life.epochs_done += 1
    phases = {phase.name: phase for phase in config.phases_in(life.epochs_done)}
    means = {}
    for name, total in life.totals.items():
        phase = phases[name.partition(".")[0]]
        means[name] = (total / sum(phase.happens(cycle) for cycle in range(cycles))).item()
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
    phases = config.phases_in(life.epochs_done)
    picture = sheet(life.cortex, phases, seen[:columns], seen[columns:], config.seed, title)
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
        if "imported" in folder.read_environment():
            raise UserError(
                f"{folder.path} was imported, without what training could go on from; use another --out or --name"
            )
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
    found = difference(there.identity(), config.identity())
    if found:
        path, old, new = found
        raise UserError(
            f"{folder.path} holds a run of another config: its {path} is {old} and this command says {new}; "
            "use another --out or --name"
        )
    seen = folder.read_environment()["sessions"][-1].get("dataset", {}).get("fingerprint")
    if seen != dataset.fingerprint:
        raise UserError(
            f"{folder.path} was trained on other images than {dataset.name} has now; use another --out"
        )


def difference(old: Any, new: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """Find the first place where two nested values differ: its path, the old value and the new."""
    if isinstance(old, dict) and isinstance(new, dict):
        if list(old) != list(new):
            return path or "config", list(old), list(new)
        found = (difference(old[key], new[key], f"{path}.{key}".lstrip(".")) for key in old)
        return next((first for first in found if first), None)
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
