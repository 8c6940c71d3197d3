"""Results: the tables of all planned runs in one place, and of each figure what it shows and what it lacks."""

import traceback
from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from dreaming.data import Dataset
from dreaming.errors import Stopped, UserError
from dreaming.evaluation.measures.measure import Measure, Quantity
from dreaming.evaluation.measures.measure_table import DEFINITION, by_another_definition
from dreaming.evaluation.measures.own import definition_of
from dreaming.model.conditions import condition
from dreaming.paper.figures import FIGURES
from dreaming.paper.figures.pictures import occluded, seen_and_dreamt
from dreaming.paper.plan.plan import Keys, Plan, PlannedRun, keys_of, measures_of
from dreaming.paper.plan.profile import Profile
from dreaming.paper.published import Number, published
from dreaming.paper.tables import FIGURE_COLUMNS, FIGURE_KEYS, LOSS, Tables
from dreaming.runs.folder import MEASURE_COLUMNS
from dreaming.system.progress import NoProgress

DatasetReader = Callable[[str], Dataset]
"""Reads a data set by its name."""


class Attempts:
    """Pieces of work, one after another; what fails is noted and does not keep the rest from being done.

    Parameters
    ----------
    progress
        Who is told of what fails.
    """

    def __init__(self, progress: NoProgress) -> None:
        self.progress = progress
        self.failures: dict[str, str] = {}

    def __call__(self, name: str, work: Callable[[], object]) -> bool:
        """Try some work of the run or figure of a name; return whether it was done.

        Raises
        ------
        Stopped
            If somebody wishes to stop.

        Examples
        --------
        >>> attempts = Attempts(NoProgress())
        >>> attempts("half", lambda: 1 / 2), attempts("nothing", lambda: 1 / 0)
        (True, False)
        >>> attempts.failures
        {'nothing': 'ZeroDivisionError: division by zero'}
        """
        try:
            work()
        except Stopped:
            raise
        except UserError as mistake:
            self.note(name, str(mistake))
        except Exception as fault:  # a fault of ours in one figure leaves the others
            self.note(name, " ".join(f"{type(fault).__name__}: {fault}".split()))
            self.progress.say(traceback.format_exc())
        else:
            return True
        return False

    def note(self, name: str, why: str) -> None:
        """Note that something failed, and show it, once."""
        before = self.failures.get(name)
        if before is None or why not in before:
            self.failures[name] = why if before is None else f"{before}; {why}"
            self.progress.say(f"{name}: FAILED: {why}")


def results_of(plan: Plan, images: DatasetReader, attempts: Attempts) -> Tables:
    """Read what was measured of the runs of a plan, and show what they saw and dreamt.

    Parameters
    ----------
    plan
        The runs, and the figures that need them.
    images
        The data sets.
    attempts
        Where it is noted what cannot be read or shown.

    Returns
    -------
    Tables
        As far as there is anything.
    """
    values = [pd.DataFrame(columns=list(MEASURE_COLUMNS))]
    projections: list[pd.DataFrame] = []
    pictures: list[pd.DataFrame] = []
    for run in plan.runs:
        if run.folder.config.exists():
            attempts(run.title, partial(_read, run, plan.profile.own_measures, values, projections))
            attempts(run.title, partial(_show, run, images, pictures))
    if "figure-9" in plan.figures:
        for name in plan.profile.datasets:
            attempts(f"figure-9 of {name}", partial(_occlude, name, images, pictures))
    profile = plan.profile
    return Tables(
        _joined(values), _joined(projections), _joined(pictures), doses_of(profile), quantities_of(profile)
    )


def doses_of(profile: Profile) -> pd.DataFrame:
    """Return the doses of a profile, as figures take them."""
    rows = [(dose.condition, dose.field, dose.value) for dose in profile.doses]
    return pd.DataFrame(rows, columns=["condition", "field", "dose"])


def quantities_of(profile: Profile) -> pd.DataFrame:
    """Return how values of a profile's own measures are shown, and what defines them, as figures take them."""
    rows = []
    for each in profile.own_measures:
        for name in sorted(each.measured):
            quantity = each.quantities.get(name, Quantity(name.replace("_", " ")))
            rows.append((name, quantity.label, quantity.unit, definition_of(each)))
    return pd.DataFrame(rows, columns=["measure", "label", "unit", DEFINITION])


