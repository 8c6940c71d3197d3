"""Appendix 1, figure 6: NREM does best with single memories."""

import pandas as pd
from matplotlib.figure import Figure

from dreaming.paper.figures.drawing import accuracy_over_occlusion, one_row
from dreaming.paper.tables import Tables, figure_table


def prepare(tables: Tables) -> pd.DataFrame:
    """Take readout accuracies under occlusion: NREM from single memories, from several mixed."""
    return figure_table("appendix-figure-6", tables)


def plot(table: pd.DataFrame) -> Figure:
    """Draw a panel for each data set."""
    return one_row(table, accuracy_over_occlusion, "ab")
