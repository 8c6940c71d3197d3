"""What is watched while a cortex learns: losses, weights and latents at the end of each epoch, and thresholds.

Nothing here changes a run: no random number is drawn, no gradient taken. Each threshold is a constant with its
reason; what they meet in runs that learn well, and how they were found, is in docs/measures.md.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from dreaming.data import to_activity
from dreaming.model.activity import at_rest
from dreaming.model.cortex import Cortex
from dreaming.model.phases import REM, Phase, Wake
from dreaming.runs.findings import COLLAPSED, CORTEX, DEAD, DEAD_ORGAN, NOT_FINITE, WON, Finding

SAMPLE = 256
"""Images whose latents are looked at, the first of the training split: the same ones each epoch."""
DEAD_BELOW = 0.01
"""A latent is dead if it varies over images less than this share of what latents do (root mean square): it holds a
ten thousandth of their variance. A share and no length, since latents start small and L_KL brings them to 1."""
SPREAD_BELOW = 1e-6
"""Latents whose standard deviation (root mean square) is below it are one point: eight roundings of float32 at 1.
Narrow networks begin near it: 5e-5 at 2 channels, 2e-6 at 1, and learn all the same."""
DIMENSION_BELOW = 1.01
"""Latents of a smaller effective dimension (1 at least) lie on one line, with 99.5 % of their variance. Not more,
since L_KL forbids no correlation: after one epoch of CIFAR-10 PAD has 2 to 3, and networks of 2 channels 1.03."""
CERTAIN_BELOW = 0.01
"""Nats. Below it in Wake and in REM, d is right with more than 99 % (geometric mean). Since d <= -log(1 - d), the
slope of eq. 8, which is all that the generator learns from, is then below a hundredth of what it can be."""


def of_losses(epoch: int, means: Mapping[str, float], phases: Sequence[Phase]) -> list[Finding]:
    """Judge an epoch's mean losses.

    Parameters
    ----------
    epoch
        After which.
    means
        Each term's mean over the epoch, as ``PHASE.TERM``.
    phases
        The phases of that epoch.

    Returns
    -------
    list of Finding
        Terms that are not finite; a discriminator that has won, where there is one that learns in Wake (eq. 5) and
        in a REM (eq. 8) whose generator is against it.

    Examples
    --------
    >>> of_losses(2, {"wake.image": math.inf, "wake.kl": 0.1}, (Wake(),))
    [Finding(epoch=2, phase='wake', term='image', kind='not finite', value=inf)]
    """
    found = [
        Finding(epoch, phase, term, NOT_FINITE, value)
        for name, value in means.items()
        for phase, _, term in [name.partition(".")]
        if not math.isfinite(value)
    ]
    awake = [phase.name for phase in phases if isinstance(phase, Wake) and phase.externality_weight]
    asleep = [phase.name for phase in phases if isinstance(phase, REM) and phase.plasticity == REM.plasticity]
    names = [[f"{phase}.externality" for phase in each] for each in (awake, asleep)]
    days, nights = ([means[name] for name in each if name in means] for each in names)
    # As `worst < limit`, and not its opposite, so that NaN is no victory.
    if days and nights and max(days) < CERTAIN_BELOW and max(nights) < CERTAIN_BELOW:
        found.append(Finding(epoch, asleep[0], "externality", WON, max(days + nights)))
    return found


def of_weights(epoch: int, tensors: Mapping[str, Tensor]) -> list[Finding]:
    """Return the first of some named tensors that holds a number which is not finite.

    Examples
    --------
    >>> of_weights(1, {"bias": torch.zeros(2), "weight": torch.tensor([1.0, torch.inf])})
    [Finding(epoch=1, phase='cortex', term='weight', kind='not finite', value=inf)]
    """
    for name, values in tensors.items():
        lost = values[~values.isfinite()]
        if len(lost):
            return [Finding(epoch, CORTEX, name, NOT_FINITE, float(lost[0]))]
    return []


def of_latents(epoch: int, z: Float[Tensor, "n z"]) -> list[Finding]:
    """Judge the latents of some images.

    Parameters
    ----------
    epoch
        After which.
    z
        Latents, shape [n, n_z].

    Returns
    -------
    list of Finding
        Latents that are not finite, or else dead ones and a collapse. Of fewer than three images, or of one latent,
        no dimension is judged, since it is 1 whatever was learned.

    Examples
    --------
    >>> of_latents(1, torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]]))
    [Finding(epoch=1, phase='cortex', term='latents', kind='dead latents', value=0.5),
     Finding(epoch=1, phase='cortex', term='dimension', kind='collapsed latents', value=1.0)]
    """
    lost = z[~z.isfinite()]
    if len(lost):
        return [Finding(epoch, CORTEX, "latents", NOT_FINITE, float(lost[0]))]
    if len(z) < 2:
        return []
    deviations = z.double().std(dim=0)
    typical = float(deviations.square().mean().sqrt())
    if typical < SPREAD_BELOW:
        return [Finding(epoch, CORTEX, "spread", COLLAPSED, typical)]
    found = []
    dead = int((deviations < DEAD_BELOW * typical).sum())
    if dead:
        found.append(Finding(epoch, CORTEX, "latents", DEAD, dead / z.shape[1]))
    if min(len(z) - 1, z.shape[1]) > 1 and (dimension := effective_dimension(z)) < DIMENSION_BELOW:
        found.append(Finding(epoch, CORTEX, "dimension", COLLAPSED, dimension))
    return found


@torch.no_grad()
def has_constant_latents(
    cortex: Cortex,
    images: UInt8[Tensor, "n c h w"],
    order: Int64[Tensor, "cycles b"],
    image_channels: int = 3,
) -> bool:
    """Return whether a latent is the same for all images of one of some mini-batches, so that L_KL is infinite.

    Few images, or narrow networks in bfloat16, have numbers that round to one.

    Parameters
    ----------
    cortex
        Looked at in its own precision, and not changed.
    images
        Those that the order is of.
    order
        The images of each batch.
    image_channels
        What the cortex sees.

    Examples
    --------
    >>> images = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    >>> has_constant_latents(Cortex(latent_dim=8, base_channels=4), images, torch.arange(4).view(2, 2))
    True
    """
    with at_rest(cortex):
        for batch in order.to(images.device):
            z = cortex.latents(to_activity(images[batch].to(cortex.device), image_channels))
            if bool((z == z[:1]).all(dim=0).any()):
                return True
    return False


def of_organs(epoch: int, organs: Iterable[str], momenta: Mapping[str, Tensor]) -> list[Finding]:
    """Judge organs that were plastic in an epoch: one whose every weight has lost its gradient is dead.

    Parameters
    ----------
    epoch
        After which.
    organs
        Names of those that have weights.
    momenta
        What `Synapses.state` returns; a weight that never had a gradient has none.

    Examples
    --------
    >>> of_organs(1, ["critic", "head"], {"head.bias.exp_avg": torch.ones(2)})
    [Finding(epoch=1, phase='cortex', term='critic', kind='dead organ', value=0.0)]
    """
    averages = {name: value for name, value in momenta.items() if name.endswith(".exp_avg")}
    return [
        Finding(epoch, CORTEX, organ, DEAD_ORGAN, 0.0)
        for organ in organs
        if not any(value.any() for name, value in averages.items() if name.startswith(f"{organ}."))
    ]


def effective_dimension(z: Float[Tensor, "n z"]) -> float:
    """Return the participation ratio of the covariance of latents, (Σλ)² / Σλ², with λ its eigenvalues.

    Parameters
    ----------
    z
        Latents that vary, shape [n, n_z], n at least 2.

    Returns
    -------
    float
        From 1, all on a line, to n_z, the same variance in every direction.

    Examples
    --------
    >>> round(effective_dimension(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])), 6)
    2.0
    """
    centred = z.double() - z.double().mean(dim=0)
    covariance = centred.T @ centred  # its scale falls out of the ratio
    return float(covariance.trace().square() / covariance.square().sum())


@torch.no_grad()
def watched_latents(
    cortex: Cortex, images: UInt8[Tensor, "n c h w"], image_channels: int = 3
) -> Float[Tensor, "m z"]:
    """Infer the latents that are looked at each epoch, in the precision of the cortex, which is not changed.

    Examples
    --------
    >>> watched_latents(Cortex(latent_dim=8, base_channels=4), torch.zeros(300, 3, 32, 32, dtype=torch.uint8)).shape
    torch.Size([256, 8])
    """
    with at_rest(cortex):
        return cortex.latents(to_activity(images[:SAMPLE].to(cortex.device), image_channels))
