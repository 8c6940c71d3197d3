"""Figure 3: NREM and REM dreams become more realistic over learning."""

import pandas as pd

from dreaming.evaluation.statistics.drawing import WARNING, bars, canvas, dataset_title, legend_below
from dreaming.paper.figures.figure import Figure, Need
from dreaming.paper.figures.pictures import image_of
from dreaming.paper.tables import Tables, measured
from dreaming.system.plotting import Panel, Picture

EARLY, LATE = "#A6BDDB", "#034E7B"
NIGHTS = {"frechet_nrem": "NREM", "frechet_rem": "REM"}


def with_pictures(realism: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Add what one cortex saw and dreamt early and late to the realism of the dreams of all seeds."""
    seen = tables.pictures.assign(measure="picture", source="picture", value=float("nan"), sem=float("nan"))
    seen = seen[seen["figure"] == "figure-3"] if len(seen) else seen
    columns = [*realism.columns, "row", "column", "png"]
    parts = [part for part in (realism, seen.rename(columns={"strip": "parameter"})) if len(part)]
    whole = pd.concat(parts, ignore_index=True).reindex(columns=columns)
    return whole.astype({"epoch": "Int64", "seed": "Int64", "row": "Int64", "column": "Int64"})


def plot(table: pd.DataFrame) -> Picture:
    """Draw a row for each data set: pictures at the left (a to c), distances at the right (d)."""
    own = measured(table)
    datasets = list(dict.fromkeys(table["dataset"]))
    features = list(dict.fromkeys(own["parameter"]))
    picture = canvas(7.4 + 2.6 * len(features), 4.5 * len(datasets))
    widths = (7.2, *(2.6 for _ in features))
    grid = picture.subplots(len(datasets), 1 + len(features), squeeze=False, width_ratios=widths)
    for line, dataset in zip(grid, datasets, strict=True):
        _strips(line[0], table[(table["dataset"] == dataset) & (table["source"] == "picture")], dataset)
        for panel, feature in zip(line[1:], features, strict=True):
            rows = own[(own["dataset"] == dataset) & (own["parameter"] == feature)]
            _realism(panel, rows, feature)
    legend_below(picture)
    return picture


def _strips(panel: Panel, pictures: pd.DataFrame, dataset: str) -> None:
    panel.set_axis_off()
    for seed in pictures["seed"].unique():
        panel.set_title(f"a - c   {dataset_title(dataset)}, PAD, seed {seed}", loc="left")
    if not len(pictures):
        panel.text(0.5, 0.5, "no pictures: the run is missing", ha="center", color=WARNING)
        return
    lines = list(dict.fromkeys(pictures.sort_values("row")["row"]))
    columns = int(pictures["column"].max()) + 1
    for picture in pictures.to_dict("records"):
        left, top = float(picture["column"]), 1.06 * lines.index(picture["row"])
        panel.imshow(
            image_of(picture["png"]), extent=(left, left + 0.96, top + 0.96, top), interpolation="nearest"
        )
    for place, row in enumerate(lines):
        named = pictures[pictures["row"] == row].iloc[0]["parameter"]
        panel.text(-0.15, 1.06 * place + 0.48, named, ha="right", va="center", fontsize=8.5)
    panel.set_xlim(-2.9, columns)
    panel.set_ylim(1.06 * len(lines), -0.1)
    panel.set_aspect("equal")


def _realism(panel: Panel, own: pd.DataFrame, feature: str) -> None:
    early, late = own["epoch"].min(), own["epoch"].max()
    groups = []
    for measure, night in NIGHTS.items():
        rows = own[own["measure"] == measure]
        columns = [
            (f"epoch {int(epoch)}", colour, rows[rows["epoch"] == epoch]["value"])
            for epoch, colour in ((early, EARLY), (late, LATE))
        ]
        groups.append((night, columns))
    bars(panel, groups)
    panel.set_ylabel("Fréchet distance to images seen")
    panel.set_title(f"d   {feature.partition(';')[0]} features", loc="left")


FIGURE = Figure(
    "Figure 3",
    "a: what is seen on two days. b, c: what is dreamt in NREM and REM sleep, early and late in training. d: the "
    "Fréchet distance between dreams and what was seen; lower is more alike.",
    (
        Need(("pad",), "pictures", "early and end", one_seed=True),
        Need(("pad",), "realism", "early and end"),
    ),
    plot,
    with_pictures,
)
