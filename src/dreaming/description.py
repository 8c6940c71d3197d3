"""What a run would be, before anything is run: its config, its phases and signs, its size and its cost."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from dreaming.config import Config
from dreaming.hippocampus import Hippocampus
from dreaming.phases import sleep_wake_cycle
from dreaming.plasticity import Plasticity, Synapses
from dreaming.rng import Random


@dataclass(frozen=True)
class Description:
    """What a run would be.

    Attributes
    ----------
    config
        The config, resolved.
    signs
        The plasticity of each phase, by its name.
    weights
        Number of weights of each pathway.
    multiply_accumulates
        Of each phase in one cycle of a whole mini-batch, forward and backward, by its name.
    """

    config: Config
    signs: Mapping[str, Plasticity]
    weights: Mapping[str, int]
    multiply_accumulates: Mapping[str, int]


def describe(config: Config) -> Description:
    """Describe a run without running it.

    The multiply-accumulates are counted in one cycle of two images, which is done for the purpose.

    Examples
    --------
    >>> found = describe(Config())
    >>> found.weights
    {'encoder': 1711809, 'generator': 1707459}
    >>> [round(count / 1e9, 1) for count in found.multiply_accumulates.values()]
    [7.1, 4.7, 6.9]
    """
    cortex = config.networks.build(config.seed)
    weights = {
        name: sum(weight.numel() for weight in pathway.parameters())
        for name, pathway in cortex.named_children()
    }
    costs: dict[str, int] = {}
    synapses, hippocampus = Synapses(cortex, config.optimizer), Hippocampus()
    images = torch.zeros(2, config.networks.image_channels, 32, 32)
    images += torch.linspace(-1, 1, 2)[:, None, None, None]
    for phase in config.phases:
        with FlopCounterMode(display=False) as counter:
            random = Random(config.seed)
            hippocampus, _ = sleep_wake_cycle(cortex, synapses, images, hippocampus, (phase,), random)
        costs[phase.name] = counter.get_total_flops() // 2 * config.training.batch_size // len(images)
    signs = {phase.name: phase.plasticity for phase in config.phases}
    return Description(config, signs, weights, costs)
