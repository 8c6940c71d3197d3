"""House numbers drawn from the digits: the same each time, writers apart, and hard for pixels alone."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from dreaming.data import check, dataset_info, load_dataset, names
from dreaming.data.readers import house_digits
from dreaming.data.readers.house_digits import (
    BLOCK,
    FIRST_TEST_DIGIT,
    RANGES,
    Scene,
    colour,
    digits_side_by_side,
    draw_block,
    handwriting,
    ink,
    read_house_digits,
)
from dreaming.errors import UserError
from dreaming.evaluation.features.controls import pixel_features
from dreaming.evaluation.readout import accuracy, train_readout

LIGHTNESS = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def drawn():
    return read_house_digits(1000, 300)


def drawn_numbers(split="train", block=0):
    """The digits chosen for one block, and where there is paint on its images."""
    writing, scene = handwriting(split), Scene(split, block)
    targets = np.argsort(scene.between("class").reshape(-1, 10), axis=1).ravel()
    chosen = digits_side_by_side(writing, targets, scene)
    return writing, targets, chosen, ink(writing, chosen, scene)


def test_an_image_depends_on_its_split_and_its_index_alone(drawn):
    torch.rand(3, generator=torch.Generator().manual_seed(1))
    handwriting.cache_clear()
    few = read_house_digits(130, 30)
    for name, n in (("train", 130), ("test", 30)):
        few_split, split = getattr(few, name), getattr(drawn, name)
        assert len(few_split) == n
        assert torch.equal(few_split.images, split.images[:n])
        assert torch.equal(few_split.labels, split.labels[:n])
    # Blocks and splits are drawn from streams of their own.
    blocks = [drawn.train.images[:100], drawn.train.images[100:200], drawn.test.images[:100]]
    flat = torch.stack(blocks).flatten(1).double()
    assert (torch.corrcoef(flat) - torch.eye(3)).abs().max() < 0.5


def test_house_digits_are_the_same_bytes_everywhere():
    wanted = "dbcb61ca7a706e9ae87a3b6c25dee60fc7b96d711f3832e9af84673f61072821"
    assert load_dataset("house_digits", limit=200).fingerprint == wanted


def test_as_many_are_drawn_as_are_asked_for(monkeypatch):
    assert (dataset_info("house_digits").n_train, dataset_info("house_digits").n_test) == (8000, 2000)
    monkeypatch.setattr(house_digits, "N_TRAIN", 20)
    monkeypatch.setattr(house_digits, "N_TEST", 10)
    usual, more, fewer = (load_dataset("house_digits", limit=limit) for limit in (None, 50, 12))
    assert [len(data.train) for data in (usual, more, fewer)] == [20, 50, 12]
    assert [len(data.test) for data in (usual, more, fewer)] == [10, 50, 12]
    for data in (more, fewer):
        n = min(len(data.train), 20)
        assert torch.equal(data.train.images[:n], usual.train.images[:n])
    assert len({data.fingerprint for data in (usual, more, fewer)}) == 3
    assert (usual.source, usual.official, usual.classes) == ({}, True, tuple("0123456789"))


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        (0, "at least 1"),
        (-5, "at least 1"),
        (9, "--limit 10 is"),
        (1_000_001, "at most 1,000,000 .*lower --limit"),
    ],
)
def test_a_limit_that_cannot_be_is_refused(limit, sentence):
    with pytest.raises(UserError, match=sentence):
        load_dataset("house_digits", limit=limit)


def test_it_is_known_wherever_digits_are(tmp_path):
    assert names()[:2] == ("digits", "house_digits")
    assert check("house_digits", tmp_path) == []
    assert dataset_info("house_digits").size == 0
    with pytest.raises(UserError, match="did you mean 'house_digits'"):
        load_dataset("house_digit")


def test_writers_of_training_and_test_images_are_kept_apart():
    small, labels = load_digits(return_X_y=True)
    forms = [i for i in range(len(labels) - 130) if np.array_equal(labels[i : i + 130], labels[:130])]
    assert FIRST_TEST_DIGIT in forms, "the border lies where a form begins"
    assert forms[0] == 0
    assert 14 * 130 - len(labels) == 23
    train, test = handwriting("train"), handwriting("test")
    assert (len(train.labels), len(test.labels)) == (1415, 382)
    assert np.array_equal(np.concatenate([train.labels, test.labels]), labels)
    # The pictures are those digits, in that order: in the middle of a cell, a spline has the cell's ink.
    for split, part in ((train, small[:1415]), (test, small[1415:])):
        cells = split.pictures[:-1, 4:-4, 4:-4].reshape(-1, 8, 4, 8, 4)[:, :, 1:3, :, 1:3].mean(axis=(2, 4))
        np.testing.assert_allclose(cells.reshape(-1, 64), part / 16, atol=0.07)
        assert not split.pictures[-1].any()
    seen = [{picture.tobytes() for picture in split.pictures[:-1]} for split in (train, test)]
    assert not seen[0] & seen[1], "no digit is in both splits"


def test_the_digit_in_the_middle_is_the_label_and_any_digit_may_stand_beside_it():
    used = set()
    for block in range(30):
        writing, scene = handwriting("test"), Scene("test", block)
        targets = np.argsort(scene.between("class").reshape(-1, 10), axis=1).ravel()
        chosen = digits_side_by_side(writing, targets, scene)
        assert np.array_equal(writing.labels[chosen[:, 1]], targets)
        assert chosen.min() >= 0
        assert chosen.max() <= len(writing.labels)
        used |= set(chosen[:, 1].tolist())
        beside = chosen[:, [0, 2]]
        assert 0.5 < (beside < len(writing.labels)).mean() < 0.9
    assert used == set(range(382)), "every digit of the split comes up"


def test_classes_are_balanced_from_ten_images_on(drawn):
    for split in (drawn.train, drawn.test):
        tens = split.labels.view(-1, 10).sort(dim=1).values
        assert torch.equal(tens, torch.arange(10).expand_as(tens))
    assert not torch.equal(drawn.train.labels[:100], drawn.test.labels[:100])
    assert len({tuple(ten.tolist()) for ten in drawn.train.labels.view(-1, 10)}) > 90


def test_images_are_bytes_in_colour_of_every_lightness(drawn):
    for split in (drawn.train, drawn.test):
        assert split.images.dtype == torch.uint8
        assert split.images.shape[1:] == (3, 32, 32)
        assert (split.images.min(), split.images.max()) == (0, 255)
        values = split.images.double()
        assert 100 < values.mean() < 155
        assert values.flatten(1).std(dim=1).min() > 8, "no image is empty"
        assert (values[:, 0] - values[:, 2]).abs().mean() > 5, "there are colours"


def test_paint_stands_out_from_the_wall_lighter_or_darker():
    differences = []
    for block in range(3):
        writing, _, _, paint = drawn_numbers(block=block)
        image = draw_block(writing, Scene("train", block))[0].astype(float) / 255
        lightness = np.einsum("nchw,c->nhw", image, LIGHTNESS)
        inner = np.zeros((32, 32), bool)
        inner[4:28, 8:24] = True
        on, off = ((paint > 0.9) & inner, (paint < 0.1) & inner)
        differences += [lightness[i][on[i]].mean() - lightness[i][off[i]].mean() for i in range(BLOCK)]
    found = np.array(differences)
    assert np.mean(np.abs(found) > 0.15) > 0.97, "digits can be seen"
    assert 0.48 < np.mean(found > 0) < 0.66


def test_a_digit_is_written_upright_and_not_mirrored(monkeypatch):
    """At full size in the middle of a scene, ink is what Pillow's bicubic enlargement of the digit shows."""
    straight = dict.fromkeys(("right", "down", "turn", "slant"), (0, 0))
    for name, bounds in {**straight, "height": (32, 32), "aspect": (1, 1), "thickness": (0.5, 0.5)}.items():
        monkeypatch.setitem(RANGES, name, bounds)
    monkeypatch.setattr(house_digits, "NEIGHBOUR", 0)
    _, _, chosen, paint = drawn_numbers()
    small = load_digits().images[chosen[:, 1]]
    large = [
        np.asarray(Image.fromarray(image.astype(np.float32)).resize((32, 32), Image.Resampling.BICUBIC))
        for image in small
    ]
    wanted = np.stack(large) > 8
    assert np.mean((paint > 0.5) == wanted) > 0.96
    flipped = [np.mean((paint > 0.5) == wanted[:, ::down, ::right]) for down, right in ((-1, 1), (1, -1))]
    assert max(flipped) < 0.9


