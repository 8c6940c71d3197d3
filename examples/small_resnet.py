"""Networks of your own, in one screen: a small ResNet as the encoder, with the paper's generator.

    dreaming train --networks examples/small_resnet.py:small_resnet --set networks.width=32 --epochs 2

A function returns an encoder (images -> latents, externality) and a generator (latents -> images). Its parameters
are fields of the config's section `networks`; torch's random numbers are the run's while it is called.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

import dreaming


class Block(nn.Module):
    """Two convolutions around which the activity is also passed by, at half the resolution."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.by = nn.Conv2d(channels, out, 1, stride=2)
        self.first = nn.Conv2d(channels, out, 3, stride=2, padding=1)
        self.second = nn.Conv2d(out, out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of half the height and width."""
        return functional.relu(self.by(x) + self.second(functional.relu(self.first(x))))


class ResNet(nn.Module):
    """Blocks, the mean over the map, and two heads."""

    def __init__(self, latent_dim: int, image_channels: int, width: int) -> None:
        super().__init__()
        widths = [image_channels, width, 2 * width, 4 * width]
        self.blocks = nn.Sequential(*(Block(i, o) for i, o in pairwise(widths)))
        self.latent_head = nn.Linear(widths[-1], latent_dim)
        self.externality_head = nn.Linear(widths[-1], 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Infer latents, and the externality before its sigmoid."""
        found = self.blocks(images).mean((2, 3))
        return self.latent_head(found), self.externality_head(found).squeeze(1)


def small_resnet(
    latent_dim: int = 256, image_channels: int = 3, image_size: int = 32, width: int = 64
) -> tuple[nn.Module, nn.Module]:
    """Return the encoder and the generator."""
    generator = dreaming.Generator(latent_dim, width, image_channels, image_size=image_size)
    return ResNet(latent_dim, image_channels, width), generator
