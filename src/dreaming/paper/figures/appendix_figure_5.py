"""Appendix 1, figure 5: the order of the phases of sleep makes no difference."""

import pandas as pd
from matplotlib.figure import Figure

from dreaming.paper.figures.drawing import accuracy_over_epochs, one_row
from dreaming.paper.tables import Tables, figure_table


def prepare(tables: Tables) -> pd.DataFrame:
    """Take readout accuracies over epochs: NREM before REM, REM before NREM."""
    return figure_table("appendix-figure-5", tables)


def plot(table: pd.DataFrame) -> Figure:
    """Draw a panel for each data set."""
    return one_row(table, accuracy_over_epochs, "ab")
