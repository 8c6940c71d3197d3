"""Reproducing the paper: plan, train what is missing, measure it, draw, report."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from dreaming import data
from dreaming.data import Dataset
from dreaming.errors import RunsFailed, UserError
from dreaming.evaluation.statistics.drawing import saved
from dreaming.paper.claims.answer import result_lines
from dreaming.paper.claims.claims import judged
from dreaming.paper.claims.numbers import numbers_table
from dreaming.paper.figures import FIGURES
from dreaming.paper.figures.drawing import draw_figure
from dreaming.paper.plan.plan import Plan, make_plan
from dreaming.paper.plan.profile import Profile
from dreaming.paper.report import Drawn, report
from dreaming.paper.results import Attempts, figure_table, results_of
from dreaming.paper.tables import Tables
from dreaming.runs.tables import csv
from dreaming.system.defaults import torch_defaults
from dreaming.system.disk import write
from dreaming.system.locks import locked
from dreaming.system.progress import NoProgress, told
from dreaming.training.population import require_workers, train_all

FILE_KINDS = ("svg", "pdf", "png")


@dataclass(frozen=True)
class Reproduction:
    """What came out.

    Attributes
    ----------
    plan
        What was to be done; its runs as they are now.
    report
        The HTML file.
    failures
        Why something could not be done, by the title of the run or the name of the figure.
    results
        What came out, in a few lines.
    """

    plan: Plan
    report: Path
    failures: dict[str, str]
    results: tuple[str, ...]


@torch_defaults()
def reproduce(
    profile: Profile,
    *,
    only: Sequence[str] = (),
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    trust_data: bool = False,
    device: str = "auto",
    workers: int | None = None,
    runs: str | Path | None = None,
    training: bool = True,
    progress: NoProgress | None = None,
) -> Reproduction:
    """Make figures and tables of the paper: run what is missing, measure it, draw, and report.

    Parameters
    ----------
    profile
        How much of the paper, as `dreaming.paper.plan.presets.profile` finds it.
    only
        Figures by name, such as ``figure-4``; all of the profile by default.
    out
        The folder of all of it: ``runs``, ``figures``, ``numbers.csv``, ``claims.csv``, ``report.html``;
        ``reproduction/PROFILE`` by default.
    data_dir, trust_data
        Where archives of data sets and weights of networks are, and whether to take unofficial data.
    device
        Where to compute.
    workers
        How many runs are trained at once; see `dreaming.train_all`.
    runs
        The folder of the runs, where they lie elsewhere than in ``OUT/runs``.
    training
        Whether runs are trained that are not finished; without, what is there is measured, drawn and reported.
    progress
        Who is told how it goes.

    Returns
    -------
    Reproduction
        Where the report lies, and what failed. What fails does not keep the rest from being done, and is drawn and
        reported as missing.

    Raises
    ------
    UserError
        If anything asked for cannot be: see the sentence.
    Stopped
        On Ctrl-C or SIGTERM, after saving; the same call goes on.
    """
    require_workers(workers)
    attempts = Attempts(told(progress))
    plan = make_plan(profile, only, out, device, runs)
    with locked(plan.out, "reproducing"):
        for said in plan.unavailable(data_dir):  # before days go into training
            attempts.progress.say(said)
        options = {"data_dir": data_dir, "trust_data": trust_data, "workers": workers}
        if training:
            _train(plan, attempts, **options)
            plan = make_plan(profile, only, out, device, runs)

        @cache
        def images(name: str) -> Dataset:
            return data.load_dataset(name, data_dir, limit=profile.limit, trust=trust_data)

        for number, run in enumerate(plan.runs, start=1):
            attempts.progress.step("measuring run", number, len(plan.runs))
            if run.lacking:
                attempts.note(run.title, run.lacking)
            attempts(
                run.title, partial(run.measure, plan.measures, images, device, attempts.progress, data_dir)
            )
        results = write_results(plan, results_of(plan, images, attempts), attempts)
    return Reproduction(plan, plan.out / "report.html", attempts.failures, results)


def _train(plan: Plan, attempts: Attempts, **options: Any) -> None:
    """Train the runs that are not finished."""
    missing = {run.folder.path: run for run in plan.missing if not run.lacking}
    if not missing:
        return

    def work() -> None:
        try:
            configs = [run.config for run in missing.values()]
            train_all(configs, out=plan.place, progress=attempts.progress, **options)
        except RunsFailed as failure:
            for path, said in failure.failed.items():
                attempts.note(missing[path].title, said)

    # What is no failure of a run among several is one of the only run.
    attempts(next(iter(missing.values())).title, work)


def write_results(plan: Plan, tables: Tables, attempts: Attempts) -> tuple[str, ...]:
    """Write figures, numbers, claims and the report; return what came out in a few lines."""
    figures = make_figures(plan, tables, attempts)
    shown = {figure.name: figure.table for figure in figures}
    found = numbers_table(shown, plan.profile)
    write(plan.out / "numbers.csv", csv(found))
    write(plan.out / "claims.csv", csv(_claims_table(figures)))
    page = report(plan, tables, figures, found, attempts.failures)
    write(plan.out / "report.html", page.encode())
    return result_lines(shown, [claim for figure in figures for claim in figure.claims])


def make_figures(plan: Plan, tables: Tables, attempts: Attempts) -> list[Drawn]:
    """Make the table and the files of each figure."""
    made: list[Drawn] = []
    for number, figure in enumerate(plan.figures, start=1):
        attempts.progress.step("drawing figure", number, len(plan.figures))
        attempts(figure, partial(_make_figure, figure, plan, tables, made))
    return made


def _make_figure(figure: str, plan: Plan, tables: Tables, made: list[Drawn]) -> None:
    place = plan.out / "figures"
    table, plot = figure_table(figure, plan.profile, tables), FIGURES[figure].plot
    write(place / f"{figure}.csv", csv(table))
    files: dict[str, bytes] = {}
    if plot and len(table):
        picture = draw_figure(plot, table)
        files = {kind: saved(picture, kind) for kind in FILE_KINDS}
        for kind, content in files.items():
            write(place / f"{figure}.{kind}", content)
    made.append(Drawn(figure, table, judged(figure, plan.profile, table), files))


def _claims_table(drawn: Sequence[Drawn]) -> pd.DataFrame:
    columns = ["figure", "dataset", "said", "claim", "verdict", "mean", "low", "high", "n", "p", "reason"]
    rows = []
    for figure, dataset, claim, judgement in (each for one in drawn for each in one.claims):
        found, about = judgement.found, (figure, dataset, claim.said, claim.text, judgement.verdict)
        rows.append((*about, found.mean, found.low, found.high, found.n, found.p, judgement.reason))
    return pd.DataFrame(rows, columns=columns)


def raise_failures(found: Reproduction) -> None:
    """Raise what the user should know of failures, after all else is done.

    Raises
    ------
    UserError
        If anything failed: what, and where the report lies.
    """
    if found.failures:
        first, said = next(iter(found.failures.items()))
        more = len(found.failures) - 1
        others = f", and {more} more" if more else ""
        raise UserError(
            f"{first} failed: {said}{others}; the rest is done, and {found.report} says what is missing"
        )
