"""From stored images to what the cortex sees: activity in [-1, 1], and the order of an epoch."""

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from dreaming.errors import UserError


def to_activity(images: UInt8[Tensor, "b c h w"], channels: int = 3) -> Float[Tensor, "b {channels} h w"]:
    """Convert stored images into the activity of the input layer.

    Parameters
    ----------
    images : uint8 [b, c, h, w]
        Pixels, 0 (black) to 255 (white); c is 1 or 3.
    channels
        Channels wanted: 3 keeps colour (a grey image is repeated), 1 gives the luminance of a colour image
        (ITU-R BT.601: 0.299 red + 0.587 green + 0.114 blue).

    Returns
    -------
    float32 [b, channels, h, w]
        ``pixel / 127.5 - 1``, within [-1, 1], on the images' device.

    Raises
    ------
    UserError
        If ``channels`` is neither 1 nor 3, or the images have neither 1 nor 3.

    Examples
    --------
    >>> white = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8)
    >>> to_activity(white).unique()
    tensor([1.])
    >>> to_activity(white, channels=1).shape
    torch.Size([1, 1, 32, 32])
    """
    if channels not in (1, 3) or images.shape[1] not in (1, 3):
        raise UserError(
            f"images have 1 or 3 channels, but {channels} were asked for of images with {images.shape[1]};"
            " set networks.image_channels to 1 or 3"
        )
    activity = images.float()
    if channels == 1 and activity.shape[1] == 3:
        # Scalars, not a tensor of weights: nothing is copied to the device, so that a graph can capture this.
        red, green, blue = activity[:, :1], activity[:, 1:2], activity[:, 2:]
        luminance = 0.299 * red + 0.587 * green + 0.114 * blue
        activity = luminance.clamp_(max=255)  # the weights round to above 1
    elif channels == 3 and activity.shape[1] == 1:
        activity = activity.repeat(1, 3, 1, 1)
    return activity.div_(127.5).sub_(1)


def epoch_order(n: int, batch_size: int, generator: torch.Generator) -> Int64[Tensor, "cycles {batch_size}"]:
    """Draw the order in which one epoch shows its images: a fresh permutation, cut into batches.

    Parameters
    ----------
    n
        Images in the training split.
    batch_size
        Images a cycle; the last ``n % batch_size`` images of the permutation are not shown in this epoch.
    generator
        The stream to draw from, on the CPU, so that the order is the same on every device.

    Returns
    -------
    int64 [cycles, batch_size]
        Indices into the split, ``cycles = n // batch_size``; no index occurs twice.

    Raises
    ------
    UserError
        If the batch size is below 1 or above ``n``.

    Examples
    --------
    >>> order = epoch_order(10, 4, torch.Generator().manual_seed(0))
    >>> order.shape, order.unique().numel()
    (torch.Size([2, 4]), 8)
    """
    if not 1 <= batch_size <= n:
        raise UserError(
            f"a batch of {batch_size} cannot be taken from {n} training images;"
            f" set training.batch_size to between 1 and {n}"
        )
    cycles = n // batch_size
    return torch.randperm(n, generator=generator)[: cycles * batch_size].view(cycles, batch_size)


def to_pixels(images: Float[Tensor, "b c h w"]) -> UInt8[Tensor, "b h w 3"]:
    """Convert activity in [-1, 1] into pixels in 0..255, the inverse of `dreaming.data.to_activity`.

    Examples
    --------
    >>> to_pixels(torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 3, 1, 1)).flatten().tolist()
    [0, 128, 255]
    """
    scaled = ((images.detach().float().cpu() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return scaled.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous()
