"""Appendix 1, table 1, and every other printed number: published beside measured, with a verdict."""

from collections.abc import Mapping

import pandas as pd

from dreaming.evaluation.measures.readout import READOUT_ACCURACY
from dreaming.evaluation.statistics.drawing import over_seeds
from dreaming.paper.claims.verdicts import beside_published
from dreaming.paper.figures import FIGURES
from dreaming.paper.figures.figure import DOSES, SCHEDULES
from dreaming.paper.plan.profile import Profile
from dreaming.paper.published import Number, published
from dreaming.paper.tables import measured

ABOUT = ("dataset", "condition", "measure", "parameter", "epoch")
COMPARED = (
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
)
NUMBER_COLUMNS = (*ABOUT, "source", *COMPARED, "values")


def numbers_table(prepared: Mapping[str, pd.DataFrame], profile: Profile) -> pd.DataFrame:
    """Return every published number of some figures beside ours; table 1 and own conditions also where none is.

    Parameters
    ----------
    prepared
        Tables of figures, by name, as `dreaming.paper.results.figure_table` makes them.
    profile
        What was planned.

    Returns
    -------
    DataFrame
        A row a number, with the columns `COLUMNS`; fractions. ``mean`` and ``sem`` are empty where a seed is
        missing; ``values`` are those that are there, by seed.
    """
    rows, listed = [], set[tuple[str, tuple[str, str, str]]]()
    for figure, table in prepared.items():
        for dataset in FIGURES[figure].datasets(profile.datasets):
            printed = {(n.condition, n.measure, n.parameter): n for n in published(figure, dataset)}
            wanted = list(printed)
            if figure in ("table-1", SCHEDULES, DOSES):
                own = measured(table)
                own = own[(own["dataset"] == dataset) & (own["measure"] == READOUT_ACCURACY)]
                named = zip(own["condition"], own["measure"], own["parameter"], strict=True)
                wanted = [key for key in dict.fromkeys(named) if (dataset, key) not in listed]
            listed.update((dataset, key) for key in wanted)
            for key in wanted:
                rows.append(_row(dataset, key, table, printed.get(key), profile))
    return pd.DataFrame(rows, columns=list(NUMBER_COLUMNS))


def _row(
    dataset: str, key: tuple[str, str, str], table: pd.DataFrame, number: Number | None, profile: Profile
) -> dict[str, object]:
    about = dict(zip(ABOUT, (dataset, *key, profile.epochs), strict=True))
    own = measured(table)
    own = own[(own[list(about)] == pd.Series(about)).all(axis=1)].sort_values("seed")
    there = own.dropna(subset="value")
    ours = over_seeds(own["value"])
    found = beside_published(number, ours, profile.deviations())
    values = (f"seed {seed}: {value:.4f}" for seed, value in zip(there["seed"], there["value"], strict=True))
    return {
        **about,
        "source": number.source if number else "",
        "published": number.value if number else None,
        "published_sem": number.sem if number else None,
        "mean": ours.mean if ours else None,
        "sem": ours.sem if ours and ours.n > 1 else None,
        "seeds": len(there),
        "wanted": profile.seeds,
        "low": found.low,
        "high": found.high,
        "verdict": found.verdict,
        "reason": found.reason,
        "values": "; ".join(values),
    }
