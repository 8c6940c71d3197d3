"""Published numbers are the paper's; verdicts follow the stated rule."""

import math

import numpy as np
import pytest
from scipy import stats

from dreaming.evaluation.statistics.statistics import summary
from dreaming.paper.claims.verdicts import beside_published
from dreaming.paper.published import NUMBERS, Number, published

TABLE = """
CIFAR-10  58.25 ± 0.70  53.87 ± 0.85  46.00 ± 0.43  58.00 ± 0.34  42.25 ± 0.54
SVHN  78.92 ± 0.40  60.87 ± 5.07  42.30 ± 1.51  73.25 ± 0.22  41.93 ± 0.65
"""  # copied from the article, appendix 1, table 1


def test_table_1_is_the_papers_to_the_digit():
    for line, dataset in zip(TABLE.strip().splitlines(), ("cifar10", "svhn"), strict=True):
        cells = [f"{100 * n.value:.2f} ± {100 * n.sem:.2f}" for n in published("table-1", dataset)]
        assert cells == line.split("  ")[1:]
    conditions = ["pad", "without_memory_mix", "without_rem", "without_nrem", "wake_only"]
    assert [n.condition for n in published("table-1", "svhn")] == conditions


def test_every_number_has_its_place_and_is_a_fraction():
    assert all(0 < n.value < 1 and n.source and n.epoch == 50 for n in NUMBERS)


def number(value=0.58, sem=0.007, rounding=0.00005):
    return Number("table-1", "cifar10", "pad", value, "test", sem, rounding)


def test_the_interval_is_welchs():
    random = np.random.default_rng(0)
    theirs, ours = random.normal(0.58, 0.01, 4), random.normal(0.56, 0.02, 6)
    found = beside_published(number(theirs.mean(), theirs.std(ddof=1) / 2), summary(ours))
    low, high = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)


def test_without_a_spread_the_interval_is_students_widened_by_the_rounding():
    ours = summary([0.57, 0.58, 0.60])
    found = beside_published(number(0.59, None, 0.005), ours)
    low, high = stats.t.interval(0.95, 2, ours.mean - 0.59, ours.sem)
    assert (found.low, found.high) == pytest.approx((low - 0.005, high + 0.005))


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.58, 0.581, 0.579, 0.58], "agrees"),
        ([0.68, 0.681, 0.679, 0.68], "higher"),
        ([0.48, 0.481, 0.479, 0.48], "lower"),
        ([0.58], "cannot tell"),
    ],
)
def test_verdicts_have_a_direction(values, verdict):
    assert beside_published(number(), summary(values)).verdict == verdict


def test_other_runs_a_missing_seed_or_nothing_published_are_never_judged():
    ours = summary([0.58, 0.58])
    assert beside_published(number(), ours, ["2 epochs in place of 50"]).verdict == "not comparable"
    assert beside_published(number(), None).verdict == "cannot tell"
    assert beside_published(None, ours).verdict == "no number published"
    assert math.isnan(beside_published(number(), None).low)
