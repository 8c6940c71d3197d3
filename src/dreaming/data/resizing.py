"""Images brought to another size."""

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor


def resized(images: UInt8[Tensor, "n c s s"], size: int) -> UInt8[Tensor, "n c {size} {size}"]:
    """Bring images to a size, by Pillow's bilinear filter.

    To grow, it is bilinear interpolation; to shrink, a weighted mean over the area that becomes a pixel, so that
    nothing is aliased. Pillow works in integers, and gives the same bytes on every machine.

    Parameters
    ----------
    images
        Pixels, 0 to 255, shape [n, c, s, s], on the CPU.
    size
        Height and width wanted, at least 1.

    Returns
    -------
    Tensor
        Shape [n, c, size, size]; the images themselves, if they are of that size.

    Examples
    --------
    >>> resized(torch.tensor([[[[0, 200], [0, 200]]]], dtype=torch.uint8), 4)[0, 0, 0].tolist()
    [0, 50, 150, 200]
    """
    n, channels, side = images.shape[:3]
    if side == size:
        return images
    found = np.empty((n * channels, size, size), dtype=np.uint8)
    for plane, pixels in zip(found, images.reshape(-1, side, side).numpy(), strict=True):
        plane[:] = np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))
    return torch.from_numpy(found.reshape(n, channels, size, size))
