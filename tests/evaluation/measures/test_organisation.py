"""Distances within and between classes, against scipy and naive loops, and by what must hold of them."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform

from dreaming.errors import UserError
from dreaming.evaluation.measures import organisation
from dreaming.evaluation.measures.organisation import (
    Organisation,
    mean_of_all_pairs,
    mean_of_sample,
    sample_pairs,
)

METRIC = {"euclidean": "euclidean", "squared": "sqeuclidean"}
LABELS = torch.tensor([2, 0, 1, 1, 0, 2, 2, 0, 4, 2])  # of class 3 none, of class 4 one


def clusters(n, apart, seed=0, features=6, classes=5):
    """Latents around a centre per class, unit noise, float32 [n, features]; labels in no order."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(n) % classes)
    centres = np.random.default_rng(99).standard_normal((classes, features))
    z = apart * centres[labels] + random.standard_normal((n, features))
    return torch.from_numpy(z.astype(np.float32)), torch.from_numpy(labels)


def naive_means(z, labels, metric):
    """The mean distance of all pairs within each class (then over classes) and of all pairs between classes."""
    apart = squareform(pdist(z.double().numpy(), metric)).tolist()
    labels = labels.tolist()
    within = {}
    between = []
    for i in range(len(z)):
        for j in range(i + 1, len(z)):
            if labels[i] == labels[j]:
                within.setdefault(labels[i], []).append(apart[i][j])
            else:
                between.append(apart[i][j])
    return np.mean([np.mean(own) for own in within.values()]), np.mean(between)


@pytest.mark.parametrize("distance", ["euclidean", "squared"])
@pytest.mark.parametrize(
    "n",
    [
        40,
        organisation.LATENTS_AT_ONCE,
        organisation.LATENTS_AT_ONCE + 1,
        2 * organisation.LATENTS_AT_ONCE + 30,
    ],
)
def test_all_pairs_in_blocks_agree_with_naive_loops(distance, n):
    z, labels = clusters(n, apart=1.0)
    found = mean_of_all_pairs(z, labels, distance)
    assert found == pytest.approx(naive_means(z, labels, METRIC[distance]), rel=1e-5)


def test_all_pairs_are_exact_far_from_the_origin():
    z, labels = clusters(60, apart=1.0)
    z += 1000
    assert mean_of_all_pairs(z, labels, "euclidean") == pytest.approx(
        naive_means(z, labels, "euclidean"), rel=1e-4
    )


@pytest.mark.parametrize("distance", ["euclidean", "squared"])
def test_of_few_images_a_sample_is_all_pairs(distance):
    z = torch.randn(len(LABELS), 6, generator=torch.Generator().manual_seed(0))
    sample = sample_pairs(LABELS, 1000, 10_000, seed=0)
    wanted = naive_means(z, LABELS, METRIC[distance])
    assert mean_of_sample(z, sample, distance) == pytest.approx(wanted, rel=1e-6)
    assert mean_of_all_pairs(z, LABELS, distance) == pytest.approx(wanted, rel=1e-5)


def pairs_of(pairs):
    return list(zip(*(side.tolist() for side in pairs), strict=True))


def test_exhaustive_pairs_are_each_pair_in_both_directions():
    sample = sample_pairs(LABELS, 1000, 10_000, seed=0)
    labels = LABELS.tolist()
    within = [
        {(i, j) for i, j in itertools.permutations(range(10), 2) if labels[i] == labels[j] == label}
        for label in (0, 1, 2)
    ]
    found = [pairs_of(pairs) for pairs in sample.within]
    assert [set(own) for own in found] == within
    assert [len(own) for own in found] == [len(own) for own in within]
    between = {(i, j) for i, j in itertools.permutations(range(10), 2) if labels[i] != labels[j]}
    assert set(pairs_of(sample.between)) == between
    assert len(pairs_of(sample.between)) == len(between)


