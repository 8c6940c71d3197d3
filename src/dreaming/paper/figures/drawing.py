"""How figures are drawn: names and colours of conditions, every seed behind mean and SEM, gaps said.

matplotlib is imported when something is drawn, so that a plan, which reads what figures need, does without.
"""

import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dreaming.data.known import SOURCES
from dreaming.model.conditions import CONDITIONS, colours_of
from dreaming.paper.tables import by_seed, incomplete, measured, over_seeds
from dreaming.system.plotting import Panel, Picture, own_settings

WARNING = "#A00000"
PANEL = (4.4, 3.6)
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "savefig.dpi": 200,
    "svg.fonttype": "none",
    "svg.hashsalt": "dreaming",
    "pdf.fonttype": 42,
}


def dataset_name(dataset: str) -> str:
    """Return the name of a data set that people read.

    Examples
    --------
    >>> dataset_name("cifar10"), dataset_name("folder:/data/cats")
    ('CIFAR-10', 'cats')
    """
    known = SOURCES.get(dataset)
    return known.label if known else dataset.rpartition("/")[2].removeprefix("folder:")


def dataset_title(dataset: str) -> str:
    """Return a data set's name for matplotlib to show as it is."""
    from dreaming.evaluation.statistics.comparison import unformatted

    return unformatted(dataset_name(dataset))


def label(condition: str) -> str:
    """Return a condition's label, and one like it for a schedule or a dose of the user's own.

    Examples
    --------
    >>> label("without_rem"), label("pad-10-without_rem-20-pad"), label("pad+rem.dose-0.5")
    ('w/o REM', 'PAD to 10, w/o REM to 20, PAD', 'PAD, rem.dose 0.5')
    """
    if condition in CONDITIONS:
        return CONDITIONS[condition].label
    if parts := schedule_parts(condition):
        return ", ".join(label(name) + (f" to {end}" if end is not None else "") for name, end in parts)
    field, _, value = condition.removeprefix("pad+").partition("-")
    return f"{label('pad')}, {field} {value}" if condition.startswith("pad+") and value else condition


def schedule_parts(name: str) -> list[tuple[str, int | None]]:
    """Read a schedule from its name: conditions, and the epoch that each ends after; empty for another name.

    Examples
    --------
    >>> schedule_parts("pad-1-without_rem-2-pad")
    [('pad', 1), ('without_rem', 2), ('pad', None)]
    >>> schedule_parts("without_rem")
    []
    """
    parts = name.split("-")
    if len(parts) < 3 or len(parts) % 2 == 0 or not all(part.isdigit() for part in parts[1::2]):
        return []
    return list(zip(parts[::2], [*map(int, parts[1::2]), None], strict=True))


def canvas(width: float, height: float) -> Picture:
    """Return an empty picture, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def draw_figure(plot: Callable[[pd.DataFrame], Picture], table: pd.DataFrame) -> Picture:
    """Draw a figure from its table in the paper's style, with a note of what it lacks."""
    with own_settings(STYLE):
        picture = plot(table)
        if "source" in table:
            _note_gaps(picture, incomplete(table))
    return picture


def one_row(table: pd.DataFrame, draw: Callable[[Panel, pd.DataFrame], None], first: str = "a") -> Picture:
    """Draw a panel for each data set, side by side, lettered from the first letter on."""
    datasets = list(dict.fromkeys(table["dataset"]))
    picture = canvas(PANEL[0] * max(1, len(datasets)) + 0.4, PANEL[1])
    panels = picture.subplots(1, max(1, len(datasets)), squeeze=False)[0]
    for number, dataset in enumerate(datasets):
        draw(panels[number], table[table["dataset"] == dataset])
        panels[number].set_title(f"{chr(ord(first) + number)}   {dataset_title(dataset)}", loc="left")
    return picture


def _note_gaps(picture: Picture, gaps: Sequence[str]) -> None:
    if not gaps:
        return
    shown = "; ".join(gaps[:3]) + (f"; and {len(gaps) - 3} more" if len(gaps) > 3 else "")
    width = int(picture.get_figwidth() * 14)
    said = f"INCOMPLETE: {shown}. No mean is drawn where a seed is missing."
    text = "\n".join(textwrap.wrap(said, width, break_on_hyphens=False, break_long_words=False))
    picture.set_figheight(picture.get_figheight() + 0.25 + 0.15 * text.count("\n"))
    picture.supxlabel(text, color=WARNING, fontsize=8)


