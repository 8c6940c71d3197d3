"""Linear separability of a run's latents, beside controls that no cortex learned (paper, figure 4).

Cost of a snapshot with n training and m test images, in multiply-accumulates: inference, n + m times those of the
encoder (18.6 M at full width), and the classifier, 40 n f c of f latents and c classes (CIFAR-10: 1.1 T and 5 G).
The controls are read out once for each data set, seed and protocol: of p pixel values, 40 n p c (61 G), and for the
principal components n p² (0.5 T) and an eigendecomposition of order p³.
"""

import re

import pandas as pd
import torch

from dreaming.config.config import Config
from dreaming.data import Dataset
from dreaming.errors import UserError
from dreaming.evaluation.features import controls
from dreaming.evaluation.features.cache import Control, Origin, keep, kept
from dreaming.evaluation.measures.cortices import SnapshotBatch
from dreaming.evaluation.measures.measure import Measure, parameter, tabled
from dreaming.evaluation.measures.record import MeasureTable
from dreaming.evaluation.readout import Protocol, accuracy, train_readout

ACCURACY = "readout_accuracy"


class Readout(Measure):
    """Readout accuracy of the latents, and of controls.

    Rows: ``readout_accuracy``, of ``latent`` at each epoch, and of the controls ``pixels`` and ``pca-256``, which
    belong to no epoch; a fraction of the test images.

    Examples
    --------
    >>> sorted(Readout(protocol=Protocol(learning_rate=0.02)).keys())
    [('readout_accuracy', 'latent;learning_rate=0.02')]
    """

    protocol: Protocol = Protocol()
    """How the classifier is trained."""

    def name(self, features: str) -> str:
        """Name the parameter of the rows of some features."""
        return parameter(features, self, ["protocol"])

    def keys(self) -> frozenset[tuple[str, str]]:
        """Name the measure and the parameter of every row that one snapshot gets."""
        return frozenset({(ACCURACY, self.name("latent"))})

    def measure(self, subjects: SnapshotBatch) -> pd.DataFrame:
        """Read out each snapshot's latents."""
        labels = subjects.images.test.labels
        shares = accuracy(subjects.readout(self.protocol), subjects.test, labels).tolist()
        rows = [
            (epoch, ACCURACY, self.name("latent"), share)
            for epoch, share in zip(subjects.epochs, shares, strict=True)
        ]
        return tabled(rows)

    def rows_of_control(self, control: Control, table: pd.DataFrame) -> pd.DataFrame:
        """Find a control's row in a table of measures, however many components there are; none if it lacks."""
        wanted = re.compile(rf"{control}(-\d+)?{re.escape(self.name(''))}")
        of_control = table["parameter"].map(lambda name: wanted.fullmatch(name) is not None).astype(bool)
        return table[(table["measure"] == ACCURACY) & of_control]

    def measure_control(
        self, control: Control, images: Dataset, config: Config, device: torch.device
    ) -> tuple[str, float]:
        """Read out features that no cortex learned: what they are called, and the share of test images."""
        features = {"pixels": controls.pixels, "pca": controls.pca}[control]
        channels, seed = config.networks.image_channels, config.seed
        label, train, test = features(images.train.images, images.test.images, channels, seed)
        weights = train_readout(
            train[None].to(device), images.train.labels, len(images.classes), seed, self.protocol
        )
        return label, float(accuracy(weights, test[None].to(device), images.test.labels)[0])

    def add_control(
        self, control: Control, record: MeasureTable, images: Dataset, device: torch.device
    ) -> None:
        """Add a control's row, which belongs to no epoch, to a record: from the cache, or measured and kept there.

        A file of the cache that is damaged is made anew, a cache that cannot be written is done without, and both
        are said.
        """
        config, progress, known = record.config, record.progress, None
        origin = Origin.of(
            control, images, config.networks.image_channels, config.seed, self.protocol, device
        )
        try:
            known = kept(origin)
        except UserError as damage:
            progress.say(f"{damage}; the control is measured again")
        label, share = known or self.measure_control(control, images, config, device)
        source = f" (as kept in {origin.file})" if known else ""
        record.add("measures", tabled([(None, ACCURACY, self.name(label), share)]), source)
        if known is None:
            try:
                keep(origin, label, share)
            except UserError as refusal:
                progress.say(f"the control is not kept for other runs: {refusal}")
