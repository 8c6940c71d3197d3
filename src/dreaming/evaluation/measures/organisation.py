"""Organisation: how near to each other the latents of a class lie, and an image's to its occluded version's.

Distances within classes and between clean and occluded images, each over the distance between classes (paper:
figure 6 e and f).

Cost of a snapshot with m test images, in multiply-accumulates: inference of m clean and at most 10,000 occluded
images (CIFAR-10 at full width: 0.4 T); the distances themselves, (1,000 c + 20,000) f of c classes and f latents,
are nothing beside it (8 M). All pairs take m² f (26 G), in memory of order m.
"""

from typing import ClassVar, Literal, NamedTuple

import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from dreaming.errors import UserError
from dreaming.evaluation.measures.measure import Measure, Quantity, Row, parameter, tabled
from dreaming.evaluation.measures.snapshot_batch import SnapshotBatch
from dreaming.model.activity import LATENT
from dreaming.model.occlusion import Probability, TileSize
from dreaming.model.parameters import Count
from dreaming.rng import Random, generator

INTRA_INTER, CLEAN_OCCLUDED = "intra_inter_ratio", "clean_occluded_ratio"
LATENTS_AT_ONCE = 256
"""Latents whose distances to all others are in memory at once: of 26,032 latents, 50 MB."""
VALUES_AT_ONCE = 2**24
"""Values of one side of pairs in memory at once, 67 MB: all 10,000 pairs of 256 latents."""

Distance = Literal["euclidean", "squared"]
Pairs = tuple[Int64[Tensor, " p"], Int64[Tensor, " p"]]
"""First and second image of each pair."""


class Sample(NamedTuple):
    """Pairs of images."""

    within: list[Pairs]
    """Of the same class, for each class that has two images or more."""
    between: Pairs
    """Of different classes."""


