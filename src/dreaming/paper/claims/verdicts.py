"""Published numbers beside ours: what a difference tells.

The rule. Of ours minus the published value, the 95 % interval is taken: Welch's, of two means with their standard
errors and numbers of seeds; where the paper prints no spread, Student's of ours alone, widened by half of the last
printed digit. The verdict is ``agrees`` if the interval holds 0, else ``higher`` or ``lower``; ``cannot tell`` for
fewer than two seeds or a missing one; and ``not comparable`` where the runs are other than the paper's in epochs,
images or config. That a wide interval agrees with much is seen from the interval, which stands beside the verdict.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from dreaming.evaluation.statistics.statistics import CONFIDENCE, Summary
from dreaming.paper.published import SEEDS, Number

NumberVerdict = Literal["agrees", "higher", "lower", "cannot tell", "not comparable", "no number published"]


@dataclass(frozen=True)
class BesidePublished:
    """A published number beside ours.

    Attributes
    ----------
    low, high
        The interval of ours minus the published value; not numbers where there is none.
    verdict
        By the rule at the head of this module.
    reason
        Why, in a sentence.
    """

    low: float
    high: float
    verdict: NumberVerdict
    reason: str


def beside_published(
    number: Number | None, ours: Summary | None, deviations: Sequence[str] = ()
) -> BesidePublished:
    r"""Compare a published number with ours.

    Parameters
    ----------
    number
        What is published; None if nothing is.
    ours
        Mean and SEM over seeds; None if a seed is missing.
    deviations
        Where the runs are other than the paper's.

    Examples
    --------
    >>> from dreaming.paper.published import published
    >>> pad = published("table-1", "cifar10")[0]
    >>> beside_published(pad, Summary(4, 0.585, 0.004)).verdict
    'agrees'
    >>> beside_published(pad, Summary(4, 0.5, 0.004)).verdict
    'lower'
    >>> beside_published(pad, Summary(4, 0.5, 0.004), ["5 epochs in place of 50"]).reason
    "other runs than the paper's: 5 epochs in place of 50"
    """
    nan = float("nan")
    if number is None:
        return BesidePublished(nan, nan, "no number published", "the paper has no number for these images")
    if ours is None:
        return BesidePublished(nan, nan, "cannot tell", "not every seed is measured")
    if deviations:
        return BesidePublished(
            nan, nan, "not comparable", "other runs than the paper's: " + "; ".join(deviations)
        )
    if ours.n < 2:
        return BesidePublished(nan, nan, "cannot tell", "one seed alone shows no spread")
    difference = ours.mean - number.value
    reach = _reach(ours, number)
    low, high = difference - reach, difference + reach
    verdict: NumberVerdict = "higher" if low > 0 else "lower" if high < 0 else "agrees"
    reason = (
        f"ours minus published is {100 * difference:+.2f} points, 95 % interval {100 * low:+.2f} to "
        f"{100 * high:+.2f}, of {ours.n} seeds and {SEEDS} published"
    )
    return BesidePublished(low, high, verdict, reason)


def _reach(ours: Summary, number: Number) -> float:
    """Return half the width of the interval of the difference."""
    upper = (1 + CONFIDENCE) / 2
    if number.sem is None:
        return float(stats.t.ppf(upper, ours.n - 1)) * ours.sem + number.rounding
    variances = (ours.sem**2, ours.n - 1), (number.sem**2, SEEDS - 1)
    whole = sum(variance for variance, _ in variances)
    freedom = whole**2 / sum(variance**2 / degrees for variance, degrees in variances)
    return float(stats.t.ppf(upper, freedom)) * math.sqrt(whole)
