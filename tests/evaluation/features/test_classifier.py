"""The classifier whose last layer but one serves as features: what it learns, and how it is kept."""

import pytest
import torch
from tests.evaluation.heard import Heard

from dreaming.evaluation.features import classifier as module
from dreaming.evaluation.features.classifier import (
    Classifier,
    ClassifierProtocol,
    classifier,
    classifier_accuracy,
    train_classifier,
)

SMALL = ClassifierProtocol(
    channels=4, features=12, epochs=1, least_steps=40, batch_size=20, learning_rate=0.01
)
QUICK = SMALL.model_copy(update={"least_steps": 2, "batch_size": 100})


@pytest.fixture(scope="module")
def images(dataset_of):
    return dataset_of(train=100, test=60)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DREAMING_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def equal(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_it_learns_the_classes_and_its_features_tell_them(images):
    network = train_classifier(images.train, 10, SMALL)
    assert classifier_accuracy(Classifier(10, SMALL).eval(), images.test) < 0.4
    assert classifier_accuracy(network, images.test) > 0.9
    features = network.features(images.test.images)
    assert features.shape == (60, 12)
    assert (features >= 0).all()
    assert torch.equal(network.output(features), network(images.test.images))
    assert not features.requires_grad


def test_it_is_the_same_bit_for_bit_each_time_whatever_was_drawn_before(images):
    first = train_classifier(images.train, 10, QUICK)
    with torch.random.fork_rng():
        torch.rand(3)
        again = train_classifier(images.train, 10, QUICK)
    assert equal(first, again)
    other = train_classifier(images.train, 10, QUICK.model_copy(update={"seed": 1}))
    assert not equal(first, other)


def test_features_of_an_image_do_not_depend_on_its_batch(images):
    network = train_classifier(images.train, 10, QUICK)
    whole = network.features(images.test.images)
    parts = torch.cat([network.features(part) for part in images.test.images.split(7)])
    torch.testing.assert_close(parts, whole)


def test_it_is_trained_once_and_read_ever_after(images, cache, monkeypatch):
    heard = Heard()
    first = classifier(images, QUICK, heard)
    assert "training the classifier of digits" in heard.lines[0]
    assert "% of the test images" in heard.lines[1]
    assert len(list((cache / "classifiers").iterdir())) == 1
    heard.lines.clear()
    monkeypatch.setattr(module, "train_classifier", None)
    assert equal(classifier(images, QUICK, heard), first)
    assert heard.lines == []


def test_other_images_and_other_protocols_have_classifiers_of_their_own(images, dataset_of, cache):
    classifier(images, QUICK)
    classifier(dataset_of(train=100, test=60, seed=1), QUICK)
    classifier(images, QUICK.model_copy(update={"least_steps": 3}))
    assert len(list((cache / "classifiers").iterdir())) == 3


def test_every_field_of_the_protocol_is_in_its_checksum():
    known = {ClassifierProtocol().checksum}
    for name in ClassifierProtocol.model_fields:
        known.add(ClassifierProtocol(**{name: getattr(ClassifierProtocol(), name) + 1}).checksum)
    assert len(known) == 1 + len(ClassifierProtocol.model_fields)


@pytest.mark.parametrize("damage", ["a changed byte", "a cut", "another data set's"])
def test_one_that_is_damaged_is_trained_again_and_that_is_said(damage, images, dataset_of, cache):
    first = classifier(images, QUICK)
    (kept,) = (cache / "classifiers").iterdir()
    content = bytearray(kept.read_bytes())
    if damage == "a changed byte":
        content[-5] ^= 1
        kept.write_bytes(bytes(content))
    elif damage == "a cut":
        kept.write_bytes(bytes(content[: len(content) // 2]))
    else:
        classifier(dataset_of(train=100, test=60, seed=1), QUICK)
        next(path for path in kept.parent.iterdir() if path != kept).replace(kept)
    heard = Heard()
    assert equal(classifier(images, QUICK, heard), first)
    why = "belongs to another data set" if damage == "another data set's" else "is damaged"
    assert why in heard.lines[0]
    assert "trained again" in heard.lines[0]
    assert kept.read_bytes() == bytes(content) or damage != "a cut"
    heard.lines.clear()
    classifier(images, QUICK, heard)
    assert heard.lines == []


def test_a_cache_that_cannot_be_written_is_done_without_and_that_is_said(images, cache):
    cache.write_text("no folder")
    heard = Heard()
    network = classifier(images, SMALL, heard)
    assert classifier_accuracy(network, images.test) > 0.9
    assert "not kept for the next time: cannot write" in heard.lines[-1]


def test_threads_are_as_before_and_grey_or_few_images_do_as_well(images):
    before = torch.get_num_threads()
    few = images.train.at(torch.arange(9))
    grey = type(few)(few.images[:, :1].contiguous(), few.labels)
    network = train_classifier(grey, 10, QUICK)
    assert torch.get_num_threads() == before
    assert network.features(grey.images).shape == (9, 12)
