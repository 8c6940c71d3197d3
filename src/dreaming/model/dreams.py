"""Dreams: what a cortex generates in a phase of sleep, without learning (paper, figure 3)."""

import copy
from collections.abc import Sequence
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from dreaming.model.activity import at_rest
from dreaming.model.cortex import Cortex
from dreaming.model.cycle import Step, draw, phase_objective
from dreaming.model.hippocampus import Hippocampus, Replay
from dreaming.model.phases import NREM, REM, Draws, Phase
from dreaming.rng import Random, seeded

Sleep = TypeVar("Sleep", NREM, REM)


@runtime_checkable
class Replaying(Protocol):
    """A phase whose dreams are driven by a replay of memories, such as NREM and REM."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def replay(self) -> Replay:
        """Which memories."""

    def draw(self, random: Random, batch_size: int, latent_dim: int) -> Draws:
        """Draw ``noise``, if the replay has a share of it."""


@torch.no_grad()
def dream(
    cortex: Cortex, phase: Replaying, hippocampus: Hippocampus, random: Random
) -> Float[Tensor, "b c h w"]:
    """Dream as a phase does, without learning and without occlusion.

    Parameters
    ----------
    cortex
        Whose generator dreams.
    phase
        Whose replay drives the dream.
    hippocampus
        What is remembered.
    random
        The dream's random numbers.

    Returns
    -------
    Tensor
        Low-level activity in [-1, 1], shape [b, c, h, w].
    """
    batch = 0 if hippocampus.today is None else len(hippocampus.today)
    draws = phase.draw(random, batch, cortex.latent_dim)  # the mask among them is not used
    with at_rest(cortex):
        dreamt: Tensor = cortex.generator(phase.replay.recall(hippocampus, draws.get("noise")))
    return dreamt


def dream_of_phase(
    cortex: Cortex,
    phase: Phase,
    hippocampus: Hippocampus,
    images: Float[Tensor, "b c h w"],
    random: Random,
    labels: Int64[Tensor, " b"] | None = None,
) -> Float[Tensor, "b c h w"] | None:
    """Return what the generator makes in a phase of any kind, without learning.

    Parameters
    ----------
    cortex, hippocampus, random
        As for `dream`.
    phase
        One that dreams as NREM or REM does, by its replay; or any other, whose objective is computed on a copy of
        the cortex, to see what the generator made in it.
    images, labels
        What is seen while the phase is on, for such an objective.

    Returns
    -------
    Tensor or None
        The last that was generated, in [-1, 1], shape [b, c, h, w]; None where nothing was.

    Examples
    --------
    >>> from dreaming.model.phases import Wake
    >>> cortex, images = Cortex(latent_dim=8, base_channels=4), torch.zeros(2, 3, 32, 32)
    >>> dream_of_phase(cortex, Wake(), Hippocampus(), images, Random(0)).shape
    torch.Size([2, 3, 32, 32])
    """
    if isinstance(phase, NREM | REM) and type(phase).objective in (NREM.objective, REM.objective):
        return dream(cortex, phase, hippocampus, random)
    sleeper, made = copy.deepcopy(cortex), []
    sleeper.generator.register_forward_hook(lambda network, given, output: made.append(output.detach()))
    step = Step(phase)
    draws = draw([step], random, len(images), cortex.latent_dim, hippocampus.config, images.shape[1:])
    with at_rest(sleeper), seeded(random.seed, "noise", *random.address):
        phase_objective(phase, sleeper, images, hippocampus, draws[step.name], labels)
    return made[-1] if made else None


@torch.no_grad()
def remember(
    cortex: Cortex, yesterday: Float[Tensor, "b c h w"], today: Float[Tensor, "b c h w"]
) -> Hippocampus:
    """Store the latents of two days, in [-1, 1], shape [b, c, h, w] each, without learning from them."""
    with at_rest(cortex):
        return Hippocampus().store(cortex.latents(yesterday)).store(cortex.latents(today))


def sleep_of(phases: Sequence[Phase], default: Sleep) -> tuple[Sleep, str]:
    r"""Find the NREM or REM of a cycle; where it has none that is on, the default, and a note that says so.

    Examples
    --------
    >>> sleep_of([NREM(weight=0.5)], NREM())[0].weight, sleep_of([], REM())[1]
    (0.5, '\n(not in this cycle)')
    """
    found = next((phase for phase in phases if isinstance(phase, type(default)) and phase.weight), None)
    return (found, "") if found is not None else (default, "\n(not in this cycle)")
