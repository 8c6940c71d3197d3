"""Knn: how well the nearest training images, by the cosine of their latents, tell the class of a test image.

Nothing is trained but the cortex: each of k neighbours has one vote.

Cost of a snapshot with n training and m test images of f features, in multiply-accumulates: inference of all
images, unless the readout is measured in the same call, and n m f (CIFAR-10: 0.13 T), in memory of order n.
"""

from typing import ClassVar

import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from dreaming.errors import UserError
from dreaming.evaluation.measures.measure import Measure, Quantity, parameter, tabled
from dreaming.evaluation.measures.snapshot_batch import SnapshotBatch
from dreaming.model.activity import LATENT
from dreaming.model.parameters import Count

KNN_ACCURACY = "knn_accuracy"
TESTED_AT_ONCE = 256
"""Test images whose similarities to all training images are in memory at once: of 50,000, 50 MB."""


class Knn(Measure):
    """Accuracy of a vote of the nearest training images.

    Rows: ``knn_accuracy``, of ``latent``; a fraction of the test images. Similarity is the cosine of features as
    they are, not centred; of two classes with as many votes, the one with the lower number wins.

    Examples
    --------
    >>> sorted(Knn(k=5, layer="layer_3").keys())
    [('knn_accuracy', 'latent;k=5;layer=layer_3')]
    """

    quantities: ClassVar = {
        KNN_ACCURACY: Quantity("accuracy of the nearest neighbours on test images", "%", of_classes=True)
    }

    k: Count = 20
    """How many neighbours vote."""
    layer: str = LATENT
    """Whose activity is compared, by its name in ``cortex.activity``."""

    @property
    def needs_labels(self) -> bool:
        """Whether it asks to which class images belong: always."""
        return True

    def name(self) -> str:
        """Return the parameter of the rows."""
        return parameter(LATENT, self, ["k", "layer"])

    def keys(self) -> frozenset[tuple[str, str]]:
        """Return the measure and the parameter of every row that one snapshot gets."""
        return frozenset({(KNN_ACCURACY, self.name())})

    def check(self, snapshots: SnapshotBatch) -> None:
        """Refuse a layer that cannot be had."""
        images = snapshots.images
        snapshots.require_layer(self.layer, len(images.train) + len(images.test))

    def measure(self, snapshots: SnapshotBatch) -> pd.DataFrame:
        """Let the neighbours vote in each snapshot.

        Raises
        ------
        UserError
            If there are fewer images than neighbours.
        """
        images, rows = snapshots.images, []
        if self.k > len(images.train):
            raise UserError(
                f"knn.k is {self.k}, and there are only {len(images.train)} training images; use --set knn.k=N"
            )
        for epoch, train, test in snapshots.both_splits(self.layer):
            found = neighbours_vote(train, images.train.labels, test, len(images.classes), self.k)
            share = float((found == images.test.labels.to(found.device)).double().mean())
            rows.append((epoch, KNN_ACCURACY, self.name(), share))
        return tabled(rows)


def neighbours_vote(
    train: Float[Tensor, "n f"], labels: Int64[Tensor, " n"], test: Float[Tensor, "m f"], classes: int, k: int
) -> Int64[Tensor, " m"]:
    """Return the class that most of the k training features nearest by cosine have, for each test feature.

    Examples
    --------
    >>> train, labels = torch.tensor([[1.0, 0], [0, 1], [0, 2]]), torch.tensor([0, 1, 1])
    >>> neighbours_vote(train, labels, torch.tensor([[5.0, 1], [1, 3]]), classes=2, k=1).tolist()
    [0, 1]
    """
    votes = functional.one_hot(labels.to(train.device), classes)
    directions = functional.normalize(train).T
    found = []
    for part in test.split(TESTED_AT_ONCE):
        nearest = (functional.normalize(part) @ directions).topk(k, dim=1).indices
        found.append(votes[nearest].sum(dim=1).argmax(dim=1))
    return torch.cat(found)
