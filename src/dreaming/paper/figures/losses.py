"""Appendix 1, figures 1 and 2: every loss over training, the full model and its pathologies."""

import pandas as pd

from dreaming.evaluation.statistics.drawing import (
    canvas,
    curves,
    dataset_title,
    epochs_below,
    legend_below,
    note,
)
from dreaming.paper.figures.figure import Figure, Need
from dreaming.paper.published import TABLE_1_CONDITIONS
from dreaming.paper.tables import DISCRIMINATOR, LOSS, Tables, measured
from dreaming.system.plotting import Panel, Picture

REAL, FAKE = "wake.externality", "rem.externality"
TERMS = {
    "wake.image": r"$L_\mathrm{img}$ (Wake)",
    "wake.kl": r"$L_\mathrm{KL}$ (Wake)",
    "nrem.latent": r"$L_\mathrm{NREM}$",
    REAL: r"$L_\mathrm{real}$ (Wake)",
    FAKE: r"$L_\mathrm{REM}$ = $L_\mathrm{fake}$",
    DISCRIMINATOR: r"discriminator: $L_\mathrm{real} + L_\mathrm{fake}$",
}


def with_discriminator(table: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Add the discriminator's loss, the sum of L_real and L_REM, for conditions that have both."""
    keys = ["dataset", "condition", "seed", "epoch", "measure", "sem", "source"]
    real, fake = (table[table["parameter"] == term].drop(columns="parameter") for term in (REAL, FAKE))
    both = real.merge(fake, on=keys, suffixes=("", "_fake"))
    both = both.assign(value=both["value"] + both["value_fake"], parameter=DISCRIMINATOR)
    return pd.concat([table, both[table.columns]], ignore_index=True) if len(both) else table


def plot(table: pd.DataFrame) -> Picture:
    """Draw a row for each data set and a panel for each loss."""
    own = measured(table)
    own = own[own["measure"] == LOSS]
    datasets = list(dict.fromkeys(own["dataset"]))
    lines = 2 * max(1, len(datasets))
    picture = canvas(10.5, 3.0 * lines)
    panels = picture.subplots(lines, 3, squeeze=False)
    for number, dataset in enumerate(datasets):
        rows = [*panels[2 * number], *panels[2 * number + 1]]
        for panel, term in zip(rows, TERMS, strict=True):
            _panel(panel, own[(own["dataset"] == dataset) & (own["parameter"] == term)], term)
        rows[0].set_title(f"{dataset_title(dataset)}: {TERMS['wake.image']}", loc="left")
    legend_below(picture)
    return picture


def _panel(panel: Panel, table: pd.DataFrame, term: str) -> None:
    panel.set_title(TERMS[term], loc="left")
    epochs_below(panel, "Training epoch")
    if len(table):
        curves(panel, table, "epoch")
    else:
        note(panel, "in no condition", "#777777")


APPENDIX_1 = Figure(
    "Appendix 1, figure 1",
    "Every loss over epochs of training, the full model and each pathology. A loss is drawn where a phase of the "
    "condition computes it.",
    (Need(TABLE_1_CONDITIONS, "losses", "trained"),),
    plot,
    with_discriminator,
    but=("svhn",),
)
APPENDIX_2 = Figure(
    "Appendix 1, figure 2",
    "As appendix 1, figure 1, on SVHN.",
    (Need(TABLE_1_CONDITIONS, "losses", "trained"),),
    plot,
    with_discriminator,
    only=("svhn",),
)
