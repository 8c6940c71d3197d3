"""Pixels, 0 to 255, and the activity in [-1, 1] that the lowest level of the cortex has of them."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from dreaming.errors import UserError

Images = Tensor | np.ndarray
"""Pixels as people have them, which `by_channel` takes."""


def to_activity(
    images: UInt8[Tensor, "b c h w"] | Float[Tensor, "b c h w"], channels: int = 3
) -> Float[Tensor, "b {channels} h w"]:
    """Convert stored images into the activity of the input layer.

    Parameters
    ----------
    images : uint8 [b, c, h, w]
        Pixels, 0 (black) to 255 (white), or floats, 0 to 1, which are not rounded to such; c is 1 or 3.
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
    >>> torch.equal(to_activity(white / 255), to_activity(white))
    True
    """
    if channels not in (1, 3) or images.shape[1] not in (1, 3):
        raise UserError(
            f"images have 1 or 3 channels, but {channels} were asked for of images with {images.shape[1]};"
            " set networks.image_channels to 1 or 3"
        )
    activity = 255 * images.float() if images.is_floating_point() else images.float()
    if channels == 1 and activity.shape[1] == 3:
        # Scalars, not a tensor of weights: nothing is copied to the device, so that a graph can capture this.
        red, green, blue = activity[:, :1], activity[:, 1:2], activity[:, 2:]
        luminance = 0.299 * red + 0.587 * green + 0.114 * blue
        activity = luminance.clamp_(max=255)  # the weights round to above 1
    elif channels == 3 and activity.shape[1] == 1:
        activity = activity.repeat(1, 3, 1, 1)
    return activity.div_(127.5).sub_(1)


def as_tensor(values: Images) -> Tensor:
    """Return values from numpy or torch as a tensor, in the memory they have wherever torch takes that."""
    return (
        values
        if isinstance(values, Tensor)
        else torch.from_numpy(np.require(values, requirements=["C", "W"]))
    )


def by_channel(images: Images) -> Tensor:
    """Return images of either layout, from numpy or torch, as a tensor [n, c, h, w].

    Raises
    ------
    UserError
        If they are no [n, c, h, w] and no [n, h, w, c] with 1 or 3 channels, hold other than uint8 or floats, or
        floats outside of [0, 1].

    Examples
    --------
    >>> by_channel(np.zeros((5, 32, 32, 3), np.uint8)).shape
    torch.Size([5, 3, 32, 32])
    >>> by_channel(torch.full((5, 3, 32, 32), -1.0))
    Traceback (most recent call last):
    dreaming.errors.UserError: images of floats lie in [0, 1], and these in [-1, -1]; activity in [-1, 1], as
    to_activity makes it of pixels, goes to cortex.encoder itself
    """
    found = as_tensor(images)
    shape = list(found.shape)
    if len(shape) == 4 and shape[1] not in (1, 3) and shape[3] in (1, 3):
        found = found.permute(0, 3, 1, 2)
    elif len(shape) != 4 or shape[1] not in (1, 3):
        raise UserError(
            f"images are [n, c, h, w] or [n, h, w, c] of 1 or 3 channels c, and these are {shape}"
        )
    if found.dtype == torch.uint8:
        return found
    if not found.is_floating_point():
        raise UserError(f"images are uint8, 0 to 255, or floats in [0, 1], and these are {found.dtype}")
    low, high = (float(end) for end in found.detach().aminmax()) if found.numel() else (0.0, 0.0)
    if not (low >= 0 and high <= 1):  # not a number is neither
        remedy = (
            "pixels from 0 to 255 are given as uint8"
            if low >= 0
            else "activity in [-1, 1], as to_activity makes it of pixels, goes to cortex.encoder itself"
        )
        raise UserError(f"images of floats lie in [0, 1], and these in [{low:g}, {high:g}]; {remedy}")
    return found


def rounded(activity: Float[Tensor, "b c h w"]) -> UInt8[Tensor, "b c h w"]:
    """Round activity in [-1, 1] to pixels in 0..255, the inverse of `to_activity`.

    Examples
    --------
    >>> rounded(torch.tensor([-1.0, 0.0, 1.0]).reshape(3, 1, 1, 1)).flatten().tolist()
    [0, 128, 255]
    """
    return ((activity.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def to_pixels(images: Float[Tensor, "b c h w"]) -> UInt8[Tensor, "b h w 3"]:
    """Convert activity in [-1, 1] into pixels in 0..255 as pictures have them, in colour and on the CPU.

    Examples
    --------
    >>> to_pixels(torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 3, 1, 1)).flatten().tolist()
    [0, 128, 255]
    """
    return rounded(images.detach().cpu()).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous()
