"""MeasureTable: what is measured of a run so far, on the disk."""

import pandas as pd

from dreaming.config.config import Config
from dreaming.evaluation.measures.measure import Measure, Quantity
from dreaming.evaluation.measures.own import definition_of
from dreaming.evaluation.measures.projection import PROJECTION_WORDS
from dreaming.runs.folder import MEASURE_COLUMNS, PROJECTION_COLUMNS, RunFolder
from dreaming.system.progress import NoProgress

VALUES_SHOWN = 20
"""Values of one measure and epoch that are said; of more, only how many there are."""
ROW_KEYS = ["measure", "parameter", "epoch"]
DEFINITION = "definition"
"""A column that stands last in tables with measures of the user's own: the file of each, with its checksum."""


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
        self.title = folder.title
        self._tables: dict[str, pd.DataFrame] = {"measures": folder.read_measures(config)}

    @property
    def measures(self) -> pd.DataFrame:
        """All rows of measures.csv."""
        return self._tables["measures"]

    def _table(self, name: str) -> pd.DataFrame:
        if name not in self._tables:
            self._tables[name] = self.folder.read_projection(self.config)
        return self._tables[name]

    def epochs(self, measure: Measure) -> set[int]:
        """Return the epochs of which every row of a measure is there."""
        return epochs_measured(self._table(measure.table), measure)

    def add(self, measure: Measure, found: pd.DataFrame, source: str = "") -> None:
        """Add rows of a measure to its table, write it, and say what is new; what stands there already stays.

        Parameters
        ----------
        measure
            What was measured.
        found
            Its rows, but for the run's own columns.
        source
            Where the rows are taken from, if they were not measured; said with each.
        """
        name, table, config = measure.table, self._table(measure.table), self.config
        new = found.assign(dataset=config.dataset.name, condition=config.condition, seed=config.seed)
        own = MEASURE_COLUMNS if name == "measures" else (*PROJECTION_COLUMNS, *PROJECTION_WORDS)
        new = new[[column for column in own if column in new]]
        if definition := definition_of(measure):
            new = new.assign(**{DEFINITION: definition})
        other = by_another_definition(table, measure)
        if other.any():
            earlier = ", ".join(sorted(set(table.loc[other, DEFINITION])))
            self.progress.say(
                f"{self.title}: what {' and '.join(sorted(measure.measured))} was by {earlier} is replaced, since "
                f"it is {definition} now"
            )
            table = table[~other]
        if len(table):
            new = new[
                ~pd.MultiIndex.from_frame(new[ROW_KEYS]).isin(pd.MultiIndex.from_frame(table[ROW_KEYS]))
            ]
        table = pd.concat([table, new]) if len(table) else new
        if DEFINITION in table:
            table = table.assign(**{DEFINITION: table[DEFINITION].fillna("")})
        table = table.sort_values(ROW_KEYS, ignore_index=True, kind="stable")
        self.folder.write_table(getattr(self.folder, name), table)
        self._tables[name] = table
        for line in rows_in_words(new, measure):
            self.progress.say(f"{self.title}: {line}{source}")


def by_another_definition(table: pd.DataFrame, measure: Measure) -> "pd.Series[bool]":
    """Return which rows of a table are under the names of a measure and by another definition than it has now."""
    under = table["measure"].isin(measure.measured)
    now = definition_of(measure)
    return under & (table[DEFINITION].fillna("") != now if DEFINITION in table else bool(now))


def epochs_measured(table: pd.DataFrame, measure: Measure) -> set[int]:
    """Return the epochs of which every row of a measure, as it is defined now, is in a table."""
    rows = table.loc[~by_another_definition(table, measure), ROW_KEYS].dropna().drop_duplicates()
    return {
        int(own["epoch"].iloc[0])
        for _, own in rows.groupby("epoch")
        if measure.complete(set(zip(own["measure"], own["parameter"], strict=True)))
    }


def rows_in_words(rows: pd.DataFrame, measure: Measure) -> list[str]:
    """Return new rows of a measure as people read them, a line for each quantity and epoch.

    Examples
    --------
    >>> from dreaming.evaluation.measures.measure import tabled
    >>> from dreaming.evaluation.measures.readout import Readout
    >>> rows_in_words(tabled([(3, "readout_accuracy", "latent", 0.5)]), Readout())
    ['readout accuracy of latent, epoch 3: 50.00 %']
    """
    lines = []
    for _, own in rows.groupby(["measure", "epoch"], sort=False, dropna=False):
        name, epoch = str(own["measure"].iloc[0]), own["epoch"].iloc[0]
        quantity = measure.quantities.get(name, Quantity(name))
        values = [f"{quantity.shown(value)} {quantity.unit}".rstrip() for value in own["value"]]
        about, when = name.replace("_", " "), "" if pd.isna(epoch) else f", epoch {epoch}"
        if len(own) == 1:
            lines.append(f"{about} of {own['parameter'].item()}{when}: {values[0]}")
        else:
            listed = ", ".join(map(" ".join, zip(own["parameter"], values, strict=True)))
            lines.append(f"{about}{when}: {listed if len(own) <= VALUES_SHOWN else f'{len(own)} values'}")
    return lines
