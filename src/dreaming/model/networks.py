"""The two pathways: an encoder E (feedforward) and a generator G (feedback) (paper, figure 8).

DCGAN without batch or spectral normalisation. All kernels are 4 x 4. The two layers between the 4 x 4 map and
the latents cover the whole map, so each is one matrix product and is computed as such. Weights are stored
channels-last, the layout in which maps pass from layer to layer without a copy.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreaming.model.activity import EXTERNALITY, IMAGE, LATENT, Layers
from dreaming.model.layers import conv, conv_transpose

LEAK = 0.2
INITIAL_DEVIATION = 0.02
IMAGE_SIZE = 32
"""Height and width of the paper's images."""


def layer_widths(base_channels: int, image_size: int = IMAGE_SIZE) -> list[int]:
    """Return the channels of each map between an image and the latents, from the image on.

    A map has half the height and width of the one before it, and the last is 4 x 4, as DCGAN grows.

    Examples
    --------
    >>> layer_widths(64), layer_widths(64, 128)
    ([64, 128, 256], [64, 128, 256, 512, 1024])
    """
    return [base_channels * 2**layer for layer in range((image_size // 4).bit_length() - 1)]


class _Convolution(nn.Conv2d):
    """A layer whose weights `initialise` draws, and it alone; torch's `skip_init` would import a second's worth."""

    def reset_parameters(self) -> None:
        """Leave the weights as the memory is."""


class _Transposed(nn.ConvTranspose2d):
    """The same of the transposed convolution."""

    def reset_parameters(self) -> None:
        """Leave the weights as the memory is."""


class Pathway(nn.Module):
    """What both pathways share: the precision in which they compute; weights and results stay as they are.

    Attributes
    ----------
    precision
        The number type of every map and product, or None for that of the weights.
    """

    precision: torch.dtype | None = None

    def at_work(self, layer: nn.Module) -> tuple[Float[Tensor, "o i 4 4"], Float[Tensor, " n"]]:
        """Return the weight and the bias of a layer in the precision of the pathway."""
        weight, bias = cast(Tensor, layer.weight), cast(Tensor, layer.bias)
        return weight.to(self.precision or weight.dtype), bias.to(self.precision or bias.dtype)


class Encoder(Pathway):
    """E = (E_z, E_d): the feedforward pathway, from low-level activity to latents and externality.

    Parameters
    ----------
    latent_dim
        Number of latents n_z.
    base_channels
        Channels of the first layer; each further one has twice as many.
    image_channels
        3 for colour, 1 for grey.
    random
        Generator of the initial weights; None takes torch's global one.
    image_size
        Height and width of the images: 16, 32 (the paper's), 64 or 128. Each doubling takes one more layer.

    Examples
    --------
    >>> z, d_logit = Encoder()(torch.zeros(5, 3, 32, 32))
    >>> z.shape, d_logit.shape
    (torch.Size([5, 256]), torch.Size([5]))
    """

    def __init__(
        self,
        latent_dim: int = 256,
        base_channels: int = 64,
        image_channels: int = 3,
        random: torch.Generator | None = None,
        image_size: int = IMAGE_SIZE,
    ) -> None:
        super().__init__()
        widths = [image_channels, *layer_widths(base_channels, image_size)]
        self.trunk = nn.ModuleList(_Convolution(i, o, 4, stride=2, padding=1) for i, o in pairwise(widths))
        self.latent_head = _Convolution(widths[-1], latent_dim, 4)
        self.externality_head = _Convolution(widths[-1], 1, 4)
        initialise(self, random)

    def forward(self, images: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "b n"], Float[Tensor, " b"]]:
        """Infer latents and externality.

        Parameters
        ----------
        images
            Low-level activity in [-1, 1], shape [b, c, h, w].

        Returns
        -------
        z
            Latents, shape [b, n_z].
        d_logit
            The externality before its sigmoid, shape [b].
        """
        trunk = self._ascend(images)
        z, d_logit = (self._read(head, trunk, images) for head in (self.latent_head, self.externality_head))
        return z, d_logit.squeeze(1)

    def latents(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n"]:
        """Infer latents alone, E_z: the first of what a call returns."""
        return self._read(self.latent_head, self._ascend(images), images)

    def externality(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """Infer the externality alone, E_d, before its sigmoid: the second of what a call returns."""
        return self._read(self.externality_head, self._ascend(images), images).squeeze(1)

    def activity(self, images: Float[Tensor, "b c h w"]) -> Layers:
        """Return the activity of each layer, from the lowest: ``layer_1`` and so on, ``latent``, ``externality``.

        Maps are [b, channels, height, width], after their nonlinearity; latents [b, n_z]; externality [b], in
        (0, 1). All have the number type of the images.
        """
        maps = list(self._maps(images))
        trunk = _by_pixel(maps[-1])
        z, d_logit = (self._read(head, trunk, images) for head in (self.latent_head, self.externality_head))
        return {
            **{f"layer_{number}": each.to(images.dtype) for number, each in enumerate(maps, 1)},
            LATENT: z,
            EXTERNALITY: d_logit.squeeze(1).sigmoid(),
        }

    def _ascend(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b hwc"]:
        for activity in self._maps(images):
            highest = activity
        return _by_pixel(highest)

    def _maps(self, images: Float[Tensor, "b c h w"]) -> Iterator[Tensor]:
        """Yield the map of each layer of the trunk."""
        activity = images.to(self.precision or images.dtype)
        for layer in self.trunk:
            activity = functional.leaky_relu(conv(activity, *self.at_work(layer)), LEAK, inplace=True)
            yield activity

    def _read(self, head: nn.Module, trunk: Float[Tensor, "b hwc"], images: Tensor) -> Float[Tensor, "b n"]:
        weight, bias = self.at_work(head)
        return functional.linear(trunk, _by_pixel(weight), bias).to(images.dtype)


class Generator(Pathway):
    """G: the feedback pathway, from latents to low-level activity.

    Parameters
    ----------
    latent_dim, base_channels, image_channels, random, image_size
        As for `Encoder`.

    Examples
    --------
    >>> Generator()(torch.zeros(5, 256)).shape
    torch.Size([5, 3, 32, 32])
    """

    def __init__(
        self,
        latent_dim: int = 256,
        base_channels: int = 64,
        image_channels: int = 3,
        random: torch.Generator | None = None,
        image_size: int = IMAGE_SIZE,
    ) -> None:
        super().__init__()
        widths = [*reversed(layer_widths(base_channels, image_size)), image_channels]
        self.layers = nn.ModuleList(
            [
                _Transposed(latent_dim, widths[0], 4),
                *(_Transposed(i, o, 4, stride=2, padding=1) for i, o in pairwise(widths)),
            ]
        )
        initialise(self, random)

    def forward(self, z: Float[Tensor, "b n"]) -> Float[Tensor, "b c h w"]:
        """Generate low-level activity in [-1, 1], shape [b, c, h, w], from latents, shape [b, n_z]."""
        for activity in self._maps(z):
            lowest = activity
        return torch.tanh(lowest.to(z.dtype))

    def activity(self, z: Float[Tensor, "b n"]) -> Layers:
        """Return the activity of each layer, from the highest: ``layer_1`` and so on, and ``image``.

        Maps are [b, channels, height, width], after their nonlinearity; ``image`` is what a call returns, in
        [-1, 1]. All have the number type of the latents.
        """
        *maps, lowest = self._maps(z)
        layers = {f"layer_{number}": each.to(z.dtype) for number, each in enumerate(maps, 1)}
        return {**layers, IMAGE: torch.tanh(lowest.to(z.dtype))}

    def _maps(self, z: Float[Tensor, "b n"]) -> Iterator[Tensor]:
        """Yield the map of each layer, that of the last before its nonlinearity."""
        weight, bias = self.at_work(self.layers[0])
        activity = torch.addmm(bias.repeat(16), z.to(weight.dtype), _by_pixel(weight))
        activity = activity.unflatten(1, (4, 4, -1)).permute(0, 3, 1, 2)
        for layer in self.layers[1:]:
            activity = functional.leaky_relu(activity, LEAK, inplace=True)
            yield activity
            activity = conv_transpose(activity, *self.at_work(layer))
        yield activity


def _by_pixel(maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b hwc"]:
    """Flatten maps pixel by pixel, as channels-last has them in memory."""
    return maps.permute(0, 2, 3, 1).flatten(1)


def initialise(network: nn.Module, random: torch.Generator | None = None) -> None:
    """Draw initial weights from N(0, 0.02²) and biases from PyTorch's default, U(-1/√fan_in, 1/√fan_in).

    Parameters
    ----------
    network
        A module whose layers are convolutions or transposed convolutions; changed in place, and laid out
        channels-last.
    random
        A CPU generator, or None for torch's global one.
    """
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.bias is not None:
                bound = 1 / math.sqrt(layer.weight[0].numel())
                layer.weight.normal_(0.0, INITIAL_DEVIATION, generator=random)
                layer.bias.uniform_(-bound, bound, generator=random)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
