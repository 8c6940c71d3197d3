"""Appendix 1, figure 4: what drives REM makes no big difference."""

import pandas as pd
from matplotlib.figure import Figure

from dreaming.paper.figures.drawing import accuracy_over_epochs, one_row
from dreaming.paper.tables import Tables, figure_table


def prepare(tables: Tables) -> pd.DataFrame:
    """Take readout accuracies over epochs: REM from mix and noise, noise alone, memories alone."""
    return figure_table("appendix-figure-4", tables)


def plot(table: pd.DataFrame) -> Figure:
    """Draw a panel for each data set."""
    return one_row(table, accuracy_over_epochs, "ab")
