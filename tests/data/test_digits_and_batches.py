"""The digits that need no download, the limit, activity and the order of an epoch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from dreaming.data import Split, check, dataset_info, epoch_order, load_dataset, names, to_activity
from dreaming.data.contents import Contents, fingerprint, limited
from dreaming.errors import UserError


def test_digits_keep_order_and_every_class_is_in_both_splits():
    digits = load_dataset("digits")
    small = load_digits()
    assert (len(digits.train), len(digits.test)) == (1437, 360)
    assert torch.equal(torch.cat([digits.train.labels, digits.test.labels]), torch.from_numpy(small.target))
    for split in (digits.train, digits.test):
        assert split.labels.unique().tolist() == list(range(10))
        assert split.images.dtype == torch.uint8
        assert torch.equal(split.images[:, 0], split.images[:, 2])
    assert (digits.source, digits.official) == ({}, True)
    # The same pictures, only larger: block means of the scaled image follow the original.
    blocks = digits.train.images[:, 0].float().view(-1, 8, 4, 8, 4).mean((2, 4)).flatten()
    assert np.corrcoef(blocks, small.images[:1437].ravel())[0, 1] > 0.97


def test_digits_are_the_same_bytes_everywhere():
    assert (
        load_dataset("digits").fingerprint
        == "d15ddbc1eddcb2f88a4008028d5b04921943f0cde93dce281737274b7acfeca8"
    )


def test_the_limit_takes_the_first_and_is_in_the_fingerprint():
    whole, part = load_dataset("digits"), load_dataset("digits", limit=30)
    assert torch.equal(part.train.images, whole.train.images[:30])
    assert torch.equal(part.test.labels, whole.test.labels[:30])
    assert part.fingerprint == fingerprint(part.train, part.test) != whole.fingerprint
    assert len(load_dataset("digits", limit=1000).test) == 360
    for limit, sentence in ((0, "at least 1"), (9, "leaves out some of the 10 classes; --limit 10 ")):
        with pytest.raises(UserError, match=sentence):
            load_dataset("digits", limit=limit)


SORTED = torch.arange(5).repeat_interleave(torch.tensor([40, 8, 2, 40, 40]))


@pytest.mark.parametrize("limit", [5, 6, 20, 64, 129])
def test_a_limited_set_that_is_sorted_shows_every_class_in_order_alike_in_both_splits(limit):
    train = Split(torch.arange(130, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 32, 32), SORTED)
    test = train.at(torch.arange(0, 130, 2))
    used = limited(Contents(train, test, tuple("abcde")), limit)
    for part, whole in ((used.train, train), (used.test, test)):
        assert len(part) == min(limit, len(whole))
        assert part.labels.unique().tolist() == [0, 1, 2, 3, 4]
        numbers = part.images[:, 0, 0, 0].int()
        assert (numbers.diff() > 0).all()  # the set's own order
        there, counts = whole.labels.bincount(), part.labels.bincount()
        fewest = min(
            (n for n, all_of_it in zip(counts, there, strict=True) if n < all_of_it), default=counts.max()
        )
        assert counts.max() <= fewest + 1  # as many of one class as of another, as far as there are any
        for label in range(5):
            own = whole.images[whole.labels == label][: counts[label], 0, 0, 0]
            assert torch.equal(numbers[part.labels == label], own.int())


def test_where_one_split_alone_is_sorted_both_are_spread():
    mixed, ordered = (
        Split(torch.zeros(20, 1, 32, 32, dtype=torch.uint8), labels)
        for labels in (torch.arange(20) % 2, torch.arange(20) // 10)
    )
    used = limited(Contents(mixed, ordered, ("a", "b")), 4)
    assert (used.train.labels.tolist(), used.test.labels.tolist()) == ([0, 1, 0, 1], [0, 0, 1, 1])


def test_images_without_labels_are_limited_to_the_first():
    split = Split(torch.zeros(9, 1, 32, 32, dtype=torch.uint8), torch.full((9,), -1))
    assert len(limited(Contents(split, split, ()), 1).train) == 1


def test_an_unknown_name_suggests_the_nearest():
    for ask in (load_dataset, dataset_info, lambda name: check(name, Path("nowhere"))):
        with pytest.raises(UserError, match="no data set is called 'cifar'; did you mean 'cifar10'"):
            ask("cifar")
    assert all(dataset_info(name).n_test > 0 for name in names())


def test_the_fingerprint_sees_a_pixel_a_label_and_the_border_between_splits():
    images, labels = torch.zeros(4, 3, 32, 32, dtype=torch.uint8), torch.tensor([0, 1, 0, 1])
    a = Split(images, labels)
    pixel, label = images.clone(), labels.clone()
    pixel[3, 2, 31, 31] = 1
    label[0] = 1
    others = [Split(pixel, labels), Split(images, label), a.at(torch.arange(3))]
    assert len({fingerprint(split, a) for split in [a, *others]}) == 4


def test_to_moves_and_changes_nothing():
    digits = load_dataset("digits", limit=20)
    moved = digits.to("meta")
    assert moved.train.images.device.type == "meta"
    assert digits.to("cpu").fingerprint == digits.fingerprint


def test_activity_is_exact():
    every = torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1).expand(256, 3, 32, 32)
    activity = to_activity(every)
    assert torch.equal(activity[:, 1, 7, 9], torch.arange(256) / 127.5 - 1)
    assert (activity.min(), activity.max()) == (-1, 1)
    assert every[255, 0, 0, 0] == 255  # the stored image is as it was
    grey = to_activity(every, channels=1)
    assert grey.shape == (256, 1, 32, 32)
    torch.testing.assert_close(grey[:, 0], activity[:, 0])
    assert grey.abs().max() <= 1
    primary = torch.zeros(3, 3, 32, 32, dtype=torch.uint8)
    for channel in range(3):
        primary[channel, channel] = 255
    expected = torch.tensor([0.299, 0.587, 0.114]) * 2 - 1
    torch.testing.assert_close(to_activity(primary, channels=1)[:, 0, 0, 0], expected)
    torch.testing.assert_close(to_activity(every[:, :1]), activity)
    with pytest.raises(UserError, match="image_channels to 1 or 3"):
        to_activity(every, channels=2)


@given(n=st.integers(1, 200), batch=st.integers(1, 200), seed=st.integers(0, 100))
def test_an_epoch_is_a_permutation_without_its_last_part(n, batch, seed):
    if batch > n:
        with pytest.raises(UserError, match=r"training\.batch_size"):
            epoch_order(n, batch, torch.Generator().manual_seed(seed))
        return
    generator = torch.Generator().manual_seed(seed)
    order = epoch_order(n, batch, generator)
    assert order.shape == (n // batch, batch)
    assert order.unique().numel() == order.numel()
    assert order.min() >= 0
    assert order.max() < n
    again = torch.Generator().manual_seed(seed)
    assert torch.equal(order, epoch_order(n, batch, again))
    assert torch.equal(generator.get_state(), again.get_state())


def test_the_next_epoch_has_another_order():
    generator = torch.Generator().manual_seed(0)
    assert not torch.equal(epoch_order(100, 10, generator), epoch_order(100, 10, generator))
    with pytest.raises(UserError, match="a batch of 0"):
        epoch_order(100, 0, generator)
