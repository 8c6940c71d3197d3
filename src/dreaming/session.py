"""A run under way: a life, the folder that keeps it, and the config it follows; no maths and no loop."""

import math
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from dreaming import hardware, snapshots
from dreaming.config import Config
from dreaming.data import Dataset, to_activity
from dreaming.disk import write
from dreaming.dreams import sheet
from dreaming.errors import Stopped, UserError
from dreaming.life import Life
from dreaming.runs import RunFolder, environment_text, read_tensors, run_path

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
    repairs
        What was damaged and had to be put right before the run could go on, a sentence each.
    """

    life: Life
    folder: RunFolder
    config: Config
    dataset: Dataset
    repairs: list[str] = field(default_factory=list)

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
        folder = RunFolder(folder_of(config, out))
        device = hardware.device(config.training.device)
        life, repairs = _opened(folder, config, dataset, device, own_phases)
        return cls(life, folder, config, dataset.to(device), repairs)

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
        self.life.save(self.folder, self.config, self.folder.texts())
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
        self.life.save(self.folder, self.config, self.folder.texts())
        return row


def folder_of(config: Config, out: Path) -> Path:
    """Say where a run lies among others."""
    return run_path(out, config.dataset.name, config.condition, config.seed)


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
) -> tuple[Life, list[str]]:
    """Begin a run folder, or go on with the one that is there, after making sure it is the same run."""
    life = Life.born(config, device)
    images = {"name": dataset.name, "fingerprint": dataset.fingerprint, "official": dataset.official}
    session = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **hardware.record(device),
        "precision": config.training.precision,
        "dataset": {**images, "files": dataset.source},
    }
    repairs: list[str] = []
    sessions: list[dict[str, Any]] = []
    begun = folder.config.exists() or _lived(folder)
    if begun:
        repairs = _gone_on_with(life, folder, config, dataset)
        if life.epochs_done >= config.training.epochs:
            return life, repairs
        sessions = folder.read_environment()["sessions"]
    elif folder.path.is_dir() and (folder.snapshots()[1:] or folder.losses.exists()):
        raise UserError(f"{folder.config} is missing, so nobody can say which run this folder holds")
    place = {"epoch": life.epochs_done + 1, "cycle": life.cycles_done}
    environment = {"sessions": [*sessions, {"from": place, **session}]}
    if not begun:
        if own_phases is not None:
            write(folder.own_phases(), Path(own_phases).read_bytes())
        _keep(life, folder, config, dataset.to(device))
        texts = {
            folder.config.name: config.to_yaml(),
            folder.environment.name: environment_text(environment),
        }
        life.save(folder, config, texts)
    folder.write_environment(environment)
    folder.write(folder.config, config.to_yaml().encode())
    return life, repairs


def _lived(folder: RunFolder) -> bool:
    """Tell whether a state is there of a run that has lived through any cycle."""
    for path in (folder.state, folder.state_before):
        with suppress(UserError):
            position = read_tensors(path)[1].get("position", {})
            return bool(position.get("epochs") or position.get("cycles"))
    return False


def _gone_on_with(life: Life, folder: RunFolder, config: Config, dataset: Dataset) -> list[str]:
    """Bring a life to where the run was saved, put right what is damaged beside it, and say what that was."""
    there = _readable_config(folder)
    if there is not None:
        _same_config(there, folder, config)
    texts, repairs = life.restore(folder, config)
    repairs += folder.repair(texts)
    try:
        _losses(folder, life.epochs_done)
    except UserError as mistake:  # whole, and of an earlier epoch than the state
        if folder.losses.name not in texts:
            raise
        folder.write(folder.losses, texts[folder.losses.name].encode())
        repairs.append(f"{mistake}; repaired from the run's state")
    seen = folder.read_environment()["sessions"][-1].get("dataset", {}).get("fingerprint")
    if seen != dataset.fingerprint:
        raise UserError(
            f"{folder.path} was trained on other images than {dataset.name} has now; use another --out"
        )
    _complete(folder, life)
    return repairs


def _readable_config(folder: RunFolder) -> Config | None:
    """Read the config; None if it is missing or damaged, to be put right from a state of the same run."""
    try:
        return Config.of_run(folder)
    except UserError:
        return None


def _same_config(there: Config, folder: RunFolder, config: Config) -> None:
    """Refuse to go on with a run of another config."""
    found = difference(there.identity(), config.identity())
    if found:
        path, old, new = found
        raise UserError(
            f"{folder.path} holds a run of another config: its {path} is {old} and this command says {new}; "
            "use another --out or --name"
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
    if not epochs:
        return pd.DataFrame()
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
