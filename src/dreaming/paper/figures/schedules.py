"""Schedules: accuracy while sleep is taken away and given back, beside PAD that always sleeps."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dreaming.paper.figures.drawing import accuracy_over_epochs, colours_of, one_row
from dreaming.paper.plan.own_conditions import stages
from dreaming.paper.tables import Tables, figure_table


def prepare(tables: Tables) -> pd.DataFrame:
    """Take readout accuracies over epochs: PAD, and each schedule of the profile."""
    return figure_table("schedules", tables)


def plot(table: pd.DataFrame) -> Figure:
    """Draw a panel for each data set, with a line where a schedule changes."""
    return one_row(table, _panel, "abcdefgh")


def _panel(panel: Axes, table: pd.DataFrame) -> None:
    accuracy_over_epochs(panel, table)
    for name, colour in colours_of(table["condition"]).items():
        for _, end in stages(name):
            if end is not None:
                panel.axvline(end, color=colour, lw=0.8, ls=(0, (1, 3)), zorder=0)
