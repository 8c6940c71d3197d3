"""The published program's checkpoints, ``trained.pth``, made into run folders that can be measured and dream.

Its networks are the ones here under other names, and it shows them images in the same range: pixel / 127.5 - 1.
"""

import hashlib
import io
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from dreaming.config.config import Config
from dreaming.config.configure import configure
from dreaming.data import Dataset, load_dataset, names
from dreaming.errors import UserError, spelled
from dreaming.model.conditions import condition_called
from dreaming.model.cortex import Cortex
from dreaming.model.networks import Encoder
from dreaming.runs import snapshots
from dreaming.runs.folder import RunFolder, run_path
from dreaming.system import disk, hardware
from dreaming.system.defaults import torch_defaults

ADDRESS = "https://github.com/NicoZenith/PAD"
LAYERS = {
    "encoder": {
        **{f"conv{n + 1}.0": f"trunk.{n}" for n in range(3)},
        "conv4.0": "latent_head",
        "dis.0": "externality_head",
    },
    "generator": {f"tconv{n + 1}.0": f"layers.{n}" for n in range(4)},
}
"""Its name of each layer, and ours."""
THEIR_PATHWAYS = {"encoder": "discriminator", "generator": "generator"}
OPTIMIZERS = ("d_optim", "g_optim")
LOSSES = {"wake.image": "r_losses_real", "wake.kl": "kl_losses", "nrem.latent": "r_losses_fake"}
"""Our terms which it keeps as they are; the two of the externality follow from sums that it keeps."""
_SCALAR: Any = np._core.multiarray.scalar  # type: ignore[attr-defined]
_NUMPY: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),  # numpy 1's name
    (_SCALAR, "numpy._core.multiarray.scalar"),  # numpy 2's
    np.dtype,
    np.dtypes.Float64DType,
    np.dtypes.Float32DType,
]
"""What losses that are numpy's scalars need besides what `torch.load` lets pass."""


@torch_defaults()
def import_checkpoint(
    file: str | Path,
    *,
    condition: str = "pad",
    name: str | None = None,
    dataset: str = "cifar10",
    limit: int | None = None,
    seed: int = 0,
    epoch: int | None = None,
    out: str | Path = "runs",
    data_dir: str | Path | None = None,
    trust_data: bool = False,
) -> Path:
    """Make a run folder of a checkpoint of the published program.

    Parameters
    ----------
    file
        Its ``trained.pth``, in the format of any PyTorch. Nothing in it is run.
    condition
        The condition it was trained as, one of `dreaming.conditions`; the file does not say.
    name
        What to call the condition, and its folder; by default ``published_CONDITION``, so that no mean is taken
        over runs of two programs.
    dataset, limit, data_dir, trust_data
        The images it was trained on, which it will be measured on; the file does not say which they were.
    seed
        What to call the run, and the seed of its measures. The published program has no seed.
    epoch
        How many epochs it was trained, where the file has no losses that say it.
    out
        The folder of runs; this one lies in ``OUT/DATASET/CONDITION/seed-N``.

    Returns
    -------
    Path
        The run folder, with one snapshot and what losses there are. `dreaming.evaluate`, `dreaming.compare` and
        `dreaming dream` take it; it cannot be trained on.

    Raises
    ------
    UserError
        If the file is no such checkpoint, or the folder is there already.
    """
    path, condition, dataset = disk.expanded(file), condition_called(condition), spelled(dataset, names())
    content = _content(path)
    parts = _parts(content, path)
    cortex = _cortex(path, parts)
    epochs = _epochs(path, parts, epoch)
    first = cast(nn.Conv2d, cast(Encoder, cortex.encoder).trunk[0])
    networks = {
        "latent_dim": cortex.latent_dim,
        "base_channels": first.out_channels,
        "image_channels": first.in_channels,
    }
    config = configure(
        condition,
        name=name or f"published_{condition}",
        networks=networks,
        optimizer=_optimizer(path, parts),
        dataset={"name": dataset, "limit": limit},
        training={"epochs": epochs, "snapshots": f"{epochs}", "device": "cpu", "precision": "float32"},
        seed=seed,
    )
    if not config.phases:
        raise UserError(f"condition '{condition}' has no phases to be trained in; name another --condition")
    folder = RunFolder(run_path(Path(out), dataset, config.condition, seed))
    disk.sweep(folder.path.parent)
    if folder.path.exists():
        raise UserError(f"{folder.path} is there already; use another --out or --name")
    disk.require_writable(folder.path)
    images = load_dataset(dataset, data_dir, limit=limit, trust=trust_data)
    losses = _losses(path, parts, epochs, config)
    unfinished = RunFolder(disk.beside(folder.path))
    try:
        snapshots.save(unfinished, config, epochs, cortex)
        if losses is not None:
            unfinished.write_table(unfinished.losses, losses)
        unfinished.write_environment(_record(path, content, images))
        unfinished.write_config(config)
        disk.publish(unfinished.path, folder.path)
    finally:
        shutil.rmtree(unfinished.path, ignore_errors=True)
    return folder.path


