"""Measures of the user's own are planned, measured, tabled and drawn as the paper's are."""

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import yaml

from dreaming.cli.main import main
from dreaming.data import load_dataset
from dreaming.errors import UserError
from dreaming.evaluation.measuring import evaluate
from dreaming.evaluation.statistics.drawing import saved
from dreaming.paper import reproduction
from dreaming.paper.figures import FIGURES
from dreaming.paper.figures.drawing import draw_figure
from dreaming.paper.plan.plan import make_plan
from dreaming.paper.plan.presets import PROFILES, chosen, profile
from dreaming.paper.reproduction import reproduce
from dreaming.paper.results import Attempts, figure_table, quantities_of, results_of, wanted
from dreaming.paper.tables import Tables, incomplete
from dreaming.runs.folder import RunFolder
from dreaming.runs.tables import csv
from dreaming.system.progress import NoProgress

MINE = """
from typing import ClassVar

from dreaming.evaluation.measures.measure import Measure, Quantity, tabled


def sparsity(cortex, dataset):
    return cortex.infer(dataset.test.images).abs().mean()


def parts(cortex, dataset):
    return {"part_10": 1.0, "part_9": 2.0}


def fails(cortex, dataset):
    raise ValueError("no way")


class Share(Measure):
    quantities: ClassVar = {"share": Quantity("share of latents above 0", "%")}

    def keys(self):
        return frozenset({("share", "latent")})

    def measure(self, snapshots):
        shares = (snapshots.test > 0).double().mean(dim=(1, 2)).tolist()
        return tabled((epoch, "share", "latent", share) for epoch, share in zip(snapshots.epochs, shares))


number = 3
"""
TINY = {
    "base": "demo",
    "seeds": 2,
    "datasets": ["digits"],
    "epochs": 2,
    "long_epochs": 2,
    "every": 1,
    "limit": 64,
    "figures": ["table-1"],
    "settings": [
        "networks.base_channels=2",
        "networks.latent_dim=8",
        "training.batch_size=32",
        "training.precision=float32",
    ],
}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a profile beside files of measures, in a folder that is not the current one; returns its file."""
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "mine.py").write_text(MINE)
    (folder / "yours.py").write_text("def sparsity(cortex, dataset):\n    return 0.0\n")
    monkeypatch.chdir(tmp_path)

    def write(*measures, **fields):
        (folder / "lab.yaml").write_text(yaml.safe_dump({**TINY, "measures": list(measures), **fields}))
        return Path("lab/lab.yaml")

    return write


def test_files_lie_beside_the_profile_and_those_of_the_command_line_where_one_is(written, tmp_path):
    file = written("mine.py:sparsity", "knn")
    assert profile(file).measures == (str(Path("lab/mine.py:sparsity")), "knn")
    absolute = f"{tmp_path / 'lab/mine.py'}:Share"
    assert profile(written(absolute)).measures == (absolute,)
    changed = profile("demo", ["measures=lab/mine.py:sparsity,lab/mine.py:Share"])
    assert [sorted(measure.measured) for measure in changed.own_measures] == [["sparsity"], ["share"]]
    assert profile(file, ["seeds=3"]).beside(["pad:1,wake_only"]).measures == profile(file).measures
    assert changed.deviations() == PROFILES["demo"].deviations()


@pytest.mark.parametrize(
    ("measures", "because"),
    [
        (["hers.py:sparsity"], "lab.yaml: measures: there is no file lab/hers.py"),
        (["mine.py"], "lab.yaml: measures: there is no measure 'mine.py'"),
        (["mine.py:sparsit"], "defines no 'sparsit'; did you mean 'sparsity'"),
        (["mine.py:number"], "measures: number in lab/mine.py is no class derived from Measure"),
        (["mine.py:sparsity", "yours.py:sparsity"], "mine.py:sparsity and .*yours.py:sparsity have one name"),
        (["kn"], "measures: there is no measure 'kn'; did you mean 'knn'"),
        (["knn", "robustness"], "measures: robustness is one of the paper's"),
        ([3], "measures"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_sentence_and_nothing_is_written(
    measures, because, written, tmp_path, capsys
):
    file = written(*measures)
    with pytest.raises(UserError, match=because) as refusal:
        profile(file)
    assert "\n" not in str(refusal.value)
    assert main(["reproduce", "--profile", str(file), "--out", "out"]) == 2
    assert capsys.readouterr().err.startswith("dreaming: ")
    assert not (tmp_path / "out").exists()


def test_every_condition_of_the_profile_is_planned_over_epochs(written):
    lab = profile(written("mine.py:sparsity", seeds=1, schedules=["pad:1,wake_only"]))
    assert chosen(lab, []) == ("table-1", "schedules", "measures")
    runs = {run.config.condition: run for run in make_plan(lab, ["measures"], "nowhere", "cpu").runs}
    table_1 = ("pad", "without_memory_mix", "without_rem", "without_nrem", "wake_only")
    assert set(runs) == {*table_1, "pad-1-wake_only"}
    assert {(*run.measures.items(),) for run in runs.values()} == {(("measures", (0, 1, 2)),)}
    earlier = make_plan(lab, ["table-1"], "nowhere", "cpu").runs
    assert {run.config.training.snapshots for run in earlier} == {
        "1,2"
    }  # what the measures will need is kept
    alone = profile(written("mine.py:sparsity", figures=["measures"]))
    assert {run.config.condition for run in make_plan(alone, (), "nowhere", "cpu").runs} == {"pad"}


def test_without_one_there_is_no_figure_of_them():
    assert "measures" not in chosen(PROFILES["demo"], [])
    with pytest.raises(UserError, match=r"measures has nothing to draw.*--set measures=FILE\.py:NAME"):
        chosen(PROFILES["demo"], ["measures"])


@pytest.mark.usefixtures("without_drawing")
def test_runs_are_measured_once_and_anew_where_the_file_has_changed(written, monkeypatch):
    monkeypatch.setattr(reproduction, "FILE_KINDS", ("png",))
    file = written(
        "mine.py:fails", "mine.py:sparsity", "mine.py:parts", "mine.py:Share", figures=["measures"]
    )
    found = reproduce(profile(file), out="out", device="cpu", workers=1)
    assert found.failures == {
        f"digits/pad/seed-{seed}": "--measures: fails fails with ValueError: no way (mine.py, line 16)"
        for seed in (0, 1)
    }
    table = pd.read_csv("out/figures/measures.csv").set_index("measure")
    assert list(dict.fromkeys(table.index)) == ["fails", "sparsity", "parts", "share"]
    assert table.loc["fails", "value"].isna().all()
    assert len(table.drop("fails")) == (1 + 2 + 1) * 2 * 3
    assert table.drop("fails")["value"].notna().all()
    assert set(table.loc["share", "unit"]) == {"%"}
    assert table.loc["sparsity", "definition"].str.match(r"sparsity in mine\.py sha256:").all()
    page = found.report.read_text()
    assert "Measures beside the paper" in page
    assert "digits/pad/seed-0 lacks fails" in page

    file = written("mine.py:sparsity", "mine.py:parts", figures=["measures"])
    run = make_plan(profile(file), (), "out", "cpu").runs[0]
    assert run.unmeasured(make_plan(profile(file), (), "out", "cpu").measures) == {}
    (file.parent / "mine.py").write_text(MINE.replace('"part_9": 2.0', '"part_9": 4.0'))
    changed = make_plan(profile(file), (), "out", "cpu")
    assert run.unmeasured(changed.measures) == {"measures": (0, 1, 2)}
    tables = results_of(changed, load_dataset, Attempts(NoProgress()))
    assert len(tables.values.query("measure == 'parts'")) == 0  # numbers of another file are not its own
    evaluate(run.folder.path, measures="lab/mine.py:parts", epochs="0,1", device="cpu")
    assert run.unmeasured({**changed.measures, "measures": changed.profile.own_measures[1:]}) == {
        "measures": (2,)
    }
    assert reproduce(profile(file), out="out", device="cpu", workers=1).failures == {}
    own = RunFolder(run.folder.path).read_measures().query("parameter == 'part_9'")
    assert list(own["value"]) == [4.0] * 3


def test_a_dry_run_lists_them_and_says_what_is_counted(written, capsys):
    file = written("mine.py:sparsity", "knn", figures=["measures"], seeds=1)
    assert main(["reproduce", "--profile", str(file), "--out", "out", "--device", "cpu", "--dry-run"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"Measured beside the paper's: {Path('lab/mine.py')}:sparsity, knn; of these, only the" in said
    assert not Path("out").exists()


def drawn(lab, lacking=lambda table: table["seed"].isna()):
    """Table and picture of made-up values of `sparsity`, `parts` and `Share`."""
    there = frozenset({("sparsity", "cortex"), ("parts", "part_10"), ("parts", "part_9")})
    values = wanted("measures", lab, there)
    values = values.assign(value=0.01 * (values["seed"] + 1) * values["epoch"].astype(float))
    tables = Tables(values[~lacking(values)], quantities=quantities_of(lab))
    table = figure_table("measures", lab, tables)
    return table, draw_figure(FIGURES["measures"].plot, table)


def bold(panel):
    return [line for line in panel.lines if line.get_linewidth() > 1.5]


def thin(panel):
    return [line for line in panel.lines if line.get_linewidth() < 1.5]


@pytest.fixture
def lab(written):
    """A profile of three measures, three seeds and six conditions."""
    measures = ("mine.py:Share", "mine.py:sparsity", "mine.py:parts")
    return profile(written(*measures, seeds=3, schedules=["pad:1,wake_only"]))


def test_every_measure_has_a_panel_with_its_unit_and_every_seed_is_seen_behind_the_mean(lab):
    table, picture = drawn(lab)
    assert incomplete(table) == []
    assert [(panel.get_title(loc="left"), panel.get_ylabel()) for panel in picture.axes if panel.axison] == [
        ("Digits", "share of latents above 0 (%)"),
        ("Digits", "sparsity"),
        ("Digits, part_9", "parts"),
        ("Digits, part_10", "parts"),
    ]
    share, sparsity = picture.axes[:2]
    for panel, scale in ((share, 100), (sparsity, 1)):
        assert [len(bold(panel)), len(thin(panel))] == [6, 18]
        assert np.allclose(bold(panel)[0].get_ydata(), scale * np.array([0, 0.02, 0.04]))
        assert list(thin(panel)[2].get_ydata()) == pytest.approx([0, scale * 0.03, scale * 0.06])
    assert len({(line.get_color(), line.get_marker()) for line in bold(share)}) == 6
    assert len({text.get_text() for text in picture.legends[0].get_texts()}) == 6


def test_the_picture_is_made_of_its_csv_alone(lab):
    table, picture = drawn(lab, lambda values: values["measure"] == "sparsity")
    again = pd.read_csv(io.BytesIO(csv(table)), dtype={"parameter": "string"})
    assert saved(draw_figure(FIGURES["measures"].plot, again), "png") == saved(picture, "png")


def test_what_is_missing_is_said_and_not_averaged(lab):
    _, picture = drawn(
        lab,
        lambda v: (v["measure"] == "sparsity") | ((v["measure"] == "share") & (v["seed"] == 2)),
    )
    assert np.isnan(bold(picture.axes[0])[0].get_ydata()).all()
    assert len(thin(picture.axes[0])) == 18
    words = [text.get_text().replace("\n", " ") for text in picture.findobj(mpl.text.Text)]
    assert "not measured" in words
    assert any("INCOMPLETE: digits/pad/seed-2 lacks share" in text for text in words)


def test_of_many_parameters_some_are_drawn_and_the_picture_says_so(lab):
    table, _ = drawn(lab)
    part = table[table["parameter"] == "part_9"]
    many = pd.concat([part.assign(parameter=f"part_{number}") for number in range(20)])
    picture = draw_figure(FIGURES["measures"].plot, many)
    assert [panel.get_title(loc="left") for panel in picture.axes][-1] == "Digits, part_11"
    assert picture.get_suptitle() == (
        "Drawn are 12 parameters of a measure, and the table has all: parts has 20"
    )
