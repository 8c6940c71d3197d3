"""Equations 2 to 8 of the paper, one pure function each.

Every loss is a scalar. The paper writes squared norms averaged over the batch; the published program averages
over the elements as well, and its numbers are the published ones: ``reduction="mean"`` is the default and
``reduction="squared_norm"`` the paper's text.
"""

from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Reduction = Literal["mean", "squared_norm"]


def _squared_error(
    target: Float[Tensor, "b *d"], estimate: Float[Tensor, "b *d"], reduction: Reduction
) -> Float[Tensor, ""]:
    mean = functional.mse_loss(estimate, target)
    return mean if reduction == "mean" else mean * target[0].numel()


def image_reconstruction(
    x: Float[Tensor, "b c h w"], x_hat: Float[Tensor, "b c h w"], reduction: Reduction = "mean"
) -> Float[Tensor, ""]:
    """L_img: how far a reconstructed image is from the one seen awake.

    Parameters
    ----------
    x
        Images, in [-1, 1], shape [b, c, h, w].
    x_hat
        Their reconstructions G(E_z(x)), same shape.
    reduction
        ``mean`` over batch and elements, or ``squared_norm`` averaged over the batch.

    Returns
    -------
    Tensor
        A scalar, not negative.

    Notes
    -----
    Paper: eq. 2 (and eq. 12 when x_hat was made from a noisy latent). Published program: the mean.

    Examples
    --------
    >>> import torch
    >>> x = torch.zeros(2, 3, 32, 32)
    >>> image_reconstruction(x, x + 0.5)
    tensor(0.2500)
    >>> image_reconstruction(x, x + 0.5, "squared_norm")
    tensor(768.)
    """
    return _squared_error(x, x_hat, reduction)


def kl_to_standard_normal(z: Float[Tensor, "b n"]) -> Float[Tensor, ""]:
    """L_KL: Kullback-Leibler divergence of each latent's batch statistics from N(0, 1), averaged over latents.

    ½(μ_j² + σ_j² - 1 - log σ_j²), with μ_j and σ_j the mean and the standard deviation (n-1) of latent j over
    the batch, averaged over j.

    Parameters
    ----------
    z
        Latents, shape [b, n_z], b at least 2.

    Returns
    -------
    Tensor
        A scalar, not negative; 0 where every latent has mean 0 and standard deviation 1.

    Notes
    -----
    Paper: eq. 3 and 4.

    Examples
    --------
    >>> import torch
    >>> round(kl_to_standard_normal(torch.tensor([[3.0], [1.0]])).item(), 4)  # mean 2, variance 2
    2.1534
    """
    variance = z.var(dim=0, unbiased=True)
    mean = z.mean(dim=0)
    return 0.5 * (mean.square() + variance - 1 - variance.log()).mean()


def externality(d_logit: Float[Tensor, " b"], external: bool) -> Float[Tensor, ""]:
    """L_real and L_REM: how badly the discriminator tells an external from an internal drive.

    Parameters
    ----------
    d_logit
        The externality before its sigmoid, shape [b]; d = sigmoid(d_logit) in (0, 1).
    external
        True when awake (L_real = -mean log d), False in REM (L_REM = -mean log(1 - d)).

    Returns
    -------
    Tensor
        A scalar, not negative.

    Notes
    -----
    Paper: eq. 5 (external) and eq. 8 (internal). Computed from the logit, which is stable where d saturates.

    Examples
    --------
    >>> import torch
    >>> round(externality(torch.zeros(4), external=True).item(), 4)  # log 2: it cannot tell
    0.6931
    """
    return functional.softplus(-d_logit if external else d_logit).mean()


def latent_reconstruction(
    z: Float[Tensor, "b n"], z_hat: Float[Tensor, "b n"], reduction: Reduction = "mean"
) -> Float[Tensor, ""]:
    """L_NREM: how far the latent inferred from a perturbed dream is from the memory that was replayed.

    Parameters
    ----------
    z
        Replayed memories, shape [b, n_z].
    z_hat
        E_z of the perturbed dreams, same shape.
    reduction
        ``mean`` over batch and elements, or ``squared_norm`` averaged over the batch.

    Returns
    -------
    Tensor
        A scalar, not negative.

    Notes
    -----
    Paper: eq. 6. Published program: the mean.

    Examples
    --------
    >>> import torch
    >>> latent_reconstruction(torch.zeros(2, 4), torch.ones(2, 4), "squared_norm")
    tensor(4.)
    """
    return _squared_error(z, z_hat, reduction)
