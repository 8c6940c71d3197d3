"""The sleep-wake cycle (paper, algorithm 1)."""

from collections.abc import Callable, Mapping, Sequence

from jaxtyping import Float
from torch import Tensor

from dreaming.model.hippocampus import Hippocampus
from dreaming.model.networks import Cortex
from dreaming.model.phases import NREM, Draws, Outcome, Phase
from dreaming.model.plasticity import Synapses
from dreaming.rng import Random

ObjectiveFn = Callable[[Phase, Cortex, Tensor, Hippocampus, Draws], Outcome]


def draw(phases: Sequence[Phase], random: Random, batch_size: int, latent_dim: int) -> dict[str, Draws]:
    """Draw the random numbers of one cycle, for each step of a phase; phases of weight 0 draw none."""
    return {
        _called(phase, step): phase.draw(
            random.at(phase.name, *([step] if step else [])), batch_size, latent_dim
        )
        for phase in phases
        if phase.weight
        for step in range(phase.steps)
    }


def _called(phase: Phase, step: int) -> str:
    return f"{phase.name}.{step}" if step else phase.name


def active_phases(phases: Sequence[Phase], cycle: int) -> tuple[Phase, ...]:
    """Return the phases that happen in a cycle of an epoch, counted from 0 (see `Phase.is_active`)."""
    return tuple(phase for phase in phases if phase.is_active(cycle))


def compute(phase: Phase, cortex: Cortex, images: Tensor, hippocampus: Hippocampus, draws: Draws) -> Outcome:
    """Compute the objective of a phase for one cortex; `dreaming.training.ensemble` has the way for many."""
    return phase.objective(cortex, images, hippocampus, draws)


def live(
    cortex: Cortex,
    synapses: Synapses,
    images: Float[Tensor, "*cortices b c 32 32"],
    hippocampus: Hippocampus,
    phases: Sequence[Phase],
    draws: Mapping[str, Draws],
    way: ObjectiveFn = compute,
) -> tuple[Hippocampus, dict[str, Tensor]]:
    """Live through one day and night with random numbers drawn before: what every path of training does.

    Parameters
    ----------
    cortex, synapses, images, hippocampus, phases
        As for `sleep_wake_cycle`.
    draws
        What `draw` returned.
    way
        How an objective is computed: `compute`, or many cortices' side by side.

    Returns
    -------
    hippocampus, terms
        As `sleep_wake_cycle` returns them; with a leading axis where many cortices live side by side.
    """
    terms: dict[str, Tensor] = {}
    active = [(phase, step) for phase in phases if phase.weight for step in range(phase.steps)]
    perturbs = any(isinstance(phase, NREM) for phase, _ in active)
    for phase, step in active:
        outcome = way(phase, cortex, images, hippocampus, draws[_called(phase, step)])
        synapses.change(phase.weight * outcome.loss.sum(), phase.plasticity)
        if outcome.memory is not None:
            hippocampus = hippocampus.store(outcome.memory)
            if (
                synapses.coasts and not perturbs
            ):  # the published program stepped the encoder in an NREM left out
                synapses.coast("encoder")
        for term, value in outcome.terms.items():
            name, share = f"{phase.name}.{term}", value.detach() / phase.steps
            terms[name] = terms[name] + share if step else share
    return hippocampus, terms


def sleep_wake_cycle(
    cortex: Cortex,
    synapses: Synapses,
    images: Float[Tensor, "b c 32 32"],
    hippocampus: Hippocampus,
    phases: Sequence[Phase],
    random: Random,
) -> tuple[Hippocampus, dict[str, Tensor]]:
    """Live through one day and night (paper, algorithm 1).

    Parameters
    ----------
    cortex, synapses
        What learns; changed in place.
    images
        What is seen today, in [-1, 1], shape [b, c, 32, 32].
    hippocampus
        What is remembered of the days before.
    phases
        The phases in their order.
    random
        The random numbers of this cycle.

    Returns
    -------
    hippocampus
        What is remembered for the next cycle.
    terms
        Every term of every phase as ``PHASE.TERM``, scalars.

    Examples
    --------
    >>> import torch
    >>> from dreaming.model.plasticity import Optimizer
    >>> cortex = Cortex(latent_dim=8, base_channels=4)
    >>> images = torch.rand(4, 3, 32, 32) * 2 - 1
    >>> night = sleep_wake_cycle(
    ...     cortex, Synapses(cortex, Optimizer()), images, Hippocampus(), (Wake(), NREM(), REM()), Random(0)
    ... )
    >>> list(night[1])
    ['wake.image', 'wake.kl', 'wake.externality', 'nrem.latent', 'rem.externality']
    """
    draws = draw(phases, random, len(images), cortex.latent_dim)
    return live(cortex, synapses, images, hippocampus, phases, draws)
