"""Projection: clean and occluded latents on their first two principal components (paper, figure 6 b to d).

It goes into a table of its own, ``projection.csv``, a coordinate a row.

Cost of a snapshot with s images shown (at most 200 of each of four classes), in multiply-accumulates: inference of
2 s images (at full width 30 G), and a singular value decomposition of order 2 s f², of f latents (0.1 G).
"""

from typing import Annotated, ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from annotated_types import Ge, MinLen
from jaxtyping import Float64, Int64
from sklearn.decomposition import PCA
from torch import Tensor

from dreaming.data import Dataset
from dreaming.errors import UserError
from dreaming.evaluation.measures.measure import Measure, Quantity, parameter
from dreaming.evaluation.measures.snapshot_batch import SnapshotBatch
from dreaming.model.occlusion import Probability, TileSize

PROJECTION = "projection"
AXES, SHOWN = 2, 4
PROJECTION_WORDS = ("class", "explained")
"""Columns that later programs added: the name of the class, and the share of variance of the component."""

Fit = Literal["shown", "clean"]


class Projection(Measure):
    """Principal components of clean and occluded latents of test images.

    Rows of ``projection.csv``: measure ``projection``, parameter ``pca``, ``image`` (its place among the test
    images), ``label`` (its class, or -1 if there are none), ``occluded`` (the probability of occlusion; 0 for the
    clean image), ``component`` (1 or 2), ``value``, ``class`` (its name) and ``explained`` (the share of variance
    of the latents that the component has).

    Notes
    -----
    Paper: "PCA visualization", which does not say of which latents the components are. Here they are those of all
    that is shown, clean and occluded together, so that a way in which occlusion moves latents can be seen. The
    published program fits clean and occluded latents together too (of ten classes, by t-SNE). The images are the
    first of each class, so the same in every run; the masks are the same at every epoch and in every condition of
    one seed.

    Examples
    --------
    >>> sorted(Projection(classes=(4, 5)).keys())
    [('projection', 'pca;classes=4-5')]
    """

    quantities: ClassVar = {PROJECTION: Quantity("coordinate on principal components of latents")}
    table: ClassVar = "projection"

    classes: Annotated[tuple[int, ...], MinLen(1)] | None = None
    """Labels of the classes that are shown; the first four by default (figure 6: SVHN's digits 0 to 3)."""
    images_per_class: Annotated[int, Ge(1)] = 200
    """How many images of each class are shown; all, if there are fewer."""
    occlusion: Probability = 0.3
    """Probability that a tile is silenced."""
    tile_size: TileSize = 4
    """Side of the square tiles, in pixels."""
    fit: Fit = "shown"
    """Latents whose components are taken: all that are shown, or the clean ones alone."""

    def name(self) -> str:
        """Return the parameter of the rows."""
        return parameter("pca", self, ["classes", "images_per_class", "occlusion", "tile_size", "fit"])

    def keys(self) -> frozenset[tuple[str, str]]:
        """Return the measure and the parameter of every row that one snapshot gets."""
        return frozenset({(PROJECTION, self.name())})

    def measure(self, snapshots: SnapshotBatch) -> pd.DataFrame:
        """Project the latents of each snapshot."""
        test, which = snapshots.images.test, self.chosen_images(snapshots.images)
        images, labels = test.images[which.to(test.images.device)], test.labels.cpu()[which]
        masks = snapshots.masks("projection", len(which), self.occlusion, self.tile_size)
        both = zip(snapshots.test[:, which], snapshots.infer(images, masks), strict=True)
        about = {
            "measure": PROJECTION,
            "parameter": self.name(),
            "image": which.repeat_interleave(AXES).numpy(),
            "label": labels.repeat_interleave(AXES).numpy(),
            "component": np.tile(np.arange(1, AXES + 1), len(which)),
        }
        if names := snapshots.images.classes:
            about["class"] = [names[label] for label in about["label"]]
        parts = []
        for epoch, latents in zip(snapshots.epochs, both, strict=True):
            clean, occluded = (z.double().cpu().numpy() for z in latents)
            *projected, shares = principal_components(clean, occluded, self.fit)
            for probability, values in zip((0.0, self.occlusion), projected, strict=True):
                own = {"epoch": epoch, "occluded": probability, "value": values.reshape(-1)}
                own["explained"] = np.tile(shares, len(which))
                parts.append(pd.DataFrame({**about, **own}))
        return pd.concat(parts, ignore_index=True).astype({"epoch": "Int64"})

    def chosen_images(self, images: Dataset) -> Int64[Tensor, " n"]:
        """Return the places, among the test images, of the first of each class that is shown.

        Of images without labels, they are as many as of four classes, from the first.

        Raises
        ------
        UserError
            If there is no such class, or none of its images.
        """
        if not images.classes:
            return torch.arange(min(len(images.test), SHOWN * self.images_per_class))
        known = len(images.classes)
        classes = tuple(range(min(SHOWN, known))) if self.classes is None else self.classes
        unknown = [label for label in classes if not 0 <= label < known]
        if unknown:
            raise UserError(
                f"projection.classes names class {unknown[0]}; the classes of {images.name} are 0 to {known - 1}"
            )
        labels = images.test.labels.cpu()
        places = [(labels == label).nonzero()[: self.images_per_class, 0] for label in dict.fromkeys(classes)]
        which = torch.cat(places)
        if not len(which):
            raise UserError(
                f"none of the {len(labels)} test images is of the classes that projection.classes names"
            )
        return which


def principal_components(
    clean: Float64[np.ndarray, "n f"], occluded: Float64[np.ndarray, "n f"], fit: Fit = "shown"
) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, "n 2"], Float64[np.ndarray, "2"]]:
    """Project latents of clean and occluded images on two principal components.

    Parameters
    ----------
    clean, occluded
        Latents, shape [n, f].
    fit
        Whose components: of both together, or of the clean ones alone.

    Returns
    -------
    clean, occluded
        Coordinates, shape [n, 2], about the mean of the latents that the components are of. Of each component, the
        largest weight is positive.
    shares
        The share of the variance of those latents that each component has, shape [2], in [0, 1].

    Raises
    ------
    UserError
        If there are fewer than two latents, or fewer than two images.

    Examples
    --------
    >>> line = np.array([[0.0, 0, 0], [4, 0, 0], [0, 2, 0], [4, 2, 0]])
    >>> principal_components(line, line)[0].round(6).tolist()
    [[-2.0, -1.0], [2.0, -1.0], [-2.0, 1.0], [2.0, 1.0]]
    """
    fitted = np.concatenate([clean, occluded]) if fit == "shown" else clean
    if min(fitted.shape) < AXES:
        raise UserError(
            f"a projection to two components needs two images and two latents, and has {len(clean)} and"
            f" {clean.shape[1]}"
        )
    found = PCA(AXES, svd_solver="full").fit(fitted)
    return found.transform(clean), found.transform(occluded), found.explained_variance_ratio_
