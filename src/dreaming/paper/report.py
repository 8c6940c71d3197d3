"""The report: one HTML file of numbers, verdicts, figures and runs, which fetches nothing."""

import base64
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jinja2 import Environment, StrictUndefined
from PIL import Image

from dreaming.errors import UserError
from dreaming.evaluation.measures.readout import READOUT_ACCURACY
from dreaming.evaluation.statistics.drawing import dataset_name, label
from dreaming.evaluation.statistics.statistics import by_chance, summary
from dreaming.model.conditions import CONDITIONS, condition, conditions
from dreaming.paper.claims.answer import counts, in_one_sentence, listed, meaning
from dreaming.paper.claims.claims import SUBJECTS, Judged
from dreaming.paper.figures import FIGURES
from dreaming.paper.figures.pictures import image_of, png
from dreaming.paper.full_length import full_length
from dreaming.paper.plan.plan import Plan, PlannedRun
from dreaming.paper.plan.profile import Profile
from dreaming.paper.published import SEEDS
from dreaming.paper.tables import Tables, incomplete
from dreaming.runs import findings
from dreaming.system.progress import duration
from dreaming.system.texts import plural

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
    files
        The picture, by the kind of file; none for a table, or where there is nothing to draw.
    """

    name: str
    table: pd.DataFrame
    claims: Sequence[Judged]
    files: Mapping[str, bytes]


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
    environment.filters.update(
        counts=counts, dataset=dataset_name, listed=listed, meaning=meaning, plural=plural
    )
    environment.globals.update(anchor=_anchor, marks=MARKS)
    template = environment.from_string(
        files("dreaming.paper").joinpath("report.html.j2").read_text(encoding="utf-8")
    )
    runs = [_run(run, plan.out, failures) for run in plan.runs]
    claims = [each for figure in drawn for each in figure.claims]
    return template.render(
        profile=plan.profile,
        protocol=_protocol(plan),
        now=datetime.now(UTC).isoformat(" ", "minutes").removesuffix("+00:00"),
        numbers=[_number(row) for row in numbers.to_dict("records")],
        answer=in_one_sentence(claims),
        counts=counts(claims),
        dreams=_dreams(drawn),
        grid=_grid(drawn),
        by_chance=by_chance(len(claims)) if claims else "",
        controls=_controls(tables),
        simple=_simple(tables, numbers),
        full_length=[_number(row) for row in full_length().to_dict("records")],
        tabled=[each for figure in drawn if not FIGURES[figure.name].plot for each in figure.claims],
        figures=[_figure(figure, plan.profile) for figure in drawn if FIGURES[figure.name].plot],
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


def _protocol(plan: Plan) -> list[str]:
    """Return in what the runs are other than the paper's, point by point."""
    profile = plan.profile
    seeds = [] if profile.seeds == SEEDS else [f"{plural(profile.seeds, 'seed')} in place of {SEEDS}"]
    sets = listed(map(dataset_name, profile.datasets))
    images = [] if set(profile.datasets) <= {"cifar10", "svhn"} else [f"images of {sets}"]
    return [*images, *profile.deviations(), *seeds]


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


def _simple(tables: Tables, numbers: pd.DataFrame) -> list[str]:
    """Return the data sets whose pixels tell the classes better than the full model's latents do."""
    own = tables.values[tables.values["measure"] == READOUT_ACCURACY] if len(tables.values) else tables.values
    found = []
    for row in numbers[numbers["condition"] == "pad"].drop_duplicates("dataset").to_dict("records"):
        pixels = own[(own["dataset"] == row["dataset"]) & (own["parameter"] == "pixels")]["value"]
        if len(pixels) and pixels.mean() > row["mean"]:
            found.append(row["dataset"])
    return found


def _dreams(drawn: Sequence[Drawn]) -> list[dict[str, Any]]:
    """Return what was seen and dreamt early and late, a strip for each row of figure 3: of each data set."""
    found: list[dict[str, Any]] = []
    for table in (figure.table for figure in drawn if figure.name == "figure-3" and "png" in figure.table):
        pictures = table[table["source"] == "picture"].sort_values(["row", "column"])
        for dataset, own in pictures.groupby("dataset", sort=False):
            strips = [
                {"what": str(what).partition("  ")[2], "png": _strip(rows["png"])}
                for what, rows in own.groupby("parameter", sort=False)
            ]
            found.append({"dataset": dataset, "strips": strips[1:]})  # of the two days, the last
    return found


def _anchor(judged: Judged) -> str:
    """Return what the row of a claim is called in links."""
    words = f"{judged.figure} {judged.dataset} {judged.claim.text}".lower()
    return re.sub(r"[^a-z0-9]+", "-", words).strip("-")


def _strip(pictures: Iterable[str]) -> str:
    """Return pictures side by side, a pixel or two apart, as PNG in base64."""
    images = [image_of(each) for each in pictures]
    gap = np.full((images[0].shape[0], max(1, images[0].shape[0] // 16), 3), 255, dtype=np.uint8)
    parts = [part for image in images for part in (gap, image)][1:]
    return png(torch.from_numpy(np.concatenate(parts, axis=1)))


def _grid(drawn: Sequence[Drawn]) -> list[dict[str, Any]]:
    """Return a row for each claim, and for the losses of a figure together, with its verdicts by data set."""
    rows: list[dict[str, Any]] = []
    for figure in drawn:
        losses = any(need.measure == "losses" for need in FIGURES[figure.name].needs)
        texts = [SUBJECTS[figure.name]] if losses and figure.claims else []
        for text in texts or dict.fromkeys(each.claim.text for each in figure.claims):
            own = [each for each in figure.claims if losses or each.claim.text == text]
            by_dataset: dict[str, list[Judged]] = {}
            for each in own:
                by_dataset.setdefault(each.dataset, []).append(each)
            rows.append({"figure": figure.name, "text": text, "found": by_dataset})
    return rows


def _figure(figure: Drawn, profile: Profile) -> dict[str, Any]:
    about, picture = FIGURES[figure.name], figure.files.get("png", b"")
    names = dict.fromkeys(name for need in about.needs for name in need.conditions)
    return {
        "name": figure.name,
        "about": about,
        "caption": about.shows.format(long_epochs=profile.long_epochs),
        "png": base64.b64encode(picture).decode(),
        "width": Image.open(io.BytesIO(picture)).width // 2 if picture else 0,
        "counts": counts(figure.claims),
        "claims": figure.claims,
        "kinds": ["csv", *figure.files],
        "schemes": [_scheme(name) for name in names] if about.schemes else [],
        "gaps": incomplete(figure.table) if "source" in figure.table else [],
    }


def _scheme(name: str) -> dict[str, Any]:
    """Return the phases of PAD as a condition has them: as they are, changed or left out."""
    own = {phase.name: phase for phase in condition(name)}
    phases = [(type(phase).__name__, phase, own.get(phase.name)) for phase in condition("pad")]
    states = [
        (title, "out" if has is None else "as" if has == pad else "changed") for title, pad, has in phases
    ]
    return {
        "label": label(name),
        "colour": CONDITIONS[name].colour,
        "line": conditions()[name],
        "phases": states,
    }


def _run(run: PlannedRun, out: Path, failures: Mapping[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "title": run.title,
        "state": run.state,
        "folder": "",
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
            row["folder"] = Path(os.path.relpath(run.folder.path, out)).as_posix()
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
    return [{**dict(each), "sessions": plural(count, "session")} for each, count in found.items()]
