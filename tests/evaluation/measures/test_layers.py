"""Measures of other layers than the latents: whose numbers they are, how they are named, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import cdist

from dreaming.data import to_activity
from dreaming.errors import UserError
from dreaming.evaluation.measures import snapshot_batch
from dreaming.evaluation.measures.few_labels import FewLabels
from dreaming.evaluation.measures.knn import Knn
from dreaming.evaluation.measures.organisation import Organisation
from dreaming.evaluation.measures.readout import Readout
from dreaming.evaluation.readout import accuracy, train_readout

MEASURES = [Readout, Organisation, Knn, FewLabels]


def layer_2(cortex, images):
    maps = to_activity(images)
    for layer in cortex.encoder.trunk[:2]:
        maps = torch.nn.functional.conv2d(maps, layer.weight, layer.bias, stride=2, padding=1)
        maps = torch.nn.functional.leaky_relu(maps, 0.2)
    return maps.flatten(1).detach().double().numpy()


@pytest.mark.parametrize("measure", MEASURES)
def test_the_rows_say_which_layer_they_are_of(measure):
    usual, layered = measure().keys(), measure(layer="layer_2").keys()
    assert {(name, f"{about};layer=layer_2") for name, about in usual} == layered


@pytest.mark.parametrize("measure", MEASURES)
def test_the_layer_of_latents_gives_the_numbers_that_no_layer_does(measure, snapshots):
    pd.testing.assert_frame_equal(
        measure().measure(snapshots), measure(layer="latent").measure(snapshots), check_exact=True
    )


def test_readout_of_a_layer_is_that_of_its_activity_at_the_scale_of_latents(snapshots):
    found = Readout(layer="layer_2").measure(snapshots)["value"].tolist()
    assert found != Readout().measure(snapshots)["value"].tolist()
    images = snapshots.images
    for cortex, share in zip(snapshots.cortices, found, strict=True):
        train, test = (layer_2(cortex, split.images) for split in (images.train, images.test))
        mean = train.mean(axis=0)
        scale = np.sqrt(256 / np.square(train - mean).sum(axis=1).mean())
        x, y = (torch.from_numpy(scale * (each - mean)).float()[None] for each in (train, test))
        weights = train_readout(x, images.train.labels, 10, snapshots.config.seed)
        wanted = accuracy(weights, y, images.test.labels).item()
        assert share == pytest.approx(wanted, abs=0.021)  # of 100 images, two at the border
        assert share > 0.3


def test_organisation_of_a_layer_is_that_of_distances_of_its_activity(snapshots):
    found = Organisation(layer="layer_2", pairs="all").measure(snapshots)
    ratios = found[found["measure"] == "intra_inter_ratio"]["value"].tolist()
    labels = snapshots.images.test.labels.numpy()
    alike = labels[:, None] == labels
    for cortex, ratio in zip(snapshots.cortices, ratios, strict=True):
        seen = layer_2(cortex, snapshots.images.test.images)
        apart = cdist(seen, seen)
        within = [apart[np.ix_(labels == c, labels == c)].sum() / (10 * 9) for c in range(10)]
        assert ratio == pytest.approx(np.mean(within) / apart[~alike].mean(), rel=1e-4)


def test_distances_of_long_rows_are_taken_few_at_once(snapshots, monkeypatch):
    measure = Organisation(layer="layer_2")
    whole = measure.measure(snapshots)
    monkeypatch.setattr("dreaming.evaluation.measures.organisation.VALUES_AT_ONCE", 1000)
    pd.testing.assert_frame_equal(measure.measure(snapshots), whole, rtol=1e-6)


def test_occluded_activity_is_that_of_occluded_images(snapshots):
    images = snapshots.images.test.images[:20]
    masks = snapshots.masks("organisation", 20, 0.5, 4)
    latents = list(snapshots.activity("latent", images, masks))
    assert torch.equal(torch.stack(latents), snapshots.infer(images, masks))
    clean, occluded = (next(snapshots.activity("layer_1", images, each)) for each in (None, masks))
    assert clean.shape == (20, 4 * 16 * 16)
    assert not torch.equal(clean, occluded)
    silent = next(snapshots.activity("layer_1", images, torch.zeros_like(masks)))
    assert torch.equal(silent, silent[:1].expand_as(silent))
    assert next(snapshots.activity("externality", images)).shape == (20, 1)


@pytest.mark.parametrize("measure", MEASURES)
def test_an_unknown_layer_is_refused_with_the_nearest(measure, snapshots):
    with pytest.raises(UserError, match="the encoder has no layer 'layer2'; did you mean 'layer_2'"):
        measure(layer="layer2").check(snapshots)
    for layer in ("latent", "layer_1", "externality"):
        measure(layer=layer).check(snapshots)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_layer_that_is_too_large_is_refused_with_its_bytes(measure, snapshots, monkeypatch):
    images = 200 if measure is Organisation else 300
    size = images * 4 * 16 * 16 * 4
    monkeypatch.setattr(snapshot_batch, "MOST_BYTES", size)
    measure(layer="layer_1").check(snapshots)
    monkeypatch.setattr(snapshot_batch, "MOST_BYTES", size - 1)
    with pytest.raises(UserError, match=f"layer_1 of {images} images takes {size:,} bytes, and .* the most"):
        measure(layer="layer_1").check(snapshots)
