"""The bench: a table and a panel for each measure of some runs, paired differences, a strip of dreams a condition.

Reads tables and sheets of dreams, never checkpoints.
"""

import base64
import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from dreaming.config.config import Config
from dreaming.data.known import SOURCES
from dreaming.errors import UserError, brief, command, nearest
from dreaming.evaluation.measures.measure import Quantity
from dreaming.evaluation.measures.measure_table import DEFINITION
from dreaming.evaluation.measures.readout import READOUT_ACCURACY
from dreaming.evaluation.measuring import MEASURES, Own, chosen_measures
from dreaming.evaluation.statistics.bench import CONTROLS_DRAWN, BenchMeasure, draw_bench
from dreaming.evaluation.statistics.deprivation import (
    DEPRIVATION_COLUMNS,
    deprivation_in_words,
    deprivation_table,
    deprived,
    meanings_of,
    schedule_of,
)
from dreaming.evaluation.statistics.differences import (
    DIFFERENCE_COLUMNS,
    differences_in_words,
    paired_differences,
)
from dreaming.evaluation.statistics.drawing import dataset_name, label, saved
from dreaming.model.activity import LATENT
from dreaming.runs import findings
from dreaming.runs.folder import RunFolder
from dreaming.runs.sheets import SHEET_ROWS, TileRow, draw_rows, png_of, row_of_sheet
from dreaming.runs.tables import csv
from dreaming.system.disk import expanded, require_writable, write

FINDINGS = ("dataset", "condition", "seed", *findings.FINDING_COLUMNS)
OTHERWISE = f"{READOUT_ACCURACY}_otherwise"
"""Readouts that were not trained by the protocol, which have a table and a panel of their own."""
VALUE_KEYS = ["dataset", "condition", "seed", "epoch", "measure", "parameter"]
USUAL_REFERENCE = "pad"
STRIP_DREAMS = 8


