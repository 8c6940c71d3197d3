"""The Fréchet distance: scipy's square root as oracle, closed forms, invariances, and moments."""

import numpy as np
import pytest
import torch
from scipy import linalg

from dreaming.evaluation.features.frechet import frechet_distance, moments


def gaussian(f, seed, rank=None):
    """A mean and a covariance, float64."""
    random = np.random.default_rng(seed)
    factor = random.standard_normal((f, rank or 2 * f))
    return torch.from_numpy(random.standard_normal(f)), torch.from_numpy(factor @ factor.T / factor.shape[1])


def by_sqrtm(mu1, cov1, mu2, cov2):
    """Equation 11 as it is written."""
    root = linalg.sqrtm(cov1.numpy() @ cov2.numpy())
    assert abs(root.imag).max() < 1e-6
    return ((mu1 - mu2) ** 2).sum().item() + np.trace(cov1.numpy() + cov2.numpy() - 2 * root.real)


@pytest.mark.parametrize("f", [1, 2, 5, 24])
def test_it_is_equation_11_with_scipys_square_root(f):
    one, two = gaussian(f, 0), gaussian(f, 1)
    assert frechet_distance(*one, *two) == pytest.approx(by_sqrtm(*one, *two), rel=1e-10)


def test_of_diagonal_gaussians_it_is_the_distance_of_means_and_deviations():
    random = np.random.default_rng(0)
    mu1, mu2, s1, s2 = (torch.from_numpy(random.uniform(0.1, 3, 7)) for _ in range(4))
    expected = ((mu1 - mu2) ** 2).sum() + ((s1 - s2) ** 2).sum()
    found = frechet_distance(mu1, torch.diag(s1**2), mu2, torch.diag(s2**2))
    assert found == pytest.approx(expected.item(), rel=1e-12)


def test_of_a_point_and_a_cloud_it_is_the_mean_squared_distance_to_the_point():
    mu, cov = gaussian(6, 0)
    found = frechet_distance(torch.zeros(6).double(), torch.zeros(6, 6).double(), mu, cov)
    assert found == pytest.approx((mu.square().sum() + cov.trace()).item(), rel=1e-12)


@pytest.mark.parametrize("rank", [1, 5, 40])
def test_of_a_cloud_and_itself_it_is_0_also_when_the_covariance_is_singular(rank):
    mu, cov = gaussian(20, 0, rank)
    assert frechet_distance(mu, cov, mu, cov) == pytest.approx(0, abs=1e-12 * cov.trace().item())


def test_dimensions_without_spread_add_nothing():
    """Singular covariances: the usual way, a square root of their product, is at its worst here."""
    (mu1, cov1), (mu2, cov2) = gaussian(4, 0), gaussian(4, 1)
    turn = torch.from_numpy(np.linalg.qr(np.random.default_rng(2).standard_normal((30, 30)))[0][:, :4].copy())
    found = frechet_distance(turn @ mu1, turn @ cov1 @ turn.T, turn @ mu2, turn @ cov2 @ turn.T)
    assert found == pytest.approx(frechet_distance(mu1, cov1, mu2, cov2), rel=1e-10)


def test_it_does_not_depend_on_order_origin_or_directions_and_scales_with_the_square():
    (mu1, cov1), (mu2, cov2) = gaussian(9, 0), gaussian(9, 1)
    found = frechet_distance(mu1, cov1, mu2, cov2)
    assert frechet_distance(mu2, cov2, mu1, cov1) == pytest.approx(found, rel=1e-12)
    assert frechet_distance(mu1 + 5, cov1, mu2 + 5, cov2) == pytest.approx(found, rel=1e-12)
    turn = torch.from_numpy(np.linalg.qr(np.random.default_rng(2).standard_normal((9, 9)))[0])
    turned = frechet_distance(turn @ mu1, turn @ cov1 @ turn.T, turn @ mu2, turn @ cov2 @ turn.T)
    assert turned == pytest.approx(found, rel=1e-12)
    assert frechet_distance(3 * mu1, 9 * cov1, 3 * mu2, 9 * cov2) == pytest.approx(9 * found, rel=1e-12)


def test_it_grows_as_the_means_part_and_as_the_spreads_part():
    mu, cov = gaussian(5, 0)
    apart = [frechet_distance(mu, cov, mu + step, cov) for step in (0, 0.5, 1, 2)]
    wider = [frechet_distance(mu, cov, mu, factor * cov) for factor in (1, 1.5, 2, 4)]
    for values in (apart, wider):
        assert values == sorted(values)
        assert len(set(values)) == 4
    assert apart[2] == pytest.approx(5)


def test_moments_are_numpys_and_keep_a_small_spread_around_a_large_mean():
    """Where sums of squares, or float32, would lose it."""
    x = np.random.default_rng(0).normal(0, 1, (600, 3))
    for shift, precision in ((3, 1e-12), (1e7, 1e-6)):
        mean, covariance = moments(torch.from_numpy(shift + x))
        np.testing.assert_allclose(mean, (shift + x).mean(axis=0), rtol=1e-13)
        np.testing.assert_allclose(covariance, np.cov(x, rowvar=False), rtol=precision)
