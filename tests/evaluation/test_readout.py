"""The linear readout against a naive one in numpy, against torch's own layers, and by what must hold of it."""

import numpy as np
import pytest
import torch
from tests.evidence.oracle import naive_pad

from dreaming.errors import UserError
from dreaming.evaluation import readout
from dreaming.evaluation.readout import Protocol, accuracy, train_readout


def clusters(n, features, classes, distance, seed=0):
    """Features around a centre per class, unit noise; float32 [n, features] and labels [n]."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(1000).standard_normal((classes, features)) * distance
    labels = random.integers(0, classes, n)
    return (
        torch.from_numpy((centres[labels] + random.standard_normal((n, features))).astype(np.float32)),
        torch.from_numpy(labels),
    )


@pytest.fixture
def orders(monkeypatch):
    """Every order of images that a readout is trained in, as it is drawn."""
    drawn = []
    whole = readout.epoch_order

    def epoch_order(*args):
        drawn.append(whole(*args))
        return drawn[-1]

    monkeypatch.setattr(readout, "epoch_order", epoch_order)
    return drawn


SMALL = Protocol(epochs=3, batch_size=16)


def initial(features, classes, seed):
    """Weights before any step."""
    return train_readout(features, torch.zeros(features.shape[1]).long(), classes, seed, Protocol(epochs=0))


def test_the_protocol_is_the_papers():
    assert Protocol() == Protocol(learning_rate=0.2, batch_size=64, epochs=20)


@pytest.mark.parametrize(("n", "f", "classes"), [(96, 5, 3), (100, 8, 10)])
def test_it_agrees_with_the_naive_readout(n, f, classes, orders):
    x, labels = clusters(n, f, classes, distance=1)
    y, answers = clusters(60, f, classes, distance=1, seed=7)
    weight, bias = initial(torch.zeros(1, 64, f), classes, seed=3)
    found = train_readout(x[None], labels, classes, 3, SMALL)
    assert [order.shape for order in orders] == [(n // 16, 16)] * 3
    share, naive_weight, naive_bias = naive_pad.naive_readout(
        x.double().numpy(),
        labels.numpy(),
        y.double().numpy(),
        answers.numpy(),
        weight[0].T.double().numpy(),
        bias[0, 0].double().numpy(),
        [order.flatten().numpy() for order in orders],
        batch=16,
    )
    np.testing.assert_allclose(found[0][0].T.numpy(), naive_weight, rtol=0, atol=5e-6)
    np.testing.assert_allclose(found[1][0, 0].numpy(), naive_bias, rtol=0, atol=5e-6)
    assert accuracy(found, y[None], answers).item() == pytest.approx(share, abs=1e-12)
    assert not np.allclose(naive_weight, weight[0].T.numpy(), atol=0.01)  # it has learnt something


@pytest.mark.changes_global_state  # the layer draws a random start, which is then thrown away
def test_it_agrees_with_torchs_linear_layer_sgd_and_cross_entropy(orders):
    x, labels = clusters(200, 12, 5, distance=1)
    found = train_readout(x[None], labels, 5, 4)
    weight, bias = initial(torch.zeros(1, 64, 12), 5, seed=4)
    layer = torch.nn.Linear(12, 5)
    layer.load_state_dict({"weight": weight[0].T, "bias": bias[0, 0]})
    sgd = torch.optim.SGD(layer.parameters(), lr=0.2)
    assert len(orders) == 20
    for order in orders:
        for batch in order:
            sgd.zero_grad()
            torch.nn.functional.cross_entropy(layer(x[batch]), labels[batch]).backward()
            sgd.step()
    torch.testing.assert_close(found[0][0].T, layer.weight.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[1][0, 0], layer.bias.detach(), rtol=1e-4, atol=1e-5)


def test_initial_weights_are_those_of_a_linear_layer_in_spread():
    weight, bias = initial(torch.zeros(1, 64, 100), 50, seed=0)
    bound = 100**-0.5
    assert weight.abs().max() <= bound
    assert bias.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.03)
    assert abs(weight.mean().item()) < 0.003


def test_many_sets_together_equal_each_alone():
    sets = [clusters(150, 6, 4, distance, seed=2)[0] for distance in (0, 0.5, 2)]
    labels = clusters(150, 6, 4, 0, seed=2)[1]
    together = train_readout(torch.stack(sets), labels, 4, 1)
    for i, features in enumerate(sets):
        alone = train_readout(features[None], labels, 4, 1)
        for one, of_many in zip(alone, together, strict=True):
            torch.testing.assert_close(of_many[i], one[0], rtol=1e-5, atol=1e-6)
    shares = accuracy(together, torch.stack(sets), labels)
    alone = [accuracy(train_readout(s[None], labels, 4, 1), s[None], labels).item() for s in sets]
    assert shares.tolist() == alone
    assert shares[0] < shares[2]


def test_separable_classes_are_told_apart():
    x, labels = clusters(500, 20, 10, distance=6)
    y, answers = clusters(300, 20, 10, distance=6, seed=5)
    assert accuracy(train_readout(x[None], labels, 10, 0), y[None], answers).item() > 0.99


def test_features_of_pure_noise_are_told_at_chance():
    x, labels = clusters(640, 8, 4, distance=0)
    y, answers = clusters(4000, 8, 4, distance=0, seed=5)
    found = accuracy(train_readout(x[None], labels, 4, 0), y[None], answers).item()
    assert found == pytest.approx(0.25, abs=0.04)  # the standard error of 4,000 guesses is 0.007


def test_accuracy_is_the_share_of_the_whole_test_set():
    weight = torch.eye(3)[None]
    bias = torch.zeros(1, 1, 3)
    labels = torch.tensor([0, 1, 2] * 333 + [0])
    features = torch.eye(3)[labels][None].clone()
    assert accuracy((weight, bias), features, labels).tolist() == [1.0]
    features[0, -7:] = -features[0, -7:]  # seven mistakes at the end of a set that no batch size divides
    assert accuracy((weight, bias), features, labels).tolist() == [pytest.approx(993 / 1000, abs=1e-12)]
    shifted = torch.tensor([[[0.0, 0.0, 9.0]]])
    assert accuracy((weight, shifted), features, labels).item() == pytest.approx(
        (labels == 2).double().mean().item()
    )


@pytest.mark.parametrize("n", [1, 63])
def test_fewer_images_than_a_batch_are_refused(n):
    with pytest.raises(UserError, match=f"batches of 64, and there are only {n} images"):
        train_readout(torch.zeros(1, n, 4), torch.zeros(n).long(), 2, 0)


def test_the_same_seed_is_the_same_readout_and_another_seed_another_order(orders):
    x, labels = clusters(100, 6, 4, distance=1)
    one, same = (train_readout(x[None], labels, 4, 5, SMALL) for _ in range(2))
    assert torch.equal(one[0], same[0])
    assert torch.equal(one[1], same[1])
    assert all(torch.equal(a, b) for a, b in zip(orders[:3], orders[3:], strict=True))
    other = train_readout(x[None], labels, 4, 6, SMALL)
    assert not torch.equal(one[0], other[0])
    assert not torch.equal(orders[0], orders[6])
    assert not torch.equal(orders[0], orders[1])  # each epoch has its own


def test_the_features_and_labels_are_left_as_they_are():
    x, labels = clusters(100, 6, 4, distance=1)
    before = x.clone(), labels.clone()
    weights = train_readout(x[None], labels, 4, 5, SMALL)
    accuracy(weights, x[None], labels)
    assert torch.equal(x, before[0])
    assert torch.equal(labels, before[1])


@pytest.mark.parametrize("field", [{"learning_rate": 0.1}, {"batch_size": 32}, {"epochs": 4}])
def test_each_field_of_the_protocol_matters(field):
    x, labels = clusters(100, 6, 4, distance=1)
    one = train_readout(x[None], labels, 4, 5, SMALL)
    other = train_readout(x[None], labels, 4, 5, SMALL.model_copy(update=field))
    assert not torch.allclose(one[0], other[0])