@dataclass(frozen=True)
class MeasureComparison:
    """One measure of several runs.

    Attributes
    ----------
    quantity
        How its values are shown.
    values
        Tidy rows, as in ``measures.csv``.
    table
        A row for each data set, condition and parameter, as `summary_table` makes it.
    differences
        What each condition has more of than the one it is paired with, as `paired_differences` makes it.
    deprivation
        Before, during and after each deprivation, as `deprivation_table` makes it.
    """

    quantity: Quantity
    values: pd.DataFrame
    table: pd.DataFrame
    differences: pd.DataFrame = field(default_factory=pd.DataFrame)
    deprivation: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def caption(self) -> str:
        """What the table shows."""
        unit = f" in {self.quantity.unit}" if self.quantity.unit else ""
        return f"{self.quantity.label}{unit}, mean ± SEM over seeds"

    def in_words(self) -> list[dict[str, str]]:
        """Return the table's rows as people read them, by column; fractions in percent."""
        names = {"dataset": "data set", "mean": LATENT if "pixels" in self.table else "mean"}

        def said(value: Any) -> str:
            if pd.isna(value):
                return "-"
            return self.quantity.shown(value) if isinstance(value, float) else str(value)

        rows = []
        for row in self.table.to_dict("records"):
            words = {names.get(str(name), str(name)): said(value) for name, value in row.items()}
            spread = words.pop("sem")
            words[names["mean"]] += "" if spread == "-" else f" ± {spread}"
            rows.append(words)
        return rows

    def tables_in_words(self) -> list[tuple[str, list[dict[str, str]]]]:
        """Return everything that is to be read of the measure: captions, and tables as `in_words` returns them."""
        unit = " in percentage points" if self.quantity.unit else ""
        tables = [(self.caption, self.in_words())]
        if len(self.differences):
            tables.append(
                (
                    f"{self.quantity.label}: differences{unit}, seed by seed",
                    differences_in_words(self.differences, self.quantity),
                )
            )
        if len(self.deprivation):
            tables.append(
                (
                    f"{self.quantity.label}: before, during and after deprivation; differences{unit}, seed by "
                    "seed, with their 95 % interval",
                    deprivation_in_words(self.deprivation, self.quantity),
                )
            )
        return tables


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    measures
        By the name in the column ``measure``; the linear readout first.
    files
        The plots and the tables that were written.
    findings
        What went wrong while the cortices learned, as people read it: a line for each thing of each run.
    """

    measures: Mapping[str, MeasureComparison]
    files: list[Path]
    findings: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        """Return the tables as a notebook shows them."""
        picture = next(path for path in self.files if path.suffix == ".png")
        drawn = base64.b64encode(picture.read_bytes()).decode()
        return f'<img src="data:image/png;base64,{drawn}" alt="" style="max-width: 100%">' + "".join(
            f"<p>{html.escape(caption)}</p>{pd.DataFrame(rows).to_html(index=False)}"
            for each in self.measures.values()
            for caption, rows in each.tables_in_words()
        )

    @property
    def table(self) -> pd.DataFrame:
        """The first table: that of the linear readout, if it was measured."""
        return next(iter(self.measures.values())).table


def compare(
    run_folders: str | Path | Sequence[str | Path],
    to: str | Path = "comparison",
    *,
    measures: str | Own | Sequence[str | Own] = (),
    paired_with: str | None = None,
) -> Comparison:
    """Compare runs that were evaluated, by every measure that stands in the ``measures.csv`` of one of them.

    Parameters
    ----------
    run_folders
        Run folders, or folders that contain some, or one such.
    to
        Folder for what is written: ``comparison.md``, all tables as people read them, and its pictures
        ``comparison.png`` and ``.svg``, a panel a measure, and ``dreams.png``, a strip of dreams a condition. Of
        the linear readout ``curves.csv`` (a value a row) and ``table.csv``; of each other measure
        ``MEASURE_curves.csv`` and ``MEASURE_table.csv``; ``differences.csv`` and, where a run has a schedule that
        deprives of sleep, ``deprivation.csv``; and ``findings.csv``, with a row for each thing that went wrong
        while a cortex learned.
    measures
        Measures of your own, as for `dreaming.evaluate`, whose labels and units are to be shown; without, their
        values are shown as numbers under their names.
    paired_with
        The condition that the others are compared with, seed by seed; PAD by default, where it is among them.

    Returns
    -------
    Comparison
        The tables, and where everything lies.

    Raises
    ------
    UserError
        If there is no run, none was evaluated, the condition to be paired with is not among them, runs of one data
        set and condition saw different images or differ
        in more than their seed, or a measure of your own is by other files in some of them.
    """
    listed = [run_folders] if isinstance(run_folders, str | Path) else run_folders
    require_writable(expanded(to) / "findings.csv")
    folders = RunFolder.all_in(expanded(folder) for folder in listed)
    runs, tables, said = [], [], []
    alike: dict[tuple[str, str], tuple[RunFolder, Config]] = {}
    wrong: dict[tuple[object, ...], None] = {}  # a run may be given twice, under two names
    for folder in folders:
        config = folder.read_config()
        found = findings.so_far(folder)
        about = (config.dataset.name, config.condition, config.seed)
        for each in findings.as_table(found).itertuples(index=False):
            wrong[(*about, *each)] = None
        title = "{}/{}/seed-{}".format(*about)
        said += [f"{title}: {line}" for line in findings.as_lines(found, config.networks.latent_dim)]
        runs.append(about)
        tables.append(_by_measure(folder.read_measures(config)))
        if tables[-1]:
            first = alike.setdefault(about[:2], (folder, config))
            _require_alike(*first, folder, config)
    if not any(tables):
        raise UserError(
            f"{folders[0].path} is not evaluated; do that first with: {command('evaluate', folders[0].path)}"
        )
    reference = _reference(paired_with, [condition for _, condition in alike])
    schedules = {
        key: schedule for key, (_, config) in alike.items() if deprived(schedule := schedule_of(config))
    }
    quantities = _quantities(measures)
    there = {name for own in tables for name in own}
    names = [*(name for name in quantities if name in there), *sorted(there - quantities.keys())]
    compared = {}
    for name in names:
        values = pd.concat([own[name] for own in tables if name in own], ignore_index=True).drop_duplicates()
        _require_one_definition(name, values)
        twice = values[values.duplicated(VALUE_KEYS)]
        if len(twice):
            run = "{dataset}/{condition}/seed-{seed}".format(**twice.iloc[0])
            raise UserError(f"two of the folders hold {run} with different values; compare one of them")
        lacking = [run for run, own in zip(runs, tables, strict=True) if name not in own]
        compared[name] = MeasureComparison(
            quantities.get(name, Quantity(name.replace("_", " "))),
            values,
            summary_table(values, lacking),
            paired_differences(values, reference) if reference else pd.DataFrame(),
            deprivation_table(values, schedules, reference) if schedules else pd.DataFrame(),
        )
    known = {
        dataset: chance for (dataset, _), (folder, _) in alike.items() if (chance := _chance(folder, dataset))
    }
    contents = {name: content for each in compared.items() for name, content in _files(*each)}
    measured = [BenchMeasure(each.quantity, each.values) for each in compared.values()]
    figure = draw_bench(measured, known, schedules)
    contents = {f"comparison.{kind}": saved(figure, kind) for kind in ("png", "svg")} | contents
    strips = _strips(alike)
    if strips:
        contents["dreams.png"] = png_of(
            draw_rows(strips, "what each condition dreams after its last epoch kept")
        )
    for table, columns in (("differences", DIFFERENCE_COLUMNS), ("deprivation", DEPRIVATION_COLUMNS)):
        parts = [own for each in compared.values() if len(own := getattr(each, table))]
        if parts:
            contents[f"{table}.csv"] = csv(pd.concat(parts, ignore_index=True)[list(columns)])
    contents["findings.csv"] = csv(pd.DataFrame(list(wrong), columns=list(FINDINGS)))
    said = list(dict.fromkeys(said))
    contents["comparison.md"] = _page(compared, [name for _, name in alike], bool(strips), said).encode()
    for name, content in contents.items():
        write(expanded(to) / name, content)
    return Comparison(compared, [expanded(to) / name for name in contents], tuple(said))


def _quantities(measures: str | Own | Sequence[str | Own]) -> dict[str, Quantity]:
    """Return how each measure's values are shown, those of the user's own among them."""
    known = {
        name: quantity
        for kind in (*MEASURES.values(), *(chosen_measures(measures) if measures else ()))
        for name, quantity in kind.quantities.items()
    }
    usual = known[READOUT_ACCURACY]
    known[OTHERWISE] = replace(usual, label=f"{usual.label}, not by the protocol")
    return known


def _reference(paired_with: str | None, conditions: Sequence[str]) -> str | None:
    """Return the condition that the others are paired with."""
    if paired_with is not None and paired_with not in conditions:
        raise UserError(
            f"--paired-with: no run is of '{paired_with}'; {nearest(paired_with, set(conditions))}"
        )
    usual = USUAL_REFERENCE if USUAL_REFERENCE in conditions else None
    return usual if paired_with is None else paired_with


def _chance(folder: RunFolder, dataset: str) -> float | None:
    """Return the accuracy of the best constant guess on a run's test images, if that is known."""
    if known := SOURCES.get(dataset):
        return float(known.chance)
    if not folder.environment.exists():
        return None
    recorded: object = folder.read_environment()["sessions"][-1].get("dataset", {}).get("chance")
    return recorded if isinstance(recorded, float) else None


