"""`evaluate` with several measures: which rows are there afterwards, what is done again, and what is taken over."""

import shutil
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from tests.evaluation.heard import Heard

import dreaming
from dreaming.errors import UserError
from dreaming.evaluation import measuring
from dreaming.evaluation.measures import NAMES, help_text
from dreaming.evaluation.measures.few_labels import FewLabels
from dreaming.evaluation.measures.knn import Knn
from dreaming.evaluation.measures.measure import Measure, Quantity, parameter, tabled
from dreaming.evaluation.measures.measure_table import rows_in_words
from dreaming.evaluation.measures.organisation import Organisation
from dreaming.evaluation.measures.projection import Projection
from dreaming.evaluation.measures.readout import Readout
from dreaming.evaluation.measures.realism import Realism
from dreaming.evaluation.measures.robustness import Robustness
from dreaming.evaluation.measuring import MEASURES, chosen_measures, evaluate
from dreaming.evaluation.readout import Protocol
from dreaming.evaluation.statistics.bench import BenchMeasure, draw_bench
from dreaming.evaluation.statistics.comparison import compare
from dreaming.runs.folder import PROJECTION_COLUMNS, RunFolder

TENTHS = [f"{tenth / 10:.1f}" for tenth in range(11)]
pytestmark = pytest.mark.usefixtures(
    "without_drawing", "without_plots", "shapes_unchecked", "small_classifier"
)


@pytest.fixture(scope="module")
def _cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _cache_of_the_test(_cache, monkeypatch):
    """One cache for all tests here: the classifier whose features realism takes is trained once."""
    monkeypatch.setenv("DREAMING_CACHE", str(_cache))


@pytest.fixture(scope="module")
def images(dataset_of):
    return dataset_of(train=64, test=30)


@pytest.fixture(scope="module")
def train(images, tmp_path_factory):
    """Trains a run of one channel, where principal components are quick to find, for two epochs."""

    def make(condition="pad", out=None, dataset=images, seed=4, channels=1, epochs=2):
        config = dreaming.configure(
            condition,
            networks={"base_channels": 2, "latent_dim": 8, "image_channels": channels},
            training={"batch_size": 32, "epochs": epochs, "device": "cpu", "precision": "float32"},
            seed=seed,
        )
        return dreaming.train(config, out=out or tmp_path_factory.mktemp("out"), dataset=dataset)

    return make


@pytest.fixture(scope="module")
def trained(train):
    return train()


@pytest.fixture
def run(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "digits/pad/seed-4"))


@pytest.fixture
def measured(monkeypatch):
    """What is measured, as it happens: the name of each measure and the epochs."""
    done = []
    for name, kind in MEASURES.items():
        whole = kind.measure

        def measure(self, snapshots, name=name, whole=whole):
            done.append((name, list(snapshots.epochs)))
            return whole(self, snapshots)

        monkeypatch.setattr(kind, "measure", measure)
    return done


def of(table, measure):
    return table[table["measure"] == measure]


def test_all_measures_give_all_their_rows_at_every_epoch(run, images):
    table = evaluate(run, measures="all", dataset=images)
    for epoch in (0, 1, 2):
        own = table[table["epoch"] == epoch]
        assert of(own, "readout_accuracy")["parameter"].tolist() == ["latent"]
        assert of(own, "readout_accuracy_occluded")["parameter"].tolist() == TENTHS
        for ratio in ("intra_inter_ratio", "clean_occluded_ratio"):
            assert of(own, ratio)["parameter"].tolist() == ["euclidean"]
        assert of(own, "knn_accuracy")["parameter"].tolist() == ["latent"]
        assert of(own, "few_label_accuracy")["parameter"].tolist() == ["1", "10", "100"]
        assert len(of(own, "few_label_draw")) == 15
    assert table["epoch"].isna().sum() == 2
    assert len(table) == 3 * (16 + 1 + 15 + 2 * 3) + 2
    np.testing.assert_array_equal(RunFolder(run).read_measures()["value"], table["value"])
    coordinates = RunFolder(run).read_projection()
    assert list(coordinates.columns) == [*PROJECTION_COLUMNS, "class", "explained"]
    # 3 test images of each of 4 classes
    assert coordinates.groupby("epoch").size().tolist() == [12 * 2 * 2] * 3
    for column, value in (
        ("dataset", "digits"),
        ("condition", "pad"),
        ("seed", 4),
        ("measure", "projection"),
    ):
        assert (coordinates[column] == value).all()


