"""What a run would be, before anything is run: its config, its phases and signs, its size and its cost."""

import html
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from dreaming.config.config import Config
from dreaming.config.custom import called, check_networks
from dreaming.config.trial import back_propagate, check_phases
from dreaming.errors import UserError
from dreaming.model.cycle import Step, draw, phase_objective
from dreaming.model.hippocampus import Hippocampus
from dreaming.model.phases import Outcome, Phase
from dreaming.model.plasticity import Plasticity
from dreaming.rng import Random
from dreaming.system.defaults import torch_defaults


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
        Number of weights of each pathway and organ.
    multiply_accumulates
        Of each phase in one cycle of a whole mini-batch, forward and backward, by its name. One is left out
        where it cannot be counted: it needs the numbers in its tensors, or makes some on another device than its
        images are on; so is one that needs what such a phase remembers.
    """

    config: Config
    signs: Mapping[str, Plasticity]
    weights: Mapping[str, int]
    multiply_accumulates: Mapping[str, int]

    def in_words(self) -> list[dict[str, str]]:
        """Return a row for each phase, as people read it: its signs and its cost; and one for the whole cycle."""
        cost = "multiply-accumulates of a cycle"
        rows = [
            {
                "phase": name,
                **{each: f"{sign:+d}" if (sign := signs.get(each, 0)) else "0" for each in self.weights},
                cost: f"{counted / 1e9:.2f} G"
                if (counted := self.multiply_accumulates.get(name)) is not None
                else "not counted",
            }
            for name, signs in self.signs.items()
        ]
        whole = f"{sum(self.multiply_accumulates.values()) / 1e9:.2f} G"
        return [*rows, {"phase": "", **dict.fromkeys(self.weights, ""), cost: whole}]

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the rows, and the size of each network."""
        sizes = ", ".join(f"{html.escape(name)}: {count:,} weights" for name, count in self.weights.items())
        return f"{pd.DataFrame(self.in_words()).to_html(index=False)}<p>{sizes}</p>"


@torch_defaults()
def describe(config: Config) -> Description:
    """Describe a run without running it.

    The multiply-accumulates are counted in one cycle of tensors that have shapes and no numbers.

    Raises
    ------
    UserError
        If networks or phases of the user's own are of the wrong make, as training would refuse them.

    Examples
    --------
    >>> found = describe(Config())
    >>> found.weights
    {'encoder': 1711809, 'generator': 1707459}
    >>> [round(count / 1e9, 1) for count in found.multiply_accumulates.values()]
    [7.1, 4.7, 6.9]
    """
    check_networks(config)
    check_phases(config)
    cortex = config.cortex().to("meta")
    pathways = cortex.pathways
    weights = {
        name: sum(weight.numel() for weight in pathway.parameters()) for name, pathway in pathways.items()
    }
    costs: dict[str, int] = {}
    batch, hippocampus = config.training.batch_size, Hippocampus(config=config.hippocampus)
    size = config.networks.image_size
    images = torch.empty(batch, config.networks.image_channels, size, size, device="meta")
    labels = torch.empty(batch, dtype=torch.int64, device="meta")
    for phase in config.phases:
        if not phase.weight:
            costs[phase.name] = 0
            continue

        def step(phase: Phase = phase, hippocampus: Hippocampus = hippocampus) -> Outcome:
            random = Random(config.seed, device="meta")
            draws = draw(
                [Step(phase)], random, batch, cortex.latent_dim, config.hippocampus, images.shape[1:]
            )
            with torch.device("meta"):  # what the objective makes of itself
                outcome = phase_objective(phase, cortex, images, hippocampus, draws[phase.name], labels)
            back_propagate(phase, cortex, outcome)
            return outcome

        with FlopCounterMode(display=False) as counter:
            try:
                outcome = called("--phases", f"phase '{phase.name}'", step)
            except UserError:  # it ran where tensors have numbers
                continue
        hippocampus = hippocampus if outcome.memory is None else hippocampus.store(outcome.memory, images)
        costs[phase.name] = counter.get_total_flops() // 2
    return Description(config, {phase.name: phase.plasticity for phase in config.phases}, weights, costs)