def _require_one_definition(name: str, values: pd.DataFrame) -> None:
    """Make sure that a measure of the user's own is by one and the same file in all runs."""
    if DEFINITION not in values:
        return
    values[DEFINITION] = values[DEFINITION].fillna("")
    if len(by := values.drop_duplicates(DEFINITION)) > 1:
        run, other = by[["dataset", "condition", "seed"]].astype(str).agg("/".join, axis=1)[:2]
        raise UserError(
            f"{name} of {run} is by {by[DEFINITION].iloc[0] or 'no file'}, and of {other} by "
            f"{by[DEFINITION].iloc[1] or 'no file'}; evaluate them by one and the same"
        )


def _strips(runs: Mapping[tuple[str, str], tuple[RunFolder, Config]]) -> list[TileRow]:
    """Return a row of dreams of each condition's first run, out of its last sheet: REM dreams, or else NREM's."""
    rows = []
    for (dataset, condition), (folder, config) in runs.items():
        kept = [epoch for epoch in folder.snapshots() if folder.dreams(epoch).is_file()]
        if not kept:
            continue
        phases = [phase.name for phase in config.phases_in(kept[-1]) if phase.weight]
        night = "rem" if "rem" in phases or "nrem" not in phases else "nrem"
        own = "" if night in phases else " as PAD's"
        dreamt = row_of_sheet(folder.dreams(kept[-1]), SHEET_ROWS[night], config.networks.image_size)[
            :STRIP_DREAMS
        ]
        named = f"{label(condition)}\n{dataset_name(dataset)}, {night.upper()}{own}"
        rows.append(TileRow(named, dreamt))
    return rows


def _page(
    compared: Mapping[str, MeasureComparison], conditions: Sequence[str], dreams: bool, said: Sequence[str]
) -> str:
    """Return all that was found as Markdown."""
    parts = ["# Comparison", "![A panel for each measure](comparison.png)"]
    parts += [f"**{line}**" for line in said]
    for measure in compared.values():
        for caption, rows in measure.tables_in_words():
            parts += [f"## {caption[0].upper()}{caption[1:]}", _markdown(rows)]
    if dreams:
        parts += ["## Dreams", "![A strip of dreams for each condition](dreams.png)"]
    meanings = meanings_of(conditions)
    if meanings:
        parts += [
            "## Conditions",
            "\n".join(f"- {label(name)} (`{name}`): {said}" for name, said in meanings.items()),
        ]
    return "\n\n".join(parts) + "\n"


