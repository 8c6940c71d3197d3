"""Tables that figures are drawn from: what was measured, beside what is missing and what is published."""

from dataclasses import dataclass, field

import pandas as pd

from dreaming.runs.folder import MEASURE_COLUMNS

FIGURE_KEYS = MEASURE_COLUMNS[:-1]
FIGURE_COLUMNS = (*MEASURE_COLUMNS, "sem", "source")
"""Of a figure's table: tidy rows; ``source`` is ``measured``, or ``published`` with ``sem`` and without a seed. A
value that should have been measured and was not has a row too, with an empty value."""
LOSS, DISCRIMINATOR = "loss", "discriminator"


@dataclass(frozen=True)
class Tables:
    """What runs left behind, together.

    Attributes
    ----------
    values
        ``dataset, condition, seed, epoch, measure, parameter, value``; losses are the measure ``loss``, by term.
    projection
        As `dreaming.runs.folder.RunFolder.read_projection` reads it.
    pictures
        As `dreaming.paper.figures.pictures` makes them.
    doses
        ``condition, field, dose``: which field of the config a condition of the user's own sets, and to what.
    quantities
        ``measure, label, unit, definition``: how values of the profile's own measures are shown, and which file
        defines them.
    """

    values: pd.DataFrame
    projection: pd.DataFrame = field(default_factory=pd.DataFrame)
    pictures: pd.DataFrame = field(default_factory=pd.DataFrame)
    doses: pd.DataFrame = field(default_factory=pd.DataFrame)
    quantities: pd.DataFrame = field(default_factory=pd.DataFrame)


def measured(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that were, or should have been, measured."""
    return table[table["source"] == "measured"]


def incomplete(table: pd.DataFrame) -> list[str]:
    """List the runs that lack values which a figure should show, and at which epochs; nothing if all is there.

    Examples
    --------
    >>> row = {"dataset": "digits", "condition": "pad", "seed": 1, "measure": "m", "parameter": "p"}
    >>> rows = [{**row, "epoch": e, "value": v, "source": "measured"} for e, v in ((0, 0.1), (5, float("nan")))]
    >>> incomplete(pd.DataFrame(rows))
    ['digits/pad/seed-1 lacks m of epoch 5']
    """
    said = []
    runs = measured(table).groupby(["dataset", "condition", "seed", "measure"], sort=False)
    for (dataset, name, seed, measure), rows in runs:
        lacking = rows["value"].isna()
        gaps = [f"{epoch:.0f}" for epoch in sorted(set(rows.loc[lacking, "epoch"]))]
        if not gaps:
            continue
        shown = ", ".join(gaps[:6]) + (f" and {len(gaps) - 6} more" if len(gaps) > 6 else "")
        epochs = "" if lacking.all() else f" of epoch{'s' if len(gaps) > 1 else ''} {shown}"
        said.append(f"{dataset}/{name}/seed-{seed:.0f} lacks {measure}{epochs}")
    return said
