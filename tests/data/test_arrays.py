"""A user's own arrays: every layout that is taken, pixel for pixel; and what is refused, in a sentence."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import dreaming
from dreaming.data.contents import fingerprint
from dreaming.data.loading import load_dataset
from dreaming.errors import UserError
from dreaming.model.pixels import by_channel

LABELS = np.array([0, 1, 2, 0, 1, 2])


def pixels(channels=3, side=8, n=6, seed=0):
    """Pixels of 0 to 255, [n, c, s, s]."""
    return np.random.default_rng(seed).integers(0, 256, (n, channels, side, side), dtype=np.uint8)


def made(images=None, labels=LABELS, name="mine", **more):
    images = pixels() if images is None else images
    both = images if labels is None else (images, labels)
    return dreaming.Dataset.of_arrays(name, train=both, test=both, **more)


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
@pytest.mark.parametrize(
    ("channels", "laid_out"),
    [
        (3, lambda x: x),
        (3, lambda x: x.transpose(0, 2, 3, 1)),
        (1, lambda x: x),
        (1, lambda x: x.transpose(0, 2, 3, 1)),
        (1, lambda x: x[:, 0]),
    ],
    ids=["n c h w", "n h w c", "n 1 h w", "n h w 1", "n h w"],
)
def test_every_layout_gives_the_same_pixels(kind, channels, laid_out):
    expected = pixels(channels)
    found = made(kind(laid_out(expected)), kind(LABELS))
    assert torch.equal(found.train.images, torch.from_numpy(expected))
    assert torch.equal(found.test.labels, torch.from_numpy(LABELS))
    assert (found.name, found.classes, found.image_size) == ("mine", ("0", "1", "2"), 8)
    assert found.fingerprint == made(expected).fingerprint


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16, np.int32])
def test_whole_numbers_of_0_to_255_are_taken_as_they_are_without_a_word(dtype):
    found = made(pixels().astype(dtype))
    assert torch.equal(found.train.images, torch.from_numpy(pixels()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.bfloat16])
def test_floats_of_0_to_1_are_rounded_to_256_levels_and_that_is_said_where_it_is_called(dtype):
    images = torch.zeros(6, 3, 8, 8, dtype=dtype)
    images[0, 0, 0, 0], images[1, 0, 0, 0] = 1, 0.5
    with pytest.warns(
        UserWarning, match="the train images of 'mine' are b?float.*256 levels; the test images"
    ):
        found = made(images)
    assert found.train.images[:3, 0, 0, 0].tolist() == [255, 128, 0]
    assert found.train.images.dtype == torch.uint8


@given(st.integers(0, 255))
def test_a_float_made_of_a_pixel_is_that_pixel_again(value):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = made(np.full((6, 4, 4), value, dtype=np.float32) / 255)
    assert found.train.images.unique().tolist() == [value]


def test_the_arrays_are_copied():
    images, labels = pixels(), LABELS.copy()
    mine = made(images, labels)
    before = mine.fingerprint
    images[:], labels[:] = 0, 0
    assert mine.fingerprint == before
    mine.train.images[0] = 0
    assert mine.fingerprint != before


def test_labels_are_optional_and_classes_may_be_named():
    without = made(labels=None)
    assert without.classes == ()
    assert without.train.labels.tolist() == [-1] * 6
    assert made(classes=["cat", "dog", "owl", "fox"]).classes == ("cat", "dog", "owl", "fox")


NAN = np.full((6, 8, 8), np.nan)
RAGGED = [np.zeros((8, 8)), np.zeros((9, 9))]


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (pixels() / 127.5 - 1, r"run from -1.0 to 1.0, where floats are pixels of 0 to 1"),
        (pixels().astype(np.float32), r"run from 0.0 to 255.0, where floats are pixels of 0 to 1"),
        (NAN, "run from nan to nan"),
        (pixels().astype(int) * 2, r"run from 0 to 510, where whole numbers are pixels of 0 to 255"),
        (pixels().astype(int) - 1, r"run from -1 to "),
        (pixels() > 100, "are bool; give uint8"),
        (pixels().astype(complex), "are complex128"),
        (np.array([["a"] * 8] * 8)[None].repeat(6, 0), "are <U1"),
        (RAGGED, "are of mixed sizes"),
        (np.array(RAGGED, dtype=object), "are of mixed sizes"),
        (pixels()[:, :, :6], r"have shape \[6, 3, 6, 8\], and must be square"),
        (pixels(4), r"\[6, 4, 8, 8\], and must be square, .* of 1 or 3 channels c"),
        (pixels(side=3), "whose channels may be the second axis or the last"),
        (pixels()[:0], r"are none: they have shape \[0, 3, 8, 8\]"),
        (pixels()[0], r"have shape \[3, 8, 8\], and may be 3 images"),
        (np.zeros((6, 8)), r"have shape \[6, 8\], where \[n, s, s\]"),
        ("pictures", "are <U8"),
    ],
    ids=str,
)
def test_images_that_can_be_read_in_no_one_way_are_refused_whoever_asks(images, sentence):
    with pytest.raises(UserError, match=f"the train images of 'mine'.* {sentence}"):
        made(images, None)
    if "are none" not in sentence:  # of which a cortex infers no latents
        with pytest.raises(UserError, match=f"^images.* {sentence}"):
            by_channel(images)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_whole_numbers_of_0_and_1_are_refused_and_dark_ones_are_taken_with_a_word(dtype):
    with pytest.raises(UserError, match=r"train images of 'mine' are whole numbers of 0 and 1, .* multiply"):
        made((pixels() > 100).astype(dtype))
    with pytest.warns(UserWarning, match="the train images of 'mine' run to 15, and are dark"):
        found = made((pixels() // 17).astype(dtype))
    assert torch.equal(found.train.images, torch.from_numpy(pixels() // 17))
    assert not made(np.zeros((6, 8, 8), dtype)).train.images.any()


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (LABELS[:5], r"have shape \[5\], not one label for each of 6 images"),
        (LABELS[:, None], r"have shape \[6, 1\]"),
        (LABELS.astype(float), "are float64, not whole numbers"),
        (torch.tensor(LABELS, dtype=torch.bfloat16), "not whole numbers"),
        ([[0, 1], [2]], "are no list of numbers"),
        (np.array(list("abcabc")), "number the classes from 0"),
        (LABELS + 1, r"are \[1, 2, 3\], which are not the numbers from 0 on"),
        (LABELS * 2, r"are \[0, 2, 4\], which are not the numbers from 0 on"),
        (LABELS - 1, r"are \[-1, 0, 1\]"),
        (LABELS * 0, "are all 0, and a readout needs two classes; leave the labels out"),
    ],
    ids=str,
)
def test_labels_that_are_no_numbers_of_classes_are_refused(labels, sentence):
    with pytest.raises(UserError, match=sentence):
        made(labels=labels)


def test_classes_and_splits_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="run from 0 to 2, and 2 classes are numbered 0 to 1"):
        made(classes=("a", "b"))
    with pytest.raises(UserError, match="has classes and no labels"):
        made(labels=None, classes=("a", "b"))
    whole, small = (pixels(), LABELS), (pixels(side=4), LABELS)
    with pytest.raises(UserError, match=r"\[3, 8, 8\] and the test images \[3, 4, 4\]; both need the same"):
        dreaming.Dataset.of_arrays("mine", train=whole, test=small)
    with pytest.raises(UserError, match="labels of its test images alone; give both or none"):
        dreaming.Dataset.of_arrays("mine", train=pixels(), test=whole)


@pytest.mark.parametrize("name", ["folder:cats", "", "my cats", "../x", "-x", "mine\n"])
def test_a_name_that_no_folder_can_have_is_refused(name):
    with pytest.raises(UserError, match="a data set cannot be called"):
        made(name=name)


@pytest.mark.parametrize("name", dreaming.data.names())
def test_the_name_of_a_known_data_set_is_refused(name):
    with pytest.raises(UserError, match=f"'{name}' is a data set that is known"):
        made(name=name)


def test_the_fingerprint_is_of_the_pixels_and_cannot_be_given():
    mine, other = made(), made(pixels(seed=1))
    assert mine.fingerprint == fingerprint(mine.train, mine.test) != other.fingerprint
    with pytest.raises(TypeError):
        dreaming.Dataset("mine", mine.train, mine.test, mine.classes, fingerprint="any")
    with pytest.raises(AttributeError):
        mine.fingerprint = other.fingerprint


def test_a_limit_takes_the_first_of_each_split():
    mine = made()
    few = mine.limited(4)
    assert torch.equal(few.train.images, mine.train.images[:4])
    assert (few.fingerprint != mine.fingerprint, mine.limited(6), mine.limited(None)) == (True, mine, mine)
    with pytest.raises(UserError, match="a limit of 1 leaves out some of the 3 classes; --limit 3 is"):
        mine.limited(1)
    assert len(made(labels=None).limited(1).test) == 1
    with pytest.raises(UserError, match="at least 1"):
        mine.limited(0)


def test_it_is_at_hand_after_the_package_is_imported():
    program = "import dreaming; print(dreaming.Dataset is dreaming.data.Dataset)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_a_loaded_set_has_a_computed_fingerprint_too():
    digits = load_dataset("digits", limit=20)
    assert digits.fingerprint == fingerprint(digits.train, digits.test)


def test_chance_is_what_the_commonest_training_label_gets_right_of_the_test_images():
    train, test = (pixels(), np.array([1, 1, 0, 2, 1, 0])), (pixels(), np.array([1, 0, 0, 0, 2, 2]))
    assert dreaming.Dataset.of_arrays("mine", train=train, test=test).chance == 1 / 6
    assert made(labels=None).chance is None
