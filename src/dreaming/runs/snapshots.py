"""Snapshots: the weights of cortices in run folders."""

from pathlib import Path

import torch

from dreaming.config.config import Config
from dreaming.errors import UserError, brief
from dreaming.model.cortex import Cortex
from dreaming.model.networks import IMAGE_SIZE
from dreaming.runs.folder import RunFolder
from dreaming.runs.tensors import read_tensors, write_tensors
from dreaming.system.defaults import torch_defaults


def save(folder: RunFolder, config: Config, epoch: int, cortex: Cortex) -> None:
    """Write a cortex's weights after an epoch (0: untrained)."""
    write_tensors(folder.snapshot(epoch), cortex.state_dict(), _about(config, epoch))


def _about(config: Config, epoch: int) -> dict[str, object]:
    """Return what a snapshot is of, so that another run's is not taken for it."""
    networks = config.networks.model_dump(mode="json")
    return {"epoch": epoch, "seed": config.seed, "condition": config.condition, "networks": networks}


@torch_defaults()
def load(run_folder: str | Path, epoch: int | None = None) -> Cortex:
    """Load the cortex of a run as it was after an epoch.

    Parameters
    ----------
    run_folder
        A folder that `dreaming.train` made, or the name of weights that come with the project.
    epoch
        Which epoch; 0 is the untrained cortex, None the last one kept.

    Returns
    -------
    Cortex
        On the CPU, in float32.

    Raises
    ------
    UserError
        If the folder is no run, or the snapshot is missing, damaged, or another cortex's.

    Examples
    --------
    >>> load("pad-cifar10").infer(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape
    torch.Size([2, 256])
    """
    folder = RunFolder.existing(Path(run_folder))
    config = folder.read_config(own=True)
    there = folder.require_snapshots([] if epoch is None else [epoch])
    epoch = there[-1] if epoch is None else epoch
    weights, about = read_tensors(folder.snapshot(epoch))
    if isinstance(networks := about.get("networks"), dict):
        about["networks"] = {"image_size": IMAGE_SIZE, **networks}  # of before there was a choice
    other = [key for key, value in _about(config, epoch).items() if about.get(key) != value]
    if other:
        raise UserError(
            f"{folder.snapshot(epoch)} belongs to another run: its {other[0]} is {brief(about.get(other[0]))}"
        )
    cortex = config.cortex()
    known = tuple(f"organs.{name}." for name in cortex.organs)
    try:
        # Organs of phases whose classes are not at hand are left out.
        cortex.load_state_dict(
            {k: v for k, v in weights.items() if not k.startswith("organs.") or k.startswith(known)}
        )
    except RuntimeError:
        raise UserError(f"{folder.snapshot(epoch)} holds other weights than this cortex has") from None
    return cortex.to(torch.float32)
