"""Figure 9: occlusion of example images, by its probability and the size of its tiles."""

import pandas as pd

from dreaming.evaluation.statistics.drawing import canvas, dataset_title
from dreaming.paper.figures.figure import Figure
from dreaming.paper.figures.pictures import image_of
from dreaming.paper.tables import Tables
from dreaming.system.plotting import Panel, Picture


def of_pictures(table: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return an image of each data set under every occlusion; no value is needed."""
    pictures = tables.pictures
    return pictures[pictures["figure"] == "figure-9"].reset_index(drop=True) if len(pictures) else pictures


def plot(table: pd.DataFrame) -> Picture:
    """Draw a block for each data set: probability grows to the right, tiles grow downwards."""
    datasets = list(dict.fromkeys(table["dataset"]))
    picture = canvas(7.4 * len(datasets), 4.6)
    panels = picture.subplots(1, len(datasets), squeeze=False)[0]
    for panel, dataset in zip(panels, datasets, strict=True):
        _block(panel, table[table["dataset"] == dataset])
        panel.set_title(dataset_title(dataset), loc="left")
    return picture


def _block(panel: Panel, pictures: pd.DataFrame) -> None:
    for picture in pictures.to_dict("records"):
        left, top = float(picture["column"]), float(picture["row"])
        place = (left, left + 0.94, top + 0.94, top)
        panel.imshow(image_of(picture["png"]), extent=place, interpolation="nearest")
    columns = pictures.drop_duplicates("column").sort_values("column")
    lines = pictures.drop_duplicates("row").sort_values("row")
    panel.set_xticks(
        [c + 0.47 for c in columns["column"]], [f"{100 * p:.0f}" for p in columns["probability"]]
    )
    panel.set_yticks([r + 0.47 for r in lines["row"]], [f"{size:.0f}" for size in lines["tile_size"]])
    panel.set_xlim(-0.06, pictures["column"].max() + 1)
    panel.set_ylim(pictures["row"].max() + 1, -0.06)
    panel.set_xlabel("Occlusion intensity: probability of a grey tile (%)")
    panel.set_ylabel("Side of a tile s (pixels)")
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    panel.set_aspect("equal")


FIGURE = Figure(
    "Figure 9",
    "Occlusion of example images: its probability grows to the right, the side of its tiles downwards.",
    (),
    plot,
    of_pictures,
)
