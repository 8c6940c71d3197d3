"""Readout: how well a linear classifier tells classes by the latents, beside controls (paper, figure 4).

Controls are features that no cortex learned: pixels, and their principal components.

Cost of a snapshot with n training and m test images, in multiply-accumulates: inference, n + m times those of the
encoder (18.6 M at full width), and the classifier, 40 n f c of f latents and c classes (CIFAR-10: 1.1 T and 5 G).
The controls are read out once for each data set, seed and protocol: of p pixel values, 40 n p c (61 G), and for the
principal components n p² (0.5 T) and an eigendecomposition of order p³.
"""

import re
from collections.abc import Iterator
from typing import ClassVar

import pandas as pd
import torch

from dreaming.data import Dataset
from dreaming.evaluation.features.controls import Control, ControlKind, to_scale
from dreaming.evaluation.measures.measure import Measure, Quantity, parameter, tabled
from dreaming.evaluation.measures.measure_table import MeasureTable
from dreaming.evaluation.measures.snapshot_batch import SnapshotBatch
from dreaming.evaluation.readout import Protocol, accuracy, train_readout
from dreaming.model.activity import LATENT

READOUT_ACCURACY = "readout_accuracy"


class Readout(Measure):
    """Readout accuracy of the latents or of another layer, and of controls.

    Rows: ``readout_accuracy``, of ``latent`` at each epoch, and of the controls ``pixels`` and ``pca-256``, which
    belong to no epoch; a fraction of the test images. The activity of another layer (``latent;layer=layer_3``) is
    brought to the scale of latents, as the controls are, so that the learning rate means the same for it.

    Examples
    --------
    >>> sorted(Readout(protocol=Protocol(learning_rate=0.02)).keys())
    [('readout_accuracy', 'latent;learning_rate=0.02')]
    """

    quantities: ClassVar = {
        READOUT_ACCURACY: Quantity("linear readout accuracy on test images", "%", of_classes=True)
    }

    protocol: Protocol = Protocol()
    """How the classifier is trained."""
    layer: str = LATENT
    """Whose activity is read out, by its name in ``cortex.activity``."""

    def name(self, features: str) -> str:
        """Return the parameter of the rows of a control, or of latents."""
        return parameter(features, self, ["protocol"])

    @property
    def needs_labels(self) -> bool:
        """Whether it asks to which class images belong: always."""
        return True

    def keys(self) -> frozenset[tuple[str, str]]:
        """Return the measure and the parameter of every row that one snapshot gets."""
        return frozenset({(READOUT_ACCURACY, parameter(LATENT, self, ["layer", "protocol"]))})

    def check(self, snapshots: SnapshotBatch) -> None:
        """Refuse a layer that cannot be had."""
        snapshots.require_layer(self.layer, len(snapshots.images.train) + len(snapshots.images.test))

    def measure(self, snapshots: SnapshotBatch) -> pd.DataFrame:
        """Read out each snapshot."""
        ((measure, name),) = self.keys()
        if self.layer == LATENT:
            weights, labels = snapshots.readout(self.protocol), snapshots.images.test.labels
            shares = accuracy(weights, snapshots.test, labels).tolist()
        else:
            shares = list(self._of_layer(snapshots))
        return tabled(
            (epoch, measure, name, share) for epoch, share in zip(snapshots.epochs, shares, strict=True)
        )

    def _of_layer(self, snapshots: SnapshotBatch) -> Iterator[float]:
        """Yield the accuracy of each snapshot, one after another: all of them together may be too large."""
        images, seed = snapshots.images, snapshots.config.seed
        for _, *both in snapshots.both_splits(self.layer):
            train, test = to_scale(*both)
            weights = train_readout(
                train[None], images.train.labels, len(images.classes), seed, self.protocol
            )
            yield float(accuracy(weights, test[None], images.test.labels)[0])

    def has_control(self, kind: ControlKind, table: pd.DataFrame) -> bool:
        """Return whether a control's row is in a table of measures, however many components there are."""
        wanted = re.compile(rf"{kind}(-\d+)?{re.escape(self.name(''))}")
        return any(
            wanted.fullmatch(name) for name in table.loc[table["measure"] == READOUT_ACCURACY, "parameter"]
        )

    def add_control(
        self, kind: ControlKind, table: MeasureTable, images: Dataset, device: torch.device
    ) -> None:
        """Add a control's row, which belongs to no epoch, to a table: from the cache, or measured now."""
        channels, seed = table.config.networks.image_channels, table.config.seed
        control = Control(kind, images, channels, seed, self.protocol, device)
        known = control.kept(table.progress)
        label, share = known or control.measure()
        source = f" (as kept in {control.file})" if known else ""
        table.add(self, tabled([(None, READOUT_ACCURACY, self.name(label), share)]), source)
        if not known:
            control.keep(label, share, table.progress)
