"""Gathering: the tables of all planned runs, and the pictures, in one place for the figures."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from dreaming import data
from dreaming.data import Dataset
from dreaming.paper.attempts import Attempts
from dreaming.paper.figures.pictures import occluded, seen_and_dreamt
from dreaming.paper.plan.measuring import keys_of
from dreaming.paper.plan.plan import Plan, PlannedRun
from dreaming.paper.tables import Tables, losses_as_measures


class Images:
    """Data sets, each read once, when it is first asked for."""

    def __init__(self, data_dir: str | Path | None, trust_data: bool, limit: int | None) -> None:
        self._read: dict[str, Dataset] = {}
        self.where = None if data_dir is None else Path(data_dir)
        self._trust, self._limit = trust_data, limit

    def __call__(self, name: str) -> Dataset:
        """Read a data set.

        Raises
        ------
        UserError
            If it cannot be read.
        """
        if name not in self._read:
            self._read[name] = data.load(name, self.where, limit=self._limit, trust=self._trust)
        return self._read[name]


def gathered(plan: Plan, images: Images, attempts: Attempts) -> Tables:
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
    values: list[pd.DataFrame] = []
    projections: list[pd.DataFrame] = []
    pictures: list[pd.DataFrame] = []
    for run in plan.runs:
        if run.folder.config.exists():
            attempts(run.title, partial(_read, run, values, projections))
            attempts(run.title, partial(_show, run, images, pictures))
    if "figure-9" in plan.figures:
        for dataset in plan.profile.datasets:
            attempts(f"figure-9 of {dataset}", partial(_occlude, dataset, images, pictures))
    joined = (_joined(parts) for parts in (values, projections, pictures))
    return Tables(plan.profile, keys_of(plan.measures), *joined)


def _read(run: PlannedRun, values: list[pd.DataFrame], projections: list[pd.DataFrame]) -> None:
    config = run.config
    about: dict[str, str | int] = {
        "dataset": config.dataset.name,
        "condition": config.condition,
        "seed": config.seed,
    }
    values.append(run.folder.read_measures())
    projections.append(run.folder.read_projection())
    if run.folder.losses.exists():
        values.append(losses_as_measures(run.folder.read_losses(), about))


def _show(run: PlannedRun, images: Images, pictures: list[pd.DataFrame]) -> None:
    shown = tuple(epoch for epoch in run.shown if epoch in run.folder.snapshots())
    if shown:
        config = run.folder.read_config()
        pictures.append(seen_and_dreamt(run.folder, config, images(config.dataset.name), shown))


def _occlude(dataset: str, images: Images, pictures: list[pd.DataFrame]) -> None:
    pictures.append(occluded(images(dataset)))


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    whole = [part.dropna(axis=1, how="all") for part in parts if len(part)]
    columns = list(dict.fromkeys(column for part in parts for column in part.columns))
    return (
        pd.concat(whole, ignore_index=True).reindex(columns=columns)
        if whole
        else pd.DataFrame(columns=columns)
    )
