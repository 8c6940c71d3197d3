"""A run opened in a notebook: each word gives what the library's calls give."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import dreaming
from dreaming.errors import UserError
from dreaming.runs.dream_pictures import dream_picture

pytestmark = pytest.mark.usefixtures("shapes_unchecked")


@pytest.fixture(scope="module")
def images(dataset_of):
    return dataset_of(train=40, test=24)


@pytest.fixture(scope="module")
def path(images, tiny_config, tmp_path_factory):
    config = tiny_config(training={"snapshots": "all"})
    return dreaming.train(config, out=tmp_path_factory.mktemp("opened"), dataset=images)


@pytest.fixture
def run(path, images):
    return dreaming.open(str(path), dataset=images)


def test_its_losses_epochs_and_config_are_the_folder_s(run, path):
    assert run.epochs == [0, 1, 2]
    assert run.losses["epoch"].tolist() == [1, 2]
    assert run.config.condition == "pad"
    assert (run.path, run.cortex(0).latent_dim) == (path, 8)


def test_latents_and_labels_are_what_scikit_learn_takes(run, path, images):
    latents = run.latents("test")
    assert np.array_equal(latents, dreaming.latents(path, dataset=images)["latents"])
    fitted = LogisticRegression(max_iter=500).fit(run.latents("train"), run.labels("train"))
    assert 0 <= fitted.score(latents, run.labels("test")) <= 1
    assert np.array_equal(run.latents(images=images.test.images.numpy()), latents)
    assert not np.array_equal(run.latents("test", epoch=0), latents)


def test_dreams_and_reconstructions_are_pictures_with_their_pixels(run, path, images):
    dreams = run.dreams("rem", 3)
    assert dreams.content == dream_picture(path, phase="rem", count=3, dataset=images).content
    assert dreams.images["REM dream"].shape == (3, 32, 32, 3)
    made = run.reconstruct(images.test.images[:10])
    assert made.images["reconstructed"].shape == (10, 32, 32, 3)
    assert run.reconstruct(count=2).images["seen"].shape == (2, 32, 32, 3)
    assert "image/png" in dreams._repr_html_()
    assert "REM dream" in repr(dreams)


def test_it_shows_itself_before_and_after_it_is_measured(run, path):
    before = run._repr_html_()
    assert "pad on digits, seed 0, trained for 2 of 2 epochs" in before
    assert "Nothing is measured yet" in before
    assert "data:image/png;base64," in before
    assert run.measures.empty
    run.evaluate("knn", epochs="last")
    assert isinstance(run.measures, pd.DataFrame)
    assert "nearest neighbours" in run._repr_html_()
    (path / "measures.csv").unlink()


def test_it_shows_itself_where_no_weights_are_kept_yet(tiny_config, images, tmp_path):
    run = dreaming.train(tiny_config(training={"epochs": 0}), out=tmp_path, dataset=images)
    for file in (*run.glob("snapshots/*"), *run.glob("dreams/*")):
        file.unlink()
    assert "not trained yet" in dreaming.open(run)._repr_html_()


def test_what_cannot_be_opened_ends_in_a_sentence(tmp_path, path, images):
    with pytest.raises(UserError, match="there is no run folder"):
        dreaming.open(tmp_path / "none")
    with pytest.raises(UserError, match="has no phase 'dream'"):
        dreaming.open(path, dataset=images).dreams("dream")


def test_a_name_that_dreaming_data_lacks_ends_in_the_one_that_it_has():
    with pytest.raises(AttributeError, match="has no 'load'; did you mean 'load_dataset'"):
        dreaming.data.load("cifar10", "path")  # as in a cell


def test_of_images_of_ones_own_the_bench_draws_the_chance_that_was_recorded(images, tiny_config, tmp_path):
    split = [(part.images.numpy(), part.labels.numpy() % 2) for part in (images.train, images.test)]
    mine = dreaming.Dataset.of_arrays("mine", *split)
    run = dreaming.train(tiny_config(training={"epochs": 1}), out=tmp_path, dataset=mine)
    dreaming.evaluate(run, measures="knn", dataset=mine, epochs="last")
    dreaming.compare(run, tmp_path / "comparison")
    assert ">chance<" in (tmp_path / "comparison/comparison.svg").read_text()
