"""How figures are drawn: the paper's colours and order, every seed behind mean and SEM, gaps said."""

import io
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dreaming.data.loading import SOURCES
from dreaming.evaluation.statistics.comparison import unformatted
from dreaming.paper.plan.own_conditions import field_and_value, stages
from dreaming.paper.tables import by_seed, incomplete, measured, over_seeds

COLOURS = {
    "pad": "#000000",
    "without_rem": "#CC79A7",
    "without_memory_mix": "#5D3A9B",
    "without_nrem": "#E69F00",
    "wake_only": "#7F7F7F",
    "rem_noise_only": "#009E73",
    "rem_memories_only": "#D55E00",
    "rem_before_nrem": "#A0522D",
    "nrem_mixed": "#0072B2",
}
"""As near to the paper's as people of any colour vision can tell apart; each has a mark of its own too."""
MARKS = dict(zip(COLOURS, "osDv^PXh*", strict=True))
LINES = {"rem_noise_only": (0, (5, 2)), "rem_memories_only": (0, (2, 1.5)), "rem_before_nrem": (0, (5, 2))}
"""Of conditions that lie on PAD's curve, so that it is seen beneath them."""
LABELS = {
    "pad": "PAD",
    "without_rem": "w/o REM",
    "without_memory_mix": "w/o memory mix",
    "without_nrem": "w/o NREM",
    "wake_only": "Wake only",
    "rem_noise_only": "REM from noise",
    "rem_memories_only": "REM from memories",
    "rem_before_nrem": "Wake-REM-NREM",
    "nrem_mixed": "NREM from mixed memories",
}
OTHERS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Of conditions that the paper does not have."""
CLASSES = ("#7B3294", "#00A6CA", "#C8A200", "#D7191C")
"""Purple, cyan, yellow (darkened) and red, as in figure 6."""
WARNING = "#A00000"
PANEL = (4.4, 3.6)
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "dreaming",
    "pdf.fonttype": 42,
}


def dataset_name(dataset: str) -> str:
    """Name a data set as people do.

    Examples
    --------
    >>> dataset_name("cifar10"), dataset_name("folder:/data/cats")
    ('CIFAR-10', 'cats')
    """
    known = SOURCES.get(dataset)
    return known.label if known else dataset.rpartition("/")[2].removeprefix("folder:")


def dataset_title(dataset: str) -> str:
    """Name a data set as `dataset_name` does, for matplotlib to show as it is."""
    return unformatted(dataset_name(dataset))


def label(condition: str) -> str:
    """Name a condition as the paper does, and one of the user's own likewise.

    Examples
    --------
    >>> label("without_rem"), label("pad-10-without_rem-20-pad"), label("pad+rem.dose-0.5")
    ('w/o REM', 'PAD to 10, w/o REM to 20, PAD', 'PAD, rem.dose 0.5')
    """
    parts = stages(condition)
    if parts:
        return ", ".join(label(name) + (f" to {end}" if end is not None else "") for name, end in parts)
    field, value = field_and_value(condition)
    return f"{LABELS['pad']}, {field} {value}" if field else LABELS.get(condition, condition)


def colours_of(conditions: Iterable[str]) -> dict[str, str]:
    """Give each condition its colour: the paper's as near to the paper's as can be, others one after another."""
    names = list(dict.fromkeys(conditions))
    others = [name for name in names if name not in COLOURS]
    return {
        name: COLOURS[name] if name in COLOURS else OTHERS[others.index(name) % len(OTHERS)] for name in names
    }


def one_row(table: pd.DataFrame, draw: Callable[[Axes, pd.DataFrame], None], letters: str = "cd") -> Figure:
    """Draw a panel for each data set, side by side, lettered as in the paper."""
    datasets = list(dict.fromkeys(table["dataset"]))
    with rc_context(STYLE):
        figure = Figure(figsize=(PANEL[0] * max(1, len(datasets)) + 0.4, PANEL[1]), layout="constrained")
        panels = figure.subplots(1, max(1, len(datasets)), squeeze=False)[0]
        for panel, dataset, letter in zip(panels, datasets, letters, strict=False):
            draw(panel, table[table["dataset"] == dataset])
            panel.set_title(f"{letter}   {dataset_title(dataset)}", loc="left")
        say_gaps(figure, table)
    return figure


def say_gaps(figure: Figure, table: pd.DataFrame) -> None:
    """Write under a figure what it lacks."""
    gaps = incomplete(table)
    if not gaps:
        return
    shown = "; ".join(gaps[:3]) + (f"; and {len(gaps) - 3} more" if len(gaps) > 3 else "")
    width = int(figure.get_figwidth() * 14)
    said = f"INCOMPLETE: {shown}. No mean is drawn where a seed is missing."
    text = "\n".join(textwrap.wrap(said, width, break_on_hyphens=False, break_long_words=False))
    figure.set_figheight(figure.get_figheight() + 0.25 + 0.15 * text.count("\n"))
    figure.supxlabel(text, color=WARNING, fontsize=8)


def curves(panel: Axes, table: pd.DataFrame, index: str, scale: float = 1.0) -> None:
    """Draw each condition's values over ``index``: seeds thin, mean bold, SEM shaded, published values as diamonds.

    Parameters
    ----------
    panel
        Where.
    table
        Of one data set and one measure, as `dreaming.paper.tables.figure_table` makes it.
    index
        ``epoch``, or a column of numbers.
    scale
        What values are multiplied with; 100 for percent.
    """
    own = measured(table)
    colours = colours_of(own["condition"])
    for name in colours:
        spread = scale * by_seed(own[own["condition"] == name], index)
        marked = {"marker": MARKS.get(name, "."), "ms": 4} if len(spread) <= 12 else {}
        curve(panel, spread, label(name), {"color": colours[name]}, {"ls": LINES.get(name, "-"), **marked})


def curve(
    panel: Axes, spread: pd.DataFrame, name: str, style: Mapping[str, Any], mean_style: Mapping[str, Any]
) -> None:
    """Draw one curve of values as `dreaming.paper.tables.by_seed` spreads them: seeds, mean, SEM."""
    x = spread.index.to_numpy(dtype=float)
    if spread.shape[1] > 1 or spread.isna().any(axis=None):
        for seed in spread.columns:
            panel.plot(x, spread[seed], lw=0.8, alpha=0.4, marker=".", ms=2, **style)
    about = [over_seeds(list(row)) for row in spread.to_numpy()]
    mean = np.array([found.mean if found else np.nan for found in about])
    sem = np.array([found.sem if found else np.nan for found in about])
    panel.plot(x, mean, lw=1.8, label=name, **mean_style, **style)
    panel.fill_between(x, mean - sem, mean + sem, alpha=0.2, lw=0, **style)


def mark_published(
    panel: Axes, table: pd.DataFrame, at: Callable[[str], float], scale: float = 100.0
) -> None:
    """Mark published values and their SEM beside the curves, at a place that depends on their parameter."""
    printed = table[table["source"] == "published"]
    for count, row in enumerate(printed.to_dict("records")):
        panel.errorbar(
            [at(str(row["parameter"]))],
            [scale * row["value"]],
            yerr=[scale * row["sem"]] if row["sem"] == row["sem"] else None,
            fmt="D",
            ms=6,
            mfc="white",
            mec=COLOURS[row["condition"]],
            ecolor=COLOURS[row["condition"]],
            capsize=3,
            zorder=5,
            label=f"published, epoch {row['epoch']}" if count == 0 else None,
        )


def accuracy_over_epochs(panel: Axes, table: pd.DataFrame) -> None:
    """Draw readout accuracy in percent over epochs, as in figure 4."""
    curves(panel, table, "epoch", 100.0)
    beside = 1.04 * float(measured(table)["epoch"].max())
    mark_published(panel, table, lambda parameter: beside)
    panel.set_xlabel("Training epoch (0: untrained)")
    panel.set_ylabel("Linear readout accuracy (%)")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.legend(loc="best")


def accuracy_over_occlusion(panel: Axes, table: pd.DataFrame) -> None:
    """Draw readout accuracy in percent over the occlusion in percent, as in figure 5."""
    own = table.assign(occlusion=[100 * occlusion(parameter) for parameter in table["parameter"]])
    curves(panel, own, "occlusion", 100.0)
    mark_published(panel, own, lambda parameter: 104 * occlusion(parameter) - 2)
    panel.set_xlabel("Occlusion intensity (%)")
    panel.set_ylabel("Linear readout accuracy (%)")
    panel.legend(loc="best")


def occlusion(parameter: str) -> float:
    """Read the probability of occlusion from a parameter's name; that of a plain readout is 0.

    Examples
    --------
    >>> occlusion("0.3"), occlusion("latent")
    (0.3, 0.0)
    """
    head = parameter.partition(";")[0]
    return 0.0 if head == "latent" else float(head)


def bars(
    panel: Axes, groups: Sequence[tuple[str, Sequence[tuple[str, str, pd.Series]]]], legend: bool = True
) -> None:
    """Draw groups of bars with SEM, each seed as a dot on its bar; no bar where a seed is missing.

    Parameters
    ----------
    panel
        Where.
    groups
        Name, and for each bar its label, colour, and values over seeds.
    legend
        Whether labels are explained.
    """
    width = 0.8 / max((len(own) for _, own in groups), default=1)
    explained: set[str] = set()
    for place, (_, own) in enumerate(groups):
        for number, (name, colour, values) in enumerate(own):
            x = place + (number - (len(own) - 1) / 2) * width
            found = over_seeds(values)
            if found:
                spread = found.sem if found.n > 1 else 0
                panel.bar(
                    *(x, found.mean, width * 0.9),
                    yerr=[spread],
                    color=colour,
                    alpha=0.85,
                    capsize=3,
                    ecolor="#555555",
                    label=None if name in explained or not legend else name,
                )
                explained.add(name)
            there = values.dropna()
            nudge = (np.arange(len(there)) - (len(there) - 1) / 2) * width * 0.12
            panel.plot(x + nudge, there, "o", ms=3.5, mfc="white", mec="#333333", mew=0.7, zorder=4)
    panel.set_xticks(range(len(groups)), [name for name, _ in groups])
    if legend and explained:
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=len(explained), columnspacing=1.2)


def saved(figure: Figure, kind: str, dpi: int = 200) -> bytes:
    """Return a figure as a file of a kind: svg, pdf or png; the same bytes for the same figure."""
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    buffer = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=undated)
    return buffer.getvalue()
