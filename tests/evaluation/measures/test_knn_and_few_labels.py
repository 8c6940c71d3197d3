"""Two readouts beside the linear one, nearest neighbours and few labels, against independent oracles."""

import warnings

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from sklearn.neighbors import KNeighborsClassifier

from dreaming.errors import UserError
from dreaming.evaluation.measures import knn
from dreaming.evaluation.measures.few_labels import FewLabels, drawn_images
from dreaming.evaluation.measures.knn import Knn, neighbours_vote


def features(n, seed, classes=7):
    random = np.random.default_rng(seed)
    labels = random.integers(classes, size=n)
    centres = np.random.default_rng(9).standard_normal((classes, 12))
    z = centres[labels] + random.standard_normal((n, 12))
    return torch.from_numpy(z), torch.from_numpy(labels)


@pytest.mark.parametrize("k", [1, 2, 20, 300])
@pytest.mark.parametrize("at_once", [7, 256])
def test_the_vote_is_that_of_scikit_learn(k, at_once, monkeypatch):
    monkeypatch.setattr(knn, "TESTED_AT_ONCE", at_once)
    (train, labels), (test, _) = features(300, 0), features(150, 1)
    oracle = KNeighborsClassifier(k, metric="cosine").fit(train.numpy(), labels.numpy())
    found = neighbours_vote(train, labels, test, 7, k)
    assert found.tolist() == oracle.predict(test.numpy()).tolist()


def test_the_vote_depends_on_directions_alone():
    (train, labels), (test, _) = features(300, 0), features(150, 1)
    scales = torch.from_numpy(np.random.default_rng(2).uniform(0.1, 10, (300, 1)))
    assert torch.equal(
        neighbours_vote(scales * train, labels, 3 * test, 7, 20), neighbours_vote(train, labels, test, 7, 20)
    )


def test_accuracy_of_a_lively_cortex_is_that_of_scikit_learn_on_its_latents(snapshots):
    found = Knn(k=5).measure(snapshots)
    assert found[["measure", "parameter"]].drop_duplicates().values.tolist() == [
        ["knn_accuracy", "latent;k=5"]
    ]
    images = snapshots.images
    for train, test, share in zip(snapshots.train, snapshots.test, found["value"], strict=True):
        oracle = KNeighborsClassifier(5, metric="cosine").fit(train.numpy(), images.train.labels)
        assert share == pytest.approx(oracle.score(test.numpy(), images.test.labels), abs=0.011)
    assert found["value"].max() > 0.5


def test_more_neighbours_than_images_are_refused(snapshots):
    with pytest.raises(UserError, match=r"knn\.k is 201, and there are only 200 training images"):
        Knn(k=201).measure(snapshots)


def test_few_labels_are_drawn_by_the_seed_and_few_are_among_many():
    labels = torch.tensor([0, 1, 2] * 20)
    ten, one = ([each.tolist() for each in drawn_images(labels, n, 3, 4)] for n in (10, 1))
    assert all(np.bincount(labels[each]).tolist() == [10, 10, 10] for each in ten)
    assert all(len(set(each)) == 30 for each in ten)
    assert all(set(few) <= set(many) for few, many in zip(one, ten, strict=True))
    assert len({tuple(each) for each in ten}) == 4
    assert [each.tolist() for each in drawn_images(labels, 10, 3, 4)] == ten
    assert [each.tolist() for each in drawn_images(labels, 10, 4, 4)] != ten


def test_mean_and_spread_are_those_of_the_draws(snapshots):
    found = FewLabels(labels=(1, 5), draws=3).measure(snapshots)
    assert len(found) == 2 * len(FewLabels(labels=(1, 5), draws=3).keys()) == 2 * 2 * 5
    table = found.set_index(["epoch", "measure", "parameter"])["value"]
    for epoch in (0, 1):
        for n in (1, 5):
            draws = [table[epoch, "few_label_draw", f"{n}-{draw}"] for draw in range(3)]
            assert table[epoch, "few_label_accuracy", f"{n};draws=3"] == pytest.approx(np.mean(draws))
            assert table[epoch, "few_label_spread", f"{n};draws=3"] == pytest.approx(np.std(draws, ddof=1))
    assert table[1, "few_label_accuracy", "5;draws=3"] > table[1, "few_label_accuracy", "1;draws=3"] > 0.15


def test_the_regression_is_at_its_optimum(snapshots, monkeypatch):
    """The gradient of the penalised cross-entropy, written out here, is nothing where scikit-learn ends."""
    from sklearn.linear_model import LogisticRegression

    fits = []
    whole = LogisticRegression.fit
    monkeypatch.setattr(
        LogisticRegression, "fit", lambda self, x, y: fits.append((self, x, y)) or whole(self, x, y)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FewLabels(labels=(10,), draws=2, inverse_penalty=0.5).measure(snapshots)
    assert len(fits) == 4
    losses = []
    for fit, x, y in fits:
        assert x.shape == (100, 32)
        y_hat = x @ fit.coef_.T + fit.intercept_
        error = softmax(y_hat, axis=1) - np.eye(10)[y]
        loss = -log_softmax(y_hat, axis=1)[np.arange(100), y].sum() + np.square(fit.coef_).sum()
        assert np.abs(error.T @ x + 2 * fit.coef_).max() < 0.05
        losses.append(float(loss))
    assert max(losses) < 100 * np.log(10) + 1e-3  # what no weights have
    assert min(losses) < 200


def test_what_has_too_few_images_is_not_defined_and_that_is_said(snapshots):
    said = []
    snapshots.progress.say, before = said.append, snapshots.progress.say
    found = FewLabels(draws=2).measure(snapshots)
    snapshots.progress.say = before
    table = found.set_index(["measure", "parameter"])["value"]
    assert table["few_label_draw"].loc[["100-0", "100-1"]].isna().all()
    assert table["few_label_draw"].loc[["10-0", "10-1"]].notna().all()
    assert said == [
        "few labels of digits: there are no 100 training images of each class, but 20 of the rarest, so the "
        "accuracy of more labels is not defined"
    ]
