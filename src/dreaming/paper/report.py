"""The report: one HTML file of numbers, verdicts, figures and runs, which fetches nothing."""

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from PIL import Image

from dreaming.errors import UserError
from dreaming.evaluation.measures.readout import READOUT_ACCURACY
from dreaming.evaluation.statistics.drawing import dataset_name, label
from dreaming.evaluation.statistics.statistics import by_chance, summary
from dreaming.paper.claims.claims import Judged
from dreaming.paper.figures import FIGURES
from dreaming.paper.plan.plan import Plan, PlannedRun
from dreaming.paper.published import EPOCHS, SEEDS
from dreaming.paper.tables import Tables, incomplete
from dreaming.runs import findings
from dreaming.system.progress import duration

MARKS = {"holds": "yes", "agrees": "yes", "does not hold": "no", "higher": "no", "lower": "no"}
"""How verdicts are marked; all others are open."""


@dataclass(frozen=True)
class Drawn:
    """A figure or table that was made.

    Attributes
    ----------
    name
        As `dreaming.paper.figures.FIGURES` has it.
    table
        What it is drawn from.
    claims
        The paper's claims of it, judged.
    png
        The picture; None for a table, or where there is nothing to draw.
    """

    name: str
    table: pd.DataFrame
    claims: Sequence[Judged]
    png: bytes | None


