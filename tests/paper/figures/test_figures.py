"""Figures are drawn from tables alone: every seed behind its mean, gaps said, published numbers marked."""

import io
import subprocess
import sys
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.paper import made_up

from dreaming.evaluation.measures.organisation import INTRA_INTER
from dreaming.evaluation.statistics.drawing import dataset_name, label, saved
from dreaming.paper.figures import FIGURES, OF_THE_PAPER
from dreaming.paper.figures.drawing import draw_figure
from dreaming.paper.results import figure_table
from dreaming.paper.tables import incomplete
from dreaming.runs.tables import csv

PAPERS = [name for name in OF_THE_PAPER if name != "table-1"]


def picture_of(name, table):
    return draw_figure(FIGURES[name].plot, table)


@pytest.fixture(scope="session")
def whole(dataset_of):
    """Each figure's table and picture, of made-up tables in which nothing is missing."""
    tables = made_up.tables(dataset_of)
    prepared = {name: figure_table(name, made_up.PROFILE, tables) for name in PAPERS}
    return {name: (table, picture_of(name, table)) for name, table in prepared.items()}


def bold(panel):
    return [line for line in panel.lines if line.get_linewidth() > 1.5 and len(line.get_xdata()) > 1]


def thin(panel):
    return [line for line in panel.lines if line.get_linewidth() < 1.5 and line.get_marker() == "."]


def test_planning_does_not_import_what_draws():
    """A figure's file says both what it needs and how it is drawn, and a plan need not wait for matplotlib."""
    program = "import sys, dreaming.paper.plan.plan; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("name", PAPERS)
def test_a_figure_is_a_picture_with_words_and_the_same_bytes_from_its_csv_alone(whole, name):
    table, picture = whole[name]
    png = saved(picture, "png")
    again = picture_of(name, pd.read_csv(io.BytesIO(csv(table)), dtype={"parameter": "string"}))
    assert saved(again, "png") == png
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("L"))
    assert pixels.shape[0] > 50
    assert 0.01 < (pixels < 200).mean() < 0.8


def test_a_figure_is_saved_in_each_kind_of_file(whole):
    _, picture = whole["figure-4"]
    assert saved(picture, "svg").startswith(b"<?xml")
    assert saved(picture, "pdf").startswith(b"%PDF")


@pytest.mark.parametrize(
    "name", ["figure-4", "figure-5", *(f"appendix-figure-{number}" for number in (3, 4, 5, 6))]
)
def test_every_seed_is_seen_behind_the_mean_and_axes_have_units(whole, name):
    table, picture = whole[name]
    datasets, conditions = (list(dict.fromkeys(table[c].dropna())) for c in ("dataset", "condition"))
    assert [panel.get_title(loc="left")[4:] for panel in picture.axes] == [dataset_name(d) for d in datasets]
    for panel in picture.axes:
        means, seeds = bold(panel), thin(panel)
        assert [line.get_label() for line in means] == [label(c) for c in conditions]
        assert len(seeds) == 4 * len(conditions)
        for mean, four in zip(means, np.array_split(np.arange(len(seeds)), len(means)), strict=True):
            over = np.mean([np.asarray(seeds[i].get_ydata(), dtype=float) for i in four], axis=0)
            assert np.allclose(np.asarray(mean.get_ydata(), dtype=float), over)
        assert panel.get_xlabel()
        assert "(%)" in panel.get_ylabel()


def test_every_data_set_of_a_profile_has_a_panel(tables_of):
    three = made_up.PROFILE.but(["datasets=cifar10,svhn,digits"])
    picture = picture_of("figure-4", figure_table("figure-4", three, tables_of(three)))
    assert [panel.get_title(loc="left") for panel in picture.axes] == [
        "c   CIFAR-10",
        "d   SVHN",
        "e   Digits",
    ]
    assert all(len(bold(panel)) == 3 for panel in picture.axes)


def test_published_values_are_marked_at_their_height(whole):
    _, picture = whole["figure-4"]
    diamonds = [
        float(np.asarray(line.get_ydata())[0])
        for line in picture.axes[0].lines
        if line.get_marker() == "D" and len(line.get_xdata()) == 1
    ]
    assert sorted(diamonds) == pytest.approx([46.00, 53.87, 58.25])


