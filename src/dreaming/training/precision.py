"""The precision and the path that ``auto`` stands for, and arithmetic that keeps to them."""

import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import torch

from dreaming.config.config import Config, Networks
from dreaming.errors import UserError
from dreaming.runs.folder import RunFolder
from dreaming.system import hardware
from dreaming.system.defaults import torch_defaults
from dreaming.system.disk import state_dir

Precision = Literal["float32", "tf32", "bfloat16"]
WIDE = 32  # channels of the first layer from which bfloat16 is faster on CPUs that have it (docs/speed.md)


def auto_precision(device: torch.device, base_channels: int = 64) -> Precision:
    """Return the precision that ``auto`` stands for.

    bfloat16 for wide networks on a CPU that multiplies faster in it, where a cortex learns as well
    (``docs/speed.md``); else float32, the reference. No record shows how bfloat16 fares on a GPU.

    Examples
    --------
    >>> auto_precision(torch.device("cpu"), base_channels=4)
    'float32'
    """
    fast = device.type == "cpu" and hardware.fast_bfloat16() and base_channels >= WIDE
    return "bfloat16" if fast else "float32"


def auto_path(device: torch.device) -> Literal["plain", "captured"]:
    """Return the path that ``auto`` stands for: captured on a GPU that `dreaming doctor` has found right."""
    return "captured" if device.type == "cuda" and passed(device).exists() else "plain"


def passed(device: torch.device) -> Path:
    """Return the file that is there if `dreaming doctor` has found every path right on a GPU of this kind.

    Each version of PyTorch has its own; DREAMING_STATE in the environment moves them.
    """
    return state_dir() / re.sub(
        r"[^A-Za-z0-9.+]+",
        "-",
        f"doctor passed {torch.cuda.get_device_name(device)} torch {torch.__version__}",
    )


def resolved(config: Config, folder: RunFolder | None = None) -> Config:
    """Put in place of each ``auto`` what it stands for on this machine.

    Parameters
    ----------
    config
        What a run is to be.
    folder
        Where it lies. If it has begun there, ``auto`` is the precision that it has, whatever machine that was on.

    Raises
    ------
    UserError
        If there is no such device, it lacks the precision, or the config of the run there is damaged.
    """
    training = config.training
    device, precision = hardware.device(training.device), training.precision
    if precision == "auto" and folder is not None and folder.config.exists():
        precision = folder.read_config().training.precision
    if precision == "auto":
        own = type(config.networks) is not Networks  # which compute in the precision of their weights
        precision = "float32" if own else auto_precision(device, config.networks.base_channels)
    if precision == "tf32" and device.type != "cuda":
        raise UserError(
            "tf32 is a precision of GPUs; on a CPU use float32, bfloat16 or auto, and another --out than that of a "
            "run in tf32"
        )
    found = {"device": str(device), "precision": precision}
    if training.path == "auto":
        found["path"] = auto_path(device)
    return config.model_copy(update={"training": training.model_copy(update=found)})


def exactly(config: Config) -> AbstractContextManager[None]:
    """Compute within the block in the precision that the config names, and repeatably."""
    return torch_defaults(tf32=config.training.precision == "tf32")
