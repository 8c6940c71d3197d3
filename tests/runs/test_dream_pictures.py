"""Pictures of dreams: each row is what its label says."""

from typing import ClassVar

import numpy as np
import pytest
import torch

import dreaming
from dreaming.errors import UserError
from dreaming.model.occlusion import Occlusion
from dreaming.rng import Random
from dreaming.runs.dream_pictures import dream_picture
from dreaming.runs.sheets import masks_with_something_left

pytestmark = pytest.mark.usefixtures("shapes_unchecked")


class Lucid(dreaming.Phase):
    """It dreams of memories, twice as strong."""

    plasticity: ClassVar = dreaming.Plasticity(encoder=+1, generator=0)

    def objective(self, cortex, images, hippocampus, draws):
        loss = cortex.externality(cortex.generator(2 * hippocampus.today)).mean()
        return dreaming.Outcome(loss, {"loss": loss})


class Still(dreaming.Phase):
    """It generates nothing."""

    plasticity: ClassVar = dreaming.Plasticity(encoder=+1, generator=0)

    def objective(self, cortex, images, hippocampus, draws):
        loss = cortex.latents(images).square().mean()
        return dreaming.Outcome(loss, {"loss": loss})


class Picky(Still):
    """It takes no three images."""

    def objective(self, cortex, images, hippocampus, draws):
        if len(images) == 3:
            raise ValueError("three images")
        return super().objective(cortex, images, hippocampus, draws)


@pytest.fixture(scope="module")
def images(dataset_of):
    return dataset_of(train=24, test=20)


@pytest.fixture(scope="module")
def run(images, tiny_config, tmp_path_factory):
    return dreaming.train(tiny_config(), out=tmp_path_factory.mktemp("pad"), dataset=images)


@pytest.fixture(scope="module")
def own_run(images, tiny_config, tmp_path_factory):
    config = tiny_config("without_rem", phases=(dreaming.Wake(), Lucid(), Still(), Picky()), name="own")
    return dreaming.train(config, out=tmp_path_factory.mktemp("own"), dataset=images)


def pixels(images):
    return images.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()


def test_a_sheet_shows_memories_dreams_the_nearest_image_seen_and_what_d_makes_of_them(run, images):
    found = dream_picture(run, count=4, dataset=images)
    assert list(found.images) == [
        *("seen yesterday", "seen today"),
        *("NREM dream", "nearest seen to NREM dream", "REM dream", "nearest seen to REM dream"),
    ]
    cortex = dreaming.load(run)
    seen = torch.from_numpy(found.images["seen today"]).permute(0, 3, 1, 2)
    layers = cortex.activity(seen)
    assert found.externality["seen today"] == pytest.approx(layers["externality"].detach().numpy(), abs=1e-6)
    assert np.array_equal(found.images["NREM dream"], pixels(cortex.generate(layers["latent"].detach())))
    trained, dreamt = pixels(images.train.images).astype(float), found.images["REM dream"].astype(float)
    nearest = [trained[((trained - each) ** 2).sum((1, 2, 3)).argmin()] for each in dreamt]
    assert np.array_equal(found.images["nearest seen to REM dream"], nearest)


def test_it_is_one_phase_that_is_asked_for(run, images):
    found = dream_picture(run, phase="rem", count=4, dataset=images)
    assert "NREM dream" not in found.images
    every = dream_picture(run, count=4, dataset=images)
    assert np.array_equal(found.images["REM dream"], every.images["REM dream"])


def test_phases_of_ones_own_have_their_row_and_those_that_generate_nothing_say_so(own_run, images):
    found = dream_picture(own_run, count=4, dataset=images)
    cortex = dreaming.load(own_run)
    seen = torch.from_numpy(found.images["seen today"]).permute(0, 3, 1, 2)
    assert np.array_equal(found.images["lucid dream"], pixels(cortex.generate(2 * cortex.infer(seen))))
    assert "phase 'still' generates nothing, so it has no dreams" in found.notes
    assert "REM dream (not in this cycle)" in found.images
    assert any("has no REM in its cycle" in note for note in found.notes)


