"""Readout accuracy of occluded images, against a naive test image by image, and by what must hold of it."""

import itertools

import numpy as np
import pytest
import torch

from dreaming.evaluation.measures.robustness import Robustness
from dreaming.evaluation.measures.separability import Readout
from dreaming.evaluation.readout import Protocol, accuracy, train_readout
from dreaming.model.occlusion import Occlusion

TENTHS = [f"{tenth / 10:.1f}" for tenth in range(11)]


def curve(subjects, epoch, **options):
    table = Robustness(**options).measure(subjects)
    own = table[table["epoch"] == epoch]
    return dict(zip(own["parameter"], own["value"], strict=True))


def naive_share(subjects, epoch, masks):
    """Occlude, infer and classify each test image by itself, in numpy but for the encoder."""
    train = subjects.infer(subjects.images.train.images)
    weight, bias = train_readout(train, subjects.images.train.labels, 10, subjects.config.seed)
    weight, bias = weight[epoch].double().numpy(), bias[epoch, 0].double().numpy()
    right = 0
    split = subjects.images.test
    for image, label, mask in zip(split.images.numpy(), split.labels.tolist(), masks.numpy(), strict=True):
        seen = (image.astype(np.float64) / 127.5 - 1) * mask
        z = subjects.cortices[epoch].encoder(torch.from_numpy(seen[None]).float())[0]
        logits = z.detach().double().numpy()[0] @ weight + bias
        right += int(np.argmax(logits) == label)
    return right / len(split)


@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("probability", [0.2, 0.7])
def test_it_agrees_with_a_naive_test_image_by_image(epoch, probability, subjects):
    found = curve(subjects, epoch, probabilities=(probability,))
    masks = subjects.masks("robustness", 100, probability, 4)
    assert found == {str(probability): pytest.approx(naive_share(subjects, epoch, masks), abs=0.01)}


def test_the_curve_has_eleven_tenths_of_every_snapshot(subjects):
    table = Robustness().measure(subjects)
    assert set(table["measure"]) == {"readout_accuracy_occluded"}
    for epoch in (0, 1):
        assert table.loc[table["epoch"] == epoch, "parameter"].tolist() == TENTHS
    assert table["value"].between(0, 1).all()


def test_clean_images_are_read_out_as_by_the_readout_and_grey_ones_as_one_class(subjects):
    plain = Readout().measure(subjects).set_index("epoch")["value"]
    labels = subjects.images.test.labels
    shares = {(labels == label).double().mean().item() for label in range(10)}
    for epoch in (0, 1):
        found = curve(subjects, epoch)
        assert found["0.0"] == plain[epoch]
        assert found["1.0"] in shares


def test_more_occlusion_reads_out_worse(subjects):
    found = list(curve(subjects, 1).values())
    assert found[0] > 0.8
    assert found[10] == 0.1
    assert all(later <= earlier + 0.03 for earlier, later in itertools.pairwise(found))
    assert found[0] > found[2] > found[4] > found[6] > found[8]


def test_each_image_has_a_mask_of_its_own_in_tiles_of_4(subjects):
    masks = subjects.masks("robustness", 100, 0.4, 4)
    assert masks.shape == (100, 1, 32, 32)
    tiles = masks[:, 0].reshape(100, 8, 4, 8, 4).permute(0, 1, 3, 2, 4).flatten(3)
    assert (tiles == tiles[..., :1]).all()
    assert len({mask.numpy().tobytes() for mask in masks}) == 100
    assert masks.mean().item() == pytest.approx(0.6, abs=0.03)  # of 6,400 tiles: a standard error of 0.006
    assert set(masks.unique().tolist()) == {0.0, 1.0}


def test_what_is_dark_stays_dark_at_higher_probabilities(subjects):
    masks = [subjects.masks("robustness", 100, tenth / 10, 4) for tenth in range(11)]
    assert all((more <= less).all() for less, more in itertools.pairwise(masks))
    assert masks[0].min() == 1
    assert masks[10].max() == 0


def test_masks_depend_on_the_seed_and_the_measure_and_on_nothing_else(subjects, lively_subjects):
    masks = subjects.masks("robustness", 100, 0.3, 4)
    assert torch.equal(masks, lively_subjects(condition="pad").masks("robustness", 100, 0.3, 4))
    assert not torch.equal(masks, lively_subjects(seed=5).masks("robustness", 100, 0.3, 4))
    assert not torch.equal(masks, subjects.masks("organisation", 100, 0.3, 4))


def test_masks_are_those_of_nrem(subjects, monkeypatch):
    drawn = []
    draw = Occlusion.draw
    monkeypatch.setattr(Occlusion, "draw", lambda self, *a: drawn.append(self) or draw(self, *a))
    Robustness(probabilities=(0.25,), tile_size=8).measure(subjects)
    assert drawn == [Occlusion(probability=(0.25, 0.25), tile_size=(8, 8), mask_per_image=True)]


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"tile_size": 8}, "0.5;tile_size=8"),
        ({"protocol": Protocol(epochs=1)}, "0.5;epochs=1"),
        ({"tile_size": 2, "protocol": Protocol(learning_rate=0.02)}, "0.5;tile_size=2;learning_rate=0.02"),
    ],
)
def test_an_option_changes_the_number_and_is_seen_beside_it(options, parameter, subjects):
    usual = curve(subjects, 1, probabilities=(0.5,))
    found = curve(subjects, 1, probabilities=(0.5,), **options)
    assert list(found) == [parameter]
    assert found[parameter] != usual["0.5"]
    assert Robustness(probabilities=(0.5,), **options).keys() == {("readout_accuracy_occluded", parameter)}


def test_the_readout_is_trained_once_for_both_measures(lively_subjects, monkeypatch):
    from dreaming.evaluation.measures import cortices as module

    trained = []
    train = module.train_readout
    monkeypatch.setattr(module, "train_readout", lambda *a: trained.append(a[-1]) or train(*a))
    subjects = lively_subjects()
    Readout().measure(subjects)
    Robustness(probabilities=(0.5,)).measure(subjects)
    assert trained == [Protocol()]
    Robustness(probabilities=(0.5,), protocol=Protocol(epochs=1)).measure(subjects)
    assert trained == [Protocol(), Protocol(epochs=1)]


def test_images_that_are_clean_or_grey_throughout_are_not_inferred_once_more(lively_subjects):
    subjects = lively_subjects()
    Readout().measure(subjects)
    before = subjects.watch.inferred
    assert before == 200 + 100
    table = Robustness().measure(subjects)
    assert subjects.watch.inferred - before == 9 * 100 + 1
    weights, images = subjects.readout(Protocol()), subjects.images.test
    for probability in (0.0, 1.0):
        occluded = subjects.infer(images.images, subjects.masks("robustness", 100, probability, 4))
        share = accuracy(weights, occluded, images.labels).item()
        assert table.loc[table["parameter"] == str(probability), "value"].item() == share
