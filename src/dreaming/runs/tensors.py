"""Files of named tensors, sealed by a checksum."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from dreaming.errors import UserError
from dreaming.system.disk import write
from dreaming.system.texts import json_of

# What a hostile or damaged file of tensors makes its readers stumble over; RecursionErrors are RuntimeErrors.
_UNREADABLE = (
    SafetensorError,
    OSError,
    ValueError,
    AttributeError,
    TypeError,
    KeyError,
    RuntimeError,
    MemoryError,
)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write named tensors with their metadata (as JSON values) and a checksum over both."""
    ready = {name: value.detach().to("cpu").contiguous() for name, value in tensors.items()}
    # One entry, since safetensors writes several in no fixed order and equal runs should be equal files.
    about = json.dumps({**metadata, "sha256": _digest(ready, metadata)}, sort_keys=True)
    write(path, save(ready, {"about": about}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote.

    Raises
    ------
    UserError
        If the file is missing, or is not bit for bit what was written.
    """
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is damaged: it is no plain file")
    try:
        with safe_open(path, "pt") as file:
            metadata = json_of((file.metadata() or {}).get("about", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        checksum = metadata.pop("sha256", None)
        if checksum != _digest(tensors, metadata):
            raise UserError(f"{path} is damaged: its checksum is another than when it was written")
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except _UNREADABLE as error:
        said = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise UserError(f"{path} is damaged: {said}") from None
    return tensors, metadata


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
