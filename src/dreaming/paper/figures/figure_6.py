"""Figure 6: how latents are organised, and what NREM and REM do to that."""

from collections.abc import Sequence

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dreaming.evaluation.measures.organisation import CLEAN_OCCLUDED, INTRA_INTER
from dreaming.paper.figures.drawing import CLASSES, COLOURS, STYLE, bars, dataset_title, label, say_gaps
from dreaming.paper.tables import Tables, figure_table, measured

CONDITIONS = ("pad", "without_rem", "without_nrem")
UNTRAINED = "#C8C8C8"
POINT = ("image", "label", "occluded", "component")


def prepare(tables: Tables) -> pd.DataFrame:
    """Take both ratios of distances, and one seed's projection on one data set: SVHN, or else the first."""
    ratios = figure_table("figure-6", tables)
    sets = tables.profile.datasets
    shown = "svhn" if "svhn" in sets else sets[0]
    points = tables.projection
    if len(points):
        points = points[
            (points["dataset"] == shown)
            & points["condition"].isin(CONDITIONS)
            & (points["seed"] == 0)
            & (points["epoch"] == tables.profile.epochs)
        ]
    projected = points.reindex(columns=[*ratios.columns.drop(["sem", "source"]), *POINT])
    projected = projected.assign(sem=float("nan"), source="projected")
    return pd.concat([part for part in (ratios, projected) if len(part)], ignore_index=True).reindex(
        columns=[*ratios.columns, *POINT]
    )


def plot(table: pd.DataFrame) -> Figure:
    """Draw b to d above, e and f below."""
    points = table[table["source"] == "projected"]
    with rc_context(STYLE):
        figure = Figure(figsize=(10.5, 7.2), layout="constrained")
        above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
        panels = above.subplots(1, 3)
        for panel, name, letter in zip(panels, CONDITIONS, "bcd", strict=True):
            _projection(panel, points[points["condition"] == name])
            panel.set_title(f"{letter}   {label(name)}", loc="left")
        for shown in dict.fromkeys(points["dataset"]):
            above.suptitle(f"{dataset_title(shown)}, seed 0", fontsize=9, x=0.99, ha="right")
        left, right = below.subplots(1, 2)
        _ratios(left, table, INTRA_INTER, [("pad", 0), *((name, None) for name in CONDITIONS)])
        left.set_title("e   intra-class / inter-class distance", loc="left")
        _ratios(right, table, CLEAN_OCCLUDED, [(name, None) for name in CONDITIONS])
        right.set_title("f   clean-occluded / inter-class distance", loc="left")
        say_gaps(figure, table)
    return figure


def _projection(panel: Axes, points: pd.DataFrame) -> None:
    panel.set_xlabel("PC 1")
    panel.set_ylabel("PC 2")
    panel.set_xticks([])
    panel.set_yticks([])
    if not len(points):
        panel.text(0.5, 0.5, "not measured", transform=panel.transAxes, ha="center", color="#A00000")
        return
    wide = points.pivot(index=["image", "label", "occluded"], columns="component", values="value")
    wide = wide.reset_index()
    for colour, name in zip(CLASSES, sorted(wide["label"].unique()), strict=False):
        own = wide[wide["label"] == name]
        clean, hidden = own[own["occluded"] == 0], own[own["occluded"] > 0]
        panel.scatter(clean[1], clean[2], s=12, color=colour, lw=0, alpha=0.75, label=f"class {int(name)}")
        panel.scatter(hidden[1], hidden[2], s=12, facecolor="none", edgecolor=colour, lw=0.7, alpha=0.75)
    if points["condition"].iloc[0] == CONDITIONS[0]:
        panel.legend(loc="best", fontsize=7, handletextpad=0.1, borderpad=0.1)


def _ratios(panel: Axes, table: pd.DataFrame, measure: str, which: Sequence[tuple[str, int | None]]) -> None:
    own = measured(table)
    own = own[own["measure"] == measure]
    last = max(own["epoch"], default=0)
    groups = []
    for dataset in dict.fromkeys(own["dataset"]):
        columns = []
        for name, epoch in which:
            rows = own[
                (own["dataset"] == dataset)
                & (own["condition"] == name)
                & (own["epoch"] == (last if epoch is None else epoch))
            ]
            shown = ("untrained", UNTRAINED) if epoch == 0 else (label(name), COLOURS[name])
            columns.append((*shown, rows["value"]))
        groups.append((dataset_title(dataset), columns))
    bars(panel, groups)
    panel.set_ylabel("Ratio of mean distances")
