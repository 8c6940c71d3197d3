"""The cache of controls: each is read out once for all runs of the same images, seed and protocol.

A control depends on nothing that a run learned, so the runs of one seed would all find the same number. It is kept
in ``$DREAMING_CACHE`` (else the user's cache directory), in a file named by the checksum of all that it depends on.
"""

import hashlib
import inspect
from importlib import metadata
from pathlib import Path
from typing import Literal

import torch

from dreaming import rng
from dreaming.data import Dataset, batches
from dreaming.errors import UserError
from dreaming.evaluation import readout
from dreaming.evaluation.features import controls
from dreaming.model.parameters import Parameters
from dreaming.runs.tensors import read_tensors, write_tensors
from dreaming.system import hardware
from dreaming.system.disk import cache_dir

Control = Literal["pixels", "pca"]
CONTROLS: tuple[Control, ...] = ("pixels", "pca")
MAKERS = (controls, readout, batches, rng)
"""The modules that a control's number comes from: where one is changed, nothing that was kept is taken."""
VERSIONS = ("torch", "numpy", "scikit-learn")


class Origin(Parameters):
    """All that a control's accuracy depends on."""

    control: Control
    """Which features."""
    fingerprint: str
    """Of the images and labels."""
    classes: int
    """How many there are."""
    image_channels: int
    """Channels that are seen."""
    seed: int
    """Of the readout."""
    protocol: readout.Protocol
    """How the readout is trained."""
    machine: str
    """What computed it: rounding is a machine's own."""
    versions: dict[str, str]
    """Of the libraries that computed it."""
    program: str
    """Checksum of the modules that computed it."""

    @classmethod
    def of(
        cls,
        control: Control,
        images: Dataset,
        image_channels: int,
        seed: int,
        protocol: readout.Protocol,
        device: torch.device,
    ) -> "Origin":
        """Gather what a control would come from here and now."""
        sources = "".join(inspect.getsource(module) for module in MAKERS)
        gpu = device.type == "cuda"
        return cls(
            control=control,
            fingerprint=images.fingerprint,
            classes=len(images.classes),
            image_channels=image_channels,
            seed=seed,
            protocol=protocol,
            machine=torch.cuda.get_device_name(device) if gpu else hardware.processor(),
            versions={name: metadata.version(name) for name in VERSIONS},
            program=hashlib.sha256(sources.encode()).hexdigest(),
        )

    @property
    def file(self) -> Path:
        """Where the control of this origin is kept."""
        checksum = hashlib.sha256(self.model_dump_json().encode()).hexdigest()
        return cache_dir() / "controls" / f"{self.control}-{checksum[:32]}.safetensors"


def keep(origin: Origin, features: str, accuracy: float) -> None:
    """Keep a control's accuracy for other runs.

    Parameters
    ----------
    origin
        Where it comes from.
    features
        What the features are called, with the number of components.
    accuracy
        Share of the test images whose class is found.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    about = {"origin": origin.model_dump(mode="json"), "features": features}
    write_tensors(origin.file, {"accuracy": torch.tensor(accuracy, dtype=torch.float64)}, about)


def kept(origin: Origin) -> tuple[str, float] | None:
    """Return the features and the accuracy that were kept of an origin; None if nothing was.

    Raises
    ------
    UserError
        If the file is not bit for bit what was written, or is of another origin.
    """
    if not origin.file.exists():
        return None
    tensors, about = read_tensors(origin.file)
    if about.get("origin") != origin.model_dump(mode="json"):
        raise UserError(f"{origin.file} is of another origin than its name says")
    return str(about["features"]), float(tensors["accuracy"])
