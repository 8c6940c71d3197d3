"""Comparing runs: one table, one plot. Reads tables, never checkpoints."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dreaming.errors import UserError, shown
from dreaming.runs import findings
from dreaming.runs.folder import RunFolder
from dreaming.runs.tables import csv
from dreaming.system.disk import write

COLOURS = ("#000000", "#E69F00", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#8C8C00")
"""Okabe and Ito's palette, which people of any colour vision can tell apart (its yellow darkened)."""
LINES = ("-", "--", "-.", ":")
FILES = ("accuracy.png", "accuracy.svg", "curves.csv", "table.csv", "findings.csv")
FINDINGS = ("dataset", "condition", "seed", *findings.COLUMNS)
CONTROLS = {"pixels": ":", "pca": "--"}


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    table
        A row for each data set and condition: ``dataset, condition, seeds, epoch, mean, sem, untrained, pixels,
        pca, missing``; accuracies as fractions. ``epoch`` is the last that all seeds have; ``missing`` names
        what is not measured.
    files
        The plot and the tables that were written.
    findings
        What went wrong while the cortices learned, as people read it: a line for each thing of each run.
    """

    table: pd.DataFrame
    files: list[Path]
    findings: tuple[str, ...] = ()

    def in_words(self) -> list[tuple[str, ...]]:
        """Return the table's rows as people read them, accuracies in percent."""
        rows = []
        for row in self.table.to_dict("records"):
            mean, spread, *levels = (
                "-" if math.isnan(row[name]) else f"{100 * row[name]:.2f}"
                for name in ("mean", "sem", "untrained", *CONTROLS)
            )
            about = (str(row[name]) for name in ("dataset", "condition", "seeds", "epoch"))
            rows.append(
                (*about, mean if spread == "-" else f"{mean} ± {spread}", *levels, str(row["missing"]))
            )
        return rows


def compare(run_folders: Sequence[str | Path], to: str | Path = "comparison") -> Comparison:
    """Compare the readout accuracy of runs that were evaluated.

    Parameters
    ----------
    run_folders
        Run folders, or folders that contain some.
    to
        Folder for ``accuracy.png``, ``accuracy.svg``, ``curves.csv`` (a value a row), ``table.csv``, and
        ``findings.csv``, with a row for each thing that went wrong while a cortex learned.

    Returns
    -------
    Comparison
        The table, and where everything lies.

    Raises
    ------
    UserError
        If there is no run, or none was evaluated.
    """
    folders = _found([Path(folder) for folder in run_folders])
    tables, unmeasured, said = [], [], []
    wrong: dict[tuple[object, ...], None] = {}  # a run may be given twice, under two names
    for folder in folders:
        config = folder.read_config()
        found = findings.so_far(folder)
        about = (config.dataset.name, config.condition, config.seed)
        for each in findings.table(found).itertuples(index=False):
            wrong[(*about, *each)] = None
        title = "{}/{}/seed-{}".format(*about)
        said += [f"{title}: {line}" for line in findings.in_words(found, config.networks.latent_dim)]
        measures = folder.read_measures()
        # A parameter with a semicolon is of a readout trained otherwise than by the protocol.
        as_usual = ~measures["parameter"].str.contains(";", regex=False).astype(bool)
        measures = measures[(measures["measure"] == "readout_accuracy") & as_usual]
        if not (measures["parameter"] == "latent").any():
            unmeasured.append(about)
        tables.append(measures)
    if len(unmeasured) == len(folders):
        raise UserError(
            f"{folders[0].path} is not evaluated; do that first with: dreaming evaluate {folders[0].path}"
        )
    values = pd.concat([table for table in tables if len(table)], ignore_index=True)
    values = values.drop_duplicates()
    twice = values[values.duplicated(["dataset", "condition", "seed", "epoch", "parameter"])]
    if len(twice):
        run = "{dataset}/{condition}/seed-{seed}".format(**twice.iloc[0])
        raise UserError(f"two of the folders hold {run} with different values; compare one of them")
    table = summary(values, unmeasured)
    out = Path(to)
    files = [out / name for name in FILES]
    figure = plot(values)
    for path in files[:2]:
        buffer = io.BytesIO()
        figure.savefig(buffer, format=path.suffix[1:], dpi=150)
        write(path, buffer.getvalue())
    write(files[2], csv(values))
    write(files[3], csv(table))
    write(files[4], csv(pd.DataFrame(list(wrong), columns=list(FINDINGS))))
    return Comparison(table, files, tuple(dict.fromkeys(said)))


def _found(paths: Sequence[Path]) -> list[RunFolder]:
    folders: list[RunFolder] = []
    for path in paths:
        inside = sorted({file.parent for file in path.glob("**/config.yaml")}) if path.is_dir() else []
        folders += [RunFolder(folder) for folder in inside] or [RunFolder.existing(path)]
    return list({folder.path.resolve(): folder for folder in folders}.values())


