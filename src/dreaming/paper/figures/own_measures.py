"""Measures that are not the paper's, over epochs of training."""

import math
import re
import textwrap

import pandas as pd

from dreaming.evaluation.measures.measure import Quantity
from dreaming.evaluation.statistics.drawing import (
    DRAWN,
    canvas,
    curves,
    dataset_title,
    epochs_below,
    legend_below,
    note,
    unformatted,
)
from dreaming.paper.figures.figure import EVERY, OWN_MEASURES, Figure, Need
from dreaming.paper.tables import Tables, measured
from dreaming.system.plotting import Panel, Picture

ACROSS = 3
"""Panels side by side."""


def with_quantities(table: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Add to each row the label and the unit of its measure, and what defines it."""
    found = tables.quantities.merge(table, on="measure")  # in the order in which the profile names them
    return found[[*table.columns, *tables.quantities.columns.drop("measure")]]


def plot(table: pd.DataFrame) -> Picture:
    """Draw a panel for each parameter of each measure; data sets side by side."""
    own = measured(table).fillna({"parameter": "", "unit": ""})
    parameters = {
        str(name): sorted(set(rows["parameter"]), key=in_order)
        for name, rows in own.groupby("measure", sort=False)
    }
    datasets = list(dict.fromkeys(own["dataset"]))
    shown = [
        [name, parameter, dataset]
        for name, listed in parameters.items()
        for parameter in listed[:DRAWN]
        for dataset in datasets
    ]
    across = len(datasets) if len(datasets) > 1 else min(ACROSS, len(shown))
    lines = math.ceil(len(shown) / across)
    picture = canvas(3.5 * across + 0.4, 3.0 * lines + 0.4)
    panels = list(picture.subplots(lines, across, squeeze=False).flat)
    for place, panel in zip(shown, panels, strict=False):
        rows = own[(own[["measure", "parameter", "dataset"]] == place).all(axis=1)]
        _panel(panel, rows, alone=len(parameters[place[0]]) == 1)
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    legend_below(picture)
    many = [f"{name} has {len(own)}" for name, own in parameters.items() if len(own) > DRAWN]
    if many:
        said = f"Drawn are {DRAWN} parameters of a measure, and the table has all: {', '.join(many)}"
        picture.suptitle(said, fontsize=8)
    return picture


def in_order(parameter: str) -> list[str]:
    """Return by what parameters are put in order, such that numbers in them count as numbers.

    Examples
    --------
    >>> sorted(["layer_10", "layer_9", "latent"], key=in_order)
    ['latent', 'layer_9', 'layer_10']
    """
    return [part.zfill(9) if part.isdigit() else part for part in re.findall(r"\d+|\D+", parameter)]


def _panel(panel: Panel, rows: pd.DataFrame, alone: bool) -> None:
    first = rows.iloc[0]
    quantity = Quantity(first["label"], first["unit"])
    parameter = "" if alone else f", {unformatted(first['parameter'])}"
    panel.set_title(dataset_title(first["dataset"]) + parameter, loc="left")
    panel.set_ylabel("\n".join(textwrap.wrap(unformatted(quantity.title), 30)))
    if rows["value"].isna().all():
        panel.set(xticks=[], yticks=[])
        note(panel, "not measured")
    else:
        curves(panel, rows, "epoch", quantity.scale)
        epochs_below(panel, "Training epoch (0: untrained)")


FIGURE = Figure(
    "Measures beside the paper's",
    "What the profile measures beside the paper, over epochs of training, in every condition that it runs. None of "
    "this is in the paper.",
    (Need(("pad", EVERY), OWN_MEASURES, "curve"),),
    plot,
    with_quantities,
)
