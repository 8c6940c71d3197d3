"""Controls: features that no cortex learned, read out by the same classifier as its latents.

Both are brought to the scale that L_KL gives to latents, so that the readout's learning rate means the same for
them; at their own scale, the classifier does not settle and they would read out worse than they are.

A control depends on nothing that a run learned, so it is read out once for all runs of the same images, seed and
protocol. Its accuracy is kept in ``$DREAMING_CACHE`` (else the user's cache directory), in a file named by the
checksum of all that it depends on.
"""

import hashlib
import inspect
import json
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from sklearn.decomposition import PCA
from torch import Tensor

from dreaming import rng
from dreaming.data import Dataset, batches, to_activity
from dreaming.errors import UserError
from dreaming.evaluation import readout
from dreaming.model import pixels
from dreaming.model.networks import IMAGE_SIZE
from dreaming.runs.tensors import read_tensors, write_tensors
from dreaming.system import hardware
from dreaming.system.disk import cache_dir
from dreaming.system.progress import NoProgress

ControlKind = Literal["pixels", "pca"]
CONTROLS: tuple[ControlKind, ...] = ("pixels", "pca")
PCA_COMPONENTS = 256
IMAGES_AT_ONCE = 1000
"""Images whose squared pixels are in memory at once."""

Features = tuple[str, Float[Tensor, "n f"], Float[Tensor, "m f"]]


def pixel_features(
    train: UInt8[Tensor, "n c h w"], test: UInt8[Tensor, "m c h w"], image_channels: int, seed: int
) -> Features:
    """Return the name ``pixels``, and the pixels of both splits as features.

    They are brought to the scale of latents.
    """
    x, y = (to_activity(images, image_channels).flatten(1) for images in (train, test))
    return "pixels", *to_scale(x, y)


def to_scale(
    train: Float[Tensor, "n f"], test: Float[Tensor, "m f"]
) -> tuple[Float[Tensor, "n f"], Float[Tensor, "m f"]]:
    """Bring features of both splits, in place, to the scale that L_KL gives to latents.

    Each is centred on its mean over the training images; all are scaled by one factor, such that a training image
    has a mean squared norm of 256, as 256 latents of unit variance have.

    Examples
    --------
    >>> train, _ = to_scale(torch.tensor([[1.0, 5.0], [3.0, 5.0]]), torch.zeros(1, 2))
    >>> train.tolist()
    [[-16.0, 0.0], [16.0, 0.0]]
    """
    mean = train.mean(dim=0)
    norms = torch.cat([part.sub_(mean).square().sum(dim=1) for part in train.split(IMAGES_AT_ONCE)])
    scale = (PCA_COMPONENTS / norms.mean()).sqrt()
    return train.mul_(scale), test.sub_(mean).mul_(scale)


def pca(
    train: UInt8[Tensor, "n c h w"], test: UInt8[Tensor, "m c h w"], image_channels: int, seed: int
) -> Features:
    """Return the name ``pca-256``, and the first principal components of both splits, whitened.

    Of n training images, there are at most n-1 components, and the name says how many. Of fewer images than pixels,
    their own singular value decomposition is quicker than the eigendecomposition of the pixels' covariance; and of
    images larger than the paper's both would take hours, so that components are found by random projections.
    """
    x, y = (to_activity(images, image_channels).flatten(1).numpy() for images in (train, test))
    components = min(PCA_COMPONENTS, len(x) - 1)
    solver = "full" if len(x) < x.shape[1] else "covariance_eigh"
    if train.shape[-1] > IMAGE_SIZE:
        solver = "randomized"
    found = PCA(components, whiten=True, svd_solver=solver, random_state=rng.short_seed(seed)).fit(x)
    features = [torch.from_numpy(found.transform(split).astype(np.float32)) for split in (x, y)]
    return f"pca-{components}", features[0], features[1]


@dataclass(frozen=True)
class Control:
    """A control of one data set, and how it is read out.

    Attributes
    ----------
    kind
        Which features.
    images, image_channels
        The data set, and the channels that are seen.
    seed, protocol
        Of the readout.
    device
        Where it is computed.
    """

    kind: ControlKind
    images: Dataset
    image_channels: int
    seed: int
    protocol: readout.Protocol
    device: torch.device

    def measure(self) -> tuple[str, float]:
        """Return what the features are called, and the share of test images whose class is found."""
        features, images = {"pixels": pixel_features, "pca": pca}[self.kind], self.images
        label, train, test = features(images.train.images, images.test.images, self.image_channels, self.seed)
        train, labels, classes = train[None].to(self.device), images.train.labels, len(images.classes)
        weights = readout.train_readout(train, labels, classes, self.seed, self.protocol)
        return label, float(readout.accuracy(weights, test[None].to(self.device), images.test.labels)[0])

    def kept(self, progress: NoProgress) -> tuple[str, float] | None:
        """Return what was found for an earlier run; None if nothing is kept, or it is damaged, which is said."""
        origin, file = self.origin(), self.file
        try:
            return _read(file, origin) if file.exists() else None
        except UserError as damage:
            progress.say(f"{damage}; the control is measured again")
            return None

    def keep(self, label: str, share: float, progress: NoProgress) -> None:
        """Write what was found to the cache, for other runs; where it cannot be written, a line says so."""
        content = {"accuracy": torch.tensor(share, dtype=torch.float64)}
        try:
            write_tensors(self.file, content, {"origin": self.origin(), "features": label})
        except UserError as refusal:
            progress.say(f"the control is not kept for other runs: {refusal}")

    @property
    def file(self) -> Path:
        """Where it is kept."""
        return cached(self.origin())

    def origin(self) -> dict[str, Any]:
        """Return all that the accuracy depends on, as JSON values.

        Rounding is a machine's own, and a library's; and where one of the modules that the number comes from is
        changed, nothing that was kept is taken.
        """
        sources = [
            inspect.getsource(module) for module in (sys.modules[__name__], readout, batches, pixels, rng)
        ]
        gpu = self.device.type == "cuda"
        return {
            "control": self.kind,
            "fingerprint": self.images.fingerprint,
            "classes": len(self.images.classes),
            "image_channels": self.image_channels,
            "seed": self.seed,
            "protocol": self.protocol.model_dump(mode="json"),
            "machine": torch.cuda.get_device_name(self.device) if gpu else hardware.processor(),
            "versions": [str(torch.__version__), np.__version__, metadata.version("scikit-learn")],
            "program": hashlib.sha256("".join(sources).encode()).hexdigest(),
        }


def cached(origin: dict[str, Any]) -> Path:
    """Return where the control of an origin is kept."""
    checksum = hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()
    return cache_dir() / "controls" / f"{origin['control']}-{checksum[:32]}.safetensors"


def _read(file: Path, origin: dict[str, Any]) -> tuple[str, float]:
    tensors, found = read_tensors(file)
    if found.get("origin") != origin:
        raise UserError(f"{file} is of another origin than its name says")
    return str(found["features"]), float(tensors["accuracy"])