def test_drawn_pairs_are_as_many_as_asked_of_the_right_classes_and_never_an_image_with_itself():
    _, labels = clusters(300, apart=0)
    sample = sample_pairs(labels, 400, 5000, seed=0)
    assert [len(first) for first, _ in sample.within] == [400] * 5
    for label, (first, second) in enumerate(sample.within):
        assert (labels[first] == label).all()
        assert (labels[second] == label).all()
        assert (first != second).all()
    first, second = sample.between
    assert len(first) == 5000
    assert (labels[first] != labels[second]).all()


def test_all_pairs_are_equally_likely_however_unequal_the_classes():
    labels = torch.tensor([0] * 2 + [1] * 5 + [2] * 20)
    counts = Counter()
    total = 0
    for seed in range(40):
        sample = sample_pairs(labels, 1000, 70, seed=seed)
        counts.update(tuple(sorted(pair)) for pair in pairs_of(sample.between))
        total += len(sample.between[0])
    possible = 2 * 5 + 2 * 20 + 5 * 20
    assert total == 40 * 70
    expected = total / possible  # about 19 times each
    chi_squared = sum((counts[pair] - expected) ** 2 / expected for pair in counts)
    chi_squared += (possible - len(counts)) * expected
    assert abs(chi_squared - (possible - 1)) < 4 * math.sqrt(2 * possible)


def test_a_sample_comes_near_all_pairs():
    z, labels = clusters(800, apart=1.0)
    whole = mean_of_all_pairs(z, labels, "euclidean")
    found = mean_of_sample(z, sample_pairs(labels, 1000, 10_000, seed=0), "euclidean")
    assert found == pytest.approx(whole, rel=0.02)
    assert found != whole


def test_a_sample_depends_on_the_seed():
    _, labels = clusters(300, apart=0)
    one, same, other = (sample_pairs(labels, 50, 50, seed).between for seed in (0, 0, 1))
    assert torch.equal(one[0], same[0])
    assert torch.equal(one[1], same[1])
    assert not torch.equal(one[0], other[0])


def ratio(z, labels, distance="euclidean"):
    intra, inter = mean_of_all_pairs(z, labels, distance)
    return intra / inter


@pytest.mark.parametrize("distance", ["euclidean", "squared"])
def test_the_farther_classes_are_apart_the_smaller_is_the_ratio(distance):
    ratios = [ratio(*clusters(400, apart), distance) for apart in (0, 1, 3, 10)]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[0] == pytest.approx(1, abs=0.03)
    assert ratios[-1] < 0.2
    z, labels = clusters(400, 10)
    assert ratio(z, labels[torch.randperm(400, generator=torch.Generator().manual_seed(0))]) > 0.9


def test_ratios_do_not_change_if_latents_are_moved_turned_or_scaled():
    z, labels = clusters(200, apart=1.0)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(0)))[0]
    assert ratio(3 * z @ turn + 2, labels) == pytest.approx(ratio(z, labels), rel=1e-4)


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [3, 1]])
def test_classes_of_one_image_each_have_no_distance_within(labels):
    labels = torch.tensor(labels)
    for measure in (
        lambda: sample_pairs(labels, 10, 10, 0),
        lambda: mean_of_all_pairs(torch.zeros(len(labels), 2), labels, "euclidean"),
    ):
        with pytest.raises(UserError, match="two images of one class"):
            measure()


def values(snapshots, **options):
    table = Organisation(**options).measure(snapshots)
    return {
        (row["epoch"], row["measure"]): (row["parameter"], row["value"]) for row in table.to_dict("records")
    }


