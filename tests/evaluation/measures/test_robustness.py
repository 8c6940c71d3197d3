"""Readout accuracy of occluded images, against a naive test image by image, and by what must hold of it."""

import itertools

import numpy as np
import pytest
import torch

from dreaming.evaluation.measures.readout import Readout
from dreaming.evaluation.measures.robustness import Robustness
from dreaming.evaluation.readout import Protocol, accuracy, train_readout
from dreaming.model.occlusion import Occlusion

TENTHS = [f"{tenth / 10:.1f}" for tenth in range(11)]


def curve(snapshots, epoch, **options):
    table = Robustness(**options).measure(snapshots)
    own = table[table["epoch"] == epoch]
    return dict(zip(own["parameter"], own["value"], strict=True))


def naive_share(snapshots, epoch, masks):
    """Occlude, infer and classify each test image by itself, in numpy but for the encoder."""
    train = snapshots.infer(snapshots.images.train.images)
    weight, bias = train_readout(train, snapshots.images.train.labels, 10, snapshots.config.seed)
    weight, bias = weight[epoch].double().numpy(), bias[epoch, 0].double().numpy()
    right = 0
    split = snapshots.images.test
    for image, label, mask in zip(split.images.numpy(), split.labels.tolist(), masks.numpy(), strict=True):
        seen = (image.astype(np.float64) / 127.5 - 1) * mask
        z = snapshots.cortices[epoch].encoder(torch.from_numpy(seen[None]).float())[0]
        logits = z.detach().double().numpy()[0] @ weight + bias
        right += int(np.argmax(logits) == label)
    return right / len(split)


@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("probability", [0.2, 0.7])
def test_it_agrees_with_a_naive_test_image_by_image(epoch, probability, snapshots):
    found = curve(snapshots, epoch, probabilities=(probability,))
    masks = snapshots.masks("robustness", 100, probability, 4)
    assert found == {str(probability): pytest.approx(naive_share(snapshots, epoch, masks), abs=0.01)}


def test_the_curve_has_eleven_tenths_of_every_snapshot(snapshots):
    table = Robustness().measure(snapshots)
    assert set(table["measure"]) == {"readout_accuracy_occluded"}
    for epoch in (0, 1):
        assert table.loc[table["epoch"] == epoch, "parameter"].tolist() == TENTHS
    assert table["value"].between(0, 1).all()


def test_clean_images_are_read_out_as_by_the_readout_and_grey_ones_as_one_class(snapshots):
    plain = Readout().measure(snapshots).set_index("epoch")["value"]
    labels = snapshots.images.test.labels
    shares = {(labels == label).double().mean().item() for label in range(10)}
    for epoch in (0, 1):
        found = curve(snapshots, epoch)
        assert found["0.0"] == plain[epoch]
        assert found["1.0"] in shares


def test_more_occlusion_reads_out_worse(snapshots):
    found = list(curve(snapshots, 1).values())
    assert found[0] > 0.8
    assert found[10] == 0.1
    assert all(later <= earlier + 0.03 for earlier, later in itertools.pairwise(found))
    assert found[0] > found[2] > found[4] > found[6] > found[8]


def test_masks_are_those_of_nrem(snapshots, monkeypatch):
    drawn = []
    draw = Occlusion.draw
    monkeypatch.setattr(Occlusion, "draw", lambda self, *a: drawn.append(self) or draw(self, *a))
    Robustness(probabilities=(0.25,), tile_size=8).measure(snapshots)
    assert drawn == [Occlusion(probability=(0.25, 0.25), tile_size=(8, 8), mask_per_image=True)]


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"tile_size": 8}, "0.5;tile_size=8"),
        ({"protocol": Protocol(epochs=1)}, "0.5;epochs=1"),
        ({"tile_size": 2, "protocol": Protocol(learning_rate=0.02)}, "0.5;tile_size=2;learning_rate=0.02"),
    ],
)
def test_an_option_changes_the_number_and_is_seen_beside_it(options, parameter, snapshots):
    usual = curve(snapshots, 1, probabilities=(0.5,))
    found = curve(snapshots, 1, probabilities=(0.5,), **options)
    assert list(found) == [parameter]
    assert found[parameter] != usual["0.5"]
    assert Robustness(probabilities=(0.5,), **options).keys() == {("readout_accuracy_occluded", parameter)}


def test_the_readout_is_trained_once_for_both_measures(lively_snapshots, monkeypatch):
    from dreaming.evaluation.measures import snapshot_batch as module

    trained = []
    train = module.train_readout
    monkeypatch.setattr(module, "train_readout", lambda *a: trained.append(a[-1]) or train(*a))
    snapshots = lively_snapshots()
    Readout().measure(snapshots)
    Robustness(probabilities=(0.5,)).measure(snapshots)
    assert trained == [Protocol()]
    Robustness(probabilities=(0.5,), protocol=Protocol(epochs=1)).measure(snapshots)
    assert trained == [Protocol(), Protocol(epochs=1)]


def test_images_that_are_clean_or_grey_throughout_are_not_inferred_once_more(lively_snapshots):
    snapshots = lively_snapshots()
    Readout().measure(snapshots)
    before = snapshots.watch.inferred
    assert before == 200 + 100
    table = Robustness().measure(snapshots)
    assert snapshots.watch.inferred - before == 9 * 100 + 1
    weights, images = snapshots.readout(Protocol()), snapshots.images.test
    for probability in (0.0, 1.0):
        occluded = snapshots.infer(images.images, snapshots.masks("robustness", 100, probability, 4))
        share = accuracy(weights, occluded, images.labels).item()
        assert table.loc[table["parameter"] == str(probability), "value"].item() == share
