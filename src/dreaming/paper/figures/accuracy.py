"""Accuracy of linear readouts: table 1, figures 4 and 5, appendix 1, figures 3 to 6, and schedules of sleep."""

from collections.abc import Callable
from functools import partial

import pandas as pd

from dreaming.evaluation.statistics.bench import hypnograms
from dreaming.evaluation.statistics.deprivation import schedule_named
from dreaming.evaluation.statistics.drawing import curves, epochs_below
from dreaming.model.conditions import CONDITIONS
from dreaming.paper.figures.drawing import one_row
from dreaming.paper.figures.figure import SCHEDULES, Figure, Need
from dreaming.paper.published import TABLE_1_CONDITIONS
from dreaming.paper.tables import measured
from dreaming.system.plotting import Panel

OF_TEST = "Accuracy of a linear readout of the latents on test images"


def over_epochs(panel: Panel, table: pd.DataFrame) -> None:
    """Draw readout accuracy in percent over epochs, as in figure 4."""
    curves(panel, measured(table), "epoch", 100.0)
    beside = 1.04 * float(measured(table)["epoch"].max())
    _mark_published(panel, table, lambda parameter: beside)
    epochs_below(panel, "Training epoch (0: untrained)")
    panel.set_ylabel("Linear readout accuracy (%)")


def over_occlusion(panel: Panel, table: pd.DataFrame) -> None:
    """Draw readout accuracy in percent over the occlusion in percent, as in figure 5."""
    own = table.assign(occlusion=[100 * occlusion(parameter) for parameter in table["parameter"]])
    curves(panel, measured(own), "occlusion", 100.0)
    _mark_published(panel, own, lambda parameter: 104 * occlusion(parameter) - 2)
    panel.set_xlabel("Occlusion intensity (%)")
    panel.set_ylabel("Linear readout accuracy (%)")


def over_schedules(panel: Panel, table: pd.DataFrame) -> None:
    """Draw readout accuracy in percent over epochs, with hypnograms, and what is deprived shaded and named."""
    over_epochs(panel, table)
    schedules = {name: schedule_named(name) for name in dict.fromkeys(table["condition"])}
    hypnograms(panel, schedules, int(measured(table)["epoch"].max()))


def occlusion(parameter: str) -> float:
    """Read the probability of occlusion from a parameter's name; that of a plain readout is 0.

    Examples
    --------
    >>> occlusion("0.3"), occlusion("latent")
    (0.3, 0.0)
    """
    head = parameter.partition(";")[0]
    return 0.0 if head == "latent" else float(head)


def _mark_published(panel: Panel, table: pd.DataFrame, at: Callable[[str], float]) -> None:
    """Mark published values and their SEM beside the curves, at a place that depends on their parameter."""
    printed = table[table["source"] == "published"]
    for count, row in enumerate(printed.to_dict("records")):
        colour = CONDITIONS[row["condition"]].colour
        panel.errorbar(
            [at(str(row["parameter"]))],
            [100 * row["value"]],
            yerr=None if pd.isna(row["sem"]) else [100 * row["sem"]],
            fmt="D",
            ms=6,
            mfc="white",
            mec=colour,
            ecolor=colour,
            capsize=3,
            zorder=5,
            label=f"published, epoch {row['epoch']}" if count == 0 else None,
        )


TABLE_1 = Figure(
    "Appendix 1, table 1",
    f"{OF_TEST} at the end of training: the full model and each pathology.",
    (Need(TABLE_1_CONDITIONS, "readout", "end"),),
)
FIGURE_4 = Figure(
    "Figure 4",
    f"{OF_TEST} over epochs of training: the full model, without REM, and with REM from one memory.",
    (Need(("pad", "without_rem", "without_memory_mix"), "readout", "curve"),),
    partial(one_row, draw=over_epochs, first="c"),
    schemes=True,
)
FIGURE_5 = Figure(
    "Figure 5",
    "Accuracy of the same readout on occluded test images, over the share of tiles that are occluded: the full "
    "model and without NREM.",
    (Need(("pad", "without_nrem"), "robustness", "end"),),
    partial(one_row, draw=over_occlusion, first="c"),
    schemes=True,
)
APPENDIX_3 = Figure(
    "Appendix 1, figure 3",
    f"{OF_TEST} over {{long_epochs}} epochs of training: the full model and each pathology.",
    (Need(TABLE_1_CONDITIONS, "readout", "long curve"),),
    partial(one_row, draw=over_epochs, first="c"),
)
APPENDIX_4 = Figure(
    "Appendix 1, figure 4",
    f"{OF_TEST} over epochs of training, by what drives REM: mixed memories and noise, noise alone, memories "
    "alone.",
    (Need(("pad", "rem_noise_only", "rem_memories_only"), "readout", "curve"),),
    partial(one_row, draw=over_epochs),
)
APPENDIX_5 = Figure(
    "Appendix 1, figure 5",
    f"{OF_TEST} over epochs of training, by the order of the phases of sleep.",
    (Need(("pad", "rem_before_nrem"), "readout", "curve"),),
    partial(one_row, draw=over_epochs),
)
APPENDIX_6 = Figure(
    "Appendix 1, figure 6",
    "Accuracy of the readout on occluded test images, by what NREM replays: single memories, or several mixed.",
    (Need(("pad", "nrem_mixed"), "robustness", "end"),),
    partial(one_row, draw=over_occlusion),
)
DEPRIVATION = Figure(
    "Deprivation and recovery",
    f"{OF_TEST} over epochs of training: the full model, and schedules that take phases of sleep away and give "
    "them back. Above, which phases are on; shaded and named, what is deprived. None of this is in the paper.",
    (Need(("pad", SCHEDULES), "readout", "curve"),),
    partial(one_row, draw=over_schedules),
)
