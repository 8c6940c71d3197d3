"""Claims of the paper, judged on a tidy table of what was measured."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import pandas as pd

from dreaming.errors import UserError
from dreaming.evaluation.statistics.statistics import (
    ClaimKind,
    Difference,
    Verdict,
    equivalence,
    paired,
    verdict,
)


@dataclass(frozen=True)
class Claim:
    """Something that can turn out to hold or not.

    Attributes
    ----------
    text
        What is claimed, as people read it.
    kind
        ``greater``: the first condition is above the second. ``equivalent``: they differ by less than the margin.
        ``falls``: a single condition is lower late than early.
    measure, parameter
        Of which values; of several parameters, the mean of each seed's values is taken.
    conditions
        Two; for ``falls`` one.
    margin
        For ``equivalent``, in units of the measure.
    epoch
        At which epoch values are compared, or for ``falls``, the late one. ``last`` is the last, after training
        began, that all those seeds have which both conditions have; None is for values that belong to no epoch.
    early
        For ``falls``, the early epoch.

    Raises
    ------
    ValueError
        If the parts do not fit the kind.

    Examples
    --------
    >>> Claim("REM helps", "greater", "readout_accuracy", "latent", ("pad", "without_rem")).epoch
    'last'
    """

    text: str
    kind: ClaimKind
    measure: str
    parameter: str | tuple[str, ...]
    conditions: tuple[str, ...]
    margin: float | None = None
    epoch: int | Literal["last"] | None = "last"
    early: int = 1

    def __post_init__(self) -> None:
        wanted = 1 if self.kind == "falls" else 2
        if len(self.conditions) != wanted or len(set(self.conditions)) != wanted:
            about = "one condition" if wanted == 1 else "two conditions"
            raise ValueError(f"{self.text!r}: a claim of kind {self.kind} is about {about}")
        if (self.margin or 0) <= 0 if self.kind == "equivalent" else self.margin is not None:
            raise ValueError(f"{self.text!r}: a margin above 0 belongs to kind equivalent, and to no other")
        late = math.inf if self.epoch == "last" else self.epoch
        if self.kind == "falls" and (late is None or late <= self.early):
            raise ValueError(
                f"{self.text!r}: a fall is from epoch {self.early} to a later one, not {self.epoch}"
            )

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters, one or several."""
        return (self.parameter,) if isinstance(self.parameter, str) else self.parameter


@dataclass(frozen=True)
class Judgement:
    """What a table shows of a claim.

    Attributes
    ----------
    claim
        The claim.
    epoch
        At which epoch, or None.
    found
        Mean over seeds of the first condition minus the second (``falls``: late minus early), interval, p and n.
    verdict
        ``holds``, ``does not hold`` or ``cannot tell``.
    reason
        Why, in a sentence.
    """

    claim: Claim
    epoch: int | None
    found: Difference
    verdict: Verdict
    reason: str


def judge(claim: Claim, table: pd.DataFrame) -> Judgement:
    """Judge a claim by what was measured, pairs matched by seed.

    Parameters
    ----------
    claim
        The claim.
    table
        Tidy rows ``dataset, condition, seed, epoch, measure, parameter, value`` of one data set; others than the
        claim's are passed over.

    Returns
    -------
    Judgement
        By the rule of `dreaming.evaluation.statistics.statistics`. Seeds of which one side is missing are left
        out, and the reason names them; values that are missing or not finite never raise an error but cannot be
        told from.

    Raises
    ------
    UserError
        If the table holds several data sets, or two different values of the same.

    Examples
    --------
    >>> columns = ["dataset", "condition", "seed", "epoch", "measure", "parameter", "value"]
    >>> rows = [("svhn", "pad", s, 5, "readout_accuracy", "latent", 0.7 + s / 100) for s in range(3)]
    >>> rows += [("svhn", "wake_only", s, 5, "readout_accuracy", "latent", 0.4) for s in range(3)]
    >>> claim = Claim("sleep helps", "greater", "readout_accuracy", "latent", ("pad", "wake_only"))
    >>> found = judge(claim, pd.DataFrame(rows, columns=columns))
    >>> found.verdict, found.found.n, found.epoch
    ('holds', 3, 5)
    """
    values = _values(claim, table)
    epoch, never = _epoch(claim, values)
    if claim.kind == "falls":
        first, second = ({}, {}) if never else (_at(values[0], epoch), _at(values[0], claim.early))
        sides = tuple(f"epoch {at} of {claim.conditions[0]}" for at in (epoch, claim.early))
    else:
        first, second = ({}, {}) if never else (_at(values[0], epoch), _at(values[1], epoch))
        sides = claim.conditions
    margin = math.nan if claim.margin is None else claim.margin
    found = equivalence(first, second, margin) if claim.kind == "equivalent" else paired(first, second)
    return Judgement(
        claim,
        epoch,
        found,
        verdict(found, claim.kind, margin),
        never or _reason(claim, found, epoch, sides, first, second),
    )


