"""Doses: accuracy on clean and on occluded images over the values of a field of PAD's config."""

import pandas as pd

from dreaming.evaluation.measures.readout import READOUT_ACCURACY
from dreaming.evaluation.measures.robustness import OCCLUDED_ACCURACY
from dreaming.evaluation.statistics.drawing import PANEL, by_seed, canvas, curve, dataset_title, legend_below
from dreaming.paper.figures.accuracy import OF_TEST
from dreaming.paper.figures.figure import DOSES, Figure, Need
from dreaming.paper.tables import Tables, measured
from dreaming.system.plotting import Panel, Picture

CURVES = (
    (READOUT_ACCURACY, "clean images", "#000000", "o"),
    (OCCLUDED_ACCURACY, "mean over 10 to 90 % occlusion", "#E69F00", "s"),
)
NOTHING_AND_ALL = ("0.0", "1.0")
"""No occlusion, and nothing but occlusion: neither is part of the mean."""


def with_doses(table: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Add to each row which field was set, and to what."""
    return tables.doses.merge(table, on="condition")[[*table.columns, "field", "dose"]]


def in_words(field: str) -> str:
    """Return what a field of a phase is called on an axis; another stays as it stands in the config.

    Examples
    --------
    >>> in_words("phases.rem.dose"), in_words("phases.nrem.occlusion.tile_size"), in_words("training.batch_size")
    ('Dose of REM', 'Occlusion tile size of NREM', 'Batch size')
    """
    section, *path = field.split(".")
    phase = path.pop(0) if section == "phases" and len(path) > 1 else ""
    words = " ".join(path or [section]).replace("_", " ")
    named = phase.upper() if phase in ("nrem", "rem") else phase.replace("_", " ").capitalize()
    return f"{words[0].upper()}{words[1:]}" + (f" of {named}" if phase else "")


def plot(table: pd.DataFrame) -> Picture:
    """Draw a row for each field and a panel for each data set."""
    own = measured(table)
    datasets, fields = (list(dict.fromkeys(own[column])) for column in ("dataset", "field"))
    picture = canvas(PANEL[0] * len(datasets) + 0.4, PANEL[1] * len(fields))
    panels = picture.subplots(len(fields), len(datasets), squeeze=False)
    for row, field in zip(panels, fields, strict=True):
        for panel, dataset in zip(row, datasets, strict=True):
            _panel(panel, own[(own["dataset"] == dataset) & (own["field"] == field)], field)
            panel.set_title(dataset_title(dataset), loc="left")
    legend_below(picture)
    return picture


def _panel(panel: Panel, table: pd.DataFrame, field: str) -> None:
    doses = list(dict.fromkeys(table["dose"]))
    numbers = pd.to_numeric(pd.Series(doses), errors="coerce")
    words = bool(numbers.isna().any())  # numbers stand where they are, words one after another
    places = dict(zip(doses, range(len(doses)) if words else numbers, strict=True))
    for measure, name, colour, mark in CURVES:
        own = table[
            (table["measure"] == measure) & ~table["parameter"].str.partition(";")[0].isin(NOTHING_AND_ALL)
        ]
        own = own[own["parameter"].eq("latent") if measure == READOUT_ACCURACY else own["parameter"].notna()]
        # A mean over occlusions of which one is missing would be another mean.
        mean = own.groupby(["dose", "seed"])["value"].agg(lambda values: values.mean(skipna=False))
        spread = by_seed(mean.reset_index().assign(place=lambda rows: rows["dose"].map(places)), "place")
        curve(panel, 100 * spread, name, colour, {"marker": mark, "ms": 4})
    if words:
        panel.set_xticks(range(len(doses)), doses)
    panel.set_xlabel(in_words(field))
    panel.set_ylabel("Linear readout accuracy (%)")


FIGURE = Figure(
    "Doses",
    f"{OF_TEST}, clean and occluded, at the end of training, over what a field of the full model's config is set "
    "to. None of this is in the paper.",
    (Need((DOSES,), "readout", "end"), Need((DOSES,), "robustness", "end")),
    plot,
    with_doses,
)
