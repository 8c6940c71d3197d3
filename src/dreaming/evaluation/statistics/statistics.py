"""Statistics over seeds: means, paired differences with their intervals, and verdicts on claims in words.

The rule of a verdict. Of the differences between two conditions (or two epochs), paired by seed, the 95 % interval
of Student's t is taken.

    greater      holds if the interval lies wholly above 0, does not hold if wholly below 0
    falls        holds if the interval lies wholly below 0, does not hold if wholly above 0
    equivalent   holds if the interval lies wholly within ±margin, does not hold if wholly outside, on one side

Otherwise, and with fewer than two pairs, it cannot be told. An end that touches a limit counts as not beyond it.

Multiplicity. Each claim is judged by itself, at 95 %, without correction. A directional claim which is false
because there is no difference is said to hold with probability 2.5 %, an equivalence at the edge of its margin
with 2.5 % at most. "PAD is above every pathology" holds where each of its parts does, which needs no correction;
"at least one of k claims holds" would. `by_chance` says how many of a list to expect.
"""

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64
from scipy import stats

CONFIDENCE = 0.95
"""Probability with which an interval covers the true mean difference."""

ClaimKind = Literal["greater", "equivalent", "falls"]
Verdict = Literal["holds", "does not hold", "cannot tell"]
Alternative = Literal["two-sided", "greater", "less"]
NAN = float("nan")


@dataclass(frozen=True)
class Summary:
    """Values over seeds, reduced.

    Attributes
    ----------
    n
        How many.
    mean
        Their mean; not a number if there are none.
    sem
        Their standard deviation (n-1) over √n; not a number for fewer than two.
    """

    n: int
    mean: float
    sem: float


@dataclass(frozen=True)
class Difference:
    """A mean difference between pairs.

    Attributes
    ----------
    n
        Pairs.
    mean, sem
        Of the differences.
    low, high
        The ends of the 95 % interval of the mean (Student's t, n-1 degrees of freedom); not numbers for n < 2.
    p
        Of `paired`: two-sided, that a mean of 0 gives differences as far from 0 as these. Of `equivalence`: the
        larger of the two one-sided tests' (TOST), that a mean at the nearer edge of the margin gives differences
        as far inside as these. Not a number for n < 2.
    """

    n: int
    mean: float
    sem: float
    low: float
    high: float
    p: float


def summary(values: Iterable[float]) -> Summary:
    """Reduce values over seeds to their number, mean and standard error of the mean.

    Examples
    --------
    >>> summary([0.25, 0.75])
    Summary(n=2, mean=0.5, sem=0.25)
    """
    found = np.array(list(values), dtype=np.float64)
    n = len(found)
    sem = float(found.std(ddof=1) / math.sqrt(n)) if n > 1 else NAN
    return Summary(n, float(found.mean()) if n else NAN, sem)


def paired(a: Mapping[int, float], b: Mapping[int, float]) -> Difference:
    """Test whether a differs from b, pair by pair.

    Parameters
    ----------
    a, b
        Values by seed; seeds that only one of them has are left out.

    Returns
    -------
    Difference
        Of a - b.

    Examples
    --------
    >>> found = paired({0: 0.58, 1: 0.60, 2: 0.59}, {0: 0.46, 1: 0.46, 2: 0.46})
    >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3)
    (0.13, 0.105, 0.155)
    """
    difference = _differences(a, b)
    return _difference(difference, _p(difference, 0.0, "two-sided"))


def equivalence(a: Mapping[int, float], b: Mapping[int, float], margin: float) -> Difference:
    """Test whether a and b differ by less than a margin, pair by pair: two one-sided tests.

    Parameters
    ----------
    a, b
        Values by seed; seeds that only one of them has are left out.
    margin
        The largest difference that still counts as equal, above 0, in units of the values.

    Returns
    -------
    Difference
        Of a - b. The 95 % interval lies within ±margin exactly where p < 2.5 %: that is stricter than the common
        use of 5 % and a 90 % interval.

    Examples
    --------
    >>> found = equivalence({0: 0.58, 1: 0.60, 2: 0.59}, {0: 0.58, 1: 0.59, 2: 0.60}, margin=0.05)
    >>> found.p < 0.025, -0.05 < found.low, found.high < 0.05
    (True, True, True)
    """
    difference = _differences(a, b)
    return _difference(difference, max(_p(difference, -margin, "greater"), _p(difference, margin, "less")))


def verdict(found: Difference, kind: ClaimKind, margin: float = math.nan) -> Verdict:
    """Return what an interval tells of a claim, by the rule at the head of this module.

    Parameters
    ----------
    found
        A difference, a - b; for ``falls``, late - early.
    kind
        What is claimed of it.
    margin
        For ``equivalent``, the largest difference that counts as equal.

    Examples
    --------
    >>> verdict(paired({0: 3.0, 1: 4.0}, {0: 1.0, 1: 2.1}), "greater")
    'holds'
    >>> verdict(paired({0: 3.0}, {0: 1.0}), "greater")
    'cannot tell'
    """
    limits = {"greater": (0.0, math.inf), "falls": (-math.inf, 0.0), "equivalent": (-margin, margin)}
    low, high = limits[kind]
    if low < found.low and found.high < high:
        return "holds"
    if found.high < low or high < found.low:
        return "does not hold"
    return "cannot tell"


def by_chance(claims: int) -> str:
    """Return a sentence for a report: how many of some claims would be said to hold if none did.

    Examples
    --------
    >>> by_chance(12)
    'Each of these 12 claims is judged by itself at 95 %; if none were true, 0.3 would be said to hold by chance.'
    """
    expected = claims * (1 - CONFIDENCE) / 2
    return (
        f"Each of these {claims} claims is judged by itself at {100 * CONFIDENCE:.0f} %; if none were true,"
        f" {expected:.1f} would be said to hold by chance."
    )


def _differences(a: Mapping[int, float], b: Mapping[int, float]) -> Float64[np.ndarray, " n"]:
    return np.array([a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())], dtype=np.float64)


def _t_test(
    difference: Float64[np.ndarray, " n"], mean: float, alternative: Alternative = "two-sided"
) -> Any:
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of n < 2, or without spread
        return stats.ttest_1samp(difference, mean, alternative=alternative)


def _p(difference: Float64[np.ndarray, " n"], mean: float, alternative: Alternative) -> float:
    p = float(_t_test(difference, mean, alternative).pvalue)
    if math.isnan(p) and len(difference) > 1:  # all differences are the mean that is tested
        return 1.0 if alternative == "two-sided" else 0.5
    return p


def _difference(difference: Float64[np.ndarray, " n"], p: float) -> Difference:
    about, interval = summary(difference), _t_test(difference, 0.0).confidence_interval(CONFIDENCE)
    return Difference(about.n, about.mean, about.sem, float(interval.low), float(interval.high), p)
