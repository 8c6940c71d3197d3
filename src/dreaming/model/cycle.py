"""The sleep-wake cycle (paper, algorithm 1).

`run_cycle` is the algorithm. Which phases a cycle has, and how often, is settled before it by `steps_of`; random
numbers are drawn before it by `draw`; so the same lines serve a cycle alone, one captured on a GPU, and many
cortices side by side.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar, NamedTuple

from jaxtyping import Float, Int64
from torch import Tensor

from dreaming.errors import UserError
from dreaming.model.cortex import Cortex
from dreaming.model.hippocampus import Hippocampus, HippocampusConfig
from dreaming.model.networks import IMAGE_SIZE
from dreaming.model.phases import NREM, Draws, Outcome, Phase, Wake
from dreaming.model.plasticity import Plasticity, Synapses
from dreaming.rng import Random
from dreaming.system.defaults import torch_defaults

ObjectiveFn = Callable[[Phase, Cortex, Tensor, Hippocampus, Draws, Tensor | None], Outcome]


class Step(NamedTuple):
    """One step of a phase in a cycle; a phase has ``Phase.steps`` of them, counted from 0."""

    phase: Phase
    number: int = 0

    @property
    def name(self) -> str:
        """The phase's name, with the number of every step but the first."""
        return f"{self.phase.name}.{self.number}" if self.number else self.phase.name


def phase_objective(
    phase: Phase,
    cortex: Cortex,
    images: Tensor,
    hippocampus: Hippocampus,
    draws: Draws,
    labels: Tensor | None = None,
) -> Outcome:
    """Compute the objective of a phase for one cortex; a phase that sees no labels gets none."""
    hippocampus = hippocampus.in_phase(cortex.latents, draws)
    given = cortex, images, hippocampus, draws
    if not phase.sees_labels:
        found = phase.objective(*given)
    elif labels is None:
        raise UserError(f"phase '{phase.name}' sees labels, and these images have none")
    else:
        found = phase.objective(*given, labels=labels)  # type: ignore[call-arg]
    if not isinstance(found, Tensor):
        return found
    (term,) = phase.terms if len(phase.terms) == 1 else ("loss",)
    return Outcome(found, {term: found})


def run_cycle(
    cortex: Cortex,
    synapses: Synapses,
    images: Float[Tensor, "*cortices b c h w"],
    hippocampus: Hippocampus,
    steps: Sequence[Step],
    draws: Mapping[str, Draws],
    objective: ObjectiveFn = phase_objective,
    labels: Int64[Tensor, "*cortices b"] | None = None,
) -> tuple[Hippocampus, dict[str, Tensor]]:
    """Run one cycle of wake and sleep (paper, algorithm 1).

    Parameters
    ----------
    cortex, synapses, images, hippocampus
        As for `sleep_wake_cycle`.
    steps
        What `steps_of` returned.
    draws
        The random numbers of each step, by its name.
    objective
        Computes that of a phase: `phase_objective` of one cortex, or of many that of `dreaming.training.ensemble`.
    labels
        Of the images, for phases that see them.

    Returns
    -------
    hippocampus, terms
        As `sleep_wake_cycle` returns them; with a leading axis where many cortices learn side by side.
    """
    terms: dict[str, Tensor] = {}
    for step in steps:
        phase = step.phase
        with _statistics_kept(cortex, phase.plasticity):
            outcome = objective(phase, cortex, images, hippocampus, draws[step.name], labels)
            synapses.change(phase.weight * outcome.loss.sum(), phase.plasticity)
        if outcome.memory is not None:
            hippocampus = hippocampus.store(outcome.memory, images)
        for term, value in outcome.terms.items():
            name, share = f"{phase.name}.{term}", value.detach() / phase.steps
            terms[name] = terms[name] + share if step.number else share
    return hippocampus, terms


@contextmanager
def _statistics_kept(cortex: Cortex, signs: Plasticity) -> Iterator[None]:
    """Leave the buffers of networks that are not plastic, such as means of batch norm, as they were."""
    before = [
        (buffer, buffer.clone())
        for name, network in cortex.pathways.items()
        if not signs.get(name)
        for buffer in network.buffers()
    ]
    yield
    for buffer, value in before:
        buffer.copy_(value)


