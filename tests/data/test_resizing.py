"""Images brought to another size: kept at their own, means where they shrink, straight lines where they grow."""

import numpy as np
import pytest
import torch
from PIL import Image

import dreaming
from dreaming.data import load_dataset
from dreaming.data.resizing import resized
from dreaming.errors import UserError


def noise(side=32, channels=3, n=3):
    random = torch.Generator().manual_seed(side)
    return torch.randint(256, (n, channels, side, side), generator=random, dtype=torch.uint8)


@pytest.mark.parametrize("size", [16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_has_the_size_that_is_asked_for_and_each_image_and_channel_by_itself(size, channels):
    images = noise(channels=channels)
    found = resized(images, size)
    assert (found.shape, found.dtype) == ((3, channels, size, size), torch.uint8)
    alone = resized(images[1:2, -1:], size)
    assert torch.equal(found[1:2, -1:], alone)


def test_an_image_of_that_size_keeps_every_pixel():
    images = noise()
    assert resized(images, 32) is images


@pytest.mark.parametrize("size", [16, 64])
def test_a_plain_image_stays_plain(size):
    assert resized(torch.full((1, 3, 32, 32), 77, dtype=torch.uint8), size).unique().tolist() == [77]


def test_what_is_finer_than_a_pixel_becomes_its_mean_and_no_pattern():
    stripes = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    stripes[..., ::2] = 200
    small = resized(stripes, 16).float()
    assert (small - 100).abs().max() <= 26  # of bilinear weights at the border
    assert (small[..., 2:-2] - 100).abs().max() <= 1


def test_a_ramp_stays_a_ramp():
    ramp = (torch.arange(32) * 8).to(torch.uint8).expand(1, 1, 32, 32)
    steps = resized(ramp, 64)[0, 0, 0].float().diff()[2:-2]
    assert ((steps - 4).abs() <= 1).all()


@pytest.mark.parametrize("name", ["digits", "house_digits"])
@pytest.mark.parametrize("size", [16, 32, 64, 128])
def test_data_sets_come_in_every_size_and_at_32_as_they_were(name, size):
    whole, found = (load_dataset(name, limit=20, **more) for more in ({}, {"image_size": size}))
    assert torch.equal(found.train.images, resized(whole.train.images, size))
    assert (found.image_size, (found.fingerprint == whole.fingerprint)) == (size, size == 32)
    assert torch.equal(found.test.labels, whole.test.labels)


@pytest.mark.parametrize("size", [16, 64])
def test_pictures_of_a_folder_are_resized_once_and_kept_by_size(size, tmp_path):
    for split in ("train", "test"):
        for label, name in enumerate("ab"):
            place = tmp_path / split / name
            place.mkdir(parents=True)
            pixels = np.random.default_rng(label).integers(0, 256, (90, 100, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / "0.png")
    first, usual, again = (
        load_dataset(f"folder:{tmp_path}", **more)
        for more in ({"image_size": size}, {}, {"image_size": size})
    )
    assert (first.image_size, usual.image_size) == (size, 32)
    assert first.fingerprint == again.fingerprint != usual.fingerprint
    cut = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 100, 3), dtype=np.uint8)).crop(
        (5, 0, 95, 90)
    )
    expected = np.asarray(cut.resize((size, size), Image.Resampling.LANCZOS))
    assert np.array_equal(first.train.images[0].permute(1, 2, 0), expected)


def test_a_set_of_a_user_s_own_is_resized_to_any_size_but_none():
    images = noise(28, 1)
    mine = dreaming.Dataset.of_arrays("mine", train=images, test=images)
    assert torch.equal(mine.resized(32).test.images, resized(images, 32))
    with pytest.raises(UserError, match="brought to 0 x 0"):
        mine.resized(0)
