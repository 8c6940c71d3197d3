"""What ``auto`` stands for on this machine: a rule, or what `dreaming doctor` measured here and wrote down."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, cast

import torch
from platformdirs import user_config_path
from pydantic import PositiveInt, ValidationError

from dreaming.config.config import Config
from dreaming.errors import UserError
from dreaming.model.parameters import Parameters
from dreaming.system import hardware
from dreaming.system.disk import write
from dreaming.system.threads import cores

Precision = Literal["float32", "tf32", "bfloat16"]
WIDE = 32  # channels of the first layer from which bfloat16 is faster, where nothing was measured


class Advice(Parameters):
    """What to choose on a machine.

    Examples
    --------
    >>> Advice(processor="none such", device="cpu", torch="2.13.0").bfloat16_from
    """

    processor: str
    """Name of the processor that was measured."""
    device: str
    """Name of the device that was measured."""
    torch: str
    """Version of PyTorch that was measured."""
    bfloat16_from: PositiveInt | None = None
    """Channels of the first layer from which bfloat16 is faster and right, or None if it is not."""
    workers: PositiveInt = 1
    """Runs to train at once in processes of their own."""
    measured: bool = False
    """Whether `dreaming doctor` measured this and found every path right, or a rule says so."""

    def save(self) -> Path:
        """Write the advice where `advice` finds it."""
        path = advice_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, (json.dumps(self.model_dump(), indent=1) + "\n").encode())
        return path


def advice_file() -> Path:
    """Name the file in which the advice for this machine is kept; DREAMING_ADVICE in the environment moves it."""
    there = os.environ.get("DREAMING_ADVICE")
    return Path(there) if there else user_config_path("dreaming") / "advice.json"


def advice(where: torch.device) -> Advice:
    """Return the advice for a device: as measured on this very machine, or else by rule.

    Raises
    ------
    UserError
        If the file of the advice is damaged.

    Examples
    --------
    >>> advice(torch.device("cpu")).workers >= 1
    True
    """
    rule = by_rule(where)
    try:
        found = Advice.model_validate_json(advice_file().read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return rule
    except (OSError, ValidationError):
        raise UserError(
            f"{advice_file()} is no advice that dreaming can read; run dreaming doctor again, or remove it"
        ) from None
    known = ("processor", "device", "torch")
    return found if all(getattr(found, name) == getattr(rule, name) for name in known) else rule


def by_rule(where: torch.device) -> Advice:
    """Return what is likely best on a device that nobody has measured: on a GPU the plain path, in float32."""
    return Advice(
        processor=hardware.processor(),
        device=torch.cuda.get_device_name(where) if where.type == "cuda" else where.type,
        torch=torch.__version__,
        bfloat16_from=WIDE if where.type == "cpu" and hardware.fast_bfloat16() else None,
        workers=1 if where.type == "cuda" else cores(),
    )


def precision(name: str, where: torch.device, base_channels: int = 64) -> Precision:
    """Choose the precision that ``auto`` stands for: bfloat16 where it is faster, and float32, the reference, else.

    It is faster on devices that have instructions for it, for networks wide enough to be bound by arithmetic, and
    a cortex learns as well with it (``docs/speed.md``).

    Raises
    ------
    UserError
        If the device does not have the precision asked for.

    Examples
    --------
    >>> precision("float32", torch.device("cpu"))
    'float32'
    >>> precision("auto", torch.device("cpu"), base_channels=4)
    'float32'
    """
    if name == "tf32" and where.type != "cuda":
        raise UserError("tf32 is a precision of GPUs; on a CPU use float32, bfloat16 or auto")
    if name != "auto":
        return cast(Precision, name)
    found = advice(where)
    least = found.bfloat16_from if where.type == "cpu" or found.measured else None
    return "float32" if least is None or base_channels < least else "bfloat16"


def resolved(config: Config) -> Config:
    """Put in place of each ``auto`` what it stands for on this machine."""
    training = config.training
    device = hardware.device(training.device)
    found = {
        "device": str(device),
        "precision": precision(training.precision, device, config.networks.base_channels),
    }
    return config.model_copy(update={"training": training.model_copy(update=found)})


@contextmanager
def exactly(config: Config) -> Iterator[None]:
    """Compute within the block in the precision that the config names, and repeatably."""
    tf32 = config.training.precision == "tf32"
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=tf32):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