def test_only_what_an_epoch_lacks_is_measured(run, images, measured):
    evaluate(run, measures="readout", epochs="1", dataset=images)
    evaluate(run, measures=["organisation"], epochs="0", dataset=images)
    measured.clear()
    evaluate(run, measures="readout,organisation,projection", dataset=images)
    assert measured == [
        ("readout", [0]),
        ("projection", [0]),
        ("organisation", [1]),
        ("projection", [1]),
        ("readout", [2]),
        ("organisation", [2]),
        ("projection", [2]),
    ]
    measured.clear()
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    evaluate(run, measures="readout,organisation,projection", dataset=None)  # no images are needed either
    assert measured == []
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


def test_measures_alone_and_together_give_the_same_numbers(run, images, tmp_path):
    other = Path(shutil.copytree(run, tmp_path / "elsewhere"))
    together = evaluate(run, measures="all", dataset=images)
    for name in reversed(MEASURES):
        alone = evaluate(other, measures=name, dataset=images)
    pd.testing.assert_frame_equal(alone, together, check_dtype=False)
    found = [RunFolder(each).read_projection() for each in (run, other)]
    pd.testing.assert_frame_equal(*found)


def test_rows_of_other_options_stand_side_by_side(run, images, measured):
    settings = ["organisation.distance=squared", "robustness.tile_size=8", "projection.classes=[5]"]
    evaluate(run, measures="all", epochs="last", dataset=images)
    usual = RunFolder(run).read_measures()
    measured.clear()
    table = evaluate(run, measures="all", settings=settings, epochs="last", dataset=images)
    assert [name for name, _ in measured] == ["robustness", "organisation", "projection"]
    assert set(of(table, "intra_inter_ratio")["parameter"]) == {"euclidean", "squared"}
    assert "0.3;tile_size=8" in set(of(table, "readout_accuracy_occluded")["parameter"])
    key = ["epoch", "measure", "parameter"]
    kept = table.merge(usual[key], on=key)
    assert sorted(kept["value"].dropna()) == sorted(usual["value"].dropna())
    assert set(RunFolder(run).read_projection()["parameter"]) == {"pca", "pca;classes=5"}
    measured.clear()
    evaluate(run, measures="all", settings=settings, epochs="last")
    assert measured == []


def test_a_row_that_stands_there_is_not_written_over(run, images):
    table = evaluate(run, measures="robustness", epochs="last", dataset=images)
    altered = table[table["parameter"] != "0.5"].copy()
    altered["value"] = 0.125
    RunFolder(run).write_table(RunFolder(run).measures, altered)
    again = evaluate(run, measures="robustness", epochs="last", dataset=images)
    assert len(again) == 11
    assert set(again.loc[again["parameter"] != "0.5", "value"]) == {0.125}
    assert again.loc[again["parameter"] == "0.5", "value"].tolist() == (
        table.loc[table["parameter"] == "0.5", "value"].tolist()
    )


def test_each_value_is_told(run, images):
    heard = Heard()
    table = evaluate(run, measures="all", epochs="2", dataset=images, progress=heard)
    title = "digits/pad/seed-4: "
    curve = [
        f"{parameter} {100 * value:.2f} %"
        for parameter, value in zip(TENTHS, of(table, "readout_accuracy_occluded")["value"], strict=True)
    ]
    ratio = of(table, "intra_inter_ratio")["value"].item()
    assert f"{title}readout accuracy occluded, epoch 2: {', '.join(curve)}" in heard.lines
    assert f"{title}intra inter ratio of euclidean, epoch 2: {ratio:.4f}" in heard.lines
    assert f"{title}projection, epoch 2: 48 values" in heard.lines


@pytest.mark.parametrize(
    ("measures", "because"),
    [
        ("robustnes", "there is no measure 'robustnes'; did you mean 'robustness'"),
        ("readout,qqqq", "there is no measure 'qqqq'; there are: readout, robustness"),
        ("", "there is no measure ''"),
        (["al"], "there is no measure 'al'; did you mean 'all'"),
    ],
)
def test_an_unknown_measure_is_refused_with_the_nearest(measures, because, run):
    with pytest.raises(UserError, match=because):
        evaluate(run, measures=measures)


@pytest.mark.parametrize(
    ("setting", "because"),
    [
        ("organisation.distanc=squared", "'organisation' has no 'distanc'; did you mean 'distance'"),
        ("robustness.tile_size=4", "the list of --measures has no 'robustness'; there are: readout, organis"),
        ("organisation.distance=cosine", "--set: organisation.distance is 'cosine'"),
        ("organisation.occlusion=1.5", r"--set: organisation.occlusion is 1\.5"),
        ("readout.protocol.epochs=many", "--set: readout.protocol.epochs is 'many'"),
        ("readout.protocol=3", "readout.protocol: this is a group; name one of learning_rate"),
        ("organisation", "PATH=VALUE"),
    ],
)
def test_an_option_that_cannot_be_is_refused(setting, because):
    with pytest.raises(UserError, match=because):
        chosen_measures("readout,organisation", [setting])