class Organisation(Measure):
    """Ratios of mean distances between latents.

    Rows: ``intra_inter_ratio`` and ``clean_occluded_ratio``, by the distance: ``euclidean`` or ``squared``, with
    ``-all`` where all pairs were taken. Not negative, and the smaller, the tighter classes (or an image and its
    occluded version) lie together; empty if all latents are one point.

    Notes
    -----
    Paper: "Latent space organization metrics". Intra-class distance: of 1,000 random pairs of images of each class,
    then the mean over classes. Inter-class: of 10,000 random pairs of different classes. Clean-occluded: of 10,000
    images and their versions under occlusion, a mask an image. Published program: squared distances, of training
    images, 500 pairs a class, one mask for all images of a class.

    The same pairs, images and masks are taken at every epoch and in every condition of one seed. An image is never
    paired with itself. Of small data sets: where there are no more pairs than asked for, all are taken, each as
    often; a class without two images has no distance within and is left out of the mean; of fewer images than
    asked for, all are occluded. What there is less of is said.

    Examples
    --------
    >>> sorted(Organisation(distance="squared", pairs="all", occlusion=0.5).keys())
    [('clean_occluded_ratio', 'squared-all;occlusion=0.5'), ('intra_inter_ratio', 'squared-all')]
    """

    quantities: ClassVar = {
        INTRA_INTER: Quantity("distance of latents within classes over that between classes"),
        CLEAN_OCCLUDED: Quantity(
            "distance of latents of clean and occluded images over that between classes"
        ),
    }
    passes: ClassVar = 1

    distance: Distance = "euclidean"
    """``euclidean`` as in the paper, or ``squared`` as in its program."""
    pairs: Literal["sampled", "all"] = "sampled"
    """``sampled`` as in the paper, or ``all`` there are, and all images with their occluded versions."""
    intra_pairs: Count = 1000
    """Random pairs of each class."""
    inter_pairs: Count = 10_000
    """Random pairs of different classes."""
    occluded_images: Count = 10_000
    """Random images that are compared with their occluded versions."""
    occlusion: Probability = 0.3
    """Probability that a tile is silenced."""
    tile_size: TileSize = 4
    """Side of the square tiles, in pixels."""
    split: Literal["test", "train"] = "test"
    """Which images; the paper does not say, and its program takes those it was trained on."""
    layer: str = LATENT
    """Whose activity distances are taken of, by its name in ``cortex.activity``."""

    def names(self) -> dict[str, str]:
        """Return the parameter of each quantity."""
        every = self.pairs == "all"
        base = f"{self.distance}-all" if every else self.distance
        within, moved = (
            ([], []) if every else (["intra_pairs", "inter_pairs"], ["inter_pairs", "occluded_images"])
        )
        return {
            INTRA_INTER: parameter(base, self, [*within, "split", "layer"]),
            CLEAN_OCCLUDED: parameter(base, self, [*moved, "occlusion", "tile_size", "split", "layer"]),
        }

    @property
    def needs_labels(self) -> bool:
        """Whether it asks to which class images belong: always."""
        return True

    def keys(self) -> frozenset[tuple[str, str]]:
        """Return the measure and the parameter of every row that one snapshot gets."""
        return frozenset(self.names().items())

    def check(self, snapshots: SnapshotBatch) -> None:
        """Refuse a layer that cannot be had."""
        n = len(getattr(snapshots.images, self.split))
        snapshots.require_layer(self.layer, n + (n if self.pairs == "all" else min(n, self.occluded_images)))

    def measure(self, snapshots: SnapshotBatch) -> pd.DataFrame:
        """Measure both ratios of each snapshot."""
        seed, every = snapshots.config.seed, self.pairs == "all"
        split = getattr(snapshots.images, self.split)
        labels, n = split.labels.cpu(), len(split)
        sample = None if every else sample_pairs(labels, self.intra_pairs, self.inter_pairs, seed)
        count = n if every else min(n, self.occluded_images)
        for line in [] if every else self.fewer(labels):
            snapshots.progress.say(f"latent organisation of {snapshots.images.name}: {line}")
        which = torch.randperm(n, generator=generator(seed, "evaluation", "organisation"))[:count]
        masks = snapshots.masks("organisation", count, self.occlusion, self.tile_size)
        clean = snapshots.split_activity(self.layer, self.split)
        occluded = snapshots.activity(self.layer, split.images[which.to(split.images.device)], masks)
        rows: list[Row] = []
        for epoch, z, z_occluded in zip(snapshots.epochs, clean, occluded, strict=True):
            if sample is None:
                intra, inter = mean_of_all_pairs(z, labels, self.distance)
            else:
                intra, inter = mean_of_sample(z, sample, self.distance)
            places = torch.arange(count)
            moved = mean_distance(z, z_occluded, (which, places), self.distance)
            for name, value in ((INTRA_INTER, intra), (CLEAN_OCCLUDED, moved)):
                rows.append((epoch, name, self.names()[name], value / inter if inter else float("nan")))
        return tabled(rows)

    def fewer(self, labels: Int64[Tensor, " n"]) -> list[str]:
        """Return of what there is less than is asked for, in words.

        Examples
        --------
        >>> for line in Organisation(inter_pairs=3).fewer(torch.tensor([0, 0, 0, 1])):
        ...     print(line)
        no 10,000 test images, so all 4 with occluded versions
        no 1,000 pairs in 1 of 2 classes, so all of theirs
        no two images in 1 of 2 classes, which are left out
        """
        n, sizes = len(labels), torch.bincount(labels)
        sizes = sizes[sizes > 0]
        short = int(((sizes >= 2) & (sizes * (sizes - 1) // 2 < self.intra_pairs)).sum())
        alone = int((sizes == 1).sum())
        between = (n * n - int(sizes.square().sum())) // 2
        lines = []
        if n < self.occluded_images:
            lines.append(
                f"no {self.occluded_images:,} {self.split} images, so all {n:,} with occluded versions"
            )
        if short:
            lines.append(
                f"no {self.intra_pairs:,} pairs in {short} of {len(sizes)} classes, so all of theirs"
            )
        if between < self.inter_pairs:
            lines.append(f"no {self.inter_pairs:,} pairs of different classes, so all {between:,}")
        if alone:
            lines.append(f"no two images in {alone} of {len(sizes)} classes, which are left out")
        return lines


def distances(
    a: Float[Tensor, "p f"], b: Float[Tensor, "p f"], distance: Distance = "euclidean"
) -> Float[Tensor, " p"]:
    """Return the distance of each pair of latents, ‖a - b‖ or its square, shape [p].

    Examples
    --------
    >>> a, b = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])
    >>> distances(a, b).item(), distances(a, b, "squared").item()
    (5.0, 25.0)
    """
    squared = (a - b).square().sum(dim=1)
    return squared if distance == "squared" else squared.sqrt()


def sample_pairs(labels: Int64[Tensor, " n"], intra: int, inter: int, seed: int) -> Sample:
    """Draw pairs of different images, all pairs being equally likely, and the same one perhaps twice.

    Parameters
    ----------
    labels
        Classes of the n images, at least two of them, shape [n].
    intra, inter
        How many pairs of each class, and of different classes; where there are no more, all, in both directions.
    seed
        Of the draws.

    Raises
    ------
    UserError
        If no class has two images.
    """
    random, order = Random(seed, ("organisation",)), labels.argsort(stable=True)
    sizes = torch.bincount(labels)
    starts = sizes.cumsum(0) - sizes
    within = []
    for label, (size, start) in enumerate(zip(sizes.tolist(), starts.tolist(), strict=True)):
        if size >= 2:
            drawn = _drawn(size * (size - 1), intra, random.at("intra", label))
            first, second = drawn // (size - 1), drawn % (size - 1)
            within.append((order[start + first], order[start + second + (second >= first)]))
    _need_two_alike(len(within))
    # Sorted by class, the partners of an image are all others but for the run of its own class.
    own = labels[order]
    partners = len(labels) - sizes[own]
    ends = partners.cumsum(0)
    drawn = _drawn(int(ends[-1]), inter, random.at("inter"))
    first = torch.searchsorted(ends, drawn, right=True)
    second = drawn - (ends - partners)[first]
    second += torch.where(second >= starts[own[first]], sizes[own[first]], 0)
    return Sample(within, (order[first], order[second]))


def _drawn(there: int, count: int, random: Random) -> Int64[Tensor, " p"]:
    """Draw from the numbers 0 to there-1, which are pairs in both directions; or take all, if there are no more."""
    if there <= 2 * count:
        return torch.arange(there)
    return random.integers("evaluation", 0, there - 1, (count,))


def _need_two_alike(classes: int) -> None:
    if not classes:
        raise UserError(
            "a distance within classes needs two images of one class; take more images, or leave organisation out"
        )


def mean_of_sample(z: Float[Tensor, "n f"], sample: Sample, distance: Distance) -> tuple[float, float]:
    """Return the mean distance within classes (of the classes' means) and the mean distance between classes."""
    within = [mean_distance(z, z, pairs, distance) for pairs in sample.within]
    return sum(within) / len(within), mean_distance(z, z, sample.between, distance)


def mean_distance(
    a: Float[Tensor, "n f"], b: Float[Tensor, "m f"], pairs: Pairs, distance: Distance
) -> float:
    """Return the mean distance of pairs of rows of a and b, few at once where rows are long."""
    at_once = max(1, VALUES_AT_ONCE // a.shape[1])
    parts = zip(*(rows.to(a.device).split(at_once) for rows in pairs), strict=True)
    found = [distances(a[first], b[second], distance) for first, second in parts]
    return float(torch.cat(found).double().mean())


def mean_of_all_pairs(
    z: Float[Tensor, "n f"], labels: Int64[Tensor, " n"], distance: Distance
) -> tuple[float, float]:
    """Return what `mean_of_sample` would of all pairs there are, in memory of order n.

    Raises
    ------
    UserError
        If no class has two images.

    Examples
    --------
    >>> z, labels = torch.tensor([[0.0], [1.0], [10.0], [12.0]]), torch.tensor([0, 0, 1, 1])
    >>> mean_of_all_pairs(z, labels, "euclidean")
    (1.5, 10.5)
    """
    z = z - z.mean(dim=0)  # distances stay, and their products below lose fewer digits
    of_class = functional.one_hot(labels).to(z.device, torch.float64)
    sums = of_class.new_zeros(of_class.shape[1], of_class.shape[1])
    for start in range(0, len(z), LATENTS_AT_ONCE):
        apart = torch.cdist(z[start : start + LATENTS_AT_ONCE], z)
        apart.diagonal(start).zero_()  # an image is not paired with itself
        apart = apart.square_() if distance == "squared" else apart
        sums += of_class[start : start + LATENTS_AT_ONCE].T @ (apart.double() @ of_class)
    sizes = of_class.sum(dim=0)
    pairs = sizes[:, None] * sizes - torch.diag(sizes)
    alike = sizes >= 2
    _need_two_alike(int(alike.sum()))
    intra = (sums.diagonal()[alike] / pairs.diagonal()[alike]).mean()
    inter = (sums.sum() - sums.trace()) / (pairs.sum() - pairs.trace())
    return float(intra), float(inter)