def test_neighbours_are_cut_off_at_the_edges_and_leave_the_middle_alone(monkeypatch):
    paints = []
    for probability in (0, 1):
        monkeypatch.setattr(house_digits, "NEIGHBOUR", probability)
        paints.append(drawn_numbers()[3])
    added = np.abs(paints[1] - paints[0]).mean(axis=(0, 1))
    assert added[12:20].max() == 0
    assert min(added[0], added[31]) > 0.05


@pytest.mark.parametrize("name", RANGES)
def test_every_range_is_used_and_moves_the_images(name, monkeypatch, drawn):
    low, high = RANGES[name]
    monkeypatch.setitem(RANGES, name, (low + 0.2 * (high - low), high + 0.2 * (high - low)))
    images, targets = draw_block(handwriting("train"), Scene("train", 0))
    assert np.array_equal(targets, drawn.train.labels[:BLOCK].numpy()), "classes are drawn for themselves"
    assert not np.array_equal(images, drawn.train.images[:BLOCK].numpy())


def test_layers_cover_each_other_like_paint():
    """A scene of full paint is the paint's colour everywhere but under specks; without paint, it is another."""
    scene = Scene("train", 0)
    full, none = (colour(np.full((BLOCK, 32, 32), value), scene) for value in (1.0, 0.0))
    assert full.min() >= 0
    assert full.max() <= 1 + 1e-12
    spread = np.median(np.abs(full - np.median(full, axis=(2, 3), keepdims=True)))
    assert spread < 0.01
    half = colour(np.full((BLOCK, 32, 32), 0.5), scene)
    np.testing.assert_allclose(half, (full + none) / 2, atol=1e-12)


def test_pixels_read_out_poorly_where_those_of_digits_read_out_well(drawn):
    digits = load_dataset("digits")
    found = {}
    for name, train, test in (("digits", digits.train, digits.test), ("house", drawn.train, drawn.test)):
        _, x, y = pixel_features(train.images, test.images, 3, seed=0)
        weights = train_readout(x[None], train.labels, 10, seed=0)
        found[name] = accuracy(weights, y[None], test.labels).item()
    assert found["digits"] > 0.8
    assert found["house"] < 0.4