def _content(path: Path) -> bytes:
    if not path.exists():
        raise UserError(f"there is no file {path}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error


def _parts(content: bytes, path: Path) -> dict[str, Any]:
    """Read what `torch.save` wrote, in the format of any PyTorch; nothing in it is run."""
    try:
        if content.startswith(b"PK"):
            _require_whole(zipfile.ZipFile(io.BytesIO(content)), len(content))
        with torch.serialization.safe_globals(_NUMPY):
            parts = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # whatever `torch.load` stumbles over
        asked = re.search(r"GLOBAL (\S+)", str(error))
        if asked:
            raise UserError(
                f"{path} is a pickle that asks for {asked[1][:200]}, which no checkpoint does;"
                " nothing of it was run, and it is better deleted"
            ) from None
        raise UserError(
            f"{path} is damaged or cut off, or no file of torch.save with weights in it"
        ) from error
    if not isinstance(parts, dict) or not all(
        isinstance(parts.get(p), dict) for p in THEIR_PATHWAYS.values()
    ):
        raise UserError(
            f"{path} is no checkpoint of the published program: it holds no 'generator' and 'discriminator'"
        )
    return parts


def _require_whole(archive: zipfile.ZipFile, size: int) -> None:
    """Make sure that an archive of so many bytes holds no more, as torch packs nothing, and holds it whole."""
    if sum(entry.file_size for entry in archive.infolist()) > size:
        raise zipfile.BadZipFile("it unpacks to more than it has")
    for name in archive.namelist():
        archive.read(name)  # with its checksum, at which `torch.load` does not look


def _cortex(path: Path, parts: Mapping[str, Any]) -> Cortex:
    """Make the cortex, after making sure that each of its weights is there, as large as it must be."""
    theirs = parts["discriminator"]
    first, deep, head = (_shape(theirs.get(f"{layer}.weight")) for layer in ("conv1.0", "conv3.0", "conv4.0"))
    width, channels, latents = first[0], first[1], head[0]
    if channels not in (1, 3) or deep != (4 * width, 2 * width, 4, 4) or head[1:] != (4 * width, 4, 4):
        raise UserError(f"{path} holds another discriminator than the published program's")
    for layer, shape in (("conv1.0", first), ("conv3.0", deep), ("conv4.0", head)):
        # The file has the bytes of the largest layers, so that a cortex of this size takes no more than it.
        _tensor(path, theirs.get(f"{layer}.weight"), shape, f"discriminator.{layer}.weight")
    cortex = Cortex(latents, width, channels, torch.Generator())
    weights = {
        f"{pathway}.{ours}.{part}": (THEIR_PATHWAYS[pathway], f"{layer}.{part}")
        for pathway, layers in LAYERS.items()
        for layer, ours in layers.items()
        for part in ("weight", "bias")
    }
    for own, weight in cortex.state_dict().items():
        part, name = weights[own]
        weight.copy_(_tensor(path, parts[part].get(name), weight.shape, f"{part}.{name}"))
        if not weight.isfinite().all():
            raise UserError(f"{path} holds a {part}.{name} that is not finite, so it was lost in training")
    known = set(weights.values())
    other = [
        f"{part}.{name}"
        for part in THEIR_PATHWAYS.values()
        for name in parts[part]
        if (part, name) not in known
    ]
    if other:
        raise UserError(f"{path} holds {other[0][:80]}, which the published program has not")
    return cortex


def _shape(value: object) -> tuple[int, ...]:
    """Return the shape of a kernel; of anything else, zeros."""
    return tuple(value.shape) if isinstance(value, Tensor) and value.ndim == 4 else (0, 0, 0, 0)


def _tensor(path: Path, value: object, shape: Sequence[int], name: str) -> Tensor:
    """Return a weight, which must have its own float32 for each number of this shape."""
    if (
        isinstance(value, Tensor)
        and (value.dtype, value.layout, value.device.type) == (torch.float32, torch.strided, "cpu")
        and value.shape == tuple(shape)
        and value.nbytes <= value.untyped_storage().nbytes()
    ):
        return value.detach()
    raise UserError(f"{path} holds no float32 {name} of shape {list(shape)}")


def _number(path: Path, value: object, name: str) -> float:
    if isinstance(value, float | np.floating):
        return float(value)
    raise UserError(f"{path} holds something else than numbers in {name}")


def _listed(parts: Mapping[str, Any], name: str) -> list[Any]:
    found = parts.get(name)
    return found if isinstance(found, list) else []


def _epochs(path: Path, parts: Mapping[str, Any], asked: int | None) -> int:
    """Count the epochs: the program keeps a loss of each."""
    said = len(_listed(parts, "d_losses")) or None
    if asked is not None and (asked < 1 or said not in (None, asked)):
        raise UserError(
            f"--epoch is {asked}; "
            + (f"{path} has the losses of {said} epochs" if said else "a trained cortex has 1 or more")
        )
    epochs = said or asked
    if epochs is None:
        raise UserError(f"{path} does not say after how many epochs it was kept; say it with --epoch N")
    return epochs


def _optimizer(path: Path, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the learning rate and betas of both optimisers; nothing if the file has none."""
    seen = []
    for name in OPTIMIZERS:
        state = parts.get(name)
        groups = state.get("param_groups") if isinstance(state, dict) else None
        group = groups[0] if isinstance(groups, list) and groups else None
        if isinstance(group, dict):
            rate, betas = group.get("lr"), group.get("betas")
            if not isinstance(betas, tuple) or not all(type(value) is float for value in (rate, *betas)):
                raise UserError(f"{path} holds a {name} without learning rate and betas")
            seen.append({"learning_rate": rate, "betas": betas})
    if len(seen) == 2 and seen[0] != seen[1]:
        raise UserError(f"{path} was trained with two learning rates or betas, which no config here can say")
    return seen[0] if seen else {}


def _losses(path: Path, parts: Mapping[str, Any], epochs: int, config: Config) -> pd.DataFrame | None:
    """Return the losses under our names, where the file has one for each epoch and the condition has the phase.

    The program keeps the sum of both losses of the externality, and the negated one of REM alone.
    """
    kept = {
        name: [_number(path, value, name) for value in _listed(parts, name)]
        for name in (*LOSSES.values(), "d_losses", "g_losses")
        if len(_listed(parts, name)) == epochs
    }
    terms = {term: kept[theirs] for term, theirs in LOSSES.items() if theirs in kept}
    if "g_losses" in kept:
        terms["rem.externality"] = [-g for g in kept["g_losses"]]
        if "d_losses" in kept:
            terms["wake.externality"] = [
                d + g for d, g in zip(kept["d_losses"], kept["g_losses"], strict=True)
            ]
    order = ("wake.image", "wake.kl", "wake.externality", "nrem.latent", "rem.externality")
    phases = {phase.name for phase in config.phases}
    columns = {t: terms[t] for t in order if t in terms and t.partition(".")[0] in phases}
    if not columns:
        return None
    # How many cycles and seconds an epoch took, the file does not say.
    return pd.DataFrame({"epoch": range(1, epochs + 1), "cycles": pd.NA, "seconds": pd.NA, **columns})


def _record(path: Path, content: bytes, images: Dataset) -> dict[str, Any]:
    """Return where the run comes from, and what is known of it by the command's word alone."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    seen = {"name": images.name, "fingerprint": images.fingerprint, "official": images.official}
    return {
        "imported": {
            "from": path.name,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "program": ADDRESS,
            "resumable": False,
            "in_the_file": ["weights", "losses.csv", "networks", "optimizer, if it has one"],
            "said_by_the_command": ["condition and its phases", "dataset", "seed", "epoch, without losses"],
            "unknown": ["batch size", "seed of the training", "untrained weights", "machine", "versions"],
        },
        "sessions": [
            {
                "imported": now,
                **hardware.record(torch.device("cpu")),
                "precision": "float32",
                "dataset": {**seen, "files": images.source, "place": images.place},
            }
        ],
    }
