"""The bench's picture: each measure as it was measured, with names, controls, chance and hypnograms."""

import math

import pandas as pd
import pytest

from dreaming.evaluation.measures.measure import Quantity
from dreaming.evaluation.statistics.bench import BenchMeasure, draw_bench
from dreaming.evaluation.statistics.deprivation import (
    deprivation_in_words,
    deprivation_table,
    schedule_named,
)
from dreaming.evaluation.statistics.differences import paired_differences
from dreaming.model.conditions import CONDITIONS

COLUMNS = ["dataset", "condition", "seed", "epoch", "measure", "parameter", "value"]
ACCURACY = Quantity("accuracy", "%", of_classes=True)
SCHEDULE = "pad-1-without_rem-2-pad"


def table(*rows):
    return pd.DataFrame([("digits", *row) for row in rows], columns=COLUMNS).astype({"epoch": "Int64"})


def curves(measure, parameter, **conditions):
    """Rows of two seeds, the second 0.02 higher."""
    return [
        (condition.replace("__", "-"), seed, epoch, measure, parameter, value + seed / 50)
        for condition, values in conditions.items()
        for seed in (0, 1)
        for epoch, value in values.items()
    ]


EPOCHS = {0: 0.1, 1: 0.5, 2: 0.6, 3: 0.7}


def bench(*measures, chance=None, schedules=None):
    shown = [BenchMeasure(quantity, table(*rows)) for quantity, rows in measures]
    picture = draw_bench(shown, chance or {}, schedules or {})
    return picture, picture.axes


def labels(picture):
    (legend,) = picture.legends
    return [text.get_text() for text in legend.get_texts()]


def test_a_curve_over_epochs_has_each_seed_the_mean_the_controls_and_chance():
    rows = curves("readout_accuracy", "latent", pad=EPOCHS, without_rem=EPOCHS)
    rows += [("pad", 0, None, "readout_accuracy", "pixels", 0.9)]
    picture, (panel,) = bench((ACCURACY, rows), chance={"digits": 0.1})
    drawn = [list(line.get_ydata()) for line in panel.lines]
    for values in ([10, 50, 60, 70], [12, 52, 62, 72], [11, 51, 61, 71]):
        assert any(each == pytest.approx(values) for each in drawn), values
    assert [90.0, 90.0] in [list(map(float, each)) for each in drawn]
    assert labels(picture) == ["PAD", "w/o REM", "pixels (control)", "chance"]
    assert panel.get_ylabel() == "accuracy (%)"
    means = {line.get_label(): line for line in panel.lines}
    for name in ("pad", "without_rem"):
        about = CONDITIONS[name]
        line = means[about.label]
        assert (line.get_color(), line.get_marker()) == (about.colour, about.mark)


def test_where_there_is_one_epoch_bars_stand_and_a_number_that_guesses_cannot_reach_has_no_chance():
    rows = curves("ratio", "euclidean", pad={5: 0.2}, without_rem={5: 0.4})
    picture, (panel,) = bench((Quantity("ratio"), rows), chance={"digits": 0.1})
    assert [bar.get_height() for bar in panel.patches] == pytest.approx([0.21, 0.41])
    assert labels(picture) == ["PAD", "w/o REM"]
    assert panel.get_title(loc="left") == "Digits, epoch 5"


def test_over_occlusions_the_last_epoch_is_a_curve_over_their_probability():
    rows = [
        row
        for share in (0.0, 0.5, 1.0)
        for row in curves("readout_accuracy_occluded", f"{share}", pad={1: 0.9 - share / 2, 2: 1 - share / 2})
    ]
    _, (panel,) = bench((ACCURACY, rows))
    (mean,) = [line for line in panel.lines if line.get_label() == "PAD"]
    assert list(mean.get_xdata()) == [0, 50, 100]
    assert list(mean.get_ydata()) == pytest.approx([101, 76, 51])
    assert panel.get_xlabel() == "Occlusion intensity (%)"


