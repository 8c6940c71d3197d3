"""Appendix 1, figure 2: as appendix 1, figure 1, on SVHN."""

import pandas as pd

from dreaming.paper.figures import appendix_figure_1
from dreaming.paper.figures.appendix_figure_1 import plot
from dreaming.paper.tables import Tables, figure_table

__all__ = ["plot", "prepare"]


def prepare(tables: Tables) -> pd.DataFrame:
    """Take every loss over epochs, and the discriminator's, which is the sum of two."""
    return appendix_figure_1.with_discriminator(figure_table("appendix-figure-2", tables))
