"""Reproducing the paper: plan, train what is missing, measure it, draw, report."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from dreaming.errors import RunsFailed, UserError
from dreaming.paper.attempts import Attempts
from dreaming.paper.claims import numbers as table_1
from dreaming.paper.claims.claims import judged
from dreaming.paper.figures import DRAWINGS
from dreaming.paper.figures.drawing import saved
from dreaming.paper.plan.measuring import measure
from dreaming.paper.plan.plan import Plan, PlannedRun, make_plan
from dreaming.paper.plan.profile import Profile
from dreaming.paper.report import Drawn, report
from dreaming.paper.results import Images, gathered
from dreaming.paper.tables import Tables
from dreaming.runs.tables import csv
from dreaming.system.disk import write
from dreaming.system.locks import locked
from dreaming.system.progress import NoProgress
from dreaming.training.population import train_all

KINDS = ("svg", "pdf", "png")


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
    """

    plan: Plan
    report: Path
    failures: dict[str, str]


def reproduce(
    profile: Profile,
    *,
    only: Sequence[str] = (),
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    trust_data: bool = False,
    device: str = "auto",
    workers: int | None = None,
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
    attempts = Attempts(progress or NoProgress())
    place = Path(out) if out is not None else Path("reproduction") / profile.name
    plan = make_plan(profile, only, place, device)
    with locked(place, "reproducing"):
        return _reproduced(plan, only, data_dir, trust_data, device, workers, attempts)


def _reproduced(
    plan: Plan,
    only: Sequence[str],
    data_dir: str | Path | None,
    trust_data: bool,
    device: str,
    workers: int | None,
    attempts: Attempts,
) -> Reproduction:
    """Do what a plan wants."""
    profile, place = plan.profile, plan.out
    images = Images(data_dir, trust_data, profile.limit)
    for said in plan.hindrances(data_dir):  # before days go into training
        attempts.progress.say(said)
    _train(plan, data_dir, trust_data, workers, attempts)
    plan = make_plan(profile, only, place, device)
    for run in plan.runs:
        if run.lacking:
            attempts.note(run.title, run.lacking)
        attempts(run.title, partial(_measure, plan, run, images, device, attempts.progress))
    tables = gathered(plan, images, attempts)
    drawn = draw(plan, tables, attempts)
    numbers = table_1.numbers({figure.name: figure.table for figure in drawn}, tables)
    write(place / "numbers.csv", csv(numbers))
    write(place / "claims.csv", csv(_claims_table(drawn)))
    page = report(plan, tables, drawn, numbers, attempts.failures)
    write(place / "report.html", page.encode())
    return Reproduction(plan, place / "report.html", attempts.failures)


def _train(
    plan: Plan,
    data_dir: str | Path | None,
    trust_data: bool,
    workers: int | None,
    attempts: Attempts,
) -> None:
    """Train the runs that are not finished."""
    missing = {run.folder.path: run for run in plan.missing if not run.lacking}
    if not missing:
        return

    def work() -> None:
        try:
            train_all(
                [run.config for run in missing.values()],
                out=plan.out / "runs",
                data_dir=data_dir,
                trust_data=trust_data,
                workers=workers,
                progress=attempts.progress,
            )
        except RunsFailed as failure:
            for path, said in failure.failed.items():
                attempts.note(missing[path].title, said)

    # What is no failure of a run among several is one of the only run.
    attempts(next(iter(missing.values())).title, work)


def _measure(plan: Plan, run: PlannedRun, images: Images, device: str, progress: NoProgress) -> None:
    """Measure a run where it lacks values."""
    lacking = run.unmeasured(plan.measures)
    if lacking and run.folder.snapshots():
        measure(
            run.folder,
            lacking,
            plan.measures,
            images(run.config.dataset.name),
            device,
            progress,
            images.where,
        )


def draw(plan: Plan, tables: Tables, attempts: Attempts) -> list[Drawn]:
    """Make the table and the files of each figure."""
    drawn: list[Drawn] = []
    for figure in plan.figures:
        if attempts(figure, partial(_draw_one, figure, plan, tables, drawn)):
            attempts.progress.say(f"{figure}: drawn")
    return drawn


def _draw_one(figure: str, plan: Plan, tables: Tables, drawn: list[Drawn]) -> None:
    place = plan.out / "figures"
    table = (table_1.prepare if figure == "table-1" else DRAWINGS[figure].prepare)(tables)
    write(place / f"{figure}.csv", csv(table))
    files: dict[str, bytes] = {}
    if figure in DRAWINGS and len(table):
        picture = DRAWINGS[figure].plot(table)
        files = {kind: saved(picture, kind) for kind in KINDS}
        for kind, content in files.items():
            write(place / f"{figure}.{kind}", content)
    drawn.append(Drawn(figure, table, judged(figure, plan.profile, table), files.get("png")))


def _claims_table(drawn: Sequence[Drawn]) -> pd.DataFrame:
    rows = [
        {
            **{"figure": figure.name, "dataset": dataset, "said": claim.said, "claim": claim.text},
            **{"verdict": found.verdict, "mean": found.found.mean, "low": found.found.low},
            **{"high": found.found.high, "n": found.found.n, "p": found.found.p, "reason": found.reason},
        }
        for figure in drawn
        for claim, dataset, found in figure.claims
    ]
    return pd.DataFrame(rows)


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
