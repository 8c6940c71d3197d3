"""The record of a run: what is measured of it so far."""

import pandas as pd

from dreaming.config.config import Config
from dreaming.evaluation.measures.measure import Measure
from dreaming.runs.folder import MEASURES, PROJECTION, RunFolder
from dreaming.system.progress import NoProgress

SHOWN = 20
"""Values of one measure and epoch that are said; of more, only how many there are."""


class MeasureTable:
    """The tables of a run while it is measured. What is added is written at once.

    Parameters
    ----------
    folder, config
        The run.
    progress
        Who is told of each value.
    """

    def __init__(self, folder: RunFolder, config: Config, progress: NoProgress) -> None:
        self.folder, self.config, self.progress = folder, config, progress
        self.title = "/".join(folder.path.parts[-3:])
        self._tables: dict[str, pd.DataFrame] = {"measures": folder.read_measures()}

    @property
    def measures(self) -> pd.DataFrame:
        """All rows of measures.csv."""
        return self._tables["measures"]

    def _table(self, name: str) -> pd.DataFrame:
        if name not in self._tables:
            self._tables[name] = self.folder.read_projection()
        return self._tables[name]

    def epochs(self, measure: Measure) -> set[int]:
        """List the epochs of which every row of a measure is there."""
        rows = self._table(measure.table)[["epoch", "measure", "parameter"]].dropna().drop_duplicates()
        there: dict[int, set[tuple[str, str]]] = {}
        for epoch, name, parameter in rows.itertuples(index=False):
            there.setdefault(int(epoch), set()).add((name, parameter))
        return {epoch for epoch, keys in there.items() if measure.keys() <= keys}

    def add(self, name: str, found: pd.DataFrame, source: str = "") -> None:
        """Add rows to one of the tables, write it, and say what is new; what stands there already stays.

        Parameters
        ----------
        name
            Of the table.
        found
            Its rows, but for the run's own columns.
        source
            Where the rows are taken from, if they were not measured; said with each.
        """
        table, keys = self._table(name), ["measure", "parameter", "epoch"]
        config = self.config
        new = found.assign(dataset=config.dataset.name, condition=config.condition, seed=config.seed)
        new = new[list(MEASURES if name == "measures" else PROJECTION)]
        if len(table):
            there = pd.MultiIndex.from_frame(table[keys])
            new = new[~pd.MultiIndex.from_frame(new[keys]).isin(there)]
            table = pd.concat([table, new])
        else:
            table = new
        table = table.sort_values(keys, ignore_index=True, kind="stable")
        self.folder.write_table(getattr(self.folder, name), table)
        self._tables[name] = table
        for line in in_words(new):
            self.progress.say(f"{self.title}: {line}{source}")


def in_words(rows: pd.DataFrame) -> list[str]:
    """Say new rows as people read them, accuracies in percent: a line for each measure and epoch.

    Examples
    --------
    >>> columns = ["epoch", "measure", "parameter", "value"]
    >>> in_words(pd.DataFrame([(3, "readout_accuracy", "latent", 0.5)], columns=columns))
    ['readout accuracy of latent, epoch 3: 50.00 %']
    >>> both = [(3, "length", "left", 0.5), (3, "length", "right", 2.0)]
    >>> in_words(pd.DataFrame(both, columns=columns))
    ['length, epoch 3: left 0.5000, right 2.0000']
    """
    said: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for epoch, measure, parameter, value in rows[["epoch", "measure", "parameter", "value"]].itertuples(
        index=False
    ):
        about = measure.replace("_", " "), "" if pd.isna(epoch) else f", epoch {epoch}"
        shown = f"{100 * value:.2f} %" if "accuracy" in measure else f"{value:.4f}"
        said.setdefault(about, []).append((parameter, shown))
    lines = []
    for (measure, when), values in said.items():
        if len(values) == 1:
            lines.append(f"{measure} of {values[0][0]}{when}: {values[0][1]}")
        else:
            listed = ", ".join(map(" ".join, values)) if len(values) <= SHOWN else f"{len(values)} values"
            lines.append(f"{measure}{when}: {listed}")
    return lines
