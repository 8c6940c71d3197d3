"""The Fréchet distance between two clouds of features, and the means and covariances it is computed from.

Everything here is float64: distances between good dreams and images are small differences of large traces.
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

Moments = tuple[Float64[Tensor, " f"], Float64[Tensor, "f f"]]
"""Mean and covariance."""


def moments(features: Float[Tensor, "n f"]) -> Moments:
    """Return the mean and the covariance (n-1) of feature vectors, of which there are two or more.

    Examples
    --------
    >>> moments(torch.tensor([[0.0], [2.0], [4.0]]))
    (tensor([2.], dtype=torch.float64), tensor([[4.]], dtype=torch.float64))
    """
    vectors = features.double().cpu()
    mean = vectors.mean(dim=0)
    centred = vectors - mean  # so that no large squares are subtracted from each other
    return mean, centred.T @ centred / (len(vectors) - 1)


def frechet_distance(
    mu1: Float64[Tensor, " f"],
    cov1: Float64[Tensor, "f f"],
    mu2: Float64[Tensor, " f"],
    cov2: Float64[Tensor, "f f"],
) -> float:
    """Return the squared Fréchet distance between two Gaussians: ‖μ₁-μ₂‖² + Tr(Σ₁ + Σ₂ - 2(Σ₁Σ₂)^½).

    Parameters
    ----------
    mu1, mu2
        Means, shape [f], float64.
    cov1, cov2
        Covariances, shape [f, f], float64; of any rank.

    Returns
    -------
    float
        Not negative, in squared units of the features; 0 for equal Gaussians.

    Notes
    -----
    Paper: eq. 11. The trace of (Σ₁Σ₂)^½ is the sum of the singular values of Σ₁^½ Σ₂^½. So the square root of the
    product, a matrix which is not symmetric, is never formed: it is where the usual way (scipy's sqrtm) breaks
    down or turns complex when a covariance is singular.

    Examples
    --------
    >>> one = torch.ones(1, dtype=torch.float64)
    >>> frechet_distance(one, one[None], 3 * one, 4 * one[None])  # (1-3)² + (1-2)²
    5.0
    """
    common = torch.linalg.svdvals(_root(cov1).T @ _root(cov2)).sum()
    apart = (mu1 - mu2).square().sum()
    return max(0.0, float(apart + cov1.trace() + cov2.trace() - 2 * common))


def _root(covariance: Float64[Tensor, "f f"]) -> Float64[Tensor, "f r"]:
    """Return R with R Rᵀ = Σ: eigenvectors times the roots of eigenvalues, those of value 0 left out."""
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > len(values) * torch.finfo(torch.float64).eps * float(values.abs().max())
    root: Tensor = vectors[:, kept] * values[kept].sqrt()
    return root