def test_where_a_phase_of_ones_own_fails_is_said_in_one_sentence(own_run, images):
    with pytest.raises(UserError, match=r"picky fails with ValueError: three images \(Picky\.py, line"):
        dream_picture(own_run, count=3, dataset=images)


def test_between_two_memories_the_ends_are_their_reconstructions(run, images):
    found = dream_picture(run, "interpolation", count=2, dataset=images)
    cortex = dreaming.load(run)
    for row in found.images.values():
        ends = torch.from_numpy(row[[0, -1]]).permute(0, 3, 1, 2)
        assert np.array_equal(row[[1, -2]], pixels(cortex.generate(cortex.infer(ends))))


def test_neighbours_come_in_order_and_are_images_of_the_training(run, images):
    found = dream_picture(run, "neighbours", count=2, dataset=images)
    trained = {each.tobytes() for each in pixels(images.train.images)}
    for dream, *near in found.images.values():
        assert {each.tobytes() for each in near} <= trained
        far = [((each.astype(float) - dream) ** 2).sum() for each in near]
        assert far == sorted(far)


def test_classes_have_a_row_each_by_name_of_which_the_first_is_generated_of_the_mean(run, images):
    found = dream_picture(run, "classes", count=2, dataset=images)
    cortex, test = dreaming.load(run), images.test
    there = sorted(set(test.labels.tolist()))
    assert list(found.images) == [f"class {images.classes[label]}" for label in there]
    mean = cortex.infer(test.images[test.labels == there[0]]).mean(0, keepdim=True)
    assert (
        np.abs(next(iter(found.images.values()))[0] - pixels(cortex.generate(mean))[0].astype(int)).max() <= 1
    )


def test_reconstructions_are_what_the_cortex_generates_of_what_it_infers(run, images):
    found = dream_picture(run, "reconstruction", of=images.test.images[:3], dataset=images)
    cortex = dreaming.load(run)
    made = pixels(cortex.generate(cortex.infer(images.test.images[:3])))
    assert np.array_equal(found.images["reconstructed"], made)


def test_a_film_goes_over_the_epochs_that_are_kept(run, images, tmp_path):
    film = dream_picture(run, "film", count=2, dataset=images)
    assert film.suffix == ".gif"
    assert "data:image/gif" in film._repr_html_()
    with pytest.raises(UserError, match=r"ends in \.gif"):
        film.save(tmp_path / "film.png")
    assert film.save(tmp_path / "film.gif").read_bytes() == film.content


def test_a_film_takes_two_epochs(images, tiny_config, tmp_path):
    run = dreaming.train(tiny_config(training={"epochs": 0}), out=tmp_path, dataset=images)
    with pytest.raises(UserError, match="here 0; train with --snapshots all"):
        dream_picture(run, "film", dataset=images)


def test_images_without_classes_have_no_picture_of_classes(tiny_config, tmp_path):
    arrays = np.random.default_rng(0).integers(0, 256, (24, 32, 32), dtype=np.uint8)
    plain = dreaming.Dataset.of_arrays("plain", arrays, arrays)
    run = dreaming.train(tiny_config(training={"epochs": 0}), out=tmp_path, dataset=plain)
    with pytest.raises(UserError, match="plain have no classes"):
        dream_picture(run, "classes", dataset=plain, count=2)


def test_no_occluded_tile_of_a_sheet_is_wholly_grey():
    strong = Occlusion(probability=(0.0, 1.0), tile_size=(16, 16))
    every = strong.model_copy(update={"mask_per_image": True}).draw(Random(0), 64)
    assert not every.flatten(1).any(1).all()
    left = masks_with_something_left(strong, Random(0), 64, 32)
    assert left.shape == (64, 1, 32, 32)
    assert left.flatten(1).any(1).all()
