"""Statistics over seeds: hand formulas and scipy's tests as oracles, and simulations of what intervals promise."""

import math
import statistics as by_python

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dreaming.evaluation.statistics.statistics import (
    Difference,
    equivalence,
    paired,
    summary,
    verdict,
)

A = {0: 0.5825, 1: 0.5901, 2: 0.5712, 3: 0.5866}
B = {0: 0.4300, 1: 0.4711, 2: 0.4655, 3: 0.4522}
CLOSE = {0: 0.5801, 1: 0.5921, 2: 0.5730, 3: 0.5830}


def values(by_seed):
    return np.array([by_seed[seed] for seed in sorted(by_seed)])


def test_a_summary_is_number_mean_and_standard_error():
    found = summary(A.values())
    assert found.n == 4
    assert found.mean == pytest.approx(by_python.fmean(A.values()), rel=1e-14)
    assert found.sem == pytest.approx(by_python.stdev(A.values()) / 2, rel=1e-12)


def test_a_summary_of_one_or_none_has_no_spread():
    assert summary([3.0]).mean == 3
    assert math.isnan(summary([3.0]).sem)
    assert summary([]).n == 0
    assert math.isnan(summary([]).mean)


def test_a_paired_test_is_scipys():
    found = paired(A, B)
    theirs = stats.ttest_rel(values(A), values(B))
    low, high = theirs.confidence_interval(0.95)
    assert (found.n, found.mean) == (4, pytest.approx((values(A) - values(B)).mean(), rel=1e-12))
    assert (found.low, found.high, found.p) == pytest.approx((low, high, theirs.pvalue), rel=1e-9)


def test_its_interval_is_the_formula_by_hand():
    """For n = 4, the 97.5 % quantile of Student's t is 3.1824 (any table)."""
    found = paired(A, B)
    difference = values(A) - values(B)
    reach = 3.182446 * math.sqrt(((difference - difference.mean()) ** 2).sum() / 3) / 2
    assert (found.low, found.high) == pytest.approx((found.mean - reach, found.mean + reach), rel=1e-6)


