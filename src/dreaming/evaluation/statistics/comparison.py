"""Comparing runs: a table and a plot for each measure. Reads tables, never checkpoints."""

import html
import io
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from dreaming.config.config import Config
from dreaming.errors import UserError, brief, command, shown
from dreaming.evaluation.measures.measure import Quantity
from dreaming.evaluation.measures.measure_table import DEFINITION
from dreaming.evaluation.measures.readout import READOUT_ACCURACY
from dreaming.evaluation.measuring import MEASURES, Own, chosen_measures
from dreaming.model.activity import LATENT
from dreaming.model.conditions import colours_of
from dreaming.runs import findings
from dreaming.runs.folder import RunFolder
from dreaming.runs.tables import csv
from dreaming.system.disk import expanded, require_writable, write
from dreaming.system.plotting import Panel, Picture, own_settings

LINES = ("-", "--", "-.", ":")
FINDINGS = ("dataset", "condition", "seed", *findings.FINDING_COLUMNS)
CONTROL_LINES = {"pixels": ":", "pca": "--"}
OTHERWISE = f"{READOUT_ACCURACY}_otherwise"
"""Readouts that were not trained by the protocol, which have a table and a plot of their own."""
DRAWN = 12
"""Parameters of one measure that are drawn, a panel each; of more, the tables have all."""
VALUE_KEYS = ["dataset", "condition", "seed", "epoch", "measure", "parameter"]


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
        A row for each data set, condition and parameter, as `summary` makes it.
    """

    quantity: Quantity
    values: pd.DataFrame
    table: pd.DataFrame

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
        return "".join(
            f"<p>{html.escape(each.caption)}</p>{pd.DataFrame(each.in_words()).to_html(index=False)}"
            for each in self.measures.values()
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
) -> Comparison:
    """Compare runs that were evaluated, by every measure that stands in the ``measures.csv`` of one of them.

    Parameters
    ----------
    run_folders
        Run folders, or folders that contain some, or one such.
    to
        Folder for what is written. Of the linear readout: ``accuracy.png`` and ``.svg``, ``curves.csv`` (a value a
        row) and ``table.csv``; of each other measure the same as ``MEASURE_plot.png`` and ``.svg``,
        ``MEASURE_curves.csv`` and ``MEASURE_table.csv``; and ``findings.csv``, with a row for each thing that went
        wrong while a cortex learned.
    measures
        Measures of your own, as for `dreaming.evaluate`, whose labels and units are to be shown; without, their
        values are shown as numbers under their names.

    Returns
    -------
    Comparison
        The tables, and where everything lies.

    Raises
    ------
    UserError
        If there is no run, none was evaluated, runs of one data set and condition saw different images or differ
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
    quantities = {
        name: quantity
        for kind in (*MEASURES.values(), *(chosen_measures(measures) if measures else ()))
        for name, quantity in kind.quantities.items()
    }
    quantities[OTHERWISE] = Quantity(f"{quantities[READOUT_ACCURACY].label}, not by the protocol", "%")
    there = {name for own in tables for name in own}
    names = [*(name for name in quantities if name in there), *sorted(there - quantities.keys())]
    compared = {}
    for name in names:
        values = pd.concat([own[name] for own in tables if name in own], ignore_index=True).drop_duplicates()
        if DEFINITION in values:
            values[DEFINITION] = values[DEFINITION].fillna("")
            if len(by := values.drop_duplicates(DEFINITION)) > 1:
                run, other = by[["dataset", "condition", "seed"]].astype(str).agg("/".join, axis=1)[:2]
                raise UserError(
                    f"{name} of {run} is by {by[DEFINITION].iloc[0] or 'no file'}, and of {other} by "
                    f"{by[DEFINITION].iloc[1] or 'no file'}; evaluate them by one and the same"
                )
        twice = values[values.duplicated(VALUE_KEYS)]
        if len(twice):
            run = "{dataset}/{condition}/seed-{seed}".format(**twice.iloc[0])
            raise UserError(f"two of the folders hold {run} with different values; compare one of them")
        lacking = [run for run, own in zip(runs, tables, strict=True) if name not in own]
        quantity = quantities.get(name, Quantity(name.replace("_", " ")))
        compared[name] = MeasureComparison(quantity, values, summary_table(values, lacking))
    contents = {name: content for each in compared.items() for name, content in _files(*each)}
    contents["findings.csv"] = csv(pd.DataFrame(list(wrong), columns=list(FINDINGS)))
    for name, content in contents.items():
        write(expanded(to) / name, content)
    return Comparison(compared, [expanded(to) / name for name in contents], tuple(dict.fromkeys(said)))


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
    drawn = f"{stem}plot" if stem else "accuracy"
    with own_settings():
        figure = plot_measure(found.values, found.quantity)
        for kind in ("png", "svg"):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=150)
            yield f"{drawn}.{kind}", buffer.getvalue()
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
            rows.append({**about, **own, **_row(group, parameter, lacking, CONTROL_LINES if readout else ())})
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


