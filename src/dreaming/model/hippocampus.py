"""The hippocampus: what is stored of the last two days, and the recipes by which it is replayed in sleep."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le
from jaxtyping import Float
from torch import Tensor

from dreaming.errors import UserError
from dreaming.model.parameters import Parameters

Share = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True)
class Hippocampus:
    """The latents of the two last days: one mini-batch each, as they were before that day's learning.

    Attributes
    ----------
    today
        z, the latents inferred awake in this cycle, shape [b, n_z], or None before the first day.
    yesterday
        z_old, the latents of the cycle before, shape [b, n_z], or None in the first cycle.

    Examples
    --------
    >>> import torch
    >>> days = Hippocampus().store(torch.zeros(2, 3)).store(torch.ones(2, 3))
    >>> days.today.mean(), days.yesterday.mean()
    (tensor(1.), tensor(0.))
    """

    today: Float[Tensor, "*cortices b n"] | None = None
    yesterday: Float[Tensor, "*cortices b n"] | None = None

    def store(self, latents: Float[Tensor, "*cortices b n"]) -> "Hippocampus":
        """Return a hippocampus in which a new day has begun; the day before yesterday is forgotten."""
        return Hippocampus(today=latents.detach(), yesterday=self.today)


class Replay(Parameters):
    """A recipe for replaying memories: (1-noise) · ((1-past) · z + past · z_old) + noise · ε.

    Paper: z_mix = λ'(λ z + (1-λ) z_old) + (1-λ') ε, so past = 1-λ and noise = 1-λ'. With both 0, a single
    memory is replayed, as NREM does.

    Examples
    --------
    >>> import torch
    >>> days = Hippocampus(today=torch.full((1, 1), 8.0), yesterday=torch.zeros(1, 1))
    >>> Replay(past=0.5, noise=0.5).recall(days, noise=torch.full((1, 1), 2.0))
    tensor([[3.]])
    """

    past: Share = 0.0
    """1-λ: the share of yesterday's memory in what is remembered."""
    noise: Share = 0.0
    """1-λ': the share of spontaneous cortical activity ε ~ N(0, I)."""
    first_night: Literal["with_noise", "memory_alone"] = "with_noise"
    """What is replayed while there is no yesterday: today's memory with noise (as the published program does)
    or today's memory alone (as the paper writes)."""

    def recall(
        self, hippocampus: Hippocampus, noise: Float[Tensor, "b n"] | None = None
    ) -> Float[Tensor, "b n"]:
        """Replay memories by this recipe.

        Parameters
        ----------
        hippocampus
            What was stored.
        noise
            ε ~ N(0, I), shape [b, n_z]; needed where the recipe has a share of noise.

        Returns
        -------
        Tensor
            The latents that drive the generator, shape [b, n_z], without gradient.

        Raises
        ------
        UserError
            If nothing has been stored yet.
        ValueError
            If the recipe has a share of noise, and ``noise`` is None.
        """
        today, yesterday = hippocampus.today, hippocampus.yesterday
        if today is None:
            raise UserError("sleep replays memories, and none is stored yet: let a waking phase come first")
        memory = today if yesterday is None else (1 - self.past) * today + self.past * yesterday
        alone = self.first_night == "memory_alone" and yesterday is None and self.noise < 1
        if self.noise == 0 or alone:
            return memory
        if noise is None:
            raise ValueError(f"this replay has a share of noise ({self.noise}) and was given none")
        return (1 - self.noise) * memory + self.noise * noise
