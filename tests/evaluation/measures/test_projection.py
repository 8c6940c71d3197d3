"""Principal components of latents, against numpy's singular value decomposition, and the table they go into."""

import numpy as np
import pytest
import torch

from dreaming.errors import UserError
from dreaming.evaluation.measures.projection import PROJECTION_WORDS, Projection, principal_components
from dreaming.runs.folder import PROJECTION_COLUMNS


def two_clouds(n=60, features=7, moved=0.0):
    random = np.random.default_rng(0)
    clean = random.standard_normal((n, features)) * np.linspace(3, 0.5, features) + 10
    occluded = clean + 0.3 * random.standard_normal((n, features))
    occluded[:, -1] += moved  # along the direction in which clean latents vary least
    return clean, occluded


@pytest.mark.parametrize("fit", ["shown", "clean"])
def test_components_are_those_of_numpys_svd(fit):
    clean, occluded = two_clouds(moved=1.0)
    fitted = np.concatenate([clean, occluded]) if fit == "shown" else clean
    _, _, axes = np.linalg.svd(fitted - fitted.mean(axis=0))
    *found, shares = principal_components(clean, occluded, fit)
    variances = np.linalg.svd(fitted - fitted.mean(axis=0), compute_uv=False) ** 2
    np.testing.assert_allclose(shares, variances[:2] / variances.sum())
    for projected, latents in zip(found, (clean, occluded), strict=True):
        assert projected.shape == (60, 2)
        for component in range(2):
            axis = axes[component] * np.sign(axes[component][np.abs(axes[component]).argmax()])
            wanted = (latents - fitted.mean(axis=0)) @ axis
            np.testing.assert_allclose(projected[:, component], wanted, atol=1e-9)


def test_components_of_all_that_is_shown_show_where_occlusion_moves_latents():
    clean, occluded = two_clouds(moved=30.0)

    def gap(fit):
        here, there, _ = principal_components(clean, occluded, fit)
        return abs(here.mean(axis=0) - there.mean(axis=0)).max()

    assert gap("shown") == pytest.approx(30, rel=0.05)
    assert gap("clean") < 5


@pytest.mark.parametrize("shape", [(1, 7), (0, 7), (5, 1)])
def test_two_components_of_fewer_images_or_latents_are_refused(shape):
    with pytest.raises(UserError, match="a projection to two components needs two images and two latents"):
        principal_components(np.zeros(shape), np.zeros(shape), "clean")


def test_the_table_says_which_image_each_coordinate_is_of(snapshots):
    table = Projection(images_per_class=3).measure(snapshots)
    columns = {*PROJECTION_COLUMNS, *PROJECTION_WORDS} - {"dataset", "condition", "seed"}
    assert set(table.columns) == columns
    assert (table["class"] == table["label"].astype(str)).all()
    assert table["explained"].between(0, 1).all()
    assert len(table) == 2 * 4 * 3 * 2 * 2  # snapshots, classes, images, clean and occluded, components
    labels = snapshots.images.test.labels
    for epoch in (0, 1):
        for occluded in (0.0, 0.3):
            own = table[(table["epoch"] == epoch) & (table["occluded"] == occluded)]
            # The class of test image i is i % 10.
            assert own["image"].tolist() == [i for c in range(4) for i in (c, 10 + c, 20 + c) for _ in (1, 2)]
            assert own["label"].tolist() == [int(labels[image]) for image in own["image"]]
            assert own["component"].tolist() == [1, 2] * 12
    assert set(table["measure"]) == {"projection"}
    assert set(table["parameter"]) == {"pca;images_per_class=3"}


def test_the_coordinates_are_those_of_the_naive_latents(snapshots):
    table = Projection().measure(snapshots)
    own = table[table["epoch"] == 1]
    chosen = [i for c in range(4) for i in range(c, 100, 10)]
    encoder, masks = snapshots.cortices[1].encoder, snapshots.masks("projection", len(chosen), 0.3, 4)
    x = snapshots.images.test.images[chosen].float() / 127.5 - 1
    z, z_dark = (
        torch.cat([encoder(image[None])[0] for image in seen]).detach().double().numpy()
        for seen in (x, x * masks)
    )
    *wanted, _ = principal_components(z, z_dark)
    for occluded, latents in zip((0.0, 0.3), wanted, strict=True):
        found = own.loc[own["occluded"] == occluded, "value"].to_numpy().reshape(-1, 2)
        np.testing.assert_allclose(found, latents, atol=1e-4 * np.abs(latents).max())


def test_other_classes_are_shown_if_asked_for_and_an_unknown_one_is_refused(snapshots):
    found = Projection(classes=(7, 2, 7)).measure(snapshots)
    assert set(found["label"]) == {7, 2}
    assert set(found["parameter"]) == {"pca;classes=7-2-7"}
    for label in (10, -1):
        with pytest.raises(UserError, match=f"names class {label}; the classes of digits are 0 to 9"):
            Projection(classes=(0, label)).measure(snapshots)


def test_a_class_without_test_images_is_refused_if_it_is_alone(lively_snapshots):
    snapshots = lively_snapshots(test=8)
    with pytest.raises(UserError, match="none of the 8 test images"):
        Projection(classes=(9,)).measure(snapshots)
    assert set(Projection(classes=(1, 2, 9)).measure(snapshots)["label"]) == {1, 2}


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"occlusion": 0.6}, "pca;occlusion=0.6"),
        ({"tile_size": 8}, "pca;tile_size=8"),
        ({"fit": "clean"}, "pca;fit=clean"),
    ],
)
def test_an_option_changes_the_coordinates_and_is_seen_beside_them(options, name, snapshots):
    usual, found = (Projection(**each).measure(snapshots) for each in ({}, options))
    assert set(found["parameter"]) == {name}
    assert set(usual["parameter"]) == {"pca"}
    assert not np.allclose(found["value"], usual["value"])
    assert set(found["occluded"]) == {0.0, options.get("occlusion", 0.3)}