def note(panel: Panel, text: str, colour: str = WARNING) -> None:
    """Write in the middle of an empty panel why it is empty."""
    panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", color=colour)


def epochs_below(panel: Panel, title: str) -> None:
    """Label the lower axis of a panel, whose ticks are epochs: whole numbers."""
    from matplotlib.ticker import MaxNLocator

    panel.set_xlabel(title)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))


def curves(panel: Panel, table: pd.DataFrame, index: str, scale: float = 1.0) -> None:
    """Draw each condition's values over ``index``: seeds thin, mean bold, SEM shaded.

    Parameters
    ----------
    panel
        Where.
    table
        Of one data set and one measure, as `dreaming.paper.results.figure_table` makes it.
    index
        ``epoch``, or a column of numbers.
    scale
        What values are multiplied with; 100 for percent.
    """
    own = measured(table)
    for name, colour in colours_of(own["condition"]).items():
        spread = scale * by_seed(own[own["condition"] == name], index)
        about = CONDITIONS.get(name)
        line: dict[str, Any] = {"ls": (0, about.dashes) if about and about.dashes else "-"}
        if len(spread) <= 12:
            line |= {"marker": about.mark if about else ".", "ms": 4}
        curve(panel, spread, label(name), colour, line)


def curve(panel: Panel, spread: pd.DataFrame, name: str, colour: str, line: Mapping[str, Any]) -> None:
    """Draw one curve of values as `dreaming.paper.tables.by_seed` spreads them: seeds, mean, SEM."""
    x = spread.index.to_numpy(dtype=float)
    if spread.shape[1] > 1 or spread.isna().any(axis=None):
        for seed in spread.columns:
            panel.plot(x, spread[seed], lw=0.8, alpha=0.4, marker=".", ms=2, color=colour)
    about = [over_seeds(list(row)) for row in spread.to_numpy()]
    mean = np.array([found.mean if found else np.nan for found in about])
    sem = np.array([found.sem if found else np.nan for found in about])
    panel.plot(x, mean, lw=1.8, label=name, color=colour, **line)
    panel.fill_between(x, mean - sem, mean + sem, alpha=0.2, lw=0, color=colour)


def bars(panel: Panel, groups: Sequence[tuple[str, Sequence[tuple[str, str, pd.Series]]]]) -> None:
    """Draw groups of bars with SEM, each seed as a dot on its bar; no bar where a seed is missing.

    Parameters
    ----------
    panel
        Where.
    groups
        Name, and for each bar its label, colour, and values over seeds.
    """
    width = 0.8 / max((len(own) for _, own in groups), default=1)
    explained: set[str] = set()
    for place, (_, own) in enumerate(groups):
        for number, (name, colour, values) in enumerate(own):
            x = place + (number - (len(own) - 1) / 2) * width
            if found := over_seeds(values):
                about: dict[str, Any] = {"color": colour, "alpha": 0.85, "capsize": 3, "ecolor": "#555555"}
                about["label"] = None if name in explained else name
                panel.bar(x, found.mean, width * 0.9, yerr=[found.sem if found.n > 1 else 0], **about)
                explained.add(name)
            there = values.dropna()
            nudge = (np.arange(len(there)) - (len(there) - 1) / 2) * width * 0.12
            panel.plot(x + nudge, there, "o", ms=3.5, mfc="white", mec="#333333", mew=0.7, zorder=4)
    panel.set_xticks(range(len(groups)), [name for name, _ in groups])
    if explained:
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=len(explained), columnspacing=1.2)


def saved(picture: Picture, kind: str) -> bytes:
    """Return a picture as a file of a kind: svg, pdf or png; the same bytes for the same picture."""
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    buffer = io.BytesIO()
    with own_settings(STYLE):
        picture.savefig(buffer, format=kind, metadata=undated)
    return buffer.getvalue()
