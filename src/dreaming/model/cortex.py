"""The cortex: an encoder and a generator of any make, and what both together do: infer, generate, show activity."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dreaming.errors import UserError, nearest
from dreaming.model.activity import Layers, at_rest, encoder_activity, generator_activity
from dreaming.model.networks import IMAGE_SIZE, Encoder, Generator, Pathway
from dreaming.model.pixels import Images, as_tensor, by_channel, rounded, to_activity
from dreaming.system.defaults import torch_defaults

BATCH = 256
"""Images at once: enough that the forms of the kernels cost little, few enough for a processor's cache."""


class EncoderLike(Protocol):
    """What a cortex takes as its encoder, beside being an ``nn.Module``.

    One whose class also has methods ``latents`` and ``externality``, each of images alone, is asked for no more
    than is needed.
    """

    def __call__(self, images: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "b n"], Float[Tensor, " b"]]:
        """Infer latents, and the externality before its sigmoid, from activity in [-1, 1]."""


class GeneratorLike(Protocol):
    """What a cortex takes as its generator, beside being an ``nn.Module``."""

    def __call__(self, z: Float[Tensor, "b n"]) -> Float[Tensor, "b c h w"]:
        """Generate activity in [-1, 1] from latents."""


class Cortex(nn.Module):
    """Both pathways of one cortex, and the organs that phases bring.

    Parameters
    ----------
    latent_dim, base_channels, image_channels, random, image_size
        As for `Encoder`.

    Attributes
    ----------
    organs
        Networks of phases' own by name, such as a projection head; see `dreaming.model.organs`.

    Examples
    --------
    >>> cortex = Cortex(random=torch.Generator().manual_seed(0))
    >>> sum(p.numel() for p in cortex.encoder.parameters())
    1711809
    >>> sum(p.numel() for p in cortex.generator.parameters())
    1707459
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
        self.latent_dim, self.image_channels, self.image_size = latent_dim, image_channels, image_size
        self.encoder: nn.Module = Encoder(latent_dim, base_channels, image_channels, random, image_size)
        self.generator: nn.Module = Generator(latent_dim, base_channels, image_channels, random, image_size)
        self.organs = nn.ModuleDict()

    @classmethod
    def of(
        cls,
        encoder: nn.Module,
        generator: nn.Module,
        latent_dim: int,
        image_channels: int = 3,
        image_size: int = IMAGE_SIZE,
    ) -> "Cortex":
        """Return a cortex of an encoder and a generator of any make.

        Parameters
        ----------
        encoder
            An `EncoderLike`: images, shape [b, c, h, w] in [-1, 1], to latents, shape [b, n_z], and the externality
            before its sigmoid, shape [b].
        generator
            A `GeneratorLike`: latents, shape [b, n_z], to images, shape [b, c, h, w] in [-1, 1].
        latent_dim
            Number of latents n_z.
        image_channels
            3 for colour, 1 for grey.
        image_size
            Side of the images in pixels.

        Raises
        ------
        UserError
            If weights are not float32, or not made yet.

        Examples
        --------
        >>> cortex = Cortex.of(Encoder(latent_dim=8), Generator(latent_dim=8, base_channels=16), 8)
        >>> cortex.latents(torch.zeros(5, 3, 32, 32)).shape
        torch.Size([5, 8])
        """
        require_float32("the encoder", encoder)
        require_float32("the generator", generator)
        cortex = cls.__new__(cls)
        nn.Module.__init__(cortex)
        cortex.latent_dim, cortex.image_channels, cortex.image_size = latent_dim, image_channels, image_size
        cortex.encoder, cortex.generator, cortex.organs = encoder, generator, nn.ModuleDict()
        for weight in cortex.parameters():
            weight.data = weight.data.clone()  # without gaps in memory, as `Synapses` wants it
        if not isinstance(encoder, Pathway):
            encoder.register_forward_pre_hook(_as_torch_lays_out)
        return cortex

    def latents(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n"]:
        """Infer latents alone: the first of what the encoder returns."""
        return self._one_of("latents", images)

    def externality(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """Infer the externality alone, before its sigmoid: the second of what the encoder returns."""
        return self._one_of("externality", images)

    def _one_of(self, output: str, images: Float[Tensor, "b c h w"]) -> Tensor:
        """Call the encoder's method of that name; without one, take that output of a call."""
        method = getattr(type(self.encoder), output, None)
        if method is None:
            found: Tensor = self.encoder(images)[("latents", "externality").index(output)]
            return found
        if not isinstance(self.encoder, Pathway):
            (images,) = _as_torch_lays_out(self.encoder, (images,))
        alone: Tensor = method(self.encoder, images)
        return alone

    @property
    def pathways(self) -> dict[str, nn.Module]:
        """Every network by the name that signs of plasticity give it: encoder, generator, and the organs."""
        return {"encoder": self.encoder, "generator": self.generator, **self.organs}

    @torch_defaults()
    @torch.no_grad()
    def infer(
        self, images: Images, *, masks: Float[Tensor, "n 1 h w"] | None = None, batch: int = BATCH
    ) -> Float[Tensor, "n z"]:
        """Infer the latents of any number of images, without gradients, in the cortex's precision.

        Parameters
        ----------
        images
            Pixels, from numpy or torch, shape [n, c, h, w] or [n, h, w, c] with 1 or 3 channels c: uint8, 0 to 255,
            or floats in [0, 1], which are not rounded. A cortex of one channel sees their luminance.
        masks
            ω, 0 where neurons of the lowest level are silenced and 1 elsewhere, a mask an image; none by default.
        batch
            How many images are inferred at once; it changes memory, speed and rounding.

        Returns
        -------
        Tensor
            E_z(x), shape [n, n_z], on the cortex's device.

        Raises
        ------
        UserError
            If the images are of another shape, size, type or range, or ``batch`` is below 1.

        Examples
        --------
        >>> Cortex(latent_dim=8, base_channels=4).infer(torch.zeros(5, 32, 32, 3, dtype=torch.uint8)).shape
        torch.Size([5, 8])
        """
        with at_rest(self):
            return torch.cat([self.latents(seen) for seen in self._seen(images, masks, batch)])

    @torch_defaults()
    @torch.no_grad()
    def generate(self, latents: Images, *, batch: int = BATCH) -> UInt8[Tensor, "n c h w"]:
        """Generate images from any number of latents, without gradients, in the cortex's precision.

        Parameters
        ----------
        latents
            From numpy or torch, shape [n, n_z].
        batch
            How many are generated at once.

        Returns
        -------
        Tensor
            Pixels, 0 to 255, shape [n, c, h, w], on the cortex's device.

        Raises
        ------
        UserError
            If the latents are of another shape, or ``batch`` is below 1.

        Examples
        --------
        >>> Cortex(latent_dim=8, base_channels=4).generate(torch.zeros(5, 8)).shape
        torch.Size([5, 3, 32, 32])
        """
        with at_rest(self):
            return torch.cat([rounded(self.generator(z)) for z in _portions(self._latents(latents), batch)])

    def activity(
        self,
        images: Images | None = None,
        *,
        latents: Images | None = None,
        layers: Sequence[str] | None = None,
        masks: Float[Tensor, "n 1 h w"] | None = None,
        batch: int = BATCH,
    ) -> Layers:
        """Return the activity of each layer of the encoder that sees images, or of the generator, of latents.

        Gradients are recorded as wherever torch computes: to do without, call it under ``torch.no_grad()``. With
        them, images that are floats in [0, 1] and require a gradient get one.

        Parameters
        ----------
        images, masks, batch
            As for `infer`.
        latents
            As for `generate`, in place of images.
        layers
            Which layers, by name; all by default. Only these are kept of each batch.

        Returns
        -------
        dict
            Tensors with a row an image, on the cortex's device, by the name of the layer: of the paper's encoder
            ``layer_1`` to ``layer_3`` (maps after their nonlinearity, [n, channels, height, width]), ``latent``
            [n, n_z] and ``externality`` [n], in (0, 1); of its generator ``layer_1`` to ``layer_3``, and
            ``image`` in [-1, 1]. Of networks of your own, see `dreaming.model.activity.encoder_activity`.

        Raises
        ------
        UserError
            If there is no such layer (the nearest is suggested), or as for `infer` and `generate`.

        Examples
        --------
        >>> cortex = Cortex(latent_dim=8, base_channels=4)
        >>> seen = cortex.activity(torch.zeros(5, 32, 32, 3, dtype=torch.uint8))
        >>> {name: list(values.shape) for name, values in seen.items()}
        {'layer_1': [5, 4, 16, 16], 'layer_2': [5, 8, 8, 8], 'layer_3': [5, 16, 4, 4], 'latent': [5, 8],
        'externality': [5]}
        >>> list(cortex.activity(latents=seen["latent"]))
        ['layer_1', 'layer_2', 'layer_3', 'image']
        """
        if images is not None and latents is None:
            found = (encoder_activity(self.encoder, seen) for seen in self._seen(images, masks, batch))
        elif latents is not None and images is None:
            found = (generator_activity(self.generator, z) for z in _portions(self._latents(latents), batch))
        else:
            raise UserError("activity is of images or of latents; give one of the two")
        parts = []
        with at_rest(self):
            for part in found:
                unknown = [name for name in layers or () if name not in part]
                if unknown:
                    raise UserError(f"there is no layer '{unknown[0]}'; {nearest(unknown[0], part)}")
                parts.append({name: part[name] for name in layers or part})
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _seen(
        self, images: Images, masks: Float[Tensor, "n 1 h w"] | None, batch: int
    ) -> Iterator[Float[Tensor, "b c h w"]]:
        """Yield the activity that images have in the lowest level, a batch at a time."""
        pixels = by_channel(images)
        size = self.image_size
        if pixels.shape[2:] != (size, size):
            raise UserError(f"this cortex sees images of {size} x {size}, and these are {list(pixels.shape)}")
        for i, part in enumerate(_portions(pixels, batch)):
            activity = to_activity(part.to(self.device), self.image_channels).to(self.dtype)
            if masks is not None:
                activity = activity * masks[i * batch : (i + 1) * batch].to(self.device)
            yield activity

    def _latents(self, latents: Images) -> Float[Tensor, "n z"]:
        found = as_tensor(latents, "latents")
        if found.ndim != 2 or found.shape[1] != self.latent_dim:
            raise UserError(
                f"latents of this cortex are [n, {self.latent_dim}], and these {list(found.shape)}"
            )
        return found.to(self.device, self.dtype)

    @property
    def dtype(self) -> torch.dtype:
        """The number type of the weights."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def precision(self) -> torch.dtype | None:
        """The number type in which both pathways compute, or None for that of the weights."""
        return getattr(self.encoder, "precision", None)

    @precision.setter
    def precision(self, precision: torch.dtype | None) -> None:
        for pathway in (self.encoder, self.generator):
            if isinstance(pathway, Pathway):
                pathway.precision = precision
            elif precision is not None:
                raise UserError(
                    f"{type(pathway).__name__} computes in the precision of its weights, not in "
                    f"{str(precision).removeprefix('torch.')}; use --precision float32"
                )


def _as_torch_lays_out(_: nn.Module, seen: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Lay images out as torch does by default, for networks of a user's own.

    Dreams come channels-last, of which PyTorch 2.13 corrupts its memory where a 1 x 1 convolution of stride 2 sees
    three channels on a CPU.
    """
    return tuple(images.contiguous() for images in seen)


def _portions(rows: Tensor, batch: int) -> tuple[Tensor, ...]:
    """Divide rows into portions of so many; the last may be smaller."""
    if batch < 1:
        raise UserError(f"batch is {batch}; at least one row is computed at once")
    return torch.split(rows, batch)


def require_float32(what: str, network: nn.Module) -> None:
    """Make sure that a network can be trained: its weights are made, and float32.

    Parameters
    ----------
    what
        What it is called in a sentence.

    Raises
    ------
    UserError
        If a layer is lazy, or a weight of another type.
    """
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    for name, value in tensors.items():
        if is_lazy(value):
            raise UserError(f"{what} has a lazy layer, whose '{name}' is not made yet; give it its sizes")
    for name, weight in network.named_parameters():
        if weight.dtype != torch.float32:
            kind = str(weight.dtype).removeprefix("torch.")
            raise UserError(f"{what} has weights of {kind} ('{name}'), and float32 is needed; use .float()")