def summary(values: pd.DataFrame, unmeasured: Sequence[tuple[str, str, int]] = ()) -> pd.DataFrame:
    """Reduce accuracies to a row for each data set and condition.

    Parameters
    ----------
    values
        Tidy rows of ``readout_accuracy``.
    unmeasured
        Runs that are there but not evaluated, as data set, condition, seed.

    Returns
    -------
    DataFrame
        As in `Comparison`. The mean is over the seeds at the last epoch that all of them have; the SEM is the
        standard deviation (n-1) over √n, and empty for one seed.
    """
    present = [(d, c) for d, c in values[["dataset", "condition"]].itertuples(index=False)]
    keys = dict.fromkeys([*present, *((d, c) for d, c, _ in unmeasured)])
    rows = []
    for dataset, condition in keys:
        group = values[(values["dataset"] == dataset) & (values["condition"] == condition)]
        lacking = {s for d, c, s in unmeasured if (d, c) == (dataset, condition)}
        rows.append({"dataset": dataset, "condition": condition, **_row(group, lacking)})
    return pd.DataFrame(rows).astype({"epoch": "Int64"})


def _row(group: pd.DataFrame, lacking: set[int]) -> dict[str, object]:
    """Reduce the accuracies of one data set and condition; ``lacking`` are seeds known to be not evaluated."""
    curves = group[group["parameter"] == "latent"].pivot(index="epoch", columns="seed", values="value")
    shared = curves.dropna()
    last = shared.iloc[-1] if len(shared) else pd.Series(dtype=float)
    lacking |= set(group["seed"]) - set(curves.columns)
    missing = [f"seed {seed}: not evaluated" for seed in sorted(lacking)]
    missing += [f"epoch {epoch}: not every seed" for epoch in sorted(set(curves.index) - set(shared.index))]
    controls = {}
    for name in CONTROLS:
        own = group[group["parameter"].str.startswith(name)]
        alike = own["parameter"].nunique() <= 1
        if not alike:
            missing.append(f"{name}: not the same control for every seed")
        elif len(own) and set(own["seed"]) < set(curves.columns):
            missing.append(f"{name}: not every seed")
        controls[name] = own["value"].mean() if alike else float("nan")
    return {
        "seeds": len(last),
        "epoch": shared.index[-1] if len(shared) else pd.NA,
        "mean": last.mean(),
        "sem": last.sem(),
        "untrained": curves.loc[0].mean() if 0 in curves.index else float("nan"),
        **controls,
        "missing": "; ".join(missing),
    }


def plot(values: pd.DataFrame) -> Figure:
    """Draw accuracy over epochs: a panel a data set, a colour a condition, each seed behind the mean ± SEM."""
    values = values.assign(
        **{name: values[name].map(unformatted) for name in ("dataset", "condition", "parameter")}
    )
    datasets = list(dict.fromkeys(values["dataset"]))
    figure = Figure(figsize=(1.5 + 5.5 * len(datasets), 4.4), layout="constrained")
    panels = figure.subplots(1, len(datasets), squeeze=False)[0]
    for panel, dataset in zip(panels, datasets, strict=True):
        _panel(panel, values[values["dataset"] == dataset])
        panel.set_title(str(dataset))
    return figure


def unformatted(name: object) -> str:
    """Let matplotlib show a name as it is: two dollars would make a formula of it."""
    return shown(str(name)).replace("$", r"\$")


def _panel(panel: Axes, values: pd.DataFrame) -> None:
    for index, condition in enumerate(dict.fromkeys(values["condition"])):
        colour, line = COLOURS[index % len(COLOURS)], LINES[index // len(COLOURS) % len(LINES)]
        own = values[(values["condition"] == condition) & (values["parameter"] == "latent")]
        curves = 100 * own.pivot(index="epoch", columns="seed", values="value").astype(float)
        epochs = curves.index.to_numpy(dtype=float)
        single = curves.shape[1] == 1
        for seed in curves.columns:
            panel.plot(epochs, curves[seed], line, color=colour, alpha=0.35, lw=0.9, marker=".", ms=3)
        name = f"{condition} ({curves.shape[1]} seed{'' if single else 's'})"
        whole = curves.dropna()
        at, mean, sem = whole.index.to_numpy(dtype=float), whole.mean(axis=1), whole.sem(axis=1)
        panel.plot(at, mean, line, color=colour, lw=2, label=name, marker="o", ms=3.5)
        if not single:
            panel.fill_between(at, mean - sem, mean + sem, color=colour, alpha=0.18, lw=0)
    for name, line in CONTROLS.items():
        own = values[values["parameter"].str.startswith(name)]
        for label, level in (100 * own.groupby("parameter")["value"].mean()).items():
            panel.axhline(level, color="#777777", ls=line, lw=1.2, label=f"{label} (control)")
    panel.set_xlabel("epoch (0: untrained)")
    panel.set_ylabel("linear readout accuracy on test images (%)")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, fontsize=8)
