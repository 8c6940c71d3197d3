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

from dreaming.errors import UserError, shown
from dreaming.system.disk import write


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write named tensors with their metadata (as JSON values) and a checksum over both.

    Of tensors that are one in memory, such as tied weights, each name has a copy.
    """
    ready: dict[str, Tensor] = {}
    places: set[int] = set()
    for name, value in tensors.items():
        here = value.detach().to("cpu").contiguous()
        ready[name] = here.clone() if here.untyped_storage().data_ptr() in places else here
        places.add(here.untyped_storage().data_ptr())
    # One entry, since safetensors writes several in no fixed order and equal runs should be equal files.
    about = json.dumps({**metadata, "sha256": _digest(ready, metadata)}, sort_keys=True)
    write(path, save(ready, {"about": about}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return what `write_tensors` wrote: the tensors by name, and the metadata.

    Raises
    ------
    UserError
        If the file is missing, or is not bit for bit what was written.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = json.loads((file.metadata() or {}).get("about", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        whole = metadata.pop("sha256", None) == _digest(tensors, metadata)
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise UserError(f"{path} is damaged: {shown(str(error)[:200])}") from None
    if not whole:
        raise UserError(f"{path} is damaged: its checksum is another than when it was written")
    return tensors, metadata


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
