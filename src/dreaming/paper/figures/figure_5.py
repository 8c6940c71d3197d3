"""Figure 5 c, d: perturbed dreaming in NREM makes latents robust."""

import pandas as pd
from matplotlib.figure import Figure

from dreaming.paper.figures.drawing import accuracy_over_occlusion, one_row
from dreaming.paper.tables import Tables, figure_table


def prepare(tables: Tables) -> pd.DataFrame:
    """Take readout accuracies under occlusion: PAD, without NREM."""
    return figure_table("figure-5", tables)


def plot(table: pd.DataFrame) -> Figure:
    """Draw a panel for each data set."""
    return one_row(table, accuracy_over_occlusion)
