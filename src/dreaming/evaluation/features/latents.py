"""Latents: what a frozen encoder infers from images."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from dreaming.data import to_activity
from dreaming.model.networks import Cortex

BATCH = 256
"""Images at once: enough that the forms of the kernels cost little, few enough for a processor's cache."""


@torch.no_grad()
def infer(
    cortex: Cortex,
    images: UInt8[Tensor, "n c h w"],
    image_channels: int = 3,
    batch: int = BATCH,
    masks: Float[Tensor, "n 1 h w"] | None = None,
) -> Float[Tensor, "n z"]:
    """Infer the latents of many images, in the precision of the cortex.

    Parameters
    ----------
    cortex
        Whose encoder infers; it is not changed.
    images
        Pixels, 0 to 255, shape [n, c, h, w].
    image_channels
        Channels the cortex sees.
    batch
        How many images are inferred at once; it changes memory, speed and rounding.
    masks
        0 where neurons of the lowest level are silenced, 1 elsewhere, a mask an image; none are by default.

    Returns
    -------
    Tensor
        E_z(x), shape [n, n_z], on the cortex's device.

    Examples
    --------
    >>> infer(Cortex(latent_dim=8, base_channels=4), torch.zeros(5, 3, 32, 32, dtype=torch.uint8)).shape
    torch.Size([5, 8])
    """
    parts = []
    for i, part in enumerate(images.split(batch)):
        activity = to_activity(part.to(cortex.device), image_channels)
        if masks is not None:
            activity *= masks[i * batch : (i + 1) * batch].to(cortex.device)
        parts.append(cortex.latents(activity))
    return torch.cat(parts)