def _read(
    run: PlannedRun, own: Sequence[Measure], values: list[pd.DataFrame], projections: list[pd.DataFrame]
) -> None:
    table = run.folder.read_measures(run.config)
    for measure in own:
        table = table[~by_another_definition(table, measure)]
    values.append(table)
    projections.append(run.folder.read_projection(run.config))
    if run.folder.losses.exists():
        table, config = run.folder.read_losses(), run.config
        terms = [column for column in table.columns if "." in column]
        about: dict[str, str | int] = {
            "dataset": config.dataset.name,
            "condition": config.condition,
            "seed": config.seed,
        }
        long = table.melt("epoch", terms, "parameter", "value").assign(measure=LOSS, **about)
        values.append(long[list(MEASURE_COLUMNS)])


def _show(run: PlannedRun, images: DatasetReader, pictures: list[pd.DataFrame]) -> None:
    shown = tuple(epoch for epoch in run.shown if epoch in run.folder.snapshots())
    if shown:
        config = run.folder.read_config()
        pictures.append(seen_and_dreamt(run.folder, config, images(config.dataset.name), shown))


def _occlude(dataset: str, images: DatasetReader, pictures: list[pd.DataFrame]) -> None:
    pictures.append(occluded(images(dataset)))


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    whole = [part.dropna(axis=1, how="all") for part in parts if len(part)]
    columns = list(dict.fromkeys(column for part in parts for column in part.columns))
    return (
        pd.concat(whole, ignore_index=True).reindex(columns=columns)
        if whole
        else pd.DataFrame(columns=columns)
    )


def figure_table(figure: str, profile: Profile, tables: Tables) -> pd.DataFrame:
    """Return what a figure shows, whether it is there or not, and what is published of it.

    Parameters
    ----------
    figure
        As `dreaming.paper.figures.FIGURES` names it.
    profile
        What was planned.
    tables
        What there is.

    Returns
    -------
    DataFrame
        With the columns `dreaming.paper.tables.FIGURE_COLUMNS`, and those that the figure adds.
    """
    about = FIGURES[figure]
    there = tables.values.astype({"epoch": "Int64", "seed": "Int64"}).drop_duplicates(list(FIGURE_KEYS))
    keys = frozenset(zip(there["measure"], there["parameter"], strict=True))
    found = wanted(figure, profile, keys).merge(there, how="left", on=list(FIGURE_KEYS))
    printed = [
        (n.dataset, n.condition, pd.NA, n.epoch, n.measure, n.parameter, n.value, n.sem, "published")
        for dataset in about.datasets(profile.datasets)
        for n in _printed(figure, dataset, profile)
    ]
    parts = [
        found.assign(sem=float("nan"), source="measured"),
        pd.DataFrame(printed, columns=list(FIGURE_COLUMNS)),
    ]
    whole = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    whole = whole.astype({"epoch": "Int64", "seed": "Int64", "value": float, "sem": float})
    return about.add(whole[list(FIGURE_COLUMNS)], tables)


def wanted(figure: str, profile: Profile, there: Keys = frozenset()) -> pd.DataFrame:
    """Return the rows that a figure should have, without their values; ``there`` are measures and parameters."""
    keys = keys_of(measures_of(profile), there)
    rows = [
        (dataset, name, seed, epoch, measure, parameter)
        for dataset in FIGURES[figure].datasets(profile.datasets)
        for need in FIGURES[figure].needs
        if need.measure not in ("pictures", "projection")
        for name in profile.conditions_of(need)
        for measure, parameter in sorted(loss_keys(name) if need.measure == "losses" else keys[need.measure])
        for epoch in profile.epochs_of(need.when)
        for seed in profile.all_seeds
    ]
    table = pd.DataFrame(rows, columns=list(FIGURE_KEYS)).drop_duplicates(ignore_index=True)
    return table.astype({"epoch": "Int64", "seed": "Int64"})


def loss_keys(name: str) -> Keys:
    """Return the rows of losses that an epoch of a condition gives.

    Examples
    --------
    >>> sorted(parameter for _, parameter in loss_keys("wake_only"))
    ['wake.externality', 'wake.image', 'wake.kl']
    """
    return frozenset((LOSS, f"{phase.name}.{term}") for phase in condition(name) for term in phase.terms)


def _printed(figure: str, dataset: str, profile: Profile) -> list[Number]:
    """Return the numbers to be marked in a figure: those of table 1 belong beside the curves of accuracy too."""
    needs = FIGURES[figure].needs
    if not {"readout", "robustness"} & {need.measure for need in needs}:
        return []
    conditions = {name for need in needs for name in profile.conditions_of(need)}
    own = published(figure, dataset) if figure == "figure-5" else ()
    return [*(n for n in published("table-1", dataset) if n.condition in conditions), *own]
