"""Robustness: how well classes are read out of the latents of occluded images (paper, figure 5).

The classifier is the one of the linear readout, trained on latents of clean training images; it is tested on test
images whose tiles of 4 x 4 pixels are silenced with a probability of 0, 0.1, ..., 1, an own mask for each image.

Cost of a snapshot with m test images, in multiply-accumulates: inference of m images at each of 9 probabilities
(CIFAR-10 at full width: 1.7 T; at 0 they are the clean ones, at 1 all are one), and what the readout costs (1.1 T),
unless that is measured in the same call.
"""

from typing import ClassVar

import pandas as pd
from jaxtyping import Float
from torch import Tensor

from dreaming.evaluation.measures.measure import Measure, Quantity, parameter, tabled
from dreaming.evaluation.measures.snapshot_batch import SnapshotBatch
from dreaming.evaluation.readout import Protocol, accuracy
from dreaming.model.occlusion import Probability, TileSize

OCCLUDED_ACCURACY = "readout_accuracy_occluded"


class Robustness(Measure):
    """Readout accuracy over the probability of occlusion.

    Rows: ``readout_accuracy_occluded``, by the probability (``0.0`` to ``1.0``); a fraction of the test images.
    Accuracy at 0 is that of the plain readout, and at 1, where every image is grey, one class's share.

    Notes
    -----
    Paper: "Linear separability". Masks are those of eq. 6. With growing probability more tiles of the same images
    are silenced, so a curve does not jump by the chance of another mask.

    Examples
    --------
    >>> sorted(Robustness(probabilities=(0.5,), tile_size=8).keys())
    [('readout_accuracy_occluded', '0.5;tile_size=8')]
    """

    quantities: ClassVar = {
        OCCLUDED_ACCURACY: Quantity("linear readout accuracy on occluded test images", "%", of_classes=True)
    }
    passes: ClassVar = 9

    probabilities: tuple[Probability, ...] = tuple(tenth / 10 for tenth in range(11))
    """With which a tile is silenced."""
    tile_size: TileSize = 4
    """Side of the square tiles, in pixels."""
    protocol: Protocol = Protocol()
    """How the classifier is trained on clean latents."""

    def name(self, probability: float) -> str:
        """Return the parameter of a probability's rows."""
        return parameter(str(probability), self, ["tile_size", "protocol"])

    @property
    def needs_labels(self) -> bool:
        """Whether it asks to which class images belong: always."""
        return True

    def keys(self) -> frozenset[tuple[str, str]]:
        """Return the measure and the parameter of every row that one snapshot gets."""
        return frozenset((OCCLUDED_ACCURACY, self.name(probability)) for probability in self.probabilities)

    def measure(self, snapshots: SnapshotBatch) -> pd.DataFrame:
        """Test each snapshot's classifier on occluded images."""
        weights, labels = snapshots.readout(self.protocol), snapshots.images.test.labels
        rows = []
        for probability in self.probabilities:
            shares = accuracy(weights, self.latents(snapshots, probability), labels)
            for epoch, share in zip(snapshots.epochs, shares.tolist(), strict=True):
                rows.append((epoch, OCCLUDED_ACCURACY, self.name(probability), share))
        return tabled(rows)

    def latents(self, snapshots: SnapshotBatch, probability: float) -> Float[Tensor, "k m z"]:
        """Infer the occluded test images: at 0 they are the clean ones, and at 1 one grey image."""
        images = snapshots.images.test.images
        if probability == 0:
            return snapshots.test
        masks = snapshots.masks("robustness", len(images), probability, self.tile_size)
        if probability == 1:
            return snapshots.infer(images[:1], masks[:1]).expand(-1, len(images), -1)
        return snapshots.infer(images, masks)
