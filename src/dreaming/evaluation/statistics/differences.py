"""Paired differences between conditions: what each seed has more of one than of the other, with an interval."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dreaming.evaluation.measures.measure import Quantity
from dreaming.evaluation.statistics.drawing import label
from dreaming.evaluation.statistics.statistics import CONFIDENCE, Difference, paired, verdict

KEYS = ["dataset", "measure", "parameter"]
DIFFERENCE_COLUMNS = (
    *KEYS,
    "condition",
    "paired_with",
    "epoch",
    "pairs",
    "difference",
    "low",
    "high",
    "p",
    "verdict",
)
THE_SAME = "the same"
PAIRED_VERDICTS = {"holds": "higher", "does not hold": "lower", "cannot tell": "cannot tell"}
"""Of a claim that the first is greater, as a difference is told of which nobody claimed a sign."""


def paired_differences(values: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Compare every condition with one, seed by seed, at the last epoch that all seeds of both have.

    Parameters
    ----------
    values
        Tidy rows of measures, as in ``measures.csv``.
    reference
        The condition that the others are compared with.

    Returns
    -------
    DataFrame
        `DIFFERENCE_COLUMNS`: the mean of condition minus reference over seeds that both have, the ends of its 95 %
        interval, and p (`dreaming.evaluation.statistics.statistics.paired`); ``verdict`` is ``higher`` or ``lower``
        where the interval is wholly on one side of 0, ``the same`` where all differences are 0, else
        ``cannot tell``. Values that are the same for both, such as those of controls, and measures that the
        reference lacks, have no row.

    Examples
    --------
    >>> columns = ["dataset", "condition", "seed", "epoch", "measure", "parameter", "value"]
    >>> rows = [("svhn", "pad", s, 5, "m", "p", 0.7 + s / 100) for s in range(3)]
    >>> rows += [("svhn", "wake_only", s, 5, "m", "p", 0.4) for s in range(3)]
    >>> found = paired_differences(pd.DataFrame(rows, columns=columns), "pad")
    >>> found[["condition", "pairs", "difference", "verdict"]].round(2).to_dict("records")
    [{'condition': 'wake_only', 'pairs': 3, 'difference': -0.31, 'verdict': 'lower'}]
    """
    rows = []
    for keys, own in values.groupby(KEYS, sort=False):
        base = own[own["condition"] == reference]
        for condition in dict.fromkeys(own["condition"]):
            other = own[own["condition"] == condition]
            epoch = last_shared_epoch([base, other])
            if condition == reference or epoch is None:
                continue
            found = difference_at(other, base, epoch)
            if found.n and not (pd.isna(epoch) and found.mean == 0 and not found.sem > 0):
                rows.append((*keys, condition, reference, epoch, *difference_columns(found)))
    return pd.DataFrame(rows, columns=list(DIFFERENCE_COLUMNS)).astype({"epoch": "Int64"})


def last_shared_epoch(groups: Sequence[pd.DataFrame]) -> Any:
    """Return the last epoch that every seed of each group has, NA of values without an epoch; None without any."""
    shared: set[int] | None = None
    for own in groups:
        for _, rows in own.groupby("seed"):
            there = set(rows["epoch"].astype("object").where(rows["epoch"].notna(), -1))
            shared = there if shared is None else shared & there
    last = max(shared, default=None) if shared else None
    return pd.NA if last == -1 else last


def difference_at(
    first: pd.DataFrame, second: pd.DataFrame, epoch: Any, other_epoch: int | None = None
) -> Difference:
    """Return the paired difference of two groups at an epoch, or of the first at one and the second at another."""
    return paired(at_epoch(first, epoch), at_epoch(second, epoch if other_epoch is None else other_epoch))


def at_epoch(values: pd.DataFrame, epoch: Any) -> dict[int, float]:
    """Return the values of a group at an epoch by seed."""
    here = values["epoch"].isna() if pd.isna(epoch) else values["epoch"].eq(epoch).fillna(False)
    own = values[here.astype(bool) & values["value"].notna()]
    return {int(seed): float(value) for seed, value in zip(own["seed"], own["value"], strict=True)}


def difference_columns(found: Difference) -> tuple[int, float, float, float, float, str]:
    """Return a difference as the last columns of a table: pairs, mean, low, high, p, verdict."""
    said = THE_SAME if found.mean == found.sem == 0 else PAIRED_VERDICTS[verdict(found, "greater")]
    return found.n, found.mean, found.low, found.high, found.p, said


def differences_in_words(found: pd.DataFrame, quantity: Quantity) -> list[dict[str, str]]:
    """Return rows of differences of one measure as people read them, in percentage points where it has percent."""
    scale, digits = quantity.scale, 2 if quantity.unit else 4
    rows = []
    for row in found.to_dict("records"):
        low, high = (f"{scale * row[end]:+.{digits}f}" for end in ("low", "high"))
        rows.append(
            {
                "data set": str(row["dataset"]),
                "parameter": str(row["parameter"]),
                "condition": f"{label(row['condition'])} minus {label(row['paired_with'])}",
                "epoch": "-" if pd.isna(row["epoch"]) else str(row["epoch"]),
                "pairs": str(row["pairs"]),
                "difference": f"{scale * row['difference']:+.{digits}f}",
                f"{100 * CONFIDENCE:.0f} % interval": "-" if row["pairs"] < 2 else f"{low} to {high}",
                "verdict": row["verdict"],
            }
        )
    return rows
