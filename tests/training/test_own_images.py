"""Images of a user's own: recorded under their own name, measured as far as there are labels, never mixed up."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from tests.evaluation.heard import Heard

import dreaming
from dreaming.data import load_dataset
from dreaming.errors import UserError
from dreaming.evaluation.measuring import MEASURES, evaluate
from dreaming.runs.dream_pictures import dream_picture
from dreaming.runs.folder import RunFolder
from dreaming.training.population import train_together


def of_noise(name="mine", labelled=True, side=32, seed=0):
    """80 train and 20 test images of one channel."""
    random = np.random.default_rng(seed)
    parts = []
    for n in (80, 20):
        images = random.integers(0, 256, (n, side, side), dtype=np.uint8)
        parts.append((images, np.arange(n) % 4) if labelled else images)
    return dreaming.Dataset.of_arrays(name, *parts)


@pytest.fixture(scope="module")
def config(tiny_config):
    return tiny_config(networks={"image_channels": 1}, training={"epochs": 1})


@pytest.fixture(scope="module")
def trained(config, without_drawing, tmp_path_factory):
    return dreaming.train(config, out=tmp_path_factory.mktemp("trained"), dataset=of_noise())


@pytest.fixture(scope="module")
def trained_without_labels(config, without_drawing, tmp_path_factory):
    return dreaming.train(
        config, out=tmp_path_factory.mktemp("plain"), dataset=of_noise("plain", labelled=False)
    )


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "mine/pad/seed-0")


def test_a_run_is_recorded_under_the_name_of_its_images_everywhere(run):
    assert RunFolder(run).read_config().dataset.name == "mine"
    seen = RunFolder(run).read_environment()["sessions"][0]["dataset"]
    assert (seen["name"], seen["fingerprint"]) == ("mine", of_noise().fingerprint)
    table = evaluate(run, dataset=of_noise())
    assert set(table["dataset"]) == {"mine"}
    assert set(pd.read_csv(run / "measures.csv")["dataset"]) == {"mine"}


@pytest.mark.parametrize("train", [dreaming.train_all, train_together])
def test_so_are_several_runs_side_by_side(train, config, tmp_path, without_drawing):
    configs = [config.model_copy(update={"seed": seed}) for seed in (0, 1)]
    runs = train(configs, out=tmp_path, dataset=of_noise())
    assert [run.relative_to(tmp_path).as_posix() for run in runs] == ["mine/pad/seed-0", "mine/pad/seed-1"]
    assert {RunFolder(run).read_config().dataset.name for run in runs} == {"mine"}


def test_it_goes_on_from_one_epoch_to_the_next_and_not_with_other_images(run, config, without_drawing):
    out, longer = run.parents[2], config.but(["training.epochs=2"])
    before = (run / "losses.csv").read_text()
    with pytest.raises(UserError, match="trained on other images than mine has now; use another --out"):
        dreaming.train(longer, out=out, dataset=of_noise(seed=1))
    assert (run / "losses.csv").read_text() == before
    dreaming.train(longer, out=out, dataset=of_noise())
    assert len(RunFolder(run).read_losses()) == 2


@pytest.mark.parametrize("name", ["digits", "folder:cats", "../mine"])
def test_a_name_that_is_not_theirs_is_refused_before_anything_is_written(name, run, config, tmp_path):
    mine = of_noise()
    images = dreaming.Dataset(name, mine.train, mine.test, mine.classes)
    with pytest.raises(
        UserError, match=f"images that are given cannot be called '{name}'.*Dataset.of_arrays"
    ):
        dreaming.train(config, out=tmp_path / "out", dataset=images)
    with pytest.raises(UserError, match="under a name of their own"):
        evaluate(run, dataset=images)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("made", [lambda x: x, lambda x: x.limited(72), lambda x: x.resized(32).to("cpu")])
def test_images_with_a_name_and_a_limit_are_found_again_by_the_config_alone(
    made, config, tmp_path, without_drawing
):
    images = made(load_dataset("digits", limit=80))
    run = dreaming.train(config, out=tmp_path, dataset=images)
    about = RunFolder(run).read_config().dataset
    assert (about.name, about.limit) == ("digits", len(images.train))
    assert set(evaluate(run)["dataset"]) == {"digits"}
    smaller = config.but(["dataset.limit=32"])
    run = dreaming.train(smaller, out=tmp_path / "smaller", dataset=images)
    assert RunFolder(run).read_config().dataset.limit == 32


def test_images_changed_in_place_are_others(config, tmp_path, without_drawing):
    images = of_noise()
    run = dreaming.train(config, out=tmp_path, dataset=images)
    images.train.images.bitwise_not_()
    for use in (
        lambda: dreaming.train(config.but(["training.epochs=2"]), out=tmp_path, dataset=images),
        lambda: evaluate(run, dataset=images),
    ):
        with pytest.raises(UserError, match="trained on other images than mine has now"):
            use()


def test_a_config_that_names_other_images_is_refused_before_anything_is_written(tiny_config, tmp_path):
    for train in (dreaming.train, lambda config, **more: dreaming.train_all([config], **more)):
        with pytest.raises(
            UserError, match=r"names the data set cifar10, and the images given are mine; leave"
        ):
            train(tiny_config(dataset={"name": "cifar10"}), out=tmp_path, dataset=of_noise())
    assert not any(tmp_path.iterdir())
    named = tiny_config(dataset={"name": "mine"}, networks={"image_channels": 1}, training={"epochs": 0})
    assert dreaming.train(named, out=tmp_path, dataset=of_noise()).parts[-3] == "mine"


def test_the_limit_of_the_config_holds_for_images_that_are_given(config, tmp_path, without_drawing):
    run = dreaming.train(config.but(["dataset.limit=64"]), out=tmp_path, dataset=of_noise())
    assert RunFolder(run).read_losses()["cycles"].tolist() == [8]
    seen = RunFolder(run).read_environment()["sessions"][0]["dataset"]
    assert seen["fingerprint"] == of_noise().limited(64).fingerprint
    assert set(evaluate(run, dataset=of_noise())["dataset"]) == {"mine"}  # limited again


def test_dreams_are_of_the_images_that_are_given(run):
    assert dream_picture(run, count=4, dataset=of_noise()).images
    for use in (evaluate, dream_picture):
        with pytest.raises(UserError, match="trained on other images than mine has now"):
            use(run, dataset=of_noise(seed=1))


class TestWithoutLabels:
    @pytest.fixture
    def images(self):
        return of_noise("plain", labelled=False)

    @pytest.fixture
    def run(self, trained_without_labels, tmp_path):
        return shutil.copytree(trained_without_labels, tmp_path / "plain/pad/seed-0")

    def test_the_weights_are_those_that_labels_would_have_left(self, run, config, tmp_path, without_drawing):
        other = dreaming.train(config, out=tmp_path, dataset=of_noise("labelled"))
        one, two = (dreaming.load(each).state_dict() for each in (run, other))
        assert all(torch.equal(one[name], two[name]) for name in one)

    @pytest.mark.parametrize("measure", ["readout", "robustness", "organisation", "realism"])
    def test_a_measure_that_needs_them_is_refused_in_a_sentence(self, measure, run, images):
        with pytest.raises(UserError, match=f"images of plain have no labels, which {measure} would need"):
            evaluate(run, measures=measure, dataset=images)
        assert not (run / "measures.csv").exists()

    def test_the_others_are_measured_and_what_is_left_out_is_said(self, run, images):
        heard = Heard()
        evaluate(run, measures="all", dataset=images, progress=heard)
        table = RunFolder(run).read_projection()
        assert set(table["image"]) == set(range(20))
        assert set(table["label"]) == {-1}
        (line,) = [line for line in heard.lines if "no labels" in line]
        needing = [name for name, kind in MEASURES.items() if kind().needs_labels]
        assert {"readout", "few_labels"} < set(needing)
        assert f"which {' and '.join(needing)} would need: not measured" in line
        assert not (run / "measures.csv").exists()
