"""Figure 4 c, d: adversarial dreaming in REM improves linear separability."""

import pandas as pd
from matplotlib.figure import Figure

from dreaming.paper.figures.drawing import accuracy_over_epochs, one_row
from dreaming.paper.tables import Tables, figure_table


def prepare(tables: Tables) -> pd.DataFrame:
    """Take readout accuracies over epochs: PAD, without REM, without memory mix."""
    return figure_table("figure-4", tables)


def plot(table: pd.DataFrame) -> Figure:
    """Draw a panel for each data set."""
    return one_row(table, accuracy_over_epochs)
