"""Layer activity: what every layer of a network does with its input, by the layer's name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

LATENT, EXTERNALITY, IMAGE = "latent", "externality", "image"
"""Outputs of an encoder, and of a generator, among the names of layers."""

Layers = dict[str, Tensor]


def encoder_activity(encoder: nn.Module, images: Tensor) -> Layers:
    """Return the activity of each layer of an encoder: by its own method ``activity``, or by hooks.

    Parameters
    ----------
    encoder
        Images -> (latents, externality before its sigmoid).
    images
        Low-level activity in [-1, 1], shape [b, c, h, w].

    Returns
    -------
    dict
        From the input to the outputs: without a method of its own, the output of every named submodule that
        returns a tensor with a row an image (of one that is called several times, the last), then ``latent``
        [b, n_z] and ``externality`` [b], in (0, 1).

    Examples
    --------
    >>> class Flat(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.latents = nn.Linear(4, 2)
    ...
    ...     def forward(self, images):
    ...         z = self.latents(images.flatten(1))
    ...         return z, z.sum(dim=1)
    >>> import torch
    >>> {name: list(value.shape) for name, value in encoder_activity(Flat(), torch.ones(3, 1, 2, 2)).items()}
    {'latents': [3, 2], 'latent': [3, 2], 'externality': [3]}
    """
    own = getattr(type(encoder), "activity", None)
    if own is not None:
        return dict(own(encoder, images))
    layers, (z, d_logit) = _hooked(encoder, images)
    return {**layers, LATENT: z, EXTERNALITY: d_logit.sigmoid()}


def generator_activity(generator: nn.Module, z: Tensor) -> Layers:
    """Return the same of a generator, latents [b, n_z] -> ``image`` [b, c, h, w] in [-1, 1]."""
    own = getattr(type(generator), "activity", None)
    if own is not None:
        return dict(own(generator, z))
    layers, image = _hooked(generator, z)
    return {**layers, IMAGE: image}


def _hooked(network: nn.Module, inputs: Tensor) -> tuple[Layers, Any]:
    """Run a network; return what its submodules returned, and what it returned."""
    layers: Layers = {}

    def kept(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, given: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.shape[:1] == inputs.shape[:1]:
                layers.pop(name, None)
                layers[name] = output.clone()  # the next layer may write into it

        return hook

    handles = [each.register_forward_hook(kept(name)) for name, each in network.named_modules() if name]
    try:
        return layers, network(inputs)
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def at_rest(network: nn.Module) -> Iterator[None]:
    """Keep a network as it is within the block: nothing drops out, and no statistics of batches are taken."""
    training = [each for each in network.modules() if each.training]
    network.eval()
    try:
        yield
    finally:
        for each in training:
            each.training = True
