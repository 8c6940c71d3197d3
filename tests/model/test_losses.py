"""Equations 2 to 8 against closed forms, independent oracles, their invariants and their gradients."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.nn import functional

from dreaming.model import losses

SQUARED = {
    "image": (losses.image_reconstruction, (5, 3, 4, 4)),
    "latent": (losses.latent_reconstruction, (5, 7)),
}


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def every_loss():
    """Name of each loss, and the loss as a function of what depends on the network alone."""
    image, latent = normal(5, 3, 4, 4, seed=8), normal(5, 7, seed=9)
    return {
        "image": (lambda x: losses.image_reconstruction(image, x), (5, 3, 4, 4)),
        "image, squared norm": (
            lambda x: losses.image_reconstruction(image, x, "squared_norm"),
            (5, 3, 4, 4),
        ),
        "latent": (lambda z: losses.latent_reconstruction(latent, z), (5, 7)),
        "latent, squared norm": (lambda z: losses.latent_reconstruction(latent, z, "squared_norm"), (5, 7)),
        "kl": (losses.kl_to_standard_normal, (5, 7)),
        "external": (lambda d: losses.externality(d, external=True), (5,)),
        "internal": (lambda d: losses.externality(d, external=False), (5,)),
    }


EVERY = sorted(every_loss())


@pytest.mark.parametrize("kind", SQUARED)
class TestReconstruction:
    def test_the_mean_is_the_double_sum_over_batch_and_elements(self, kind):
        loss, shape = SQUARED[kind]
        x, y = normal(*shape), normal(*shape, seed=1)
        by_hand = sum((a - b) ** 2 for a, b in zip(x.flatten().tolist(), y.flatten().tolist(), strict=True))
        assert loss(x, y).item() == pytest.approx(by_hand / x.numel(), rel=1e-12)

    def test_the_squared_norm_is_averaged_over_the_batch_alone(self, kind):
        loss, shape = SQUARED[kind]
        x, y = normal(*shape), normal(*shape, seed=1)
        norms = [torch.linalg.vector_norm(a - b).item() ** 2 for a, b in zip(x, y, strict=True)]
        assert loss(x, y, "squared_norm").item() == pytest.approx(sum(norms) / len(norms), rel=1e-12)

    def test_the_mean_is_the_default(self, kind):
        loss, shape = SQUARED[kind]
        x, y = normal(*shape), normal(*shape, seed=1)
        assert loss(x, y) == loss(x, y, "mean") != loss(x, y, "squared_norm")

    @pytest.mark.parametrize("reduction", ["mean", "squared_norm"])
    def test_it_is_zero_where_nothing_is_lost_and_symmetric(self, kind, reduction):
        loss, shape = SQUARED[kind]
        x, y = normal(*shape), normal(*shape, seed=1)
        assert loss(x, x, reduction) == 0
        assert loss(x, y, reduction) == loss(y, x, reduction) > 0

    def test_its_gradient_is_twice_the_error_over_the_elements(self, kind):
        loss, shape = SQUARED[kind]
        x, y = normal(*shape), normal(*shape, seed=1).requires_grad_()
        (gradient,) = torch.autograd.grad(loss(x, y), y)
        torch.testing.assert_close(gradient, 2 * (y.detach() - x) / x.numel(), rtol=1e-12, atol=0)


class TestKL:
    @pytest.mark.parametrize(("batch", "latents"), [(2, 1), (5, 7), (64, 256)])
    def test_it_agrees_with_torch_distributions(self, batch, latents):
        z = 0.3 + 1.7 * normal(batch, latents)
        of_each = kl_divergence(Normal(z.mean(0), z.std(0)), Normal(0.0, 1.0))
        assert losses.kl_to_standard_normal(z).item() == pytest.approx(of_each.mean().item(), rel=1e-12)

    def test_it_is_in_nats_and_a_mean_over_latents(self):
        e = math.e
        z = torch.tensor([[-1.0], [1.0]], dtype=torch.float64) * e / math.sqrt(2)  # mean 0, deviation e
        for latents in (1, 9):
            kl = losses.kl_to_standard_normal(z.expand(2, latents)).item()
            assert kl == pytest.approx((e**2 - 1 - 2) / 2, rel=1e-12)

    def test_the_deviation_is_that_of_n_minus_1(self):
        z = normal(4, 3)
        of_n = kl_divergence(Normal(z.mean(0), z.std(0, unbiased=False)), Normal(0.0, 1.0)).mean()
        assert abs(losses.kl_to_standard_normal(z) - of_n) > 1e-3

    def test_it_is_zero_for_standard_latents_and_only_there(self):
        z = normal(20, 6)
        standard = (z - z.mean(0)) / z.std(0)
        assert losses.kl_to_standard_normal(standard).abs() < 1e-14
        for other in (standard + 0.1, standard * 1.1, standard * 0.9):
            assert losses.kl_to_standard_normal(other) > 1e-3

    def test_its_gradient_is_finite_in_float32_for_nearly_constant_latents(self):
        z = (1 + 1e-4 * normal(64, 8, dtype=torch.float32)).requires_grad_()
        (gradient,) = torch.autograd.grad(losses.kl_to_standard_normal(z), z)
        assert gradient.isfinite().all()


@pytest.mark.parametrize("external", [True, False])
class TestExternality:
    def test_it_agrees_with_binary_cross_entropy_of_the_sigmoid(self, external):
        logit = 3 * normal(50)
        target = torch.full_like(logit, float(external))
        oracle = functional.binary_cross_entropy(torch.sigmoid(logit), target)
        assert losses.externality(logit, external).item() == pytest.approx(oracle.item(), rel=1e-12)

    def test_it_is_log_2_where_it_cannot_tell(self, external):
        logit = torch.zeros(3, dtype=torch.float64)
        assert losses.externality(logit, external).item() == pytest.approx(math.log(2), rel=1e-15)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_it_neither_overflows_nor_loses_its_gradient_at_1000(self, external, dtype):
        right, wrong = (1000.0, -1000.0) if external else (-1000.0, 1000.0)
        for value, loss, slope in ((right, 0.0, 0.0), (wrong, 1000.0, -1.0 if external else 1.0)):
            logit = torch.tensor([value], dtype=dtype, requires_grad=True)
            found = losses.externality(logit, external)
            assert found.item() == loss
            assert torch.autograd.grad(found, logit)[0].item() == slope

    def test_its_gradient_is_the_error_of_the_prediction(self, external):
        logit = normal(6).requires_grad_()
        (gradient,) = torch.autograd.grad(losses.externality(logit, external), logit)
        expected = (torch.sigmoid(logit.detach()) - float(external)) / 6
        torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-16)


def test_external_and_internal_mirror_each_other():
    logit = normal(9)
    assert losses.externality(logit, external=True) == losses.externality(-logit, external=False)


@pytest.mark.parametrize("name", EVERY)
def test_the_gradient_agrees_with_finite_differences(name):
    loss, shape = every_loss()[name]
    assert torch.autograd.gradcheck(loss, normal(*shape, seed=3).requires_grad_())


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_no_loss_is_negative(name, scale):
    loss, shape = every_loss()[name]
    for seed in range(20):
        assert loss(scale * normal(*shape, seed=seed)) >= 0


@pytest.mark.parametrize("name", ["kl", "external", "internal"])
def test_the_order_of_the_batch_does_not_matter(name):
    loss, shape = every_loss()[name]
    x = normal(*shape)
    assert loss(x[[3, 1, 4, 0, 2]]).item() == pytest.approx(loss(x).item(), rel=1e-14)


@pytest.mark.parametrize("kind", SQUARED)
def test_the_order_of_the_batch_does_not_matter_if_both_sides_share_it(kind):
    loss, shape = SQUARED[kind]
    x, y, order = normal(*shape), normal(*shape, seed=1), [3, 1, 4, 0, 2]
    assert loss(x[order], y[order]).item() == pytest.approx(loss(x, y).item(), rel=1e-14)
    assert loss(x[order], y).item() != pytest.approx(loss(x, y).item(), rel=1e-3)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_loss_is_a_scalar_of_its_inputs_type(name, dtype):
    scalars = {
        "image": lambda: losses.image_reconstruction(*[normal(2, 3, 4, 4, dtype=dtype)] * 2),
        "latent": lambda: losses.latent_reconstruction(*[normal(2, 4, dtype=dtype)] * 2),
        "kl": lambda: losses.kl_to_standard_normal(normal(4, 4, dtype=dtype)),
        "external": lambda: losses.externality(normal(4, dtype=dtype), external=True),
        "internal": lambda: losses.externality(normal(4, dtype=dtype), external=False),
    }
    loss = scalars[name.split(",", maxsplit=1)[0]]()
    assert loss.shape == ()
    assert loss.dtype == dtype
