"""A trial of what is the user's own: a few cycles on a cortex that is thrown away, before anything is written."""

from typing import Any

import torch
from torch import Tensor

from dreaming.config.config import Config
from dreaming.config.custom import called, drawing_allowed
from dreaming.errors import UserError, brief
from dreaming.model.cortex import Cortex
from dreaming.model.cycle import Step, draw, phase_objective
from dreaming.model.hippocampus import Hippocampus
from dreaming.model.phases import Outcome, Phase
from dreaming.rng import Random
from dreaming.system.defaults import torch_defaults

TRIED_CYCLES = 2
"""In the second there is a yesterday."""
MOST_IMAGES = 64
"""At most so many images: those of the paper's batch."""


@torch_defaults()
def check_phases(config: Config, beside: bool = False) -> None:
    """Try the cycles of a config that holds classes of the user's own, those of each stage of its schedule.

    Parameters
    ----------
    config
        What a run is to be; one of the project's own classes alone is not tried.
    beside
        Whether runs are trained side by side.

    Raises
    ------
    UserError
        If an objective fails, returns what is none of an `Outcome`, changes images or weights by itself, or draws
        random numbers where none are repeated.
    """
    if all(type(group).__module__.startswith("dreaming.") for group in config.groups()):
        return
    cortex = config.cortex()
    hippocampus = Hippocampus(config=config.hippocampus)
    for phases in config.cycles():
        if not config.training.memories_across_epochs:
            hippocampus = Hippocampus(config=config.hippocampus)
        for cycle in range(TRIED_CYCLES):
            for phase in phases:
                if phase.weight:
                    with drawing_allowed(config, f"phase '{phase.name}'", beside):
                        hippocampus = _tried(phase, cortex, hippocampus, config, cycle)


def _tried(phase: Phase, cortex: Cortex, hippocampus: Hippocampus, config: Config, cycle: int) -> Hippocampus:
    """Run one step of a phase and look at what it returns, and whether it left all as it was."""
    its, networks = f"phase '{phase.name}'", config.networks
    b, size = min(config.training.batch_size, MOST_IMAGES), networks.image_size
    random = Random(config.seed, ("trial", cycle))
    images = random.uniform("images", (b, networks.image_channels, size, size)) * 2 - 1
    labels = torch.zeros(b, dtype=torch.int64)
    steps = [Step(phase)]
    draws = called(
        "--phases",
        its,
        lambda: draw(steps, random, b, networks.latent_dim, config.hippocampus, images.shape[1:]),
    )[phase.name]
    seen, before = images.clone(), [weight.detach().clone() for weight in cortex.parameters()]
    outcome = called(
        "--phases", its, lambda: phase_objective(phase, cortex, images, hippocampus, draws, labels)
    )
    _look(its, outcome, (b, networks.latent_dim))
    if not torch.equal(images, seen):
        raise UserError(f"--phases: {its} writes into the images it is given; let it change a copy")
    if not all(map(torch.equal, before, cortex.parameters())):
        raise UserError(
            f"--phases: the objective of {its} changes weights by itself; return a loss, and leave it to the signs"
        )
    called("--phases", its, lambda: back_propagate(phase, cortex, outcome))
    return hippocampus if outcome.memory is None else hippocampus.store(outcome.memory, images)


def back_propagate(phase: Phase, cortex: Cortex, outcome: Outcome) -> None:
    """Compute the gradients that a phase takes, as in a cycle, and change nothing by them."""
    plastic = [
        weight
        for name, network in cortex.pathways.items()
        for weight in network.parameters()
        if phase.plasticity.get(name) and weight.requires_grad
    ]
    if plastic and outcome.loss.requires_grad:
        torch.autograd.grad(outcome.loss, plastic, allow_unused=True)


def _look(its: str, outcome: Any, latents: tuple[int, int]) -> None:
    """Make sure that an objective returned an `Outcome` of scalars, and a memory of the shape of latents."""
    if not isinstance(outcome, Outcome):
        raise UserError(
            f"--phases: {its} returns {_said(outcome)} from its objective; return dreaming.Outcome(loss, terms), "
            "or the loss alone"
        )
    if not isinstance(outcome.terms, dict):
        raise UserError(
            f"--phases: the terms of {its} are {_said(outcome.terms)}; return a dict of names to scalars"
        )
    scalars = {"loss": outcome.loss, **{f"term '{name}'": value for name, value in outcome.terms.items()}}
    for what, value in scalars.items():
        if not isinstance(value, Tensor) or value.ndim or not value.is_floating_point():
            raise UserError(
                f"--phases: the {what} of {its} is {_said(value)}, and a tensor of shape () is needed"
            )
    memory = outcome.memory
    if memory is not None and (not isinstance(memory, Tensor) or tuple(memory.shape) != latents):
        raise UserError(
            f"--phases: the memory of {its} is {_said(memory)}, and latents of shape {latents} are needed"
        )


def _said(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of {str(value.dtype).removeprefix('torch.')} of shape {tuple(value.shape)}"
    return brief(value)
