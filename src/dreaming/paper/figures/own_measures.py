"""Measures that are not the paper's, over epochs of training."""

import textwrap

import pandas as pd

from dreaming.evaluation.measures.measure import Quantity
from dreaming.paper.figures.drawing import Panel, Picture, canvas, curves, dataset_title, epochs_below, note
from dreaming.paper.figures.figure import EVERY, OWN_MEASURES, Figure, Need
from dreaming.paper.tables import Tables, measured

ACROSS = 3
"""Panels side by side."""


def with_quantities(table: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Add to each row the label and the unit of its measure, and what defines it."""
    return table.merge(tables.quantities, how="left", on="measure")


def plot(table: pd.DataFrame) -> Picture:
    """Draw a panel for each parameter of each measure, and of each data set."""
    from dreaming.evaluation.statistics.comparison import DRAWN

    own = measured(table).fillna({"parameter": "", "unit": ""})
    shown = [
        (rows, alone)
        for _, measure in own.groupby(["dataset", "measure"], sort=False)
        for parameters in [list(dict.fromkeys(measure["parameter"]))]
        for alone in [len(parameters) == 1]
        for rows in [measure[measure["parameter"] == parameter] for parameter in parameters[:DRAWN]]
    ]
    across = min(ACROSS, len(shown))
    lines = -(-len(shown) // across)
    picture = canvas(3.5 * across + 1.8, 3.0 * lines)
    panels = list(picture.subplots(lines, across, squeeze=False).flat)
    for panel, (rows, alone) in zip(panels, shown, strict=False):
        _panel(panel, rows, alone)
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    handles = {
        text: line for panel in panels for line, text in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    picture.legend(handles.values(), handles.keys(), loc="outside right upper")
    many = [
        f"{DRAWN} of {count} parameters of {name} are drawn; the table has all"
        for name, count in own.groupby("measure", sort=False)["parameter"].nunique().items()
        if count > DRAWN
    ]
    if many:
        picture.suptitle("; ".join(many), fontsize=8)
    return picture


def _panel(panel: Panel, rows: pd.DataFrame, alone: bool) -> None:
    from dreaming.evaluation.statistics.comparison import unformatted

    first = rows.iloc[0]
    quantity = Quantity(first["label"], first["unit"])
    curves(panel, rows, "epoch", quantity.scale)
    epochs_below(panel, "Training epoch (0: untrained)")
    panel.set_ylabel("\n".join(textwrap.wrap(unformatted(quantity.title), 34)))
    parameter = "" if alone else f", {unformatted(first['parameter'])}"
    panel.set_title(dataset_title(first["dataset"]) + parameter, loc="left")
    if rows["value"].isna().all():
        note(panel, "not measured")


FIGURE = Figure(
    "Measures beside the paper's",
    "What the profile measures beside the paper, over epochs of training, in every condition that it runs. None of "
    "this is in the paper.",
    (Need(("pad", EVERY), OWN_MEASURES, "curve"),),
    plot,
    with_quantities,
)
