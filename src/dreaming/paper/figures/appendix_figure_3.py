"""Appendix 1, figure 3 c, d: figure 4 with all conditions, over twice as many epochs."""

import pandas as pd
from matplotlib.figure import Figure

from dreaming.paper.figures.drawing import accuracy_over_epochs, one_row
from dreaming.paper.tables import Tables, figure_table


def prepare(tables: Tables) -> pd.DataFrame:
    """Take readout accuracies over all epochs: PAD and every pathology."""
    return figure_table("appendix-figure-3", tables)


def plot(table: pd.DataFrame) -> Figure:
    """Draw a panel for each data set."""
    return one_row(table, accuracy_over_epochs)
