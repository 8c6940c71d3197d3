"""How a run begins, or goes on from where it was saved."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dreaming.config.config import Config
from dreaming.config.custom import check_networks
from dreaming.config.trial import check_phases
from dreaming.data import Dataset
from dreaming.errors import UserError
from dreaming.model.parameters import Recorded
from dreaming.runs import findings
from dreaming.runs.folder import (
    RunFolder,
    require_same_config,
    require_same_images,
    require_seeds_of_one_config,
)
from dreaming.runs.own_code import keep_own, own_files
from dreaming.system import hardware
from dreaming.system.disk import sweep
from dreaming.training.run import Run, keep_epoch, losses_so_far, run_folder_path
from dreaming.training.state import TrainingState


def open_run(config: Config, dataset: Dataset, out: Path, beside: bool = False) -> Run:
    """Begin a run, or go on with the one that lies in its folder, after making sure that it is the same.

    Parameters
    ----------
    config
        What the run is, device and precision resolved.
    dataset
        What is seen.
    out
        The folder of runs.
    beside
        Whether other runs are trained side by side with it.

    Raises
    ------
    UserError
        If the folder holds another run, or one that lacks something.
    """
    folder = RunFolder(run_folder_path(config, out))
    device = hardware.device(config.training.device)
    require_at_hand(config, beside)
    run = Run(TrainingState.initial(config, device), folder, config, dataset.to(device))
    environment: dict[str, Any] = {"sessions": []}
    sweep(folder.path)
    begun = folder.state.exists() or folder.state_before.exists()
    if begun:
        require_same_config(folder, folder.read_config(), config, "--out or --name")
        run.repairs = run.state.restore(folder, config)
        require_same_images(folder, dataset, "; use another --out")
        losses_so_far(
            folder, run.state.epochs_done
        )  # which says what is missing; snapshots may be thrown away
        findings.so_far(folder, run.state.epochs_done)
        if run.finished:
            return run
        environment = folder.read_environment()
    else:
        _require_untrained(folder)
        _require_seeds_alike(folder, config, dataset)
    environment["sessions"].append(_session(run))
    folder.write_environment(environment)
    folder.write_config(config)
    run.repairs += keep_own(folder.path, config)
    if not begun:
        keep_epoch(run.state, folder, config, run.dataset)
        run.state.save(folder, config)  # at the end: where a state is, all else is
    return run


def require_at_hand(config: Config, beside: bool) -> None:
    """Refuse a config of which only the record is known, and networks and phases of the user's own that fail.

    Raises
    ------
    UserError
        If it is one.
    """
    for group in config.groups():
        if isinstance(group, Recorded):
            group.refuse()
    own_files(config)  # which says what cannot be recorded
    check_networks(config, beside)
    check_phases(config, beside)


def _session(run: Run) -> dict[str, Any]:
    """Return the record of a session: when, from where, on which machine and with which images."""
    dataset = run.dataset
    return {
        "from": {"epoch": run.state.epochs_done + 1, "cycle": run.state.cycles_done},
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **hardware.record(run.images.device),
        "precision": run.config.training.precision,
        "dataset": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "official": dataset.official,
            "files": dataset.source,
            "place": dataset.place,
            "chance": dataset.chance,
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


def _require_seeds_alike(folder: RunFolder, config: Config, dataset: Dataset) -> None:
    """Refuse to begin beside seeds of another config, or that saw other images."""
    for other in sorted(folder.path.parent.glob("seed-*/state.safetensors"))[:1]:
        seed = RunFolder(other.parent)
        require_seeds_of_one_config(folder.path.parent, seed.read_config(), config)
        require_same_images(seed, dataset, "; use another --name or --out")