@torch_defaults()
def sleep_wake_cycle(
    cortex: Cortex,
    synapses: Synapses,
    images: Float[Tensor, "b c h w"],
    hippocampus: Hippocampus,
    phases: Sequence[Phase],
    random: Random,
    labels: Int64[Tensor, " b"] | None = None,
) -> tuple[Hippocampus, dict[str, Tensor]]:
    """Run one cycle of wake and sleep with random numbers of its own.

    Parameters
    ----------
    cortex, synapses
        What learns; changed in place.
    images
        What is seen today, in [-1, 1], shape [b, c, h, w].
    hippocampus
        What is remembered of the days before.
    phases
        The phases in their order.
    random
        The random numbers of this cycle.
    labels
        The class of each image, for phases that see labels (`Phase.sees_labels`).

    Returns
    -------
    hippocampus
        What is remembered for the next cycle.
    terms
        Every term of every phase as ``PHASE.TERM``, scalars.

    Raises
    ------
    UserError
        If the cortex was made under ``torch.inference_mode``.

    Examples
    --------
    >>> import torch
    >>> from dreaming.model.plasticity import Optimizer
    >>> from dreaming.model.phases import REM
    >>> cortex = Cortex(latent_dim=8, base_channels=4)
    >>> images = torch.rand(4, 3, 32, 32) * 2 - 1
    >>> night = sleep_wake_cycle(
    ...     cortex, Synapses(cortex, Optimizer()), images, Hippocampus(), (Wake(), NREM(), REM()), Random(0)
    ... )
    >>> list(night[1])
    ['wake.image', 'wake.kl', 'wake.externality', 'nrem.latent', 'rem.externality']
    """
    if any(weight.is_inference() for weight in cortex.parameters()):
        raise UserError(
            "this cortex was made under torch.inference_mode, where weights never learn; make it outside"
        )
    images = images.clone() if images.is_inference() else images  # of those, no gradient can be had
    steps = steps_of(phases, synapses.coasts)
    draws = draw(steps, random, len(images), cortex.latent_dim, hippocampus.config, images.shape[1:])
    return run_cycle(cortex, synapses, images, hippocampus, steps, draws, labels=labels)


def active_phases(phases: Sequence[Phase], cycle: int) -> tuple[Phase, ...]:
    """Return the phases that are active in a cycle of an epoch, counted from 0 (see `Phase.is_active`)."""
    return tuple(phase for phase in phases if phase.is_active(cycle))


def steps_of(phases: Sequence[Phase], coasts: bool = False) -> tuple[Step, ...]:
    """Return the steps of a cycle of these phases, in order; a phase of weight 0 has none.

    Parameters
    ----------
    phases
        Those that are active.
    coasts
        Whether idle weights coast: then the encoder coasts once after Wake in a cycle without NREM, since the
        published program stepped the optimiser of a phase that was left out.

    Examples
    --------
    >>> [step.name for step in steps_of((Wake(), NREM(steps=2)))]
    ['wake', 'nrem', 'nrem.1']
    >>> [step.name for step in steps_of((Wake(),), coasts=True)]
    ['wake', '(coasting)']
    """
    on = [phase for phase in phases if phase.weight]
    left_out = coasts and not any(isinstance(phase, NREM) for phase in on)
    steps = []
    for phase in on:
        for number in range(phase.steps):
            steps.append(Step(phase, number))
            if left_out and isinstance(phase, Wake):
                steps.append(Step(Coasting()))
    return tuple(steps)


def draw(
    steps: Sequence[Step],
    random: Random,
    batch_size: int,
    latent_dim: int,
    hippocampus: HippocampusConfig = HippocampusConfig(),  # noqa: B008 - it is frozen
    image: Sequence[int] = (),
) -> dict[str, Draws]:
    """Draw the random numbers of one cycle, those of each step by its name: the phase's, and those of retrieval."""
    draws = {}
    sized = (
        image[-1:] if image and image[-1] != IMAGE_SIZE else ()
    )  # users' phases may know the paper's size alone
    for step in steps:
        place = (step.phase.name, step.number) if step.number else (step.phase.name,)
        here = random.at(*place)
        retrieval = hippocampus.draw(here, batch_size, latent_dim, image)
        draws[step.name] = {**step.phase.draw(here, batch_size, latent_dim, *sized), **retrieval}
    return draws


class Coasting(Phase):
    """The NREM that the published program left out: nothing is computed, and the encoder's optimiser steps."""

    plasticity: ClassVar = Plasticity(encoder=+1, generator=0)
    name: str = "(coasting)"
    """As no phase of a config can be called."""

    def objective(self, cortex: Cortex, images: Tensor, hippocampus: Hippocampus, draws: Draws) -> Outcome:
        """Return a loss without a gradient."""
        return Outcome(images.new_zeros(()), {})
