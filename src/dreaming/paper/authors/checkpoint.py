"""The published program's checkpoints, ``trained.pth``, made into run folders that can be measured and dream.

Its networks are the ones here under other names, and it shows them images in the same range: pixel / 127.5 - 1.
"""

import hashlib
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from dreaming.config.config import Config
from dreaming.config.configure import configure
from dreaming.data import Dataset, load
from dreaming.errors import UserError
from dreaming.model.networks import Cortex
from dreaming.paper.authors.torch_file import TorchFile
from dreaming.runs import snapshots
from dreaming.runs.folder import RunFolder, run_path
from dreaming.system import disk, hardware
from dreaming.system.pickles import Record

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
PATHWAYS = {"encoder": "discriminator", "generator": "generator"}
OPTIMIZERS = ("d_optim", "g_optim")
LOSSES = {"wake.image": "r_losses_real", "wake.kl": "kl_losses", "nrem.latent": "r_losses_fake"}
"""Our terms which it keeps as they are; the two of the externality follow from sums that it keeps."""


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
    path = Path(file)
    found = TorchFile(path)
    parts = _parts(found)
    cortex = _cortex(found, parts)
    epochs = _epochs(found, parts, epoch)
    networks = {
        "latent_dim": cortex.latent_dim,
        "base_channels": cortex.encoder.trunk[0].out_channels,
        "image_channels": cortex.encoder.trunk[0].in_channels,
    }
    config = configure(
        condition,
        name=name or f"published_{condition}",
        networks=networks,
        optimizer=_optimizer(found, parts),
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
    where = None if data_dir is None else Path(data_dir)
    images = load(dataset, where, limit=limit, trust=trust_data)
    losses = _losses(found, parts, epochs, config)
    unfinished = RunFolder(disk.beside(folder.path))
    try:
        snapshots.save(unfinished, config, epochs, cortex)
        if losses is not None:
            unfinished.write_table(unfinished.losses, losses)
        unfinished.write_environment(_record(found, images))
        unfinished.write_config(config)
        disk.publish(unfinished.path, folder.path)
    finally:
        shutil.rmtree(unfinished.path, ignore_errors=True)
    return folder.path


def _parts(found: TorchFile) -> dict[str, Any]:
    content = found.content
    if not isinstance(content, dict) or not all(isinstance(content.get(p), dict) for p in PATHWAYS.values()):
        raise UserError(
            f"{found.path} is no checkpoint of the published program: it holds no 'generator' and 'discriminator'"
        )
    return content


def _cortex(found: TorchFile, parts: Mapping[str, Any]) -> Cortex:
    """Make the cortex, after making sure that each of its weights is there, as large as it must be."""
    theirs = parts["discriminator"]
    first, deep, head = (_shape(theirs.get(f"{layer}.weight")) for layer in ("conv1.0", "conv3.0", "conv4.0"))
    width, channels, latents = first[0], first[1], head[0]
    if channels not in (1, 3) or deep != (4 * width, 2 * width, 4, 4) or head[1:] != (4 * width, 4, 4):
        raise UserError(f"{found.path} holds another discriminator than the published program's")
    for layer, shape in (("conv1.0", first), ("conv3.0", deep), ("conv4.0", head)):
        # The file has the bytes of the largest layers, so that a cortex of this size takes no more than it.
        found.tensor(theirs.get(f"{layer}.weight"), shape, f"discriminator.{layer}.weight")
    cortex = Cortex(latents, width, channels, torch.Generator())
    weights = {
        f"{pathway}.{ours}.{part}": (PATHWAYS[pathway], f"{layer}.{part}")
        for pathway, layers in LAYERS.items()
        for layer, ours in layers.items()
        for part in ("weight", "bias")
    }
    for own, weight in cortex.state_dict().items():
        part, name = weights[own]
        weight.copy_(found.tensor(parts[part].get(name), weight.shape, f"{part}.{name}"))
        if not weight.isfinite().all():
            raise UserError(
                f"{found.path} holds a {part}.{name} that is not finite, so it was lost in training"
            )
    known = set(weights.values())
    other = [
        f"{part}.{name}" for part in PATHWAYS.values() for name in parts[part] if (part, name) not in known
    ]
    if other:
        raise UserError(f"{found.path} holds {other[0][:80]}, which the published program has not")
    return cortex


def _shape(value: object) -> tuple[int, int, int, int]:
    """Read the shape of a kernel off a tensor's record; of anything else, zeros."""
    match value:
        case Record(arguments=(_, _, (int(out), int(into), int(height), int(width)), *_)):
            return out, into, height, width
    return 0, 0, 0, 0


def _listed(parts: Mapping[str, Any], name: str) -> list[Any]:
    found = parts.get(name)
    return found if isinstance(found, list) else []


def _epochs(found: TorchFile, parts: Mapping[str, Any], asked: int | None) -> int:
    """Count the epochs: the program keeps a loss of each."""
    said = len(_listed(parts, "d_losses")) or None
    if asked is not None and (asked < 1 or said not in (None, asked)):
        raise UserError(
            f"--epoch is {asked}; "
            + (f"{found.path} has the losses of {said} epochs" if said else "a trained cortex has 1 or more")
        )
    epochs = said or asked
    if epochs is None:
        raise UserError(f"{found.path} does not say after how many epochs it was kept; say it with --epoch N")
    return epochs


def _optimizer(found: TorchFile, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the learning rate and betas of both optimisers; nothing if the file has none."""
    seen = []
    for name in OPTIMIZERS:
        state = parts.get(name)
        groups = state.get("param_groups") if isinstance(state, dict) else None
        group = groups[0] if isinstance(groups, list) and groups else None
        if isinstance(group, dict):
            rate, betas = group.get("lr"), group.get("betas")
            if not isinstance(betas, tuple) or not all(type(value) is float for value in (rate, *betas)):
                raise UserError(f"{found.path} holds a {name} without learning rate and betas")
            seen.append({"learning_rate": rate, "betas": betas})
    if len(seen) == 2 and seen[0] != seen[1]:
        raise UserError(
            f"{found.path} was trained with two learning rates or betas, which no config here can say"
        )
    return seen[0] if seen else {}


def _losses(found: TorchFile, parts: Mapping[str, Any], epochs: int, config: Config) -> pd.DataFrame | None:
    """Return the losses under our names, where the file has one for each epoch and the condition has the phase.

    The program keeps the sum of both losses of the externality, and the negated one of REM alone.
    """
    kept = {
        name: [found.number(value, name) for value in _listed(parts, name)]
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


def _record(found: TorchFile, images: Dataset) -> dict[str, Any]:
    """Say where the run comes from, and what is known of it by the command's word alone."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    seen = {"name": images.name, "fingerprint": images.fingerprint, "official": images.official}
    return {
        "imported": {
            "from": found.path.name,
            "bytes": len(found.bytes),
            "sha256": hashlib.sha256(found.bytes).hexdigest(),
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
                "dataset": {**seen, "files": images.source},
            }
        ],
    }