def a_seed_of_pad(table):
    return (table["condition"] == "pad") & (table["seed"] == 2) & (table["dataset"] == "cifar10")


@pytest.mark.parametrize("name", ["figure-3", "figure-4", "figure-5", "figure-6", "appendix-figure-1"])
def test_a_missing_seed_is_said_and_never_averaged(tables_of, name):
    table = figure_table(name, made_up.PROFILE, tables_of(lacking=a_seed_of_pad))
    assert incomplete(table)
    said = [text.get_text() for text in picture_of(name, table).findobj(mpl.text.Text)]
    assert any("INCOMPLETE: cifar10/pad/seed-2 lacks" in text.replace("\n", " ") for text in said)


def test_a_curve_of_which_a_seed_is_missing_has_no_mean_and_shows_the_others(tables_of):
    table = figure_table("figure-4", made_up.PROFILE, tables_of(lacking=a_seed_of_pad))
    panel = picture_of("figure-4", table).axes[0]
    pad, *others = bold(panel)
    assert np.isnan(np.asarray(pad.get_ydata(), dtype=float)).all()
    assert not any(np.isnan(np.asarray(line.get_ydata(), dtype=float)).any() for line in others)
    assert len(thin(panel)) == 12


def test_one_epoch_that_is_missing_leaves_the_rest_of_the_curve(tables_of):
    tables = tables_of(lacking=lambda t: (t["condition"] == "pad") & (t["seed"] == 2) & (t["epoch"] == 3))
    picture = picture_of("figure-4", figure_table("figure-4", made_up.PROFILE, tables))
    mean = np.asarray(bold(picture.axes[0])[0].get_ydata(), dtype=float)
    assert np.isnan(mean).nonzero()[0].tolist() == [3]


def test_bars_of_figure_6_are_the_means_of_the_table(whole):
    table, picture = whole["figure-6"]
    panel = next(p for p in picture.findobj(mpl.axes.Axes) if "intra-class" in p.get_title(loc="left"))
    own = table[(table["measure"] == INTRA_INTER) & (table["epoch"] == 10) & (table["dataset"] == "cifar10")]
    heights = [patch.get_height() for patch in panel.patches[:4]]
    means = [own[own["condition"] == name]["value"].mean() for name in ("pad", "without_rem", "without_nrem")]
    assert heights[1:] == pytest.approx(means)


def test_runs_that_are_not_there_at_all_leave_a_picture_that_says_so(tables_of):
    tables = tables_of(lacking=lambda t: t["condition"] != "")
    for name in ("figure-4", "figure-5", "figure-6", "appendix-figure-1"):
        picture = picture_of(name, figure_table(name, made_up.PROFILE, tables))
        said = " ".join(text.get_text() for text in picture.findobj(mpl.text.Text))
        assert "INCOMPLETE" in said


def test_components_and_classes_have_their_names_and_shares(dataset_of):
    tables = made_up.tables(dataset_of)
    points = tables.projection
    names = points["label"].map({0: "cat", 1: "dog", 2: "2", 3: "$"})
    shares = points["component"].map({1: 0.62, 2: 0.2})
    named = replace(tables, projection=points.assign(**{"class": names, "explained": shares}))
    picture = picture_of("figure-6", figure_table("figure-6", made_up.PROFILE, named))
    panel = picture.axes[0]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("PC 1 (62 % of variance)", "PC 2 (20 % of variance)")
    above, _ = picture.subfigs
    assert [text.get_text() for text in above.legends[0].get_texts()] == ["cat", "dog", "class 2", r"\$"]


def test_a_curve_of_fifty_epochs_has_marks_and_no_legend_lies_on_data(dataset_of):
    profile = made_up.PROFILE.model_copy(update={"epochs": 50, "long_epochs": 50})
    table = figure_table("figure-4", profile, made_up.tables(dataset_of, profile))
    picture = picture_of("figure-4", table)
    for panel in picture.axes:
        assert panel.get_legend() is None
        means = [line for line in panel.lines if line.get_label() in ("PAD", "w/o REM", "w/o memory mix")]
        assert {line.get_marker() for line in means} == {"o", "s", "D"}
        assert all(line.get_markevery()[1] == 5 for line in means)
    assert len(picture.legends) == 1