@pytest.mark.parametrize("distance", ["euclidean", "squared"])
@pytest.mark.parametrize("pairs", ["sampled", "all"])
@pytest.mark.parametrize("epoch", [0, 1])
def test_both_ratios_agree_with_naive_loops_over_images(distance, pairs, epoch, snapshots):
    found = values(snapshots, distance=distance, pairs=pairs)
    split, encoder = snapshots.images.test, snapshots.cortices[epoch].encoder
    masks = snapshots.masks("organisation", 100, 0.3, 4)
    drawn = torch.randperm(100, generator=organisation.generator(4, "evaluation", "organisation"))
    x = split.images.float() / 127.5 - 1
    z = torch.cat([encoder(image[None])[0] for image in x]).detach()
    moved = []
    for place, mask in zip(drawn.tolist(), masks, strict=True):
        dark = encoder((x[place] * mask)[None])[0].detach()
        moved.append(pdist(torch.cat([z[place][None], dark]).double().numpy(), METRIC[distance])[0])
    intra, inter = naive_means(z, split.labels, METRIC[distance])
    parameter = distance + ("-all" if pairs == "all" else "")
    # 100 images have 45 pairs of each class and 4,500 of different ones, so that a sample is all of them.
    assert found[epoch, "intra_inter_ratio"] == (parameter, pytest.approx(intra / inter, rel=1e-4))
    assert found[epoch, "clean_occluded_ratio"] == (
        parameter,
        pytest.approx(np.mean(moved) / inter, rel=1e-4),
    )


def test_heavier_occlusion_moves_latents_farther_and_none_not_at_all(snapshots):
    options = [{"occlusion": tenth / 10} for tenth in (0, 1, 3, 6, 10)]
    found = [values(snapshots, **each)[1, "clean_occluded_ratio"][1] for each in options]
    assert found[0] == 0
    assert found == sorted(found)
    assert found[-1] > found[1] > 0


@pytest.mark.parametrize(
    ("options", "intra_inter", "clean_occluded"),
    [
        ({"distance": "squared"}, "squared", "squared"),
        ({"pairs": "all"}, "euclidean-all", "euclidean-all"),
        ({"intra_pairs": 3}, "euclidean;intra_pairs=3", "euclidean"),
        ({"inter_pairs": 3}, "euclidean;inter_pairs=3", "euclidean;inter_pairs=3"),
        ({"occluded_images": 3}, "euclidean", "euclidean;occluded_images=3"),
        ({"occlusion": 0.5}, "euclidean", "euclidean;occlusion=0.5"),
        ({"tile_size": 8}, "euclidean", "euclidean;tile_size=8"),
        ({"split": "train"}, "euclidean;split=train", "euclidean;split=train"),
    ],
)
def test_an_option_is_seen_beside_the_numbers_that_it_changes(
    options, intra_inter, clean_occluded, snapshots
):
    usual, found = values(snapshots), values(snapshots, **options)
    wanted = {"intra_inter_ratio": intra_inter, "clean_occluded_ratio": clean_occluded}
    assert Organisation(**options).keys() == set(wanted.items())
    for name, parameter in wanted.items():
        assert found[1, name][0] == parameter
        if parameter == "euclidean":
            assert found[1, name] == usual[1, name]
        elif parameter != "euclidean-all":  # of so few images, a sample is all pairs
            assert found[1, name][1] != pytest.approx(usual[1, name][1], rel=1e-6)


def test_numbers_of_pairs_do_not_matter_where_all_are_taken(snapshots):
    options = {"pairs": "all", "intra_pairs": 3, "inter_pairs": 3, "occluded_images": 3}
    assert values(snapshots, **options) == values(snapshots, pairs="all")


def test_latents_in_one_point_have_no_ratio(lively_snapshots):
    snapshots = lively_snapshots(strengths=(0.0,))
    for pairs in ("sampled", "all"):
        assert all(math.isnan(value) for _, value in values(snapshots, pairs=pairs).values())


def test_what_there_is_less_of_than_asked_for_is_said(snapshots, monkeypatch):
    said = []
    monkeypatch.setattr(snapshots.progress, "say", said.append)
    values(snapshots)
    about = "latent organisation of digits: "
    assert said == [
        about + "no 10,000 test images, so all 100 with occluded versions",
        about + "no 1,000 pairs in 10 of 10 classes, so all of theirs",
        about + "no 10,000 pairs of different classes, so all 4,500",
    ]
    said.clear()
    values(snapshots, pairs="all")
    values(snapshots, intra_pairs=45, inter_pairs=4500, occluded_images=100)
    assert said == []
