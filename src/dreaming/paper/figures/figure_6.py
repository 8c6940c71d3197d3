"""Figure 6: how latents are organised, and what NREM and REM do to that."""

from collections.abc import Sequence

import pandas as pd

from dreaming.evaluation.measures.organisation import CLEAN_OCCLUDED, INTRA_INTER
from dreaming.evaluation.measures.projection import PROJECTION_WORDS
from dreaming.evaluation.statistics.drawing import (
    bars,
    canvas,
    dataset_title,
    label,
    legend_below,
    note,
    unformatted,
)
from dreaming.model.conditions import CONDITIONS
from dreaming.paper.figures.figure import Figure, Need
from dreaming.paper.tables import Tables, measured
from dreaming.system.plotting import Panel, Picture

CONDITIONS_SHOWN = ("pad", "without_rem", "without_nrem")
CLASS_COLOURS = ("#7B3294", "#00A6CA", "#C8A200", "#D7191C")
"""Purple, cyan, yellow (darkened) and red, as in the paper."""
POINT = ("image", "label", "occluded", "component", *PROJECTION_WORDS)


def with_projection(ratios: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Add one seed's projection at the end of training on one data set to both ratios: SVHN, or else the first."""
    sets = list(dict.fromkeys(ratios["dataset"]))
    shown = "svhn" if "svhn" in sets else sets[0]
    points = tables.projection
    if len(points):
        points = points[
            (points["dataset"] == shown)
            & points["condition"].isin(CONDITIONS_SHOWN)
            & (points["seed"] == points["seed"].min())
            & (points["epoch"] == ratios["epoch"].max())
        ]
    projected = points.reindex(columns=[*ratios.columns.drop(["sem", "source"]), *POINT])
    projected = projected.assign(sem=float("nan"), source="projected")
    parts = [part for part in (ratios, projected) if len(part)]
    return pd.concat(parts, ignore_index=True).reindex(columns=[*ratios.columns, *POINT])


def plot(table: pd.DataFrame) -> Picture:
    """Draw b to d above, e and f below."""
    points = table[table["source"] == "projected"]
    picture = canvas(10.5, 7.2)
    above, below = picture.subfigures(2, 1, squeeze=False)[:, 0]
    for panel, name, letter in zip(above.subplots(1, 3), CONDITIONS_SHOWN, "bcd", strict=True):
        _projection(panel, points[points["condition"] == name])
        panel.set_title(f"{letter}   {label(name)}", loc="left")
    for shown, seed in dict.fromkeys(zip(points["dataset"], points["seed"], strict=True)):
        above.suptitle(f"{dataset_title(shown)}, seed {seed}", fontsize=9, x=0.99, ha="right")
    left, right = below.subplots(1, 2)
    _ratios(left, table, INTRA_INTER, ("untrained", *CONDITIONS_SHOWN))
    left.set_title("e   intra-class / inter-class distance", loc="left")
    _ratios(right, table, CLEAN_OCCLUDED, CONDITIONS_SHOWN)
    right.set_title("f   clean-occluded / inter-class distance", loc="left")
    legend_below(above)
    legend_below(below)
    return picture


def _projection(panel: Panel, points: pd.DataFrame) -> None:
    for number, axis in enumerate("xy", start=1):
        share = points.loc[points["component"] == number, "explained"].dropna()
        said = f" ({100 * share.iloc[0]:.0f} % of variance)" if len(share) else ""
        panel.set(**{f"{axis}label": f"PC {number}{said}"})
    panel.set_xticks([])
    panel.set_yticks([])
    if not len(points):
        note(panel, "not measured")
        return
    names = points.dropna(subset="class").drop_duplicates("label").set_index("label")["class"].to_dict()
    wide = points.pivot(index=["image", "label", "occluded"], columns="component", values="value")
    wide = wide.reset_index()
    for colour, name in zip(CLASS_COLOURS, sorted(wide["label"].unique()), strict=False):
        called = str(names.get(name, int(name)))
        called = f"class {called}" if called.isdigit() else called
        own = wide[wide["label"] == name]
        clean, hidden = own[own["occluded"] == 0], own[own["occluded"] > 0]
        panel.scatter(clean[1], clean[2], s=12, color=colour, lw=0, alpha=0.75, label=unformatted(called))
        panel.scatter(hidden[1], hidden[2], s=12, facecolor="none", edgecolor=colour, lw=0.7, alpha=0.75)


def _ratios(panel: Panel, table: pd.DataFrame, measure: str, names: Sequence[str]) -> None:
    own = measured(table)
    own = own[own["measure"] == measure]
    last = max(own["epoch"], default=0)
    groups = []
    for dataset in dict.fromkeys(own["dataset"]):
        columns = []
        for name in names:
            run, epoch = ("pad", 0) if name == "untrained" else (name, last)
            rows = own[(own["dataset"] == dataset) & (own["condition"] == run) & (own["epoch"] == epoch)]
            columns.append((label(name), CONDITIONS[name].colour, rows["value"]))
        groups.append((dataset_title(dataset), columns))
    bars(panel, groups)
    panel.set_ylabel("Ratio of mean distances")


FIGURE = Figure(
    "Figure 6",
    "b to d: latents of clean (filled) and 30 % occluded (open) images of four classes on their first two "
    "principal components. e: distance within classes over distance between classes. f: distance between an image "
    "and its occluded version over distance between classes. Lower is better organised.",
    (
        Need(CONDITIONS_SHOWN, "organisation", "end"),
        Need(("pad",), "organisation", "start and end"),
        Need(CONDITIONS_SHOWN, "projection", "end", one_seed=True),
    ),
    plot,
    with_projection,
)