def test_each_measure_and_data_set_has_a_panel_and_of_many_parameters_that_is_said():
    rows = [row for n in range(30) for row in curves("ratio", f"p{n:02}", pad={0: 1.0})]
    _, panels = bench((Quantity("ratio"), rows), (ACCURACY, curves("accuracy", "latent", pad=EPOCHS)))
    assert panels[0].get_title(loc="left") == "Digits, epoch 0, 12 of 30 parameters"
    assert len(panels[0].patches) == 12
    two = pd.concat([table(*rows), table(*rows).assign(dataset="svhn")])
    assert len(draw_bench([BenchMeasure(Quantity("ratio"), two)], {}, {}).axes) == 2


def test_a_measure_of_which_only_controls_are_there_says_so():
    _, (panel,) = bench((ACCURACY, [("pad", 0, None, "readout_accuracy", "pixels", 0.9)]))
    assert [text.get_text() for text in panel.texts] == ["controls alone"]


def test_a_deprivation_is_shaded_named_and_has_its_hypnogram():
    rows = curves("readout_accuracy", "latent", pad=EPOCHS, **{SCHEDULE.replace("-", "__"): EPOCHS})
    _, (panel, *_) = bench((ACCURACY, rows), schedules={("digits", SCHEDULE): schedule_named(SCHEDULE)})
    (shade,) = [each for each in panel.patches if each.get_width() == 1]
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == (1, 2)
    assert [text.get_text().strip() for text in panel.texts] == ["w/o REM"]
    (strip,) = panel.child_axes
    assert [tick.get_text() for tick in strip.get_yticklabels()] == ["Wake", "NREM", "REM"]
    lasting = [[path.get_extents().x0, path.get_extents().x1] for path in strip.collections[2].get_paths()]
    assert lasting == [[0, 1], [2, 3]]


def test_differences_are_those_of_the_seeds_that_both_have():
    rows = curves("m", "p", pad={1: 0.5}, without_rem={1: 0.25}, wake_only={2: 0.1})
    rows += [("without_rem", 7, 1, "m", "p", 0.9)]
    (row,) = paired_differences(table(*rows), "pad").to_dict("records")
    assert (row["condition"], row["pairs"], row["epoch"]) == ("without_rem", 2, 1)
    assert row["difference"] == pytest.approx(-0.25)
    assert row["low"] == pytest.approx(row["high"]) == pytest.approx(-0.25)
    assert row["verdict"] == "lower"


def test_one_seed_cannot_tell_and_has_no_interval():
    rows = [(name, 0, 1, "m", "p", value) for name, value in (("pad", 0.5), ("wake_only", 0.3))]
    (row,) = paired_differences(table(*rows), "pad").to_dict("records")
    assert (row["verdict"], row["pairs"]) == ("cannot tell", 1)
    assert math.isnan(row["low"])


def test_before_during_and_after_are_compared_with_before_and_with_the_reference_at_that_epoch():
    other = {0: 0.1, 1: 0.5, 2: 0.3, 3: 0.6}
    values = table(*curves("m", "p", pad=EPOCHS, **{SCHEDULE.replace("-", "__"): other}))
    found = deprivation_table(values, {("digits", SCHEDULE): schedule_named(SCHEDULE)}, "pad")
    assert found["stage"].unique().tolist() == ["without_rem"]
    by = {(row["when"], row["against"]): row for row in found.to_dict("records")}
    assert {key: (row["epoch"], round(row["difference"], 9)) for key, row in by.items()} == {
        ("before", "pad"): (1, 0),
        ("during", "before"): (2, -0.2),
        ("during", "pad"): (2, -0.3),
        ("after", "before"): (3, 0.1),
        ("after", "pad"): (3, -0.1),
    }
    before, during, _ = deprivation_in_words(found, Quantity("m", "%"))
    assert before["minus PAD"].endswith("the same")
    assert (before["when"], before["minus before"]) == ("before", "-")
    assert during["minus before"] == "-20.00 (-20.00 to -20.00), lower"
    assert during["value"] == "31.00 ± 1.00"
