"""Sleep deprivation as an experiment: its stages, and what was measured before, during and after it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from dreaming.config.config import Config
from dreaming.evaluation.measures.measure import Quantity
from dreaming.evaluation.statistics.differences import (
    at_epoch,
    difference_at,
    difference_columns,
    last_shared_epoch,
)
from dreaming.evaluation.statistics.drawing import label, schedule_parts
from dreaming.evaluation.statistics.statistics import summary
from dreaming.model.conditions import CONDITIONS
from dreaming.model.conditions import conditions as meanings

BEFORE = "before"
DEPRIVATION_COLUMNS = (
    *("dataset", "condition", "stage", "measure", "parameter", "when", "epoch", "seeds", "mean", "sem"),
    *("against", "pairs", "difference", "low", "high", "p", "verdict"),
)


@dataclass(frozen=True)
class SleepStage:
    """A part of a schedule.

    Attributes
    ----------
    begin, end
        Epochs that are done when it begins and when it ends; None for the end of training.
    condition
        What it is called.
    phases
        The names of the phases that are on.
    """

    begin: int
    end: int | None
    condition: str
    phases: tuple[str, ...]


SleepSchedule = Sequence[SleepStage]


def schedule_of(config: Config) -> list[SleepStage]:
    """Return the stages of a run with a schedule; empty for one without.

    Examples
    --------
    >>> from dreaming.config.configure import configure
    >>> config = configure(schedule="pad:2,wake_only:3,pad")
    >>> [(stage.begin, stage.end, stage.condition) for stage in schedule_of(config)]
    [(0, 2, 'pad'), (2, 3, 'wake_only'), (3, None, 'pad')]
    """
    if not config.schedule:
        return []
    known = schedule_parts(config.condition.partition("+")[0])
    names = [known[0][0] if known else "first", *(stage.condition for stage in config.schedule)]
    begins = [0, *(stage.after for stage in config.schedule)]
    return [
        SleepStage(begin, end, name, tuple(phase.name for phase in phases if phase.weight))
        for begin, end, name, phases in zip(begins, [*begins[1:], None], names, config.cycles(), strict=True)
    ]


def schedule_named(schedule: str) -> list[SleepStage]:
    """Return the stages of a schedule of the project's own conditions, from its name; empty for another name."""
    parts = schedule_parts(schedule)
    begins = [0, *(end for _, end in parts if end is not None)]
    return [
        SleepStage(begin, end, name, tuple(phase.name for phase in CONDITIONS[name].phases()))
        for begin, (name, end) in zip(begins, parts, strict=False)
        if name in CONDITIONS
    ]


def deprived(schedule: SleepSchedule) -> list[SleepStage]:
    """Return the stages in which a phase is off that was on before.

    Examples
    --------
    >>> [stage.condition for stage in deprived(schedule_named("pad-10-without_rem-20-pad"))]
    ['without_rem']
    """
    before: set[str] = set()
    found = []
    for stage in schedule:
        if before - set(stage.phases):
            found.append(stage)
        before |= set(stage.phases)
    return found


def meanings_of(conditions: Iterable[str]) -> dict[str, str]:
    """Return what each of the project's own conditions means, those within schedules too, in a line.

    Examples
    --------
    >>> list(meanings_of(["pad", "pad-10-without_rem-20-pad", "my_own"]))
    ['pad', 'without_rem']
    """
    known = meanings()
    named = [name for each in conditions for name in ([part for part, _ in schedule_parts(each)] or [each])]
    return {name: known[name] for name in named if name in known}


def deprivation_table(
    values: pd.DataFrame, schedules: Mapping[tuple[str, str], SleepSchedule], reference: str | None
) -> pd.DataFrame:
    """Compare what was measured before, during and after each deprivation.

    Parameters
    ----------
    values
        Tidy rows of measures.
    schedules
        The stages of each data set and condition that has any.
    reference
        The condition that they are compared with at the same epoch, seed by seed.

    Returns
    -------
    DataFrame
        `DEPRIVATION_COLUMNS`: ``when`` is ``before``, the last epoch before the stage; ``during``, its last; or
        ``after``, the last of training; ``against`` is ``before``, or the reference at the same epoch. Epochs that
        were not measured have no row.
    """
    rows = []
    for (dataset, condition), schedule in schedules.items():
        for (measure, parameter), own in values[values["dataset"] == dataset].groupby(
            ["measure", "parameter"], sort=False
        ):
            mine, base = (own[own["condition"] == name] for name in (condition, reference))
            last = last_shared_epoch([mine])
            if last is None or pd.isna(last):
                continue
            for stage in deprived(schedule):
                end = last if stage.end is None else stage.end
                for when, epoch in ((BEFORE, stage.begin), ("during", end), ("after", last)):
                    there = at_epoch(mine, epoch)
                    if not there or (when == "after" and stage.end in (None, last)):
                        continue
                    about = summary(there.values())
                    key = dataset, condition, stage.condition, measure, parameter, when, epoch
                    head = (*key, about.n, about.mean, about.sem)
                    against = {
                        BEFORE: difference_at(mine, mine, epoch, stage.begin),
                        reference: difference_at(mine, base, epoch),
                    }
                    rows += [
                        (*head, name, *difference_columns(found))
                        for name, found in against.items()
                        if found.n and not (name == BEFORE == when) and name != condition
                    ]
    return pd.DataFrame(rows, columns=list(DEPRIVATION_COLUMNS)).astype({"epoch": "Int64"})


def deprivation_in_words(found: pd.DataFrame, quantity: Quantity) -> list[dict[str, str]]:
    """Return the rows of one measure as people read them, a row for each time."""
    scale, digits = quantity.scale, 2 if quantity.unit else 4
    rows: dict[tuple[object, ...], dict[str, str]] = {}
    others = [name for name in dict.fromkeys(found["against"]) if name != BEFORE]
    for row in found.to_dict("records"):
        key = tuple(row[name] for name in DEPRIVATION_COLUMNS[:7])
        low, high = (f"{scale * row[end]:+.{digits}f}" for end in ("low", "high"))
        mean = f"{scale * row['mean']:.{digits}f}"
        words = rows.setdefault(
            key,
            {
                "data set": row["dataset"],
                "schedule": label(row["condition"]),
                "stage": label(row["stage"]),
                "parameter": row["parameter"],
                "when": row["when"],
                "epoch": str(row["epoch"]),
                "value": mean if row["seeds"] < 2 else f"{mean} ± {scale * row['sem']:.{digits}f}",
                **{f"minus {name}": "-" for name in (BEFORE, *map(label, others))},
            },
        )
        name = row["against"] if row["against"] == BEFORE else label(row["against"])
        interval = "" if row["pairs"] < 2 else f" ({low} to {high})"
        words[f"minus {name}"] = f"{scale * row['difference']:+.{digits}f}{interval}, {row['verdict']}"
    return list(rows.values())