Curves = dict[tuple[int | None, int], float]
"""A value for each epoch and seed."""


def _values(claim: Claim, table: pd.DataFrame) -> list[Curves]:
    """Return the curves of each condition; over several parameters, means where all are there."""
    own = table[
        (table["measure"] == claim.measure)
        & table["parameter"].isin(claim.parameters)
        & table["condition"].isin(claim.conditions)
    ]
    if own["dataset"].nunique() > 1:
        sets = ", ".join(sorted(set(own["dataset"])))
        raise UserError(f"the table holds {claim.measure} of {sets}; judge a claim on one data set at a time")
    keys = ["condition", "seed", "epoch", "parameter"]
    own = own[[*keys, "value"]].drop_duplicates()
    twice = own[own.duplicated(keys)]
    if len(twice):
        run = "{condition}, seed {seed}, epoch {epoch}".format(**twice.iloc[0])
        raise UserError(f"the table holds two different values of {claim.measure} for {run}; take one away")
    finite = own[np.isfinite(own["value"].astype(float))]
    curves: dict[str, Curves] = {name: {} for name in claim.conditions}
    for key, found in finite.groupby(keys[:3], dropna=False)["value"]:
        if len(found) == len(set(claim.parameters)):
            name, seed, epoch = cast(tuple[str, int, float], key)
            curves[name][None if pd.isna(epoch) else int(epoch), int(seed)] = float(found.mean())
    return list(curves.values())


def _epoch(claim: Claim, values: Sequence[Curves]) -> tuple[int | None, str]:
    """Choose the epoch as claimed; where there is none, say why.

    The last is the last trained epoch that all those seeds have which every condition has at all.
    """
    if claim.epoch != "last":
        return claim.epoch, ""
    seeds = set.intersection(*({seed for _, seed in curves} for curves in values))
    reached = [
        {epoch for epoch, other in curves if other == seed and epoch} for curves in values for seed in seeds
    ]
    shared = set.intersection(*reached) if reached else set()
    if not shared:
        missing = (
            f"no seed has {claim.measure}" if not seeds else f"no epoch after training has {claim.measure}"
        )
        return None, f"{missing} of {' as well as of '.join(claim.conditions)}"
    last = max(shared)
    if claim.kind == "falls" and last <= claim.early:
        return last, f"nothing is measured after epoch {claim.early} for every seed of {claim.conditions[0]}"
    return last, ""


def _at(curves: Curves, epoch: int | None) -> dict[int, float]:
    return {seed: value for (at, seed), value in curves.items() if at == epoch}


def _reason(
    claim: Claim,
    found: Difference,
    epoch: int | None,
    sides: tuple[str, ...],
    first: dict[int, float],
    second: dict[int, float],
) -> str:
    missing = [
        f"seed {seed} is left out, as {sides[seed in first]} lacks it"
        for seed in sorted(first.keys() ^ second.keys())
    ]
    lacking = "; " + "; ".join(missing) if missing else ""
    when = "" if epoch is None or claim.kind == "falls" else f" at epoch {epoch}"
    if found.n == 0:
        return f"no seed has {claim.measure} of both {sides[0]} and {sides[1]}{when}{lacking}"
    if found.n == 1:
        return f"one seed alone shows no spread, so there is no interval{when}{lacking}"
    bounds = f"; the margin is ±{claim.margin:.4g}" if claim.margin else ""
    return (
        f"{sides[0]} minus {sides[1]}{when} is {found.mean:+.4g}, 95 % interval {found.low:+.4g} to"
        f" {found.high:+.4g}, n = {found.n}, p = {found.p:.2g}{bounds}{lacking}"
    )