def test_measures_are_chosen_by_name_with_options_or_as_they_are():
    every = [Readout(), Robustness(), Organisation(), Projection(), Realism(), Knn(), FewLabels()]
    assert chosen_measures("all") == every
    assert chosen_measures("projection,all,projection")[0] == Projection()
    assert len(chosen_measures("projection,all,projection")) == 7
    assert chosen_measures("readout", ["readout.protocol.learning_rate=0.02"]) == [
        Readout(protocol=Protocol(learning_rate=0.02))
    ]
    settings = ["robustness.probabilities=[0.25, 1]", "projection.classes=[1, 2]"]
    assert chosen_measures(["robustness", Organisation(pairs="all"), "projection"], settings) == [
        Robustness(probabilities=(0.25, 1.0)),
        Organisation(pairs="all"),
        Projection(classes=(1, 2)),
    ]


class Norm(Measure):
    """The mean norm of latents, by the power of the norm: what a measure of somebody else's takes."""

    quantities: ClassVar = {"latent_norm": Quantity("norm of latents, of 100 %", "%")}
    power: int = 2

    def keys(self):
        return frozenset({("latent_norm", parameter("mean", self, ["power"]))})

    def measure(self, snapshots):
        ((name, label),) = self.keys()
        norms = snapshots.test.norm(p=self.power, dim=2).mean(dim=1).tolist()
        return tabled((e, name, label, n) for e, n in zip(snapshots.epochs, norms, strict=True))


def test_a_measure_of_the_users_own_is_told_and_compared_as_a_built_in_one(run, images, tmp_path):
    heard = Heard()
    measures = ["readout", Norm(), Norm(power=1)]
    table = evaluate(run, measures=measures, epochs="0,2", dataset=images, progress=heard)
    own = of(table, "latent_norm").set_index(["parameter", "epoch"])["value"]
    assert set(own.index) == {(label, epoch) for label in ("mean", "mean;power=1") for epoch in (0, 2)}
    assert (
        f"digits/pad/seed-4: latent norm of mean;power=1, epoch 2: {100 * own['mean;power=1', 2]:.2f} %"
        in heard.lines
    )
    found = compare([run], tmp_path / "labelled", measures=[Norm])
    assert list(found.measures) == ["readout_accuracy", "latent_norm"]
    norm = found.measures["latent_norm"]
    assert norm.caption == "norm of latents, of 100 % in %, mean ± SEM over seeds"
    assert [(row["parameter"], row["mean"]) for row in norm.in_words()] == [
        (label, f"{100 * own[label, 2]:.2f}") for label in ("mean", "mean;power=1")
    ]
    (panel,) = draw_bench([BenchMeasure(norm.quantity, norm.values)], {}, {}).axes
    assert [tick.get_text() for tick in panel.get_xticklabels()] == ["mean", "mean;power=1"]
    assert panel.get_ylabel() == "norm of latents, of 100 % (%)"
    # Without the class, values are numbers under their name.
    plain = compare([run], tmp_path / "plain").measures["latent_norm"]
    assert plain.caption == "latent norm, mean ± SEM over seeds"
    assert plain.in_words()[0]["mean"] == f"{own['mean', 2]:.4f}"
    pd.testing.assert_frame_equal(plain.table, norm.table)


def test_another_measure_is_a_class_and_a_line_in_the_registry(monkeypatch):
    monkeypatch.setitem(MEASURES, "norm", Norm)
    assert Norm() in chosen_measures("all")
    assert chosen_measures("norm", ["norm.power=1"]) == [Norm(power=1)]


def test_every_measure_has_a_file_of_its_name_a_line_of_help_and_shown_quantities():
    lines = dict(line.split(": ", 1) for line in help_text().splitlines())
    assert list(lines) == list(NAMES) == list(MEASURES)
    for name, measure in MEASURES.items():
        assert measure.__module__ == f"dreaming.evaluation.measures.{name}"
        assert {quantity for quantity, _ in sorted(measure().keys())} == set(measure.quantities)


def test_many_snapshots_are_measured_in_portions(run, images, measured, monkeypatch):
    monkeypatch.setattr(measuring, "TOGETHER", 2)
    evaluate(run, measures="organisation", dataset=images)
    assert measured == [("organisation", [0, 1]), ("organisation", [2])]


def test_of_many_values_only_the_number_is_said():
    rows = [(1, "projection", "pca", 0.5)] * 21
    assert rows_in_words(tabled(rows), Projection()) == ["projection, epoch 1: 21 values"]
