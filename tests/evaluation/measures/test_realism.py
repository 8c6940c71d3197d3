"""Realism: the value against a second computation, the recipes of the conditions, and the directions."""

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import nn
from torch.nn import functional

import dreaming
from dreaming.errors import UserError
from dreaming.evaluation.features.classifier import ClassifierProtocol, classifier
from dreaming.evaluation.features.extractors import Extractor, extractor
from dreaming.evaluation.features.frechet import frechet_distance
from dreaming.evaluation.measures import realism as module
from dreaming.evaluation.measures.realism import Realism, dream_of
from dreaming.evaluation.measures.snapshot_batch import SnapshotBatch
from dreaming.model.hippocampus import Replay
from dreaming.rng import Random, generator
from dreaming.runs.folder import RunFolder
from dreaming.runs.snapshots import load

SMALL = ClassifierProtocol(
    channels=4, features=6, epochs=1, least_steps=60, batch_size=20, learning_rate=0.01
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def images(dataset_of):
    return dataset_of(train=60, test=20)


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DREAMING_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def run(images, tmp_path_factory, tiny_config, without_drawing):
    """A run of two epochs, of which 0 and 2 are kept."""
    config = tiny_config(seed=3, optimizer={"learning_rate": 0.003})
    return RunFolder(dreaming.train(config, out=tmp_path_factory.mktemp("runs"), dataset=images))


@pytest.fixture
def measured(run, images, monkeypatch):
    """Measures the run with a small classifier: (epochs, config, options of the measure)."""
    monkeypatch.setattr(module, "extractor", partial(extractor, protocol=SMALL))

    def measure(*epochs, config=None, **options):
        snapshots = SnapshotBatch(run, config or run.read_config(), images, epochs, CPU)
        return list(Realism(**options).measure(snapshots).itertuples(index=False, name=None))

    return measure


def lively(epoch):
    """An untrained cortex with weights so large that its dreams differ from each other."""
    cortex = dreaming.Cortex(latent_dim=8, base_channels=2, random=torch.Generator().manual_seed(epoch))
    with torch.no_grad():
        for weights in cortex.parameters():
            weights.mul_(15)
    return cortex


def by_hand(images, of, network):
    """Equation 11 in numpy, of training images and dreams in [-1, 1]."""
    dreamt = torch.from_numpy(np.round((of + 1) * 127.5).clip(0, 255).astype(np.uint8))
    x, y = (network.features(part).double().numpy() for part in (images, dreamt))
    covariances = [np.cov(part, rowvar=False) for part in (x, y)]
    common = np.sqrt(linalg.eigvals(covariances[0] @ covariances[1]).real.clip(0)).sum()
    apart = ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
    return apart + np.trace(covariances[0] + covariances[1]) - 2 * common


@torch.no_grad()
def test_the_values_are_those_of_a_second_computation(measured, images, monkeypatch):
    monkeypatch.setattr(module, "load", lambda _, epoch: lively(epoch))
    rows = measured(0, 2)
    assert [row[:3] for row in rows] == [
        (epoch, measure, "classifier") for epoch in (0, 2) for measure in ("frechet_nrem", "frechet_rem")
    ]
    order = torch.randperm(60, generator=generator(3, "evaluation", "realism"))
    seen = images.train.images[order]
    noise = Random(3, ("realism", "rem", 0)).normal("noise", (60, 8)).numpy()
    network = classifier(images, SMALL)
    for epoch in (0, 2):
        cortex = lively(epoch)
        z = cortex.encoder(seen.float() / 127.5 - 1)[0].numpy()
        z_old = np.concatenate([z[-8:], z[:-8]])
        mixed = 0.5 * (0.5 * z + 0.5 * z_old) + 0.5 * noise
        for latents, row in zip((z, mixed), rows[epoch : epoch + 2], strict=True):
            dreamt = cortex.generator(torch.from_numpy(latents)).numpy()
            assert row[3] == pytest.approx(by_hand(seen, dreamt, network), rel=1e-4)


def test_a_value_depends_neither_on_other_epochs_nor_on_portions(measured, monkeypatch):
    rows = measured(0, 2)
    assert measured(2) == rows[2:]
    assert measured(0, 2) == rows
    monkeypatch.setattr(module, "DREAMS_AT_ONCE", 60)
    assert measured(0, 2) == rows


def with_phases(run, name):
    return run.read_config().model_copy(update={"phases": dreaming.condition(name)})


def test_dreams_are_by_the_recipes_of_the_runs_own_condition(measured, run, monkeypatch):
    monkeypatch.setattr(module, "load", lambda _, epoch: lively(epoch))
    pad = {row[1]: row[3] for row in measured(2)}
    found = {
        name: {row[1]: row[3] for row in measured(2, config=with_phases(run, name))}
        for name in ("without_memory_mix", "rem_noise_only", "rem_memories_only", "nrem_mixed", "wake_only")
    }
    assert found["wake_only"] == pad  # which has no sleep, so PAD's is lent to it
    assert found["without_memory_mix"]["frechet_rem"] == pad["frechet_nrem"]
    different = {
        pad["frechet_rem"],
        *(found[n]["frechet_rem"] for n in ("rem_noise_only", "rem_memories_only")),
    }
    assert len(different) == 3
    for name in ("rem_noise_only", "rem_memories_only"):
        assert found[name]["frechet_nrem"] == pad["frechet_nrem"]
    assert found["nrem_mixed"]["frechet_nrem"] != pad["frechet_nrem"]


def test_a_phase_of_weight_0_is_not_taken_for_the_runs_own(measured, run):
    off = (dreaming.Wake(), dreaming.REM(weight=0, replay=Replay(noise=1)))
    config = run.read_config().model_copy(update={"phases": off})
    assert measured(2, config=config) == measured(2)


def test_in_a_schedule_each_epoch_dreams_by_the_recipes_of_its_stage(measured, run, monkeypatch):
    monkeypatch.setattr(module, "load", lambda _, epoch: lively(2))
    later = dreaming.Stage(after=1, condition="rem_noise_only", phases=dreaming.condition("rem_noise_only"))
    config = run.read_config().model_copy(update={"schedule": (later,)})
    first, second = ([row[3] for row in measured(0, 2, config=config)][place : place + 2] for place in (0, 2))
    assert first == [row[3] for row in measured(2)]
    assert second == [row[3] for row in measured(2, config=with_phases(run, "rem_noise_only"))]
    assert second[1] != first[1]


def test_fewer_samples_may_be_taken_and_one_is_refused(measured):
    usual, sixty, twenty = measured(2), measured(2, samples=60), measured(2, samples=20)
    assert [row[2] for row in sixty] == ["classifier;samples=60"] * 2
    assert [row[3] for row in sixty] == [row[3] for row in usual] != [row[3] for row in twenty]
    with pytest.raises(UserError, match="greater than or equal to 2"):
        Realism(samples=1)


def test_a_single_image_is_refused(run, images):
    alone = dataclasses.replace(images, train=images.train.at(torch.arange(1)))
    with pytest.raises(UserError, match="needs two images or more, and got 1"):
        Realism().measure(SnapshotBatch(run, run.read_config(), alone, [2], CPU))


class Pixels(nn.Module):
    """Takes pixels for latents."""

    def forward(self, images):
        return images.flatten(1), images.mean((1, 2, 3))


class Mirror(dreaming.Cortex):
    """Remembers every pixel, so that its NREM dreams are what it saw."""

    def __init__(self):
        super().__init__(base_channels=2, latent_dim=8, random=torch.Generator())
        self.latent_dim = 3072
        self.encoder = Pixels()
        self.spare = nn.Parameter(torch.zeros(1))
        self.generator = nn.Unflatten(1, (3, 32, 32))


def test_of_a_perfect_memory_nrem_dreams_are_real_and_rem_dreams_are_not(measured, monkeypatch):
    monkeypatch.setattr(module, "load", lambda *_: Mirror())
    nrem, rem = measured(2)
    assert nrem[3] == pytest.approx(0, abs=1e-9)
    assert rem[3] > 1
    monkeypatch.setattr(module, "load", load)
    assert measured(2)[0][3] > 1


def test_yesterday_is_the_day_before_and_of_the_first_day_the_last():
    random = Random(0, ("realism", "rem"))
    images = torch.linspace(-1, 1, 5)[:, None].repeat(1, 3072)
    rem = dreaming.REM(replay=Replay(past=1))
    dreamt = dream_of(Mirror(), rem, images, random, batch_size=2)
    expected = ((images + 1) * 127.5).round().to(torch.uint8)[[3, 4, 0, 1, 2], 0]
    assert dreamt[:, 0, 0, 0].tolist() == expected.tolist()
    # Where all images are one day, half of them stand for the day before, and nothing is mixed with itself.
    assert dream_of(Mirror(), rem, images, random, batch_size=5)[0, 0, 0, 0] == expected[0]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_and_dreams_are_compared_as_the_cortex_sees_them(channels, run, images, monkeypatch):
    looked = []

    def spy(name, *_, **__):
        return Extractor(name, lambda x: looked.append(x) or x.float().flatten(1)[:, ::500], batch=60)

    def cortex(*_):
        return dreaming.Cortex(latent_dim=8, base_channels=2, image_channels=channels)

    config = run.read_config()
    networks = config.networks.model_copy(update={"image_channels": channels})
    monkeypatch.setattr(module, "extractor", spy)
    monkeypatch.setattr(module, "load", cortex)
    config = config.model_copy(update={"networks": networks})
    with torch.random.fork_rng():
        Realism().measure(SnapshotBatch(run, config, images, [2], CPU))
    waking, *dreamt = looked
    assert len(dreamt) == 2
    for seen in looked:
        assert (seen.dtype, seen.shape) == (torch.uint8, (60, 3, 32, 32))
        assert bool((seen == seen[:, :1]).all()) == (channels == 1)
    order = torch.randperm(60, generator=generator(3, "evaluation", "realism"))
    if channels == 3:
        assert torch.equal(waking, images.train.images[order])


def test_several_features_are_rows_of_their_own(measured, monkeypatch):
    def two(name, *_, **__):
        of = torch.mean if name == "classifier" else torch.amax
        return Extractor(name, lambda x: of(x.float(), dim=(2, 3)), batch=20)

    monkeypatch.setattr(module, "extractor", two)
    features = ("classifier", "inception")
    rows = measured(2, features=features)
    assert [row[1:3] for row in rows] == [
        (f"frechet_{x}", name) for x in ("nrem", "rem") for name in features
    ]
    assert len({row[3] for row in rows}) == 4


def test_a_missing_snapshot_is_refused_by_name(measured):
    with pytest.raises(UserError, match=r"0001\.safetensors is missing"):
        measured(1)


def test_the_distance_grows_with_blur_and_is_largest_for_noise(images):
    """In the features of the classifier, of images against themselves made worse."""
    each = extractor("classifier", images, CPU, protocol=SMALL)
    seen = images.train.images

    def distance(other):
        return frechet_distance(*each.moments(seen, CPU), *each.moments(other, CPU))

    def blurred(by):
        small = functional.avg_pool2d(seen.float(), by)
        return functional.interpolate(small, scale_factor=by, mode="bilinear").round().to(torch.uint8)

    noise = torch.randint(0, 256, seen.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    blurs = [distance(blurred(by)) for by in (1, 2, 4, 8, 16)]
    others = distance(images.test.images)
    assert blurs[0] == pytest.approx(0, abs=1e-9)
    assert blurs == sorted(blurs)
    assert 0 < others < 0.1 * blurs[1]
    assert distance(noise) > 100 * others
