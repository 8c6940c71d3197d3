"""Pixels, 0 to 255, and the activity in [-1, 1] that the lowest level of the cortex has of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from dreaming.errors import UserError

Images = Tensor | np.ndarray | Sequence[Any]
"""Pixels as people have them, which `by_channel` takes: an array of numpy or torch, or nested lists."""


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


def as_tensor(values: Images, where: str) -> Tensor:
    """Return numbers as people have them as a tensor, in the memory they have wherever torch takes that.

    Raises
    ------
    UserError
        If they are no numbers, or of mixed sizes; ``where`` says which.
    """
    if isinstance(values, Tensor):
        return values
    try:
        array = np.asarray(values)
    except ValueError:  # lists of lists that are not of one length
        array = np.empty(0, object)
    if array.dtype == object:
        raise UserError(f"{where} are of mixed sizes, or no numbers; bring them to one size first")
    try:
        return torch.from_numpy(np.require(array, array.dtype.newbyteorder("="), ["C", "W"]))
    except TypeError:
        raise UserError(f"{where} are {array.dtype}, which torch has no numbers for; give others") from None


def by_channel(images: Images, where: str = "images") -> Tensor:
    """Return images of any layout, as people have them, as a tensor [n, c, s, s].

    Parameters
    ----------
    images
        [n, s, s] (grey), [n, s, s, c] or [n, c, s, s] with 1 or 3 channels c; whole numbers of 0 to 255, or floats
        of 0 to 1.
    where
        What a sentence calls them.

    Returns
    -------
    uint8 or float [n, c, s, s]
        Floats are not rounded.

    Raises
    ------
    UserError
        If they can be read in no way, or in two.

    Examples
    --------
    >>> by_channel(np.zeros((5, 32, 32, 3), np.uint8)).shape, by_channel([[[0, 255], [255, 0]]]).dtype
    (torch.Size([5, 3, 32, 32]), torch.uint8)
    >>> by_channel(torch.full((5, 3, 32, 32), -1.0))
    Traceback (most recent call last):
    dreaming.errors.UserError: images run from -1.0 to -1.0, where floats are pixels of 0 to 1; bring them to that
    range, or to uint8 of 0 to 255; activity in [-1, 1], as to_activity makes it, goes to cortex.encoder itself
    """
    return _in_range(_channels_first(as_tensor(images, where), where), where)


def _channels_first(found: Tensor, where: str) -> Tensor:
    """Return images with their channels before height and width, wherever they were."""
    shape = list(found.shape)
    wanted = "[n, s, s], [n, s, s, c] or [n, c, s, s] of 1 or 3 channels c"
    if len(shape) == 3 and shape[0] == 3:
        raise UserError(
            f"{where} have shape {shape}, and may be 3 images, given as images[:, None], or one, images[None]"
        )
    if len(shape) == 3:
        found = found[:, None]
    elif len(shape) != 4:
        raise UserError(f"{where} have shape {shape}, where {wanted} is wanted")
    _, *sizes = found.shape
    first, last = sizes[0] in (1, 3) and sizes[1] == sizes[2], sizes[2] in (1, 3) and sizes[0] == sizes[1]
    if first and last:
        raise UserError(f"{where} have shape {shape}, whose channels may be the second axis or the last")
    if not first and not last:
        raise UserError(
            f"{where} have shape {shape}, and must be square, {wanted}; cut or pad them to squares"
        )
    return found if first else found.permute(0, 3, 1, 2)


def _in_range(found: Tensor, where: str) -> Tensor:
    """Return whole numbers of 0 to 255 as uint8, and floats of 0 to 1 as they are."""
    dtype = str(found.dtype).removeprefix("torch.")
    if found.dtype == torch.uint8 or not found.numel():
        return found
    if found.dtype == torch.bool or found.is_complex():
        raise UserError(f"{where} are {dtype}; give uint8 of 0 to 255, or floats of 0 to 1")
    whole = not found.is_floating_point()
    found = found.long() if dtype.startswith("uint") else found  # in which torch does not compute
    low, high = (end.item() for end in found.detach().aminmax())
    top, kind = (255, "whole numbers") if whole else (1, "floats")
    if not (low >= 0 and high <= top):  # not a number is neither
        raise UserError(
            f"{where} run from {low} to {high}, where {kind} are pixels of 0 to {top}; bring them to that range,"
            " or to uint8 of 0 to 255"
            + "; activity in [-1, 1], as to_activity makes it, goes to cortex.encoder itself"
            * (low < 0)
        )
    return found.to(torch.uint8) if whole else found


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