def _markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Return a table as Markdown."""
    cells = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(each.replace("|", r"\|") for each in row) + " |" for row in cells)


def _require_alike(folder: RunFolder, config: Config, other: RunFolder, its: Config) -> None:
    """Make sure that two runs of one data set and condition differ in nothing but their seed.

    Raises
    ------
    UserError
        If they do, and in what; or one of them has no record of the images that it saw.
    """
    if folder is other:
        return
    found = config.difference(its.model_copy(update={"seed": config.seed}))
    if not found and folder.fingerprint() != other.fingerprint():
        found = ("images", f"{folder.fingerprint()}"[:12], f"{other.fingerprint()}"[:12])
    if found:
        raise UserError(
            f"{folder.path} and {other.path} are no two seeds of {config.dataset.name}/{config.condition}: "
            f"{found[0]} is {brief(found[1])} of one and {brief(found[2])} of the other; give them different "
            "conditions or data sets, or compare one of them"
        )


def _by_measure(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Divide a run's measures; a semicolon is in the parameter of a readout that is not by the protocol."""
    otherwise = (table["measure"] == READOUT_ACCURACY) & table["parameter"].astype(str).str.contains(
        ";", regex=False
    )
    return {str(name): own for name, own in table.groupby(table["measure"].mask(otherwise, OTHERWISE))}


def _files(name: str, found: MeasureComparison) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file about a measure; its name may be anything that a table holds."""
    stem = "" if name == READOUT_ACCURACY else f"{quote(name, safe='')}_"
    yield f"{stem}curves.csv", csv(found.values)
    yield f"{stem}table.csv", csv(found.table)


def summary_table(values: pd.DataFrame, unmeasured: Sequence[tuple[str, str, int]] = ()) -> pd.DataFrame:
    """Reduce the values of a measure to a row for each data set, condition and parameter.

    Parameters
    ----------
    values
        Tidy rows of one measure.
    unmeasured
        Runs that are there but lack this measure, as data set, condition, seed.

    Returns
    -------
    DataFrame
        ``dataset, condition, parameter, seeds, epoch, mean, sem, untrained, missing``; of the readout by the
        protocol, of which only ``latent`` and controls are parameters, ``pixels, pca`` in place of ``parameter``.
        The mean is over the seeds at the last epoch that all of them have, ``epoch``; the SEM is the standard
        deviation (n-1) over √n, and empty for one seed. ``missing`` names what is not measured.
    """
    readout = (values["measure"] == READOUT_ACCURACY).all() and not values["parameter"].str.contains(
        ";"
    ).any()
    present = [(d, c) for d, c in values[["dataset", "condition"]].itertuples(index=False)]
    keys = dict.fromkeys([*present, *((d, c) for d, c, _ in unmeasured)])
    rows = []
    for dataset, condition in keys:
        group = values[(values["dataset"] == dataset) & (values["condition"] == condition)]
        lacking = {s for d, c, s in unmeasured if (d, c) == (dataset, condition)}
        about = {"dataset": dataset, "condition": condition}
        for parameter in [LATENT] if readout else dict.fromkeys(group["parameter"]) or [""]:
            own = {} if readout else {"parameter": parameter}
            rows.append(
                {**about, **own, **_row(group, parameter, lacking, CONTROLS_DRAWN if readout else ())}
            )
    return pd.DataFrame(rows).astype({"epoch": "Int64"})


def _row(
    group: pd.DataFrame, parameter: str, lacking: set[int], controls: Iterable[str]
) -> dict[str, object]:
    """Reduce the values of one data set, condition and parameter; ``lacking`` are seeds known to lack them."""
    curves = group[group["parameter"] == parameter].pivot(index="epoch", columns="seed", values="value")
    shared = curves.dropna()
    last = shared.iloc[-1] if len(shared) else pd.Series(dtype=float)
    lacking = lacking | (set(group["seed"]) - set(curves.columns))
    missing = [f"seed {seed}: not evaluated" for seed in sorted(lacking)]
    missing += [
        f"{'without an epoch' if pd.isna(epoch) else f'epoch {epoch}'}: not every seed"
        for epoch in curves.index[curves.isna().any(axis=1)]
    ]
    levels = {}
    for name in controls:
        own = group[group["parameter"].str.startswith(name)]
        alike = own["parameter"].nunique() <= 1
        if not alike:
            missing.append(f"{name}: not the same control for every seed")
        elif len(own) and set(own["seed"]) < set(curves.columns):
            missing.append(f"{name}: not every seed")
        levels[name] = own["value"].mean() if alike else float("nan")
    return {
        "seeds": len(last),
        "epoch": shared.index[-1] if len(shared) else pd.NA,
        "mean": last.mean(),
        "sem": last.sem(),
        "untrained": curves.loc[0].mean() if 0 in curves.index else float("nan"),
        **levels,
        "missing": "; ".join(missing),
    }
