"""SnapshotBatch: cortices of one run that are measured together, and what they infer, each thing inferred once."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from dreaming.config.config import Config
from dreaming.data import Dataset
from dreaming.evaluation.readout import Protocol, Weights, train_readout
from dreaming.model.occlusion import Occlusion
from dreaming.rng import Random
from dreaming.runs.folder import RunFolder
from dreaming.runs.snapshots import load
from dreaming.system.progress import NoProgress


class Stopwatch:
    """Seconds of each stage of measuring, by its name; those of a stage within another count as its own alone.

    Examples
    --------
    >>> watch = Stopwatch()
    >>> with watch.stage("robustness"), watch.stage("inference"):
    ...     time.sleep(0.05)
    >>> list(watch.seconds), watch.seconds["inference"] >= 0.05
    (['inference', 'robustness'], True)
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        self.seconds: dict[str, float] = {}
        self.inferred = 0
        """Images whose latents were inferred, each as often as there were cortices."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the block as part of a stage."""
        began, before = time.perf_counter(), sum(self.seconds.values())
        try:
            yield
            if self.device.type == "cuda":  # what was asked for in this stage is not done in the next
                torch.cuda.synchronize(self.device)
        finally:
            within = sum(self.seconds.values()) - before
            own = time.perf_counter() - began - within
            self.seconds[name] = self.seconds.get(name, 0.0) + own


class SnapshotBatch:
    """Cortices of one run, as they were after some epochs.

    Parameters
    ----------
    folder, config, images
        The run, and the images it was trained on.
    epochs
        After which epochs; their snapshots must be there.
    device
        Where to compute.
    progress
        Who is told what should be known of a measure.
    data_dir
        The folder of data, where weights of networks that measure lie too.
    watch
        What counts the seconds of each stage.

    Attributes
    ----------
    cortices
        One for each epoch, in the precision in which the run was trained.

    Raises
    ------
    UserError
        If a snapshot is missing or damaged.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: Config,
        images: Dataset,
        epochs: Sequence[int],
        device: torch.device,
        progress: NoProgress | None = None,
        data_dir: str | Path | None = None,
        watch: Stopwatch | None = None,
    ) -> None:
        self.folder, self.config, self.images, self.data_dir = folder, config, images, data_dir
        self.epochs, self.device = tuple(epochs), device
        self.progress, self.watch = progress or NoProgress(), watch or Stopwatch(device)
        with self.watch.stage("snapshots"):
            self.cortices = [load(folder.path, epoch).to(device) for epoch in epochs]
        for cortex in self.cortices:
            cortex.precision = config.training.number_type  # it infers as it was trained
        self._readouts: dict[Protocol, Weights] = {}

    def infer(
        self, images: UInt8[Tensor, "n c 32 32"], masks: Float[Tensor, "n 1 32 32"] | None = None
    ) -> Float[Tensor, "k n z"]:
        """Infer the latents of images, occluded by masks if there are any, in each of the k cortices."""
        k, n = len(self.cortices), len(images)
        self.watch.inferred += k * n
        shape = k, n, self.config.networks.latent_dim
        latents = torch.empty(shape, dtype=torch.float32, device=self.device)
        with self.watch.stage("inference"):
            for own, cortex in zip(latents, self.cortices, strict=True):
                own.copy_(cortex.infer(images, masks=masks))
        return latents

    @cached_property
    def train(self) -> Float[Tensor, "k n z"]:
        """The latents of all training images."""
        return self.infer(self.images.train.images)

    @cached_property
    def test(self) -> Float[Tensor, "k m z"]:
        """The latents of all test images."""
        return self.infer(self.images.test.images)

    def readout(self, protocol: Protocol) -> Weights:
        """Return the linear classifier of each cortex, trained on the latents of the training images."""
        if protocol not in self._readouts:
            features, labels, classes = self.train, self.images.train.labels, len(self.images.classes)
            with self.watch.stage("training of readouts"):
                self._readouts[protocol] = train_readout(
                    features, labels, classes, self.config.seed, protocol
                )
        return self._readouts[protocol]

    def masks(
        self, measure: str, count: int, probability: float, tile_size: int
    ) -> Float[Tensor, "{count} 1 32 32"]:
        """Draw occlusions, a mask an image, for a measure of this name.

        They depend on the seed of the run, the name and the count, so that all conditions and epochs of one seed
        see the same. Tiles that are silenced at one probability are silenced at every higher one too.
        """
        occlusion = Occlusion(
            probability=(probability, probability), tile_size=(tile_size, tile_size), mask_per_image=True
        )
        return occlusion.draw(Random(self.config.seed, ("evaluation", measure)), count)
