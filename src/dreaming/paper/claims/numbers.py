"""Appendix 1, table 1, and every other printed number: published beside measured, with a verdict."""

from collections.abc import Mapping

import pandas as pd

from dreaming.paper.claims.verdicts import compare
from dreaming.paper.plan.panels import DOSES, FIGURES, SCHEDULES
from dreaming.paper.published import ACCURACY, Number, published
from dreaming.paper.tables import Tables, figure_table, over_seeds

TABLE = "table-1"
COLUMNS = (
    *("dataset", "condition", "measure", "parameter", "epoch", "source"),
    *(
        "published",
        "published_sem",
        "mean",
        "sem",
        "seeds",
        "wanted",
        "low",
        "high",
        "verdict",
        "reason",
        "values",
    ),
)


def prepare(tables: Tables) -> pd.DataFrame:
    """Take the accuracies at the end of training: PAD and every pathology."""
    return figure_table(TABLE, tables)


def numbers(prepared: Mapping[str, pd.DataFrame], tables: Tables) -> pd.DataFrame:
    """Put every published number of some figures beside ours; table 1 and own conditions also where none is.

    Parameters
    ----------
    prepared
        Tables of figures, by name, as their `prepare` made them.
    tables
        What they were made from.

    Returns
    -------
    DataFrame
        A row a number, with the columns `COLUMNS`; fractions. ``mean`` and ``sem`` are empty where a seed is
        missing; ``values`` are those that are there, by seed.
    """
    rows, listed = [], set[tuple[str, tuple[str, str, str]]]()
    for figure, table in prepared.items():
        for dataset in FIGURES[figure].datasets(tables.profile.datasets):
            printed = {(n.condition, n.measure, n.parameter): n for n in published(figure, dataset)}
            wanted = list(printed)
            if figure in (TABLE, SCHEDULES, DOSES):
                own = table[(table["dataset"] == dataset) & (table["source"] == "measured")]
                own = own[own["measure"] == ACCURACY]
                named = zip(own["condition"], own["measure"], own["parameter"], strict=True)
                wanted = [key for key in dict.fromkeys(named) if (dataset, key) not in listed]
            listed.update((dataset, key) for key in wanted)
            for key in wanted:
                rows.append(_row(dataset, key, table, printed.get(key), tables))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(
    dataset: str, key: tuple[str, str, str], table: pd.DataFrame, number: Number | None, tables: Tables
) -> dict[str, object]:
    condition, measure, parameter = key
    epoch = tables.profile.epochs
    own = table[
        (table["source"] == "measured")
        & (table["dataset"] == dataset)
        & (table["condition"] == condition)
        & (table["measure"] == measure)
        & (table["parameter"] == parameter)
        & (table["epoch"] == epoch)
    ].sort_values("seed")
    ours = over_seeds(own["value"])
    found = compare(number, ours, tables.profile.deviations())
    there = own.dropna(subset="value")
    return {
        **{"dataset": dataset, "condition": condition, "measure": measure, "parameter": parameter},
        "epoch": epoch,
        "source": number.source if number else "",
        "published": number.value if number else None,
        "published_sem": number.sem if number else None,
        "mean": ours.mean if ours else None,
        "sem": ours.sem if ours and ours.n > 1 else None,
        "seeds": len(there),
        "wanted": tables.profile.seeds,
        **{"low": found.low, "high": found.high, "verdict": found.verdict, "reason": found.reason},
        "values": "; ".join(
            f"seed {seed}: {value:.4f}" for seed, value in zip(there["seed"], there["value"], strict=True)
        ),
    }
