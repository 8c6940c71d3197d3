"""Claims judged on tidy tables: which values are taken, what is left out, and why nothing can be told."""

import math

import pandas as pd
import pytest

from dreaming.errors import UserError
from dreaming.evaluation.statistics.judgement import Claim, judge
from dreaming.evaluation.statistics.statistics import equivalence, paired

COLUMNS = ["dataset", "condition", "seed", "epoch", "measure", "parameter", "value"]
READOUT = ("readout_accuracy", "latent")
ABOVE = Claim("REM is needed", "greater", *READOUT, ("pad", "without_rem"))
SAME = Claim("order does not matter", "equivalent", *READOUT, ("pad", "rem_before_nrem"), margin=0.02)
FALL = Claim("REM dreams become more real", "falls", "frechet_rem", "classifier", ("pad",))

PAD = {0: 0.58, 1: 0.60, 2: 0.59, 3: 0.57}
WITHOUT = {0: 0.46, 1: 0.47, 2: 0.45, 3: 0.46}


def rows(condition, values, epoch=50, measure="readout_accuracy", parameter="latent", dataset="cifar10"):
    return [(dataset, condition, seed, epoch, measure, parameter, value) for seed, value in values.items()]


def table(*groups):
    found = pd.DataFrame([row for group in groups for row in group], columns=COLUMNS)
    return found.astype({"epoch": "Int64", "seed": "Int64"})


def test_a_condition_above_another():
    found = judge(ABOVE, table(rows("pad", PAD), rows("without_rem", WITHOUT)))
    assert found.verdict == "holds"
    assert found.found == paired(PAD, WITHOUT)
    assert found.epoch == 50
    assert found.reason.startswith("pad minus without_rem at epoch 50 is +0.125, 95 % interval +0.1")
    assert "n = 4, p = 0.0" in found.reason
    turned = Claim("REM harms", "greater", *READOUT, ("without_rem", "pad"))
    assert judge(turned, table(rows("pad", PAD), rows("without_rem", WITHOUT))).verdict == "does not hold"


def test_two_conditions_alike():
    other = {0: 0.582, 1: 0.597, 2: 0.592, 3: 0.568}
    found = judge(SAME, table(rows("pad", PAD), rows("rem_before_nrem", other)))
    assert found.verdict == "holds"
    assert found.found == equivalence(PAD, other, 0.02)
    assert "the margin is ±0.02" in found.reason
    far = {seed: value - 0.1 for seed, value in other.items()}
    assert judge(SAME, table(rows("pad", PAD), rows("rem_before_nrem", far))).verdict == "does not hold"
    wild = {0: 0.55, 1: 0.64, 2: 0.61, 3: 0.55}
    assert judge(SAME, table(rows("pad", PAD), rows("rem_before_nrem", wild))).verdict == "cannot tell"


def frechet(early, late, epoch=50):
    about = {"measure": "frechet_rem", "parameter": "classifier"}
    return table(rows("pad", early, 1, **about), rows("pad", late, epoch, **about))


def test_a_distance_that_falls():
    early, late = {0: 120.0, 1: 110.0, 2: 130.0}, {0: 40.0, 1: 35.0, 2: 42.0}
    found = judge(FALL, frechet(early, late))
    assert found.verdict == "holds"
    assert found.found == paired(late, early)
    assert found.reason.startswith("epoch 50 of pad minus epoch 1 of pad is -81, 95 % interval -97")
    assert judge(FALL, frechet(late, early)).verdict == "does not hold"


def test_a_fall_needs_a_later_epoch():
    found = judge(FALL, frechet({0: 1.0, 1: 2.0}, {}))
    assert (found.verdict, found.found.n) == ("cannot tell", 0)
    assert found.reason == "nothing is measured after epoch 1 for every seed of pad"


def test_the_last_epoch_is_the_last_that_every_seed_of_both_has():
    longer = {seed: value + 0.01 for seed, value in PAD.items()}
    found = judge(
        ABOVE,
        table(rows("pad", PAD), rows("pad", {0: 0.9, 1: 0.1}, 60), rows("without_rem", WITHOUT)),
    )
    assert (found.epoch, found.found) == (50, paired(PAD, WITHOUT))
    at = Claim("REM is needed early", "greater", *READOUT, ("pad", "without_rem"), epoch=10)
    early = table(
        rows("pad", PAD),
        rows("without_rem", WITHOUT),
        rows("pad", longer, 10),
        rows("without_rem", WITHOUT, 10),
    )
    assert judge(at, early).found == paired(longer, WITHOUT)


def test_an_untrained_cortex_is_not_taken_for_the_last_epoch():
    found = judge(ABOVE, table(rows("pad", PAD, 0), rows("without_rem", WITHOUT, 0)))
    assert found.verdict == "cannot tell"
    expected = "no epoch after training has readout_accuracy of pad as well as of without_rem"
    assert found.reason == expected


def test_one_seed_cannot_tell_and_says_why():
    found = judge(ABOVE, table(rows("pad", {0: 0.6}), rows("without_rem", {0: 0.4})))
    assert found.verdict == "cannot tell"
    assert (found.found.n, found.found.mean) == (1, pytest.approx(0.2))
    assert found.reason == "one seed alone shows no spread, so there is no interval at epoch 50"


