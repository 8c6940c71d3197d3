"""What the program itself measured at the paper's own length: the numbers that come with it."""

from pathlib import Path

import pandas as pd

PLACES = (
    Path(__file__).with_suffix(".csv"),
    Path(__file__).parents[3] / "results/2026-11-26_cifar10_paper/numbers.csv",
)
"""Of an installed package, and of a checkout."""


def full_length() -> pd.DataFrame:
    """Return table 1 on CIFAR-10 after 50 epochs, published and measured, as `numbers_table` has it; fractions.

    Examples
    --------
    >>> table = full_length()
    >>> table["condition"].tolist(), table["verdict"].unique().tolist()
    (['pad', 'without_memory_mix', 'without_rem', 'without_nrem', 'wake_only'], ['agrees'])
    """
    table = pd.read_csv(next(place for place in PLACES if place.exists()))
    return table[table["source"] == "appendix 1, table 1"]
