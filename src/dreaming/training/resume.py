"""How a run begins, or goes on from where it was saved."""

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
from dreaming.runs.folder import RunFolder, images_fingerprint
from dreaming.runs.sheets import sheet
from dreaming.system import hardware
from dreaming.system.disk import sweep, write
from dreaming.training.state import TrainingState

SHEET_COLUMNS = 12


def open_run(
    folder: RunFolder,
    config: Config,
    dataset: Dataset,
    device: torch.device,
    own_phases: str | Path | None,
) -> tuple[TrainingState, list[str]]:
    """Begin a run, or go on with the one that lies in the folder, after making sure that it is the same.

    Returns
    -------
    state
        Where training goes on from.
    repairs
        What had to be repaired for it, in a sentence each.

    Raises
    ------
    UserError
        If the folder holds another run, or one that lacks something.
    """
    state, repairs = TrainingState.initial(config, device), []
    environment: dict[str, Any] = {"sessions": []}
    sweep(folder.path)
    begun = folder.state.exists() or folder.state_before.exists()
    if begun:
        there = folder.read_config()
        _require_same_config(folder, there, config)
        repairs = state.restore(folder, config)
        _require_same_images(folder, dataset)
        _require_all_kept(folder, there, state.epochs_done)
        if state.epochs_done >= config.training.epochs:
            return state, repairs
        environment = folder.read_environment()
    else:
        _require_untrained(folder)
    environment["sessions"].append(_session(state, config, dataset, device))
    folder.write_environment(environment)
    folder.write_config(config)
    if not begun:
        if own_phases is not None:
            write(folder.own_phases(), Path(own_phases).read_bytes())
        keep_epoch(state, folder, config, dataset.to(device))
        state.save(folder, config)  # at the end: where a state is, all else is
    return state, repairs


def _session(state: TrainingState, config: Config, dataset: Dataset, device: torch.device) -> dict[str, Any]:
    """Return the record of a session: when, from where, on which machine and with which images."""
    return {
        "from": {"epoch": state.epochs_done + 1, "cycle": state.cycles_done},
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **hardware.record(device),
        "precision": config.training.precision,
        "dataset": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "official": dataset.official,
            "files": dataset.source,
        },
    }


def _require_untrained(folder: RunFolder) -> None:
    """Refuse to begin where something was trained that cannot be gone on with."""
    if folder.losses.exists() or any(folder.snapshots()):
        if "imported" in folder.read_environment():
            raise UserError(
                f"{folder.path} was imported, without what training could go on from; use another --out or --name"
            )
        raise UserError(f"{folder.state} is missing; restore it, or train into another --out")


def _require_same_config(folder: RunFolder, there: Config, config: Config) -> None:
    found = difference(there.identity(), config.identity())
    if found:
        path, old, new = found
        raise UserError(
            f"{folder.path} holds a run of another config: its {path} is {old} and this command says {new}; "
            "use another --out or --name"
        )


def _require_same_images(folder: RunFolder, dataset: Dataset) -> None:
    if images_fingerprint(folder) != dataset.fingerprint:
        raise UserError(
            f"{folder.path} was trained on other images than {dataset.name} has now; use another --out"
        )


def _require_all_kept(folder: RunFolder, there: Config, epochs: int) -> None:
    """Make sure that what a run writes in so many epochs is there."""
    kept = [epoch for epoch in range(epochs + 1) if there.training.keeps(epoch)]
    missing = [epoch for epoch in kept if not folder.snapshot(epoch).exists()]
    if missing:
        raise UserError(f"{folder.snapshot(missing[0])} is missing; restore it, or train into another --out")
    losses_so_far(folder, epochs)
    findings.so_far(folder, epochs)


def losses_so_far(folder: RunFolder, epochs: int) -> pd.DataFrame:
    """Return the losses of the epochs that are done; rows of an epoch that was not saved are left out.

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


def keep_epoch(state: TrainingState, folder: RunFolder, config: Config, dataset: Dataset) -> None:
    """Keep the weights after this epoch, and a sheet of its dreams."""
    snapshots.save(folder, config, state.epochs_done, state.cortex)
    columns = min(SHEET_COLUMNS, len(dataset.train) // 2)
    seen = to_activity(dataset.train.images[: 2 * columns], config.networks.image_channels)
    title = (
        f"{config.condition} on {config.dataset.name}, seed {config.seed}, after epoch {state.epochs_done}"
    )
    phases = config.phases_in(state.epochs_done)
    picture = sheet(state.cortex, phases, seen[:columns], seen[columns:], config.seed, title)
    write(folder.dreams(state.epochs_done), picture)
