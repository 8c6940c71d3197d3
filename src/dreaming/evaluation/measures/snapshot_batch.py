"""SnapshotBatch: cortices of one run that are measured together, and what they infer, each thing inferred once."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from dreaming.config.config import Config
from dreaming.data import Dataset
from dreaming.errors import UserError, nearest
from dreaming.evaluation.readout import Protocol, Weights, train_readout
from dreaming.model.activity import LATENT
from dreaming.model.cortex import BATCH, Cortex
from dreaming.model.networks import IMAGE_SIZE
from dreaming.model.occlusion import Occlusion
from dreaming.rng import Random
from dreaming.runs.folder import RunFolder
from dreaming.runs.snapshots import load
from dreaming.system.progress import NoProgress

MOST_BYTES = 2**32
"""Of one layer's activity in one cortex: that of CIFAR-10 in the lowest layer of full width is 3.9 GB."""


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
        self, images: UInt8[Tensor, "n c h w"], masks: Float[Tensor, "n 1 h w"] | None = None
    ) -> Float[Tensor, "k n z"]:
        """Infer the latents of images, occluded by masks if there are any, in each of the k cortices."""
        shape = len(self.cortices), len(images), self.config.networks.latent_dim
        latents = torch.empty(shape, dtype=torch.float32, device=self.device)
        for own, found in zip(latents, self.activity(LATENT, images, masks), strict=True):
            own.copy_(found)
        return latents

    def activity(
        self, layer: str, images: UInt8[Tensor, "n c h w"], masks: Float[Tensor, "n 1 h w"] | None = None
    ) -> Iterator[Float[Tensor, "n f"]]:
        """Yield what a layer of the encoder does with images, flat, of one cortex after another."""
        for cortex in self.cortices:
            self.watch.inferred += len(images)
            with self.watch.stage("inference"):
                if layer == LATENT:
                    found = cortex.infer(images, masks=masks)
                else:
                    found = _flat(cortex, layer, images, masks)
            yield found

    def split_activity(self, layer: str, split: Literal["train", "test"]) -> Iterator[Float[Tensor, "n f"]]:
        """Yield the same of all images of a split; their latents are inferred once for all measures."""
        if layer == LATENT:
            return iter(getattr(self, split))
        return self.activity(layer, getattr(self.images, split).images)

    def both_splits(self, layer: str) -> Iterator[tuple[int, Float[Tensor, "n f"], Float[Tensor, "m f"]]]:
        """Yield each epoch, and what a layer does with the training and with the test images."""
        parts = (self.split_activity(layer, "train"), self.split_activity(layer, "test"))
        return zip(self.epochs, *parts, strict=True)

    def require_layer(self, layer: str, count: int) -> None:
        """Make sure that the encoder has a layer, whose activity of so many images can be in memory.

        Raises
        ------
        UserError
            If it has none (the nearest is suggested), or it is too large.
        """
        if layer == LATENT:
            return
        with torch.no_grad():
            there = self.cortices[0].activity(self.images.test.images[:1])
        if layer not in there:
            raise UserError(f"the encoder has no layer '{layer}'; {nearest(layer, there)}")
        size = count * there[layer].numel() * 4
        if size > MOST_BYTES:
            raise UserError(
                f"{layer} of {count:,} images takes {size:,} bytes, and {MOST_BYTES:,} are the most; "
                "take a smaller layer, or a run of fewer images"
            )

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
    ) -> Float[Tensor, "{count} 1 h w"]:
        """Draw the occlusions of a measure of this name; see `occlusions`."""
        size = self.config.networks.image_size
        if tile_size > size:
            raise UserError(f"{measure}.tile_size is {tile_size}, and the images have {size} x {size} pixels")
        return occlusions(self.config.seed, measure, count, probability, tile_size, size)


def occlusions(
    seed: int, measure: str, count: int, probability: float, tile_size: int, image_size: int = IMAGE_SIZE
) -> Float[Tensor, "{count} 1 h w"]:
    """Draw occlusions, a mask an image, for a measure of this name.

    They depend on the seed of the run, the name and the count, so that all conditions and epochs of one seed see
    the same. Tiles that are silenced at one probability are silenced at every higher one too.
    """
    occlusion = Occlusion(
        probability=(probability, probability), tile_size=(tile_size, tile_size), mask_per_image=True
    )
    return occlusion.draw(Random(seed, ("evaluation", measure)), count, image_size)


@torch.no_grad()
def _flat(cortex: Cortex, layer: str, images: Tensor, masks: Tensor | None) -> Float[Tensor, "n f"]:
    """Return the activity of one layer, flat, in memory for itself and one batch."""
    found = torch.empty(0)
    for i in range(0, len(images), BATCH):
        own = None if masks is None else masks[i : i + BATCH]
        part = cortex.activity(images[i : i + BATCH], layers=(layer,), masks=own)[layer]
        part = part.reshape(len(part), -1)
        if not i:
            found = part.new_empty(len(images), part.shape[1])
        found[i : i + BATCH] = part
    return found
