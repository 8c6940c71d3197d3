"""How a run begins, or goes on: the folder that is there is made sure of, and put right where it is damaged."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from dreaming.config.config import Config
from dreaming.config.settings import difference
from dreaming.data import Dataset, to_activity
from dreaming.errors import UserError
from dreaming.runs import findings, snapshots
from dreaming.runs.folder import RunFolder, environment_text
from dreaming.runs.sheets import sheet
from dreaming.runs.tensors import read_tensors
from dreaming.system import hardware
from dreaming.system.disk import sweep, write
from dreaming.training.state import TrainingState

SHEET_COLUMNS = 12


def opened(
    folder: RunFolder,
    config: Config,
    dataset: Dataset,
    device: torch.device,
    own_phases: str | Path | None,
) -> tuple[TrainingState, list[str]]:
    """Begin a run folder, or go on with the one that is there, after making sure it is the same run."""
    life = TrainingState.born(config, device)
    images = {"name": dataset.name, "fingerprint": dataset.fingerprint, "official": dataset.official}
    session = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **hardware.record(device),
        "precision": config.training.precision,
        "dataset": {**images, "files": dataset.source},
    }
    sweep(folder.path)
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
        keep_epoch(life, folder, config, dataset.to(device))
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


def _gone_on_with(life: TrainingState, folder: RunFolder, config: Config, dataset: Dataset) -> list[str]:
    """Bring a life to where the run was saved, put right what is damaged beside it, and say what that was."""
    there = _readable_config(folder)
    _refuse_imported(folder)
    if there is not None:
        _same_config(there, folder, config)
    texts, repairs = life.restore(folder, config)
    repairs += folder.repair(texts)
    seen = folder.read_environment()["sessions"][-1].get("dataset", {}).get("fingerprint")
    if seen != dataset.fingerprint:
        raise UserError(
            f"{folder.path} was trained on other images than {dataset.name} has now; use another --out"
        )
    _complete(folder, life)
    return repairs


def _refuse_imported(folder: RunFolder) -> None:
    """Refuse to go on with what was imported: it has no state."""
    if folder.state.exists():
        return
    try:
        imported = "imported" in folder.read_environment()
    except UserError:  # what is wrong is told where it is needed
        imported = False
    if imported:
        raise UserError(
            f"{folder.path} was imported, without what training could go on from; use another --out or --name"
        )


def _readable_config(folder: RunFolder) -> Config | None:
    """Read the config; None if it is missing or damaged, to be put right from a state of the same run."""
    try:
        return folder.read_config()
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


def losses_so_far(folder: RunFolder, epochs: int) -> pd.DataFrame:
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


def _complete(folder: RunFolder, life: TrainingState) -> None:
    """Make sure that what a run should have written by now is there, and whole."""
    kept = folder.read_config().training
    missing = [e for e in range(life.epochs_done + 1) if kept.keeps(e) and not folder.snapshot(e).exists()]
    if missing:
        raise UserError(f"{folder.snapshot(missing[0])} is missing; restore it, or train into another --out")
    losses_so_far(folder, life.epochs_done)
    findings.so_far(folder, life.epochs_done)


def keep_epoch(life: TrainingState, folder: RunFolder, config: Config, dataset: Dataset) -> None:
    """Keep the weights of this epoch, and a sheet of its dreams."""
    snapshots.save(folder, config, life.epochs_done, life.cortex)
    columns = min(SHEET_COLUMNS, len(dataset.train) // 2)
    seen = to_activity(dataset.train.images[: 2 * columns], config.networks.image_channels)
    title = f"{config.condition} on {config.dataset.name}, seed {config.seed}, after epoch {life.epochs_done}"
    phases = config.phases_in(life.epochs_done)
    picture = sheet(life.cortex, phases, seen[:columns], seen[columns:], config.seed, title)
    write(folder.dreams(life.epochs_done), picture)
