"""Few_labels: how well a linear classifier that saw 1, 10 or 100 labels of each class tells the others' classes.

Logistic regression, fitted to its optimum (L2, scikit-learn), since the readout's protocol needs batches of images.

Cost of a snapshot: inference of all images, unless the readout is measured in the same call, and for each draw a
regression on at most 100 c labelled images of c classes (15 of them).
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
import pandas as pd
import torch
from annotated_types import Gt, MinLen
from jaxtyping import Int64
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from dreaming.evaluation.features.controls import to_scale
from dreaming.evaluation.measures.measure import Measure, Quantity, Row, parameter, tabled
from dreaming.evaluation.measures.snapshot_batch import SnapshotBatch
from dreaming.model.activity import LATENT
from dreaming.model.parameters import Count
from dreaming.rng import Random

FEW_LABEL_ACCURACY, FEW_LABEL_SPREAD, FEW_LABEL_DRAW = (
    "few_label_accuracy",
    "few_label_spread",
    "few_label_draw",
)
STEPS = 10_000
"""At most, of the optimiser, which ends long before where features are on the scale of latents."""


class FewLabels(Measure):
    """Accuracy of a linear readout that is trained on few labels.

    Rows, by the labels of each class (``1``, ``10``, ``100``): ``few_label_accuracy``, the mean over draws of the
    labelled images, a fraction of the test images, and ``few_label_spread``, their standard deviation (n-1); by
    labels and draw (``10-0``): ``few_label_draw``, the accuracy of each. Undefined where a class has fewer images.

    Notes
    -----
    Which images are labelled depends on the seed of the run, the draw and the class: those of 1 are among those of
    10, and they are the same at every epoch and in every condition of one seed. Features of other layers than the
    latents are brought to the scale of latents, as the readout does.

    Examples
    --------
    >>> sorted(FewLabels(labels=(5,), draws=2).keys())
    [('few_label_accuracy', '5;draws=2'), ('few_label_draw', '5-0'), ('few_label_draw', '5-1'),
    ('few_label_spread', '5;draws=2')]
    """

    quantities: ClassVar = {
        FEW_LABEL_ACCURACY: Quantity(
            "accuracy of a linear readout of few labels, mean of draws", "%", of_classes=True
        ),
        FEW_LABEL_SPREAD: Quantity(
            "standard deviation of that accuracy over draws of the labelled images", "%"
        ),
        FEW_LABEL_DRAW: Quantity("accuracy of a linear readout of few labels, of one draw", "%"),
    }

    labels: Annotated[tuple[Count, ...], MinLen(1)] = (1, 10, 100)
    """How many images of each class are labelled."""
    draws: Count = 5
    """How often they are drawn."""
    inverse_penalty: Annotated[float, Gt(0)] = 1.0
    """C of the regression: weights cost their squared norm over 2 C, beside the summed cross-entropy."""
    layer: str = LATENT
    """Whose activity is read out, by its name in ``cortex.activity``."""

    @property
    def needs_labels(self) -> bool:
        """Whether it asks to which class images belong: always."""
        return True

    def name(self, labels: int) -> str:
        """Return the parameter of the mean and of the spread."""
        return parameter(str(labels), self, ["draws", "inverse_penalty", "layer"])

    def name_of_draw(self, labels: int, draw: int) -> str:
        """Return the parameter of a draw."""
        return parameter(f"{labels}-{draw}", self, ["inverse_penalty", "layer"])

    def keys(self) -> frozenset[tuple[str, str]]:
        """Return the measure and the parameter of every row that one snapshot gets."""
        means = {
            (name, self.name(count))
            for name in (FEW_LABEL_ACCURACY, FEW_LABEL_SPREAD)
            for count in self.labels
        }
        draws = {(n, draw) for n in self.labels for draw in range(self.draws)}
        return frozenset(means | {(FEW_LABEL_DRAW, self.name_of_draw(*each)) for each in draws})

    def check(self, snapshots: SnapshotBatch) -> None:
        """Refuse a layer that cannot be had."""
        snapshots.require_layer(self.layer, len(snapshots.images.train) + len(snapshots.images.test))

    def measure(self, snapshots: SnapshotBatch) -> pd.DataFrame:
        """Read out each snapshot."""
        images, seed = snapshots.images, snapshots.config.seed
        least = int(torch.bincount(images.train.labels.cpu(), minlength=len(images.classes)).min())
        if least < max(self.labels):
            snapshots.progress.say(
                f"few labels of {images.name}: there are no {max(self.labels):,} training images of each class, "
                f"but {least:,} of the rarest, so the accuracy of more labels is not defined"
            )
        rows: list[Row] = []
        for epoch, train, test in snapshots.both_splits(self.layer):
            features = (train, test) if self.layer == LATENT else to_scale(train, test)
            x, x_test = (each.cpu().numpy() for each in features)
            y, y_test = (split.labels.cpu().numpy() for split in (images.train, images.test))
            for count in self.labels:
                shares = np.full(self.draws, np.nan)
                drawn = (
                    drawn_images(images.train.labels.cpu(), count, seed, self.draws) if count <= least else []
                )
                for draw, which in enumerate(drawn):
                    fit = LogisticRegression(C=self.inverse_penalty, max_iter=STEPS)
                    shares[draw] = fit.fit(x[which], y[which]).score(x_test, y_test)
                for draw, share in enumerate(shares):
                    rows.append((epoch, FEW_LABEL_DRAW, self.name_of_draw(count, draw), float(share)))
                spread = float(shares.std(ddof=1)) if self.draws > 1 else float("nan")
                rows.append((epoch, FEW_LABEL_ACCURACY, self.name(count), float(shares.mean())))
                rows.append((epoch, FEW_LABEL_SPREAD, self.name(count), spread))
        return tabled(rows)


def drawn_images(
    labels: Int64[Tensor, " n"], count: int, seed: int, draws: int
) -> Iterator[Int64[Tensor, " p"]]:
    """Draw, so many times, the images of each class that are labelled.

    Examples
    --------
    >>> labels = torch.tensor([0, 1, 0, 1, 0, 1])
    >>> [labels[which].tolist() for which in drawn_images(labels, 2, seed=0, draws=2)]
    [[0, 0, 1, 1], [0, 0, 1, 1]]
    """
    for draw in range(draws):
        random = Random(seed, ("few_labels", draw))
        order = random.uniform("evaluation", (len(labels),)).argsort()
        yield torch.cat([order[labels[order] == label][:count] for label in labels.unique()])
