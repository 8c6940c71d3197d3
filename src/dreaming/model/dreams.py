"""Dreams: what a cortex generates in a phase of sleep, without learning (paper, figure 3)."""

from collections.abc import Sequence
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from dreaming.model.activity import at_rest
from dreaming.model.cortex import Cortex
from dreaming.model.hippocampus import Hippocampus
from dreaming.model.phases import NREM, REM, Phase
from dreaming.rng import Random

Sleep = TypeVar("Sleep", NREM, REM)


@torch.no_grad()
def dream(
    cortex: Cortex, phase: NREM | REM, hippocampus: Hippocampus, random: Random
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