def report(
    plan: Plan, tables: Tables, drawn: Sequence[Drawn], numbers: pd.DataFrame, failures: Mapping[str, str]
) -> str:
    """Write the report.

    Parameters
    ----------
    plan
        What was to be done, as it stands now.
    tables
        What was measured.
    drawn
        The figures, in order.
    numbers
        As `dreaming.paper.claims.numbers.numbers_table` makes them.
    failures
        What failed, and why.

    Returns
    -------
    str
        HTML, with everything it shows in it.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["dataset"] = dataset_name
    environment.globals.update(about=FIGURES, marks=MARKS)
    template = environment.from_string(
        files("dreaming.paper").joinpath("report.html.j2").read_text(encoding="utf-8")
    )
    runs = [_run(run, failures) for run in plan.runs]
    claims = [each for figure in drawn for each in figure.claims]
    return template.render(
        profile=plan.profile,
        protocol=_protocol(plan),
        now=datetime.now(UTC).isoformat(" ", "minutes").removesuffix("+00:00"),
        numbers=[_number(row) for row in numbers.to_dict("records")],
        claims=claims,
        shown_claims=[each for each in claims if not _of_losses(each.figure)],
        counts=_counts(claims),
        by_chance=by_chance(len(claims)) if claims else "",
        controls=_controls(tables),
        figures=[_figure(figure) for figure in drawn],
        failures=dict(failures),
        runs=runs,
        finished=sum(run["state"] == "finished" for run in runs),
        machines=_machines(plan),
    )


def _percent(value: Any, spread: Any = None) -> str:
    if value is None or pd.isna(value):
        return "–"
    said = f"{100 * value:.2f}"
    return said if spread is None or pd.isna(spread) else f"{said} ± {100 * spread:.2f}"


def _protocol(plan: Plan) -> str:
    profile = plan.profile
    deviations = profile.deviations()
    said = f"{profile.epochs} epochs, {profile.seeds} seeds (the paper: {EPOCHS} epochs, {SEEDS} seeds)"
    return said + ("; other than the paper: " + "; ".join(deviations) if deviations else "; as the paper's")


def _number(row: Mapping[Any, Any]) -> dict[Any, Any]:
    what = label(row["condition"])
    if row["measure"] != READOUT_ACCURACY:
        what += f", occlusion {100 * float(row['parameter']):.0f} %"
    ours, reason, values = _percent(row["mean"], row["sem"]), row["reason"], row["values"]
    if pd.isna(row["mean"]):
        ours = "incomplete" if values else "not measured"
        reason += f" ({values})" if values else ""
    published, seeds = _percent(row["published"], row["published_sem"]), f"{row['seeds']} of {row['wanted']}"
    return {**row, "what": what, "published": published, "ours": ours, "seeds": seeds, "reason": reason}


def _controls(tables: Tables) -> list[dict[str, str]]:
    """Return the readouts of what no cortex learned: pixels, principal components, untrained latents."""
    values = tables.values
    if not len(values):
        return []
    own = values[values["measure"] == READOUT_ACCURACY]
    latents = own["parameter"] == "latent"
    untrained = own[latents & (own["epoch"] == 0)].assign(parameter="untrained latents")
    rows = []
    for part in (own[~latents], untrained):
        for key, group in part.groupby(["dataset", "parameter"], sort=False):
            dataset, name = map(str, key)
            found = summary(group.drop_duplicates("seed")["value"])
            said = _percent(found.mean, found.sem if found.n > 1 else None)
            rows.append({"dataset": dataset, "what": name, "ours": said, "seeds": str(found.n)})
    return rows


def _of_losses(figure: str) -> bool:
    """Return whether a figure is of losses, whose many claims are shown beside it alone."""
    return any(need.measure == "losses" for need in FIGURES[figure].needs)


def _counts(claims: Sequence[Judged]) -> str:
    words = {"holds": "hold", "does not hold": "do not hold", "cannot tell": "cannot be told"}
    counts: Counter[str] = Counter(each.found.verdict for each in claims)
    return ", ".join(f"{counts[verdict]} {word}" for verdict, word in words.items() if counts[verdict])


def _figure(figure: Drawn) -> dict[str, Any]:
    return {
        "name": figure.name,
        "about": FIGURES[figure.name],
        "png": base64.b64encode(figure.png).decode() if figure.png else "",
        "width": Image.open(io.BytesIO(figure.png)).width // 2 if figure.png else 0,
        "counts": _counts(figure.claims),
        "claims": figure.claims,
        "gaps": incomplete(figure.table) if "source" in figure.table else [],
    }


def _run(run: PlannedRun, failures: Mapping[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "title": run.title,
        "state": run.state,
        "epochs": f"{run.done} of {run.config.training.epochs}",
        "seconds": "–",
        "commit": "–",
        "config": run.config.to_yaml(),
        "figures": ", ".join(run.figures),
        "failure": failures.get(run.title, ""),
        "findings": [],
    }
    try:
        latents = run.config.networks.latent_dim
        row["findings"] = findings.as_lines(findings.so_far(run.folder), latents)
        if run.done:
            row["seconds"] = duration(float(run.folder.read_losses()["seconds"].sum()))
        if run.folder.config.exists():
            row["config"] = run.folder.read_config().to_yaml()
            commits = [
                each.get("commit") or "installed" for each in run.folder.read_environment()["sessions"]
            ]
            row["commit"] = ", ".join(dict.fromkeys(commit[:12] for commit in commits))
    except UserError as damage:
        row["failure"] = row["failure"] or str(damage)
    return row


def _machines(plan: Plan) -> list[dict[str, str]]:
    """Return on which machines, with which versions and which images the runs were made."""
    found: Counter[tuple[tuple[str, str], ...]] = Counter()
    for run in plan.runs:
        try:
            sessions = run.folder.read_environment()["sessions"] if run.folder.config.exists() else []
        except UserError:
            continue  # the list of runs says so
        for session in sessions:
            machine, images = session.get("machine", {}), session.get("dataset", {})
            about = {
                "machine": f"{machine.get('processor')}, {machine.get('cores')} cores, {machine.get('threads')} "
                f"threads; device {machine.get('device')}; {machine.get('system')}",
                "versions": ", ".join(map(" ".join, session.get("versions", {}).items())),
                "images": f"{images.get('name')}: {'' if images.get('official') else 'not '}as published"
                f", fingerprint {str(images.get('fingerprint'))[:12]}",
                "precision": str(session.get("precision")),
            }
            found[tuple(about.items())] += 1
    return [{**dict(each), "sessions": str(count)} for each, count in found.items()]
