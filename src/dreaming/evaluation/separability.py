"""Linear separability of a run's latents, beside controls that no cortex learned (paper, figure 4).

COST_PLACEHOLDER
"""

import re
from typing import Literal

import pandas as pd
import torch

from dreaming.config import Config
from dreaming.data import Dataset
from dreaming.evaluation import controls
from dreaming.evaluation.measure import Measure, parameter, tabled
from dreaming.evaluation.readout import Protocol, accuracy, train_readout
from dreaming.evaluation.record import neighbours
from dreaming.evaluation.subjects import Subjects
from dreaming.runs import RunFolder

ACCURACY = "readout_accuracy"
Control = Literal["pixels", "pca"]
CONTROLS: tuple[Control, ...] = ("pixels", "pca")


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

    def measure(self, subjects: Subjects) -> pd.DataFrame:
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
    ) -> pd.DataFrame:
        """Read out features that no cortex learned: a row without an epoch."""
        features = {"pixels": controls.pixels, "pca": controls.pca}[control]
        channels, seed = config.networks.image_channels, config.seed
        label, train, test = features(images.train.images, images.test.images, channels, seed)
        weights = train_readout(
            train[None].to(device), images.train.labels, len(images.classes), seed, self.protocol
        )
        share = float(accuracy(weights, test[None].to(device), images.test.labels)[0])
        return tabled([(None, ACCURACY, self.name(label), share)])

    def control_of_neighbour(
        self, control: Control, folder: RunFolder, config: Config
    ) -> tuple[pd.DataFrame, RunFolder] | None:
        """Take over a control from another condition of the same seed that was measured already.

        A control depends on the images, the channels that are seen, the seed and the protocol alone. It is taken
        from a run whose record, sealed by checksums, says that all of these are the same; else from nowhere.
        """
        for neighbour in neighbours(folder, config):
            table = neighbour.read_measures()
            rows = self.rows_of_control(control, table)
            if len(rows) == 1 and rows["epoch"].isna().all():
                return rows[["epoch", "measure", "parameter", "value"]], neighbour
        return None
