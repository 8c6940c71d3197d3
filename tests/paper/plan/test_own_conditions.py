"""Schedules and doses are planned, tabled and drawn as the paper's conditions are."""

import math

import pytest

from dreaming.errors import UserError
from dreaming.paper.claims.numbers import numbers_table
from dreaming.paper.figures import FIGURES
from dreaming.paper.figures.drawing import draw_figure
from dreaming.paper.plan.plan import make_plan
from dreaming.paper.plan.presets import PROFILES, chosen
from dreaming.paper.plan.profile import Profile
from dreaming.paper.results import figure_table

DEPRIVED = "pad:4,without_rem:8,pad"
NAME = "pad-4-without_rem-8-pad"
LAB = Profile(
    name="lab",
    datasets=("digits",),
    seeds=2,
    epochs=10,
    figures=("figure-4",),
    schedules=(DEPRIVED,),
    sweeps=("phases.rem.dose=0,0.5,1", "phases.nrem.weight=0,1"),
)


def picture_of(figure, tables):
    return draw_figure(FIGURES[figure].plot, figure_table(figure, LAB, tables))


def test_a_schedule_is_a_condition_of_the_plan():
    runs = {run.title: run for run in make_plan(LAB, ["schedules"], "nowhere", "cpu").runs}
    assert set(runs) == {f"digits/{name}/seed-{seed}" for name in ("pad", NAME) for seed in (0, 1)}
    config = runs[f"digits/{NAME}/seed-1"].config
    assert config.seed == 1
    assert [(stage.after, stage.condition) for stage in config.schedule] == [(4, "without_rem"), (8, "pad")]


def test_doses_are_conditions_of_the_plan_and_the_one_that_pad_has_is_pad():
    runs = {run.config.condition: run for run in make_plan(LAB, ["doses"], "nowhere", "cpu").runs}
    assert set(runs) == {"pad", "pad+rem.dose-0", "pad+rem.dose-0.5", "pad+nrem.weight-0"}
    half = runs["pad+rem.dose-0.5"].config
    assert [phase.dose for phase in half.phases] == [1, 1, 0.5]
    assert [phase.weight for phase in runs["pad+nrem.weight-0"].config.phases] == [1, 0, 1]
    assert runs["pad"].measures == {"readout": (10,), "robustness": (10,)}


def test_settings_hold_for_schedules_and_doses_too():
    profile = LAB.but(["networks.latent_dim=4", "phases.rem.replay.noise=0.3"])
    for run in make_plan(profile, ["doses", "schedules"], "nowhere", "cpu").runs:
        assert run.config.networks.latent_dim == 4
        assert [p.replay.noise for p in run.config.phases if p.name == "rem"] == [0.3]
    stages = profile.config("digits", NAME, 0, 10, "all").schedule
    assert [p.replay.noise for p in stages[1].phases if p.name == "rem"] == [0.3]


def test_they_are_drawn_without_being_asked_for_where_the_profile_has_them():
    assert chosen(LAB, []) == ("figure-4", "schedules", "doses")
    assert "schedules" not in chosen(PROFILES["paper"], [])
    assert set(PROFILES["paper"].conditions_of(FIGURES["schedules"].needs[0])) == {"pad"}


def test_options_add_to_a_profile():
    found = LAB.beside(["pad:1,wake_only"], ["phases.rem.steps=1,2"])
    assert list(found.scheduled) == [NAME, "pad-1-wake_only"]
    assert [dose.condition for dose in found.doses][-2:] == ["pad", "pad+rem.steps-2"]
    assert LAB.beside() is LAB
    assert LAB.but(["sweeps=phases.rem.dose=0,1; phases.rem.weight=2"]).doses[-1].condition == (
        "pad+rem.weight-2"
    )


@pytest.mark.parametrize(
    ("schedules", "sweeps", "because"),
    [
        (["pad:10,without_rem"], [], "changes after epoch 10, and runs end after epoch 10"),
        (["pad,without_rem:3"], [], "--schedule wants"),
        (["pad:3,without_rme"], [], "did you mean 'without_rem'"),
        ([DEPRIVED], [], "twice"),
        ([], ["phases.rem.dosis=0"], "did you mean 'dose'"),
        ([], ["phases.rem.dose"], "--sweep wants"),
        ([], ["phases.rem.dose=3"], "dose"),
        ([], ["phases.rem.dose=0.5"], "twice"),
        ([], ["training.epochs=3,4"], "what the plan decides on"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(schedules, sweeps, because):
    with pytest.raises(UserError, match=because) as refusal:
        LAB.beside(schedules, sweeps)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("figure", ["schedules", "doses"])
def test_a_figure_of_nothing_says_how_to_fill_it(figure):
    with pytest.raises(UserError, match=f"{figure} has nothing to draw.* --s"):
        chosen(PROFILES["paper"], [figure])


def test_a_table_of_doses_has_each_value_and_the_numbers_list_each_condition_once(tables_of):
    tables = tables_of(LAB)
    prepared = {name: figure_table(name, LAB, tables) for name in ("schedules", "doses")}
    doses = prepared["doses"]
    assert list(dict.fromkeys(zip(doses["field"], doses["dose"], strict=True))) == [
        ("phases.rem.dose", "0"),
        ("phases.rem.dose", "0.5"),
        ("phases.rem.dose", "1"),
        ("phases.nrem.weight", "0"),
        ("phases.nrem.weight", "1"),
    ]
    found = numbers_table(prepared, LAB)
    doses = ["pad+rem.dose-0", "pad+rem.dose-0.5", "pad+nrem.weight-0"]
    assert list(found["condition"]) == ["pad", NAME, *doses]
    assert found["mean"].notna().all()
    assert set(found["verdict"]) == {"no number published"}


def test_a_picture_of_doses_has_a_panel_for_each_field_and_both_curves(tables_of):
    picture = picture_of("doses", tables_of(LAB))
    assert [panel.get_xlabel() for panel in picture.axes] == ["Dose of REM", "Weight of NREM"]
    bold = [line for line in picture.axes[0].lines if line.get_linewidth() > 1]
    assert [list(line.get_xdata()) for line in bold] == [[0, 0.5, 1], [0, 0.5, 1]]


def test_a_picture_of_schedules_has_hypnograms_and_names_what_is_deprived(tables_of):
    picture = picture_of("schedules", tables_of(LAB))
    (panel,) = picture.axes
    assert [(each.get_x(), each.get_width()) for each in panel.patches] == [(4, 4)]
    assert [text.get_text().strip() for text in panel.texts] == ["w/o REM"]
    assert len(panel.child_axes) == 1
    (legend,) = picture.legends
    assert "PAD to 4, w/o REM to 8, PAD" in [text.get_text() for text in legend.get_texts()]


def test_a_dose_without_a_seed_is_not_averaged(tables_of):
    tables = tables_of(LAB, lambda t: (t["condition"] == "pad+rem.dose-0.5") & (t["seed"] == 1))
    picture = picture_of("doses", tables)
    bold = [line for line in picture.axes[0].lines if line.get_linewidth() > 1]
    assert [math.isnan(value) for value in bold[0].get_ydata()] == [False, True, False]
    assert "INCOMPLETE: digits/pad+rem.dose-0.5/seed-1 lacks" in picture._supxlabel.get_text()
