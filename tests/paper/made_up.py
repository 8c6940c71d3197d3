"""Tables such as runs would leave, made up: figures and verdicts are tested on them without training."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd

from dreaming.data import Dataset
from dreaming.paper.figures import FIGURES
from dreaming.paper.figures.pictures import PICTURE_COLUMNS, occluded, png
from dreaming.paper.plan.profile import Profile
from dreaming.paper.results import doses_of, quantities_of, wanted
from dreaming.paper.tables import FIGURE_KEYS, Tables
from dreaming.runs.folder import PROJECTION_COLUMNS

LEVEL = {
    "pad": 0.58,
    "without_memory_mix": 0.53,
    "without_rem": 0.46,
    "without_nrem": 0.57,
    "wake_only": 0.42,
    "rem_noise_only": 0.58,
    "rem_memories_only": 0.575,
    "rem_before_nrem": 0.58,
    "nrem_mixed": 0.55,
}
PROFILE = Profile(name="made-up", datasets=("cifar10", "svhn"), seeds=4, epochs=10, long_epochs=20)


def value(name, seed, epoch, measure, parameter):
    """A value such as the paper's, with a spread over seeds."""
    noise = 0.004 * math.sin(7.0 * seed + epoch + len(name) + len(parameter))
    learnt = 1 - math.exp(-epoch / 3)
    level = LEVEL.get(name, 0.5)
    if measure == "readout_accuracy":
        return 0.28 + (level - 0.28) * learnt + noise
    if measure == "readout_accuracy_occluded":
        p = float(parameter)
        steep = 6 if name in ("without_nrem", "wake_only") else 2.5
        return 0.1 + (level - 0.1) * math.exp(-steep * p * p) * (1 - p) + noise * (1 - p)
    if measure == "intra_inter_ratio":
        return (0.99 if epoch == 0 else {"pad": 0.88}.get(name, 0.94)) + noise
    if measure == "clean_occluded_ratio":
        return {"without_nrem": 0.6}.get(name, 0.3) + noise
    if measure.startswith("frechet"):
        return (120 if measure.endswith("nrem") else 150) * math.exp(-epoch / 8) + 200 * noise
    return (0.7 if "externality" in parameter else 0.4) * (1 - 0.6 * learnt) + noise


def rows(profile):
    """Every value that the figures of a profile need."""
    table = pd.concat([wanted(figure, profile) for figure in FIGURES]).drop_duplicates(ignore_index=True)
    about = table[list(FIGURE_KEYS[1:])].itertuples(index=False, name=None)
    return pd.concat(
        [table.assign(value=[value(*row) for row in about]), controls(profile)], ignore_index=True
    )


def controls(profile):
    """How well pixels tell the classes: little of natural images, and nearly all of digits."""
    about = {"condition": "pad", "measure": "readout_accuracy", "parameter": "pixels"}
    told = {name: 0.35 if name in ("cifar10", "svhn") else 0.91 for name in profile.datasets}
    seeds = profile.all_seeds
    rows = [{"dataset": name, **about, "seed": seed, "value": told[name]} for name in told for seed in seeds]
    return pd.DataFrame(rows).astype({"seed": "Int64"})


def projection(profile):
    """Four clouds of latents; occluded ones are far from clean ones without NREM."""
    random = np.random.default_rng(0)
    parts = []
    for name, apart in (("pad", 3.0), ("without_rem", 1.0), ("without_nrem", 3.0)):
        about = (profile.datasets[-1], name, 0, profile.epochs, "projection", "pca")
        for image in range(80):
            label = image % 4
            clean = apart * np.array([math.cos(label * 1.6), math.sin(label * 1.6)]) + random.normal(size=2)
            moved = clean + random.normal(scale=0.3, size=2) + (4.0 if name == "without_nrem" else 0.0)
            for occlusion, point in ((0.0, clean), (0.3, moved)):
                parts += [(*about, image, label, occlusion, c, x) for c, x in enumerate(point, start=1)]
    return pd.DataFrame(parts, columns=list(PROJECTION_COLUMNS))


def pictures(profile, dataset_of):
    """Eight images for each strip, and one under occlusions."""
    parts, last = [], profile.epochs
    strips = ["a  seen, day before", "a  seen, last day", "b  NREM, epoch 1", "b  REM, epoch 1"]
    strips += [f"c  NREM, epoch {last}", f"c  REM, epoch {last}"]
    for name in profile.datasets:
        images: Dataset = dataset_of(16, 32, name=name)
        shown = [png(image) for image in images.test.images.permute(0, 2, 3, 1).contiguous()]
        about = {"figure": "figure-3", "dataset": name, "condition": "pad", "seed": 0, "epoch": 1}
        rows = [
            {**about, "strip": strip, "row": row, "column": column, "png": shown[column + row]}
            for row, strip in enumerate(strips)
            for column in range(8)
        ]
        parts += [occluded(images), pd.DataFrame(rows)]
    return pd.concat([part.dropna(axis=1, how="all") for part in parts]).reindex(
        columns=list(PICTURE_COLUMNS)
    )


@cache
def whole(dataset_of, profile):
    """All tables, with nothing missing."""
    shown = doses_of(profile), quantities_of(profile)
    return Tables(rows(profile), projection(profile), pictures(profile, dataset_of), *shown)


def tables(dataset_of, profile=PROFILE, lacking=lambda table: table["value"].isna()):
    """All tables; rows for which ``lacking`` is true are left out."""
    found = whole(dataset_of, profile)
    return replace(found, values=found.values[~lacking(found.values)])
