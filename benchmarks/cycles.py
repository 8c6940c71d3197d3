"""The loop of training over one cortex, a cycle at each call, without its record of losses and snapshots."""

import torch
from torch import Tensor

import dreaming
from dreaming.config import Config
from dreaming.data import epoch_order, to_activity
from dreaming.life import Life
from dreaming.phases import sleep_wake_cycle
from dreaming.rng import Random, generator


class Cycles:
    """A cortex that lives one cycle each time it is called, from the choice of the images to the sum of the losses.

    Parameters
    ----------
    config
        Its networks, phases, batch and precision.
    images
        Pixels, uint8 [n, c, 32, 32].
    device
        Where it lives.
    """

    def __init__(self, config: Config, images: Tensor, device: torch.device | str = "cpu") -> None:
        self.config, self.device = config, torch.device(device)
        self.life = Life.born(config, self.device)
        self.images = images.to(self.device)
        self.order: Tensor = torch.empty(0)
        self.epoch = self.cycle = 0

    def __call__(self) -> None:
        """Live one cycle."""
        life, config = self.life, self.config
        if self.cycle == len(self.order):
            self.epoch, self.cycle = self.epoch + 1, 0
            chance = generator(config.seed, "order", self.epoch)
            self.order = epoch_order(len(self.images), config.training.batch_size, chance).to(self.device)
        seen = to_activity(self.images[self.order[self.cycle]], config.networks.image_channels)
        random = Random(config.seed, (self.epoch, self.cycle), self.device)
        with torch.backends.cudnn.flags(enabled=True, deterministic=True):
            life.hippocampus, terms = sleep_wake_cycle(
                life.cortex, life.synapses, seen, life.hippocampus, config.phases, random
            )
        for name, value in terms.items():
            life.totals[name] = life.totals.get(name, 0) + value.to(torch.float64)
        self.cycle += 1


def pad(
    base_channels: int = 64, latent_dim: int = 256, batch: int = 64, precision: str = "float32"
) -> Config:
    """The PAD condition at a width, a batch and a precision."""
    return dreaming.configure(
        "pad",
        networks={"base_channels": base_channels, "latent_dim": latent_dim},
        training={"batch_size": batch, "precision": precision},
    )