@pytest.mark.parametrize("margin", [0.0005, 0.005, 0.05])
def test_an_equivalence_is_two_one_sided_tests_of_scipy(margin):
    found = equivalence(A, CLOSE, margin)
    difference = values(A) - values(CLOSE)
    above = stats.ttest_1samp(difference, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(difference, margin, alternative="less").pvalue
    assert found.p == pytest.approx(max(above, below), rel=1e-9)
    assert (found.low, found.high) == (paired(A, CLOSE).low, paired(A, CLOSE).high)


def test_pairs_are_matched_by_seed_not_by_place():
    turned = dict(reversed(list(B.items())))
    assert paired(A, turned) == paired(A, B)
    more = {**B, 7: 0.9}
    assert paired(A, more) == paired(A, B)
    assert paired({seed + 1: value for seed, value in A.items()}, B).n == 3


@pytest.mark.parametrize(("a", "b", "n"), [({}, {}, 0), ({0: 1.0}, {0: 0.0}, 1), ({0: 1.0}, {1: 0.0}, 0)])
def test_fewer_than_two_pairs_have_no_interval_and_tell_nothing(a, b, n):
    for found, kind in ((paired(a, b), "greater"), (equivalence(a, b, 9.0), "equivalent")):
        assert found.n == n
        assert all(map(math.isnan, (found.low, found.high, found.p)))
        assert verdict(found, kind, 9.0) == "cannot tell"


def test_differences_without_spread_are_told_by_their_value():
    same, up = paired(A, A), paired({0: 2.0, 1: 3.0}, {0: 1.0, 1: 2.0})
    assert (same.low, same.high, same.p) == (0, 0, 1)
    assert (up.low, up.high, up.p) == (1, 1, 0)
    assert verdict(same, "greater") == verdict(same, "falls") == "cannot tell"
    assert verdict(up, "greater") == "holds"
    inside, outside = equivalence(A, A, 0.01), equivalence({0: 2.0, 1: 3.0}, {0: 1.0, 1: 2.0}, 0.5)
    assert (inside.p, outside.p) == (0, 1)
    assert verdict(inside, "equivalent", 0.01) == "holds"
    assert verdict(outside, "equivalent", 0.5) == "does not hold"


RULE = [
    # low, high, kind, margin, verdict
    (0.1, 0.2, "greater", math.nan, "holds"),
    (-0.2, -0.1, "greater", math.nan, "does not hold"),
    (-0.1, 0.2, "greater", math.nan, "cannot tell"),
    (0.0, 0.2, "greater", math.nan, "cannot tell"),
    (-0.2, 0.0, "greater", math.nan, "cannot tell"),
    (-0.2, -0.1, "falls", math.nan, "holds"),
    (0.1, 0.2, "falls", math.nan, "does not hold"),
    (-0.1, 0.2, "falls", math.nan, "cannot tell"),
    (-0.1, 0.2, "equivalent", 0.3, "holds"),
    (0.1, 0.2, "equivalent", 0.3, "holds"),
    (0.4, 0.5, "equivalent", 0.3, "does not hold"),
    (-0.5, -0.4, "equivalent", 0.3, "does not hold"),
    (0.2, 0.5, "equivalent", 0.3, "cannot tell"),
    (-0.5, 0.5, "equivalent", 0.3, "cannot tell"),
    (0.0, 0.3, "equivalent", 0.3, "cannot tell"),
]


@pytest.mark.parametrize(("low", "high", "kind", "margin", "said"), RULE)
def test_the_rule_of_the_verdict(low, high, kind, margin, said):
    assert verdict(Difference(4, (low + high) / 2, 0.1, low, high, 0.5), kind, margin) == said


numbers = st.lists(st.integers(-1000, 1000), min_size=2, max_size=6)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(numbers, st.integers(1, 500).map(float))
def test_verdicts_mirror_and_agree_with_p(differences, margin):
    a, b = {k: float(v) for k, v in enumerate(differences)}, dict.fromkeys(range(len(differences)), 0.0)
    there, back = paired(a, b), paired(b, a)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-9)
    assert verdict(there, "greater") == verdict(back, "falls")
    assert (verdict(there, "greater") == "holds") == (there.p < 0.05 and there.mean > 0)
    same, turned = equivalence(a, b, margin), equivalence(b, a, margin)
    assert same.p == pytest.approx(turned.p, abs=1e-12)
    said = verdict(same, "equivalent", margin)
    assert said == verdict(turned, "equivalent", margin)
    assert (said == "holds") == (same.p < 0.025)


@pytest.fixture(scope="module")
def experiments():
    """Three hundred experiments of four seeds, whose true differences are 0, with noise that seeds share."""
    random = np.random.default_rng(0)
    shared = random.normal(0, 5, (300, 4))
    one, two = (shared + random.normal(0, 1, (300, 4)) for _ in range(2))
    return [(dict(enumerate(a)), dict(enumerate(b))) for a, b in zip(one, two, strict=True)]


def test_the_interval_covers_the_truth_as_often_as_it_says(experiments):
    found = [paired(a, b) for a, b in experiments]
    covered = np.mean([each.low < 0 < each.high for each in found])
    assert covered == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 300))
    assert np.mean([each.p < 0.05 for each in found]) == pytest.approx(1 - covered)


def test_what_is_not_so_is_said_to_hold_as_rarely_as_promised(experiments):
    rare = 0.025 + 3 * math.sqrt(0.025 * 0.975 / 300)
    assert 0 < np.mean([verdict(paired(a, b), "greater") == "holds" for a, b in experiments]) < rare
    margin = 2.0
    for edge in (-margin, margin):  # a true difference at the very edge of the margin
        moved = [({seed: value + edge for seed, value in a.items()}, b) for a, b in experiments]
        said = [verdict(equivalence(a, b, margin), "equivalent", margin) for a, b in moved]
        assert said.count("holds") / 300 < rare


def test_what_is_so_is_found_more_often_the_larger_it_is(experiments):
    def share(effect):
        moved = [({seed: value + effect for seed, value in a.items()}, b) for a, b in experiments]
        return np.mean([verdict(paired(a, b), "greater") == "holds" for a, b in moved])

    shares = [share(effect) for effect in (0, 2, 5, 10)]
    assert shares == sorted(shares)
    assert shares[-1] > 0.95
