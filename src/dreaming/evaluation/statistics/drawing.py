"""How curves and bars are drawn: names, colours and marks of conditions, every seed behind mean and SEM.

matplotlib is imported when something is drawn, so that a plan, which reads what figures need, does without.
"""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dreaming.data.known import SOURCES
from dreaming.errors import shown
from dreaming.evaluation.statistics.statistics import Summary, summary
from dreaming.model.conditions import CONDITIONS, colours_of
from dreaming.system.plotting import Panel, Picture, own_settings

WARNING = "#A00000"
PANEL = (4.4, 3.6)
OTHER_MARKS = "pd<>H8"
"""Of conditions of the user's own."""
MARKED = 12
"""Points of a curve that have a mark; of more, every so many."""
DRAWN = 12
"""Parameters of one measure that are drawn; of more, the tables have all."""
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "savefig.dpi": 300,
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


def unformatted(name: object) -> str:
    """Return a name such that matplotlib shows it as it is: two dollars would make a formula of it."""
    return shown(str(name)).replace("$", r"\$")


def dataset_title(dataset: str) -> str:
    """Return a data set's name for matplotlib to show as it is."""
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


def note(panel: Panel, text: str, colour: str = WARNING) -> None:
    """Write in the middle of an empty panel why it is empty."""
    panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", color=colour)


def epochs_below(panel: Panel, title: str) -> None:
    """Label the lower axis of a panel, whose ticks are epochs: whole numbers."""
    from matplotlib.ticker import MaxNLocator

    panel.set_xlabel(title)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))


def by_seed(table: pd.DataFrame, index: str) -> pd.DataFrame:
    """Spread values over seeds: a row for each value of ``index``, a column a seed; not a number where missing."""
    return table.pivot(index=index, columns="seed", values="value").astype(float).sort_index()


def over_seeds(values: Sequence[float] | pd.Series) -> Summary | None:
    """Reduce values over seeds, or return None if any is missing: nothing is averaged silently."""
    listed = [float(value) for value in values]
    return summary(listed) if listed and not any(map(math.isnan, listed)) else None


def curves(panel: Panel, table: pd.DataFrame, index: str, scale: float = 1.0) -> None:
    """Draw each condition's values over ``index``: seeds thin, mean bold, SEM shaded.

    Parameters
    ----------
    panel
        Where.
    table
        Tidy rows of one data set, one measure and one parameter.
    index
        ``epoch``, or a column of numbers.
    scale
        What values are multiplied with; 100 for percent.
    """
    for place, (name, colour) in enumerate(colours_of(table["condition"]).items()):
        spread = scale * by_seed(table[table["condition"] == name], index)
        about = CONDITIONS.get(name)
        line: dict[str, Any] = {"ls": (0, about.dashes) if about and about.dashes else "-"}
        every = math.ceil(len(spread) / MARKED)
        mark = about.mark if about else OTHER_MARKS[place % len(OTHER_MARKS)]
        line |= {"marker": mark, "ms": 4, "markevery": (place % every, every)}
        curve(panel, spread, unformatted(label(name)), colour, line)


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
    width = 0.8 / max([3, *(len(own) for _, own in groups)])
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
    named = [(place, name) for place, (name, _) in enumerate(groups) if name]
    panel.set_xticks([place for place, _ in named], [name for _, name in named])
    panel.set_xlim(-0.5, max(1, len(groups)) - 0.5)


def legend_below(picture: Any) -> None:
    """Explain all that is drawn in any panel of a picture once, below the panels, off the data."""
    found = {
        name: handle
        for panel in picture.axes
        for handle, name in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    longest = max(map(len, found), default=0)
    columns = max(1, int(picture.bbox.width / picture.figure.dpi / (0.6 + 0.068 * longest)))
    if found:
        picture.legend(
            found.values(), found.keys(), loc="outside lower center", ncols=min(columns, len(found))
        )


def saved(picture: Picture, kind: str) -> bytes:
    """Return a picture as a file of a kind: svg, pdf or png; the same bytes for the same picture."""
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    buffer = io.BytesIO()
    with own_settings(STYLE):
        picture.savefig(buffer, format=kind, metadata=undated)
    return buffer.getvalue()
