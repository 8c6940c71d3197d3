"""The bench in one picture: a panel for each measure that was measured, as the paper's figures are drawn."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from dreaming.evaluation.measures.measure import Quantity
from dreaming.evaluation.statistics.deprivation import SleepSchedule, deprived
from dreaming.evaluation.statistics.differences import at_epoch, last_shared_epoch
from dreaming.evaluation.statistics.drawing import (
    DRAWN,
    PANEL,
    STYLE,
    bars,
    canvas,
    curves,
    dataset_title,
    epochs_below,
    label,
    legend_below,
    note,
    unformatted,
)
from dreaming.model.conditions import colours_of
from dreaming.system.plotting import Panel, Picture, own_settings

ACROSS_BENCH = 3
CONTROLS_DRAWN = {"pixels": (0, (4, 2)), "pca": (0, (1, 1.5))}
"""Controls, which are levels, and how their lines are dashed."""
STRIP = 0.05
"""Height of a line of a hypnogram, as a share of its panel's."""
SHADE = "#D9D9E8"


@dataclass(frozen=True)
class BenchMeasure:
    """What a panel shows.

    Attributes
    ----------
    quantity
        How its values are shown.
    values
        Tidy rows of one measure.
    """

    quantity: Quantity
    values: pd.DataFrame


def draw_bench(
    measures: Sequence[BenchMeasure],
    chance: Mapping[str, float],
    schedules: Mapping[tuple[str, str], SleepSchedule],
) -> Picture:
    """Draw every measure: over epochs; in bars where there is one epoch; of occlusions over their probability.

    Parameters
    ----------
    measures
        In their order.
    chance
        The accuracy of the best constant guess for each data set where it is known.
    schedules
        The stages of each data set and condition that has any, drawn as hypnograms over curves.
    """
    places = [(each, str(name)) for each in measures for name in dict.fromkeys(each.values["dataset"])]
    datasets = len({dataset for _, dataset in places})
    across = min(datasets if datasets > 1 else ACROSS_BENCH, len(places))
    lines = math.ceil(len(places) / across)
    with own_settings(STYLE):
        picture = canvas(PANEL[0] * across + 0.4, (PANEL[1] + 0.3 * bool(schedules)) * lines + 0.5)
        panels = list(picture.subplots(lines, across, squeeze=False).flat)
        for panel in panels[len(places) :]:
            panel.set_axis_off()
        for panel, (measure, dataset) in zip(panels, places, strict=False):
            own = measure.values[measure.values["dataset"] == dataset]
            schedule = {name: found for (where, name), found in schedules.items() if where == dataset}
            _measure_panel(panel, measure.quantity, own, chance.get(dataset), schedule)
        legend_below(picture)
    return picture


def _measure_panel(
    panel: Panel,
    quantity: Quantity,
    values: pd.DataFrame,
    chance: float | None,
    schedules: Mapping[str, SleepSchedule],
) -> None:
    controls = values["parameter"].str.startswith(tuple(CONTROLS_DRAWN)) & values["epoch"].isna()
    own, dataset = values[~controls], str(values["dataset"].iloc[0])
    parameters = list(dict.fromkeys(own["parameter"]))
    epochs = set(own["epoch"].dropna())
    title = dataset_title(dataset)
    panel.set_ylabel(textwrap.fill(unformatted(quantity.title), 34))
    if len(parameters) > 1 and all(map(_is_share, parameters)):
        last = last_shared_epoch([own])
        at_last = (
            own if last is None or pd.isna(last) else own[own["epoch"].eq(last).fillna(False).astype(bool)]
        )
        shares = at_last.assign(share=[100 * float(each.partition(";")[0]) for each in at_last["parameter"]])
        curves(panel, shares, "share", quantity.scale)
        panel.set_xlabel("Occlusion intensity (%)")
        title += f", epoch {last}" if last is not None else ""
    elif len(parameters) == 1 and len(epochs) > 1:
        curves(panel, own[own["epoch"].notna()], "epoch", quantity.scale)
        epochs_below(panel, "Training epoch (0: untrained)")
        title += f", {unformatted(parameters[0])}" if ";" in parameters[0] else ""
    elif not own.empty:
        title = _bar_groups(panel, own, parameters, quantity, title)
    else:
        note(panel, "controls alone")
    for name, dashes in CONTROLS_DRAWN.items():
        level = values[controls & values["parameter"].str.startswith(name)]["value"].mean()
        if not pd.isna(level):
            panel.axhline(
                quantity.scale * level, color="#555555", ls=dashes, lw=1.1, label=f"{name} (control)"
            )
    if quantity.of_classes and chance is not None:
        panel.axhline(quantity.scale * chance, color="#999999", ls="-", lw=0.9, zorder=0, label="chance")
    if len(parameters) == 1 and len(epochs) > 1:
        hypnograms(panel, schedules, int(max(epochs)))
    title_above(panel, title)


