"""Tables that figures are drawn from: what was measured, beside what is missing and what is published."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from dreaming.evaluation.statistics.statistics import Summary, summary
from dreaming.model.conditions import condition
from dreaming.paper.plan.panels import FIGURES, Keys
from dreaming.paper.plan.profile import Profile
from dreaming.paper.published import Number, published
from dreaming.runs.folder import MEASURES

KEYS = MEASURES[:-1]
COLUMNS = (*MEASURES, "sem", "source")
"""Of a figure's table: tidy rows; ``source`` is ``measured``, or ``published`` with ``sem`` and without a seed. A
value that should have been measured and was not has a row too, with an empty value."""
LOSS, DISCRIMINATOR = "loss", "discriminator"
WAKE_TERMS = ("wake.image", "wake.kl", "wake.externality")
SLEEP_TERMS = {"nrem": "nrem.latent", "rem": "rem.externality"}


@dataclass(frozen=True)
class Tables:
    """All that figures are drawn from.

    Attributes
    ----------
    profile
        What was planned.
    keys
        The rows each measure gives, by its name.
    values
        ``dataset, condition, seed, epoch, measure, parameter, value``; losses are the measure ``loss``, by term.
    projection
        As `dreaming.runs.folder.RunFolder.read_projection` reads it.
    pictures
        ``dataset, condition, seed, epoch, row, column, png``.
    """

    profile: Profile
    keys: Mapping[str, Keys]
    values: pd.DataFrame
    projection: pd.DataFrame = field(default_factory=pd.DataFrame)
    pictures: pd.DataFrame = field(default_factory=pd.DataFrame)


def loss_keys(name: str) -> Keys:
    """Name the losses that a condition's phases compute.

    Examples
    --------
    >>> sorted(parameter for _, parameter in loss_keys("wake_only"))
    ['wake.externality', 'wake.image', 'wake.kl']
    """
    terms = {SLEEP_TERMS[phase.name] for phase in condition(name) if phase.name in SLEEP_TERMS}
    return frozenset((LOSS, term) for term in {*WAKE_TERMS, *terms})


def losses_as_measures(table: pd.DataFrame, run: Mapping[str, str | int]) -> pd.DataFrame:
    """Turn a run's losses.csv into tidy rows of the measure ``loss``, by term."""
    terms = [column for column in table.columns if "." in column]
    long = table.melt("epoch", terms, "parameter", "value")
    return long.assign(measure=LOSS, **run)[list(MEASURES)]


def figure_table(figure: str, tables: Tables) -> pd.DataFrame:
    """Put together the values that a figure needs, whether they are there or not, and what is published of them.

    Parameters
    ----------
    figure
        As `dreaming.paper.plan.panels.FIGURES` names it.
    tables
        What there is.

    Returns
    -------
    DataFrame
        With the columns `COLUMNS`.
    """
    wanted = _wanted(figure, tables)
    there = tables.values.drop_duplicates(list(KEYS))
    found = wanted.merge(there, how="left", on=list(KEYS)).assign(sem=float("nan"), source="measured")
    printed = [
        (n.dataset, n.condition, pd.NA, n.epoch, n.measure, n.parameter, n.value, n.sem, "published")
        for dataset in FIGURES[figure].datasets(tables.profile.datasets)
        for n in _printed(figure, dataset, tables.profile)
    ]
    parts = [found, pd.DataFrame(printed, columns=list(COLUMNS))]
    whole = pd.concat([_typed(part) for part in parts if len(part)] or parts[:1], ignore_index=True)
    return whole[list(COLUMNS)]


def _printed(figure: str, dataset: str, profile: Profile) -> list[Number]:
    """List the numbers to be marked in a figure: those of table 1 belong beside the curves of accuracy too."""
    conditions = {name for need in FIGURES[figure].needs for name in profile.conditions_of(need)}
    if figure == "table-1":
        return list(published(figure, dataset))
    if not {"readout", "robustness"} & {need.measure for need in FIGURES[figure].needs}:
        return []
    own = [number for number in published(figure, dataset) if figure == "figure-5"]
    return [n for n in published("table-1", dataset) if n.condition in conditions] + own


def _wanted(figure: str, tables: Tables) -> pd.DataFrame:
    rows = [
        (dataset, name, seed, epoch, measure, parameter)
        for dataset in FIGURES[figure].datasets(tables.profile.datasets)
        for need in FIGURES[figure].needs
        if need.measure not in ("pictures", "projection")
        for name in tables.profile.conditions_of(need)
        for measure, parameter in sorted(
            loss_keys(name) if need.measure == "losses" else tables.keys[need.measure]
        )
        for epoch in tables.profile.epochs_of(need.when)
        for seed in range(tables.profile.seeds)
    ]
    wanted = pd.DataFrame(rows, columns=list(KEYS)).drop_duplicates(ignore_index=True)
    return wanted.astype({"epoch": "Int64", "seed": "Int64"})


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype({"epoch": "Int64", "seed": "Int64", "value": float, "sem": float})


def measured(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that were, or should have been, measured."""
    return table[table["source"] == "measured"]


def by_seed(table: pd.DataFrame, index: str) -> pd.DataFrame:
    """Spread values over seeds: a row for each value of ``index``, a column a seed; not a number where missing."""
    return table.pivot(index=index, columns="seed", values="value").astype(float).sort_index()


def over_seeds(values: Sequence[float] | pd.Series) -> Summary | None:
    """Reduce values over seeds, or return None if any is missing: nothing is averaged silently."""
    listed = [float(value) for value in values]
    return summary(listed) if listed and not any(map(math.isnan, listed)) else None


def incomplete(table: pd.DataFrame) -> list[str]:
    """Say which runs lack values that a figure should show, and at which epochs; nothing if all is there.

    Examples
    --------
    >>> row = {"dataset": "digits", "condition": "pad", "seed": 1, "measure": "m", "parameter": "p"}
    >>> rows = [{**row, "epoch": e, "value": v, "source": "measured"} for e, v in ((0, 0.1), (5, float("nan")))]
    >>> incomplete(pd.DataFrame(rows))
    ['digits/pad/seed-1 lacks m of epoch 5']
    """
    own = measured(table)
    said = []
    for (dataset, name, seed, measure), rows in own.groupby(
        ["dataset", "condition", "seed", "measure"], sort=False
    ):
        gaps = sorted({int(epoch) for epoch in rows.loc[rows["value"].isna(), "epoch"]})
        if not gaps:
            continue
        all_of_it = rows["value"].isna().all()
        epochs = "" if all_of_it else f" of epoch{'s' if len(gaps) > 1 else ''} {_ranges(gaps)}"
        said.append(f"{dataset}/{name}/seed-{seed:.0f} lacks {measure}{epochs}")
    return said


def _ranges(epochs: Sequence[int]) -> str:
    shown = ", ".join(str(epoch) for epoch in epochs[:6])
    return f"{shown} and {len(epochs) - 6} more" if len(epochs) > 6 else shown