def plot_measure(values: pd.DataFrame, quantity: Quantity) -> Picture:
    """Draw a measure over epochs: a column a data set, a row a parameter, a colour a condition."""
    from matplotlib.figure import Figure

    values = values.assign(
        **{name: values[name].map(unformatted) for name in ("dataset", "condition", "parameter")}
    )
    controls = values["parameter"].str.startswith(tuple(CONTROL_LINES)) & (
        values["measure"] == READOUT_ACCURACY
    )
    datasets = list(dict.fromkeys(values["dataset"]))
    parameters = list(dict.fromkeys(values.loc[~controls, "parameter"]))
    rows, colours = parameters[:DRAWN] or [LATENT], colours_of(values["condition"])
    figure = Figure(figsize=(1.5 + 5.5 * len(datasets), 1 + 3.4 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(datasets), squeeze=False)
    for panels, parameter in zip(grid, rows, strict=True):
        for panel, dataset in zip(panels, datasets, strict=True):
            here = values["dataset"] == dataset
            own = values[here & (values["parameter"] == parameter)]
            _panel(panel, own, values[here & controls], quantity, colours)
            panel.set_title(dataset if parameter == LATENT else f"{dataset}, {parameter}")
    if len(parameters) > DRAWN:
        figure.supxlabel(f"{DRAWN} of {len(parameters)} parameters; the tables have all")
    return figure


def unformatted(name: object) -> str:
    """Return a name such that matplotlib shows it as it is: two dollars would make a formula of it."""
    return shown(str(name)).replace("$", r"\$")


def _panel(
    panel: Panel, values: pd.DataFrame, controls: pd.DataFrame, quantity: Quantity, colours: Mapping[str, str]
) -> None:
    """Draw each seed behind the mean ± SEM; what belongs to no epoch is a level."""
    from matplotlib.ticker import MaxNLocator

    for condition in dict.fromkeys(values["condition"]):
        colour = colours[condition]
        alike = [name for name in colours if colours[name] == colour]
        line = LINES[alike.index(condition) % len(LINES)]
        own = values[values["condition"] == condition]
        curves = quantity.scale * own.pivot(index="epoch", columns="seed", values="value").astype(float)
        single = curves.shape[1] == 1
        name = f"{condition} ({curves.shape[1]} seed{'' if single else 's'})"
        if curves.index.isna().all():
            panel.axhline(curves.mean(axis=None), color=colour, ls=line, lw=2, label=name)
            continue
        epochs = curves.index.to_numpy(dtype=float)
        for seed in curves.columns:
            panel.plot(epochs, curves[seed], line, color=colour, alpha=0.35, lw=0.9, marker=".", ms=3)
        whole = curves.dropna()
        at, mean, sem = whole.index.to_numpy(dtype=float), whole.mean(axis=1), whole.sem(axis=1)
        panel.plot(at, mean, line, color=colour, lw=2, label=name, marker="o", ms=3.5)
        if not single:
            panel.fill_between(at, mean - sem, mean + sem, color=colour, alpha=0.18, lw=0)
    for name, line in CONTROL_LINES.items():
        own = controls[controls["parameter"].str.startswith(name)]
        for label, level in (quantity.scale * own.groupby("parameter")["value"].mean()).items():
            panel.axhline(level, color="#777777", ls=line, lw=1.2, label=f"{label} (control)")
    panel.set_xlabel("epoch (0: untrained)")
    panel.set_ylabel(textwrap.fill(unformatted(quantity.title), 42))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    panel.spines[["top", "right"]].set_visible(False)
    if panel.get_legend_handles_labels()[0]:
        panel.legend(frameon=False, fontsize=8)