@pytest.mark.parametrize("there", [(), ("pad",), ("without_rem",)])
def test_a_condition_that_is_not_measured_cannot_tell_and_says_why(there):
    found = judge(ABOVE, table(*(rows(name, PAD) for name in there)))
    assert (found.verdict, found.found.n) == ("cannot tell", 0)
    assert found.reason == "no seed has readout_accuracy of pad as well as of without_rem"


def test_seeds_without_a_partner_are_left_out_and_named():
    some = {seed: WITHOUT[seed] for seed in (1, 2, 3)}
    found = judge(ABOVE, table(rows("pad", PAD), rows("without_rem", {**some, 9: 0.1})))
    assert found.found == paired(PAD, some)
    assert (
        "; seed 0 is left out, as without_rem lacks it; seed 9 is left out, as pad lacks it" in found.reason
    )
    alone = judge(ABOVE, table(rows("pad", PAD), rows("without_rem", {2: 0.4})))
    assert alone.verdict == "cannot tell"
    assert "one seed alone" in alone.reason
    assert "seed 0 is left out, as without_rem lacks it" in alone.reason


def test_values_that_are_no_numbers_are_missing():
    broken = {**WITHOUT, 0: math.nan, 1: math.inf}
    found = judge(ABOVE, table(rows("pad", PAD), rows("without_rem", broken)))
    assert found.found == paired(PAD, {seed: WITHOUT[seed] for seed in (2, 3)})
    assert "seed 1 is left out" in found.reason


LEVELS = ("0.1", "0.5", "0.9")


def occluded(condition, values, levels=LEVELS):
    about = {"measure": "readout_accuracy_occluded", "epoch": 50}
    return [
        row
        for shift, level in enumerate(levels)
        for row in rows(
            condition, {s: value - shift / 10 for s, value in values.items()}, parameter=level, **about
        )
    ]


def test_over_several_parameters_the_mean_of_each_seed_is_taken():
    claim = Claim("NREM helps", "greater", "readout_accuracy_occluded", LEVELS, ("pad", "without_nrem"))
    found = judge(claim, table(occluded("pad", PAD), occluded("without_nrem", WITHOUT)))
    assert found.found.n == len(PAD)
    assert found.found.mean == pytest.approx(paired(PAD, WITHOUT).mean)
    assert found.found.low == pytest.approx(paired(PAD, WITHOUT).low)
    lacking = occluded("without_nrem", WITHOUT, LEVELS[:2])
    assert "no seed has" in judge(claim, table(occluded("pad", PAD), lacking)).reason


def test_other_rows_are_passed_over():
    plain = table(rows("pad", PAD), rows("without_rem", WITHOUT))
    more = table(
        rows("pad", PAD),
        rows("without_rem", WITHOUT),
        rows("pad", WITHOUT, parameter="pixels"),
        rows("pad", WITHOUT, measure="frechet_rem"),
        rows("wake_only", PAD, 60),
        rows("wake_only", PAD, dataset="svhn"),
        rows("pad", PAD),  # the same once more
    )
    assert judge(ABOVE, more) == judge(ABOVE, plain)


def test_values_that_belong_to_no_epoch_can_be_compared():
    claim = Claim(
        "pixels differ", "greater", "readout_accuracy", "pixels", ("pad", "without_rem"), epoch=None
    )
    about = {"epoch": None, "parameter": "pixels"}
    found = judge(claim, table(rows("pad", PAD, **about), rows("without_rem", WITHOUT, **about)))
    assert (found.verdict, found.epoch) == ("holds", None)
    assert found.reason.startswith("pad minus without_rem is +0.125")


def test_two_data_sets_or_two_values_of_one_thing_are_refused():
    with pytest.raises(UserError, match="readout_accuracy of cifar10, svhn; judge a claim on one data set"):
        judge(ABOVE, table(rows("pad", PAD), rows("without_rem", WITHOUT, dataset="svhn")))
    with pytest.raises(UserError, match="two different values of readout_accuracy for pad, seed 2, epoch 50"):
        judge(ABOVE, table(rows("pad", PAD), rows("pad", {2: 0.1}), rows("without_rem", WITHOUT)))


@pytest.mark.parametrize(
    ("parts", "wrong"),
    [
        ({"kind": "equivalent"}, "a margin above 0 belongs"),
        ({"kind": "equivalent", "margin": -1.0}, "a margin above 0 belongs"),
        ({"kind": "equivalent", "margin": 0.0}, "a margin above 0 belongs"),
        ({"kind": "greater", "margin": 0.1}, "a margin above 0 belongs"),
        ({"kind": "greater", "conditions": ("pad",)}, "is about two conditions"),
        ({"kind": "greater", "conditions": ("pad", "pad")}, "is about two conditions"),
        ({"kind": "falls"}, "is about one condition"),
        (
            {"kind": "falls", "conditions": ("pad",), "epoch": 1},
            "a fall is from epoch 1 to a later one, not 1",
        ),
        ({"kind": "falls", "conditions": ("pad",), "epoch": None}, "a fall is from epoch 1"),
    ],
)
def test_a_claim_whose_parts_do_not_fit_is_refused(parts, wrong):
    with pytest.raises(ValueError, match=wrong):
        Claim(**{"text": "so", "measure": "m", "parameter": "p", "conditions": ("a", "b"), **parts})
