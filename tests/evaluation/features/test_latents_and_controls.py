"""What is read out: latents of a frozen encoder, and two controls that no cortex learnt."""

import numpy as np
import pytest
import torch

import dreaming
from dreaming.evaluation.features.controls import pca, pixel_features


@pytest.fixture
def wide_awake():
    """A cortex of one image channel and strong weights."""
    cortex = dreaming.Cortex(
        latent_dim=8, base_channels=2, image_channels=1, random=torch.Generator().manual_seed(3)
    )
    with torch.no_grad():
        for weight in cortex.parameters():
            weight.mul_(10)
    return cortex


@pytest.mark.parametrize("batch", [1, 7, 40, 500])
def test_latents_do_not_depend_on_the_batch(batch, cortex, tiny_dataset):
    images = tiny_dataset.train.images
    whole = cortex.encoder(images.float() / 127.5 - 1)[0].detach()
    found = cortex.infer(images, batch=batch)
    assert found.shape == (40, 8)
    torch.testing.assert_close(found, whole, rtol=1e-5, atol=1e-7)
    assert not found.requires_grad
    assert found.std() > 0


def test_the_encoder_is_left_as_it_is(cortex, tiny_dataset):
    before = {name: value.clone() for name, value in cortex.state_dict().items()}
    mode = cortex.training
    images = tiny_dataset.train.images.clone()
    cortex.infer(images)
    assert all(torch.equal(value, before[name]) for name, value in cortex.state_dict().items())
    assert all(weight.grad is None for weight in cortex.parameters())
    assert all(weight.requires_grad for weight in cortex.parameters())
    assert cortex.training == mode
    assert torch.equal(images, tiny_dataset.train.images)


def test_a_cortex_of_one_channel_infers_from_luminance(wide_awake, tiny_dataset):
    images = tiny_dataset.train.images
    found = wide_awake.infer(images)
    weights = torch.tensor([0.299, 0.587, 0.114])
    luminance = torch.einsum("nchw,c->nhw", images.float(), weights)[:, None] / 127.5 - 1
    torch.testing.assert_close(found, wide_awake.encoder(luminance)[0].detach(), rtol=1e-4, atol=1e-4)
    assert found.std(dim=0).min() > 0.01


def flat(images):
    return images.double().flatten(1).numpy() / 127.5 - 1


def test_pixels_are_centred_and_scaled_on_training_images_alone(tiny_dataset):
    train, test = tiny_dataset.train.images, tiny_dataset.test.images
    name, x, y = pixel_features(train, test, 3, 0)
    assert name == "pixels"
    assert (x.shape, y.shape) == ((40, 3072), (20, 3072))
    centred = flat(train) - flat(train).mean(axis=0)
    scale = np.sqrt(256 / (centred**2).sum(axis=1).mean())
    np.testing.assert_allclose(x.numpy(), centred * scale, atol=1e-4)
    np.testing.assert_allclose(y.numpy(), (flat(test) - flat(train).mean(axis=0)) * scale, atol=1e-4)
    assert x.square().sum(dim=1).mean().item() == pytest.approx(256, rel=1e-5)
    assert x.mean(dim=0).abs().max() < 1e-5
    assert y.mean(dim=0).abs().max() > 1e-3  # the test images are not centred on themselves


def test_pixels_of_one_channel_are_luminance(tiny_dataset):
    _, x, y = pixel_features(tiny_dataset.train.images, tiny_dataset.test.images, 1, 0)
    assert (x.shape, y.shape) == ((40, 1024), (20, 1024))
    assert x.square().sum(dim=1).mean().item() == pytest.approx(256, rel=1e-5)


def test_principal_components_are_those_of_numpys_svd_whitened(tiny_dataset):
    grey = [
        s.images.double().mean(dim=1, keepdim=True).to(torch.uint8)
        for s in (tiny_dataset.train, tiny_dataset.test)
    ]
    name, x, y = pca(*grey, 1, 0)
    assert name == "pca-39"
    assert (x.shape, y.shape, x.dtype) == ((40, 39), (20, 39), torch.float32)
    train, test = flat(grey[0]), flat(grey[1])
    _, singular, axes = np.linalg.svd(train - train.mean(axis=0), full_matrices=False)
    deviation = singular / np.sqrt(len(train) - 1)
    for found, split in ((x, train), (y, test)):
        wanted = (split - train.mean(axis=0)) @ axes.T / deviation
        for k in range(39):
            sign = np.sign((x[:, k].numpy() * ((train - train.mean(axis=0)) @ axes[k])).sum())
            np.testing.assert_allclose(found[:, k].numpy() * sign, wanted[:, k], atol=2e-3, err_msg=f"{k}")
    variances = x.double().var(dim=0, correction=1)
    torch.testing.assert_close(variances, torch.ones(39, dtype=torch.float64), rtol=1e-3, atol=0)
    covariance = x.double().T @ x.double() / 39
    assert (covariance - torch.eye(39)).abs().max() < 2e-3
    assert x.mean(dim=0).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("n", "name"), [(257, "pca-256"), (300, "pca-256"), (256, "pca-255"), (20, "pca-19")]
)
def test_the_name_says_how_many_components_there_are(n, name, dataset_of):
    # One channel, where the principal components of 1,024 pixels are quick to find.
    images = dataset_of(train=n, test=10).train.images[:, :1]
    found, x, y = pca(images, images[:5], 1, 0)
    assert found == name
    assert x.shape == (n, int(name.removeprefix("pca-")))
    assert y.shape[1] == x.shape[1]
    torch.testing.assert_close(y, x[:5], rtol=1e-3, atol=1e-3)


def test_principal_components_of_many_images_are_those_of_numpys_svd(dataset_of):
    """More images than pixels: the other solver. Where components are far apart in variance, each is the same."""
    images = dataset_of(train=1400, test=20)
    train, test = images.train.images[:, :1], images.test.images[:, :1]
    name, x, y = pca(train, test, 1, 0)
    assert name == "pca-256"
    centred = flat(train) - flat(train).mean(axis=0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    deviation = singular / np.sqrt(len(centred) - 1)
    apart = np.flatnonzero(singular[:30] - singular[1:31] > 0.01 * singular[:30])
    assert len(apart) >= 5
    for k in apart[singular[apart - 1] - singular[apart] > 0.01 * singular[apart]]:
        for found, split in ((x, centred), (y, flat(test) - flat(train).mean(axis=0))):
            wanted = split @ axes[k] / deviation[k]
            sign = np.sign(x[:, k].numpy() @ (centred @ axes[k]))
            np.testing.assert_allclose(found[:, k].numpy() * sign, wanted, atol=0.02, err_msg=f"{k}")
    covariance = x.double().T @ x.double() / (len(x) - 1)
    assert (covariance - torch.eye(256)).abs().max() < 5e-3


def test_principal_components_come_with_the_same_signs_each_time(tiny_dataset):
    train, test = tiny_dataset.train.images, tiny_dataset.test.images
    first, again = pca(train, test, 3, 0), pca(train, test, 3, 0)
    assert all(torch.equal(a, b) for a, b in zip(first[1:], again[1:], strict=True))
