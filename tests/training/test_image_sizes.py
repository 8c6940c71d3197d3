"""Training at every image size: trained, gone on with, measured, dreamt of, alone and side by side."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

import dreaming
from dreaming.config.description import describe
from dreaming.data import load_dataset
from dreaming.errors import UserError
from dreaming.evaluation.features.classifier import Classifier, ClassifierProtocol
from dreaming.evaluation.features.controls import pca
from dreaming.evaluation.measuring import evaluate
from dreaming.model.occlusion import Occlusion
from dreaming.rng import Random
from dreaming.runs.dream_pictures import dream_picture
from dreaming.runs.folder import RunFolder
from dreaming.runs.sheets import SCALE
from dreaming.training.population import train_together

SIZES = [16, 64, 128]
pytestmark = pytest.mark.usefixtures("shapes_unchecked")


@pytest.fixture
def config_of(tiny_config):
    def make(size, **training):
        return tiny_config(
            networks={"image_channels": 1, "image_size": size},
            dataset={"limit": 64},
            training={"epochs": 1, "batch_size": 64, **training},
        )

    return make


@pytest.mark.parametrize("size", SIZES)
def test_a_run_is_trained_gone_on_with_measured_and_dreamt_of(size, config_of, tmp_path):
    run = dreaming.train(config_of(size), out=tmp_path)
    dreaming.train(config_of(size, epochs=2), out=tmp_path)
    assert RunFolder(run).read_losses()["epoch"].tolist() == [1, 2]
    table = evaluate(run, measures="robustness,organisation,projection", epochs="last")
    assert table["value"].notna().all()
    picture = dream_picture(run, count=4)
    assert {row.shape for row in picture.images.values()} == {(4, size, size, 3)}
    with Image.open(io.BytesIO(picture.content)) as sheet:
        assert sheet.height > 4 * size * SCALE


def test_sheets_of_an_epoch_show_images_of_their_size(config_of, tmp_path):
    run = dreaming.train(config_of(16, epochs=0), out=tmp_path)
    with Image.open(run / "dreams/0000.png") as sheet:
        assert 5 * 16 * SCALE < sheet.height < 5 * 32 * SCALE


@pytest.mark.parametrize("size", SIZES)
def test_the_captured_path_is_the_plain_one_and_side_by_side_is_alone_but_for_rounding(
    size, config_of, tmp_path, monkeypatch
):
    monkeypatch.setattr("dreaming.training.run.sheet", lambda *_: b"no picture")
    plain, captured = config_of(size), config_of(size, path="captured")
    both = [plain, plain.model_copy(update={"seed": 1})]
    runs = [
        dreaming.train(plain, out=tmp_path / "plain"),
        dreaming.train(captured, out=tmp_path / "captured"),
        train_together(both, out=tmp_path / "together")[0],
    ]
    alone, program, beside = (RunFolder(run).read_losses().drop(columns="seconds") for run in runs)
    assert program.equals(alone)
    # The latents of networks as narrow as these are small, and so is what of them is lost and found.
    np.testing.assert_allclose(*(each.to_numpy(float) for each in (beside, alone)), rtol=1e-2, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_measured_beside_latents_takes_images_of_the_size(size):
    images = load_dataset("digits", limit=12, image_size=size)
    name, *features = pca(images.train.images, images.test.images, 1, 0)
    assert (name, {each.shape for each in features}) == ("pca-11", {(12, 11)})
    classifier = Classifier(10, ClassifierProtocol(channels=2, features=4)).eval()
    assert classifier.features(images.train.images).shape == (12, 4)


@pytest.mark.parametrize("size", SIZES)
def test_masks_are_of_the_images_size_with_tiles_in_pixels(size):
    mask = Occlusion(probability=(0.5, 0.5), tile_size=(8, 8)).draw(Random(0), 4, size)
    assert mask.shape == (1, 1, size, size)
    tiles = mask[0, 0].unfold(0, 8, 8).unfold(1, 8, 8).flatten(2)
    assert torch.equal(tiles.amin(2), tiles.amax(2))
    assert 0 < mask.mean() < 1


def test_a_description_counts_the_work_of_larger_images(config_of):
    small, large = (sum(describe(config_of(size)).multiply_accumulates.values()) for size in (32, 64))
    assert large > 3 * small


def test_images_that_are_given_in_another_size_are_refused_before_training_with_both_ways_out(
    config_of, tmp_path
):
    of_64, of_28 = (load_dataset("digits", limit=20).resized(size) for size in (64, 28))
    with pytest.raises(
        UserError, match=r"64 x 64 pixels, and the networks see 32 x 32; set networks.image_size to 64, or"
    ):
        dreaming.train(config_of(32), out=tmp_path, dataset=of_64)
    with pytest.raises(
        UserError, match=r"networks see 16 x 16; bring the images to that with dataset.resized\(16\)"
    ):
        dreaming.train(config_of(16), out=tmp_path, dataset=of_28)
    assert not any(tmp_path.iterdir())


def test_a_run_of_one_size_does_not_go_on_with_another(config_of, tmp_path):
    dreaming.train(config_of(16), out=tmp_path)
    with pytest.raises(UserError, match=r"networks.image_size is 16 and this command says 32"):
        dreaming.train(config_of(32), out=tmp_path)


class OfThePapersSize(dreaming.REM):
    """A phase that draws for images of 32 x 32 pixels."""

    def draw(self, random, batch_size, latent_dim):
        return super().draw(random, batch_size, latent_dim)


class OfNoSize(Occlusion):
    """An occlusion that takes no size."""

    def draw(self, random, batch_size):
        return super().draw(random, batch_size)


def test_a_phase_and_an_occlusion_that_draw_for_another_size_are_refused_when_they_are_configured():
    assert dreaming.configure(phases=OfThePapersSize())
    with pytest.raises(
        UserError,
        match=r"draw of OfThePapersSize takes no image size, and images have 64 x 64 pixels; write draw\(self, "
        r"random, batch_size, latent_dim, image_size\)",
    ):
        dreaming.configure(phases=OfThePapersSize(), networks={"image_size": 64})
    with pytest.raises(
        UserError, match=r"OfNoSize .* 32 x 32 pixels; write .*random, batch_size, image_size\)"
    ):
        dreaming.configure(phases=(dreaming.Wake(), dreaming.NREM(occlusion=OfNoSize())))
