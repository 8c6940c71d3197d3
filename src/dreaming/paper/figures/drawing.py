"""How the paper's figures are drawn: in one style, lettered, gaps said."""

import textwrap
from collections.abc import Callable, Sequence

import pandas as pd

from dreaming.evaluation.statistics.bench import title_above
from dreaming.evaluation.statistics.drawing import PANEL, STYLE, WARNING, canvas, dataset_title, legend_below
from dreaming.paper.tables import incomplete
from dreaming.system.plotting import Panel, Picture, own_settings


def draw_figure(plot: Callable[[pd.DataFrame], Picture], table: pd.DataFrame) -> Picture:
    """Draw a figure from its table in the paper's style, with a note of what it lacks."""
    with own_settings(STYLE):
        picture = plot(table)
        if "source" in table:
            _note_gaps(picture, incomplete(table))
    return picture


def one_row(table: pd.DataFrame, draw: Callable[[Panel, pd.DataFrame], None], first: str = "a") -> Picture:
    """Draw a panel for each data set, side by side, lettered from the first letter on."""
    datasets = list(dict.fromkeys(table["dataset"]))
    picture = canvas(PANEL[0] * max(1, len(datasets)) + 0.4, PANEL[1])
    panels = picture.subplots(1, max(1, len(datasets)), squeeze=False)[0]
    for number, dataset in enumerate(datasets):
        draw(panels[number], table[table["dataset"] == dataset])
        title_above(panels[number], f"{chr(ord(first) + number)}   {dataset_title(dataset)}")
    legend_below(picture)
    return picture


def _note_gaps(picture: Picture, gaps: Sequence[str]) -> None:
    if not gaps:
        return
    shown = "; ".join(gaps[:3]) + (f"; and {len(gaps) - 3} more" if len(gaps) > 3 else "")
    width = int(picture.get_figwidth() * 14)
    said = f"INCOMPLETE: {shown}. No mean is drawn where a seed is missing."
    text = "\n".join(textwrap.wrap(said, width, break_on_hyphens=False, break_long_words=False))
    picture.set_figheight(picture.get_figheight() + 0.25 + 0.15 * text.count("\n"))
    picture.supxlabel(text, color=WARNING, fontsize=8)