def _is_share(parameter: str) -> bool:
    try:
        return 0 <= float(parameter.partition(";")[0]) <= 1
    except ValueError:
        return False


def _bar_groups(
    panel: Panel, own: pd.DataFrame, parameters: Sequence[str], quantity: Quantity, title: str
) -> str:
    """Draw a bar for each condition at its last epoch, a group for each parameter; return the panel's title."""
    colours, groups, lasts = colours_of(own["condition"]), [], set()
    for parameter in parameters[:DRAWN]:
        columns = []
        for condition, colour in colours.items():
            rows = own[(own["parameter"] == parameter) & (own["condition"] == condition)]
            last = last_shared_epoch([rows])
            if last is not None:
                lasts.add("" if pd.isna(last) else f", epoch {last}")
                seeds = pd.Series(at_epoch(rows, last), dtype=float)
                columns.append((unformatted(label(condition)), colour, quantity.scale * seeds))
        named = textwrap.fill(unformatted(parameter), 14) if len(parameters) > 1 else ""
        groups.append((named, columns))
    bars(panel, groups)
    more = f", {DRAWN} of {len(parameters)} parameters" if len(parameters) > DRAWN else ""
    return title + (lasts.pop() if len(lasts) == 1 else "") + more


def hypnograms(panel: Panel, schedules: Mapping[str, SleepSchedule], last: int) -> None:
    """Draw the hypnogram of each schedule above a panel of curves over epochs, and shade and name what is deprived.

    Parameters
    ----------
    panel
        Whose lower axis are epochs.
    schedules
        The stages of each condition that has any.
    last
        The last epoch.
    """
    drawn = {name: schedule for name, schedule in schedules.items() if deprived(schedule)}
    colours = colours_of([*drawn])
    if drawn:
        low, high = panel.get_ylim()
        panel.set_ylim(low, high + 0.09 * (high - low))  # names stand above the curves
    windows = {
        (stage.begin, stage.end or last, stage.condition) for s in drawn.values() for stage in deprived(s)
    }
    for begin, end, name in sorted(windows):
        panel.axvspan(begin, min(end, last), color=SHADE, lw=0, zorder=-1)
        panel.text(
            begin,
            0.98,
            f" {unformatted(label(name))}",
            transform=panel.get_xaxis_transform(),
            va="top",
            fontsize=7.5,
            color="#555577",
        )
    lines = [
        (name, phase)
        for name, schedule in drawn.items()
        for phase in dict.fromkeys(phase for stage in schedule for phase in stage.phases)
    ]
    if not lines:
        return
    strip = panel.inset_axes((0, 1.02, 1, STRIP * len(lines)), sharex=panel)
    for place, (name, phase) in enumerate(lines):
        on = [
            (stage.begin, min(stage.end or last, last) - stage.begin)
            for stage in drawn[name]
            if phase in stage.phases and stage.begin < last
        ]
        strip.broken_barh(on, (len(lines) - place - 0.9, 0.8), color=colours[name])
    strip.set_yticks(
        [len(lines) - place - 0.5 for place in range(len(lines))],
        [phase.upper() if phase in ("nrem", "rem") else phase.capitalize() for _, phase in lines],
        fontsize=6.5,
    )
    strip.tick_params(length=0, labelbottom=False)
    strip.spines[:].set_visible(False)
    strip.set_ylim(0, len(lines))


def title_above(panel: Panel, title: str) -> None:
    """Write the title of a panel above it and above its hypnograms, if it has any."""
    strips = sum((0.02 + STRIP * len(each.get_yticks()) for each in panel.child_axes), start=0.0)
    panel.set_title(title, loc="left", pad=8 + 72 * PANEL[1] * 0.7 * strips)
