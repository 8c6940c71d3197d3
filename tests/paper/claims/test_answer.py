"""What runs come to, in words."""

import math

import pytest
from tests.paper import made_up

from dreaming.evaluation.statistics.judgement import Claim, Judgement
from dreaming.evaluation.statistics.statistics import Difference
from dreaming.paper.claims.answer import counts, in_one_sentence, meaning, result_lines
from dreaming.paper.claims.claims import CLAIMS, SUBJECTS, Judged, judged
from dreaming.paper.figures import FIGURES
from dreaming.paper.plan.presets import PROFILES
from dreaming.paper.results import figure_table

HOLDS, NOT, OPEN = "holds", "does not hold", "cannot tell"
NAN = math.nan
JUDGED = Claim("sleep helps", "greater", "readout_accuracy", "latent", ("pad", "wake_only"))


def found(figure, *verdicts, dataset="digits", difference=None):
    """Claims of a figure with these verdicts."""
    difference = difference or Difference(4, 0.1, 0.01, 0.05, 0.15, 0.01)
    return [
        Judged(figure, dataset, claim, Judgement(JUDGED, 12, difference, verdict, "one seed alone"))
        for claim, verdict in zip(CLAIMS[figure], verdicts, strict=False)
    ]


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        (
            [*found("figure-3", HOLDS, HOLDS), *found("figure-5", HOLDS)],
            "agree with the paper on dreams that become more real and the readout of occluded images.",
        ),
        (
            [*found("figure-3", HOLDS), *found("figure-6", HOLDS, OPEN), *found("table-1", OPEN, NOT)],
            "agree with the paper on dreams that become more real, agree in part with it on the order of latents "
            "and contradict it on the linear readout at the end.",
        ),
        ([*found("figure-6", HOLDS, NOT)], "agree in part with the paper on the order of latents."),
        (
            [*found("figure-4", NOT), *found("figure-5", OPEN)],
            "contradict the paper on the readout over training and tell too little of the readout of occluded "
            "images.",
        ),
        ([*found("figure-5", OPEN)], "tell too little of the readout of occluded images."),
    ],
)
def test_one_sentence_says_what_agrees_with_the_paper_and_what_does_not(claims, said):
    assert in_one_sentence(claims) == f"On Digits, these runs {said}"


def test_a_figure_is_agreed_on_where_it_is_on_every_data_set():
    claims = found("figure-4", HOLDS, dataset="cifar10") + found("figure-4", NOT, dataset="svhn")
    assert in_one_sentence(claims) == (
        "On CIFAR-10 and SVHN, these runs agree in part with the paper on the readout over training."
    )


def test_without_claims_it_is_said_that_there_are_none():
    assert in_one_sentence([]).startswith("The paper makes no claim")


def test_every_figure_of_claims_has_a_subject():
    assert set(SUBJECTS) == set(CLAIMS)


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ((), ""),
        ((HOLDS,), "1 holds"),
        ((HOLDS, HOLDS, NOT), "2 hold, 1 does not hold"),
        ((OPEN, NOT, NOT), "2 do not hold, 1 cannot be told"),
    ],
)
def test_counts_are_in_plain_grammar(verdicts, said):
    assert counts(found("figure-6", *verdicts)) == said


@pytest.mark.parametrize(
    ("figure", "number", "difference", "said"),
    [
        (
            "figure-5",
            0,
            Difference(4, 0.0568, 0.01, 0.0313, 0.0823, 0.0058),
            "PAD is under occlusion read out 5.7 points better than w/o NREM; 95 % interval +3.1 to +8.2, 4 seeds, "
            "p = 0.0058",
        ),
        (
            "table-1",
            2,
            Difference(4, -0.0472, 0.01, -0.0656, -0.0288, 0.0038),
            "PAD is read out 4.7 points worse than Wake only; 95 % interval -6.6 to -2.9, 4 seeds, p = 0.0038",
        ),
        (
            "figure-3",
            0,
            Difference(4, -35.83, 3.0, -46.67, -25.0, 0.0018),
            "Fréchet distance of NREM dreams falls by 35.8; 95 % interval -46.7 to -25.0, 4 seeds, p = 0.0018",
        ),
        (
            "figure-6",
            1,
            Difference(4, -0.0028, 0.004, -0.0177, 0.0121, 0.59),
            "distance within classes over distance between them is 0.003 lower in w/o NREM than in PAD; 95 % "
            "interval -0.018 to +0.012, 4 seeds, p = 0.59",
        ),
        (
            "appendix-figure-5",
            0,
            Difference(4, 0.01, 0.004, -0.02, 0.04, 0.2),
            "PAD is read out 1.0 points better than Wake-REM-NREM; 95 % interval -2.0 to +4.0, margin ±3.0, 4 "
            "seeds, p = 0.2",
        ),
        ("figure-5", 0, Difference(1, 0.05, NAN, NAN, NAN, NAN), "one seed alone"),
    ],
)
def test_the_meaning_of_a_number_comes_first_then_its_interval(figure, number, difference, said):
    claims = found(figure, *[HOLDS] * 5, difference=difference)
    assert meaning(claims[number]) == said


def test_every_claim_of_the_paper_has_a_meaning_without_names_of_conditions_in_code(tables_of):
    tables = tables_of(made_up.PROFILE)
    claims = [
        claim
        for figure in FIGURES
        for claim in judged(figure, made_up.PROFILE, figure_table(figure, made_up.PROFILE, tables))
    ]
    assert len(claims) > 40
    for claim in claims:
        assert "; 95 % interval " in meaning(claim)
        assert not any(name in meaning(claim) for name in ("without_", "wake_only", " minus "))


def test_results_of_the_demo_are_three_lines_that_fit_into_a_terminal(tables_of):
    demo = PROFILES["demo"]
    tables = {figure: figure_table(figure, demo, tables_of(demo)) for figure in demo.figures}
    claims = [claim for figure, table in tables.items() for claim in judged(figure, demo, table)]
    first, second, third = result_lines(tables, claims)
    assert first.startswith("Claims of the paper: ")
    assert second.startswith("Dreams, Fréchet distance to what was seen, epoch 1 to 12: NREM ")
    assert third.startswith("Readout, %: PAD 5")
    assert max(map(len, (first, second, third))) <= 100


def test_results_name_the_data_set_where_there_are_several_and_leave_out_what_was_not_measured(tables_of):
    profile = made_up.PROFILE
    tables = {"table-1": figure_table("table-1", profile, tables_of(profile))}
    first, second = result_lines(tables, [])
    assert first.startswith("CIFAR-10: Readout")
    assert second.startswith("SVHN: Readout")
    assert result_lines({}, []) == ()
    gone = tables_of(profile, lambda table: table["condition"] == "pad")
    assert "PAD" not in result_lines({"table-1": figure_table("table-1", profile, gone)}, [])[0]
