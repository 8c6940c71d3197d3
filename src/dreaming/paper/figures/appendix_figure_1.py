"""Appendix 1, figure 1: every loss over training, the full model and its pathologies."""

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dreaming.paper.figures.drawing import STYLE, curves, dataset_title, say_gaps
from dreaming.paper.tables import DISCRIMINATOR, LOSS, Tables, figure_table, measured

NREM, REAL, FAKE = "nrem.latent", "wake.externality", "rem.externality"
TERMS = {
    "wake.image": r"$L_\mathrm{img}$ (Wake)",
    "wake.kl": r"$L_\mathrm{KL}$ (Wake)",
    NREM: r"$L_\mathrm{NREM}$",
    REAL: r"$L_\mathrm{real}$ (Wake)",
    FAKE: r"$L_\mathrm{REM}$ = $L_\mathrm{fake}$",
    DISCRIMINATOR: r"discriminator: $L_\mathrm{real} + L_\mathrm{fake}$",
}


def prepare(tables: Tables) -> pd.DataFrame:
    """Take every loss over epochs, and the discriminator's, which is the sum of two."""
    return with_discriminator(figure_table("appendix-figure-1", tables))


def with_discriminator(table: pd.DataFrame) -> pd.DataFrame:
    """Add the sum of L_real and L_REM, for conditions that have both."""
    keys = ["dataset", "condition", "seed", "epoch", "measure", "sem", "source"]
    real, fake = (table[table["parameter"] == term].drop(columns="parameter") for term in (REAL, FAKE))
    both = real.merge(fake, on=keys, suffixes=("", "_fake"))
    both = both.assign(value=both["value"] + both["value_fake"], parameter=DISCRIMINATOR)
    return pd.concat([table, both[table.columns]], ignore_index=True) if len(both) else table


def plot(table: pd.DataFrame) -> Figure:
    """Draw a row for each data set and a panel for each loss."""
    own = measured(table)
    own = own[own["measure"] == LOSS]
    datasets = list(dict.fromkeys(own["dataset"]))
    with rc_context(STYLE):
        lines = 2 * max(1, len(datasets))
        figure = Figure(figsize=(10.5, 3.0 * lines), layout="constrained")
        panels = figure.subplots(lines, 3, squeeze=False)
        for number, dataset in enumerate(datasets):
            rows = [*panels[2 * number], *panels[2 * number + 1]]
            for panel, term in zip(rows, TERMS, strict=True):
                _panel(panel, own[(own["dataset"] == dataset) & (own["parameter"] == term)], term)
            rows[0].set_title(f"{dataset_title(dataset)}: {TERMS['wake.image']}", loc="left")
            rows[0].legend(loc="best")
        say_gaps(figure, table)
    return figure


def _panel(panel: Axes, table: pd.DataFrame, term: str) -> None:
    panel.set_title(TERMS[term], loc="left")
    panel.set_xlabel("Training epoch")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(table):
        curves(panel, table, "epoch")
    else:
        panel.text(0.5, 0.5, "in no condition", transform=panel.transAxes, ha="center", color="#777777")
