"""The hippocampus: what is stored of past days, how it is retrieved, and by which recipes it is replayed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le
from jaxtyping import Float
from torch import Tensor

from dreaming.errors import UserError
from dreaming.model.parameters import Count, Parameters
from dreaming.rng import Random

Share = Annotated[float, Ge(0), Le(1)]
NOTHING = "sleep replays memories, and none is stored yet: let a waking phase come first"


def hopfield_retrieval(
    cue: Float[Tensor, "b n"], memories: Float[Tensor, "m n"], beta: float, iterations: int = 1
) -> Float[Tensor, "b n"]:
    """Complete cues by a modern Hopfield network that stores some memories: ξ <- Xᵀ softmax(β X ξ).

    Parameters
    ----------
    cue
        ξ, where retrieval begins, shape [b, n].
    memories
        X, shape [m, n].
    beta
        β, not negative: at 0 the mean of all memories is retrieved; the larger it is, the more the one of the
        largest scalar product alone, which of memories of one length is the nearest.
    iterations
        How often.

    Returns
    -------
    Tensor
        Weighted means of memories, shape [b, n].

    Notes
    -----
    Ramsauer et al. 2020 (arXiv 2008.02217), eq. 3; as a store that replays into a generative model Spens and
    Burgess 2024, whose program divides β by √n.

    Examples
    --------
    >>> memories = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> hopfield_retrieval(torch.tensor([[0.6, 0.5]]), memories, beta=1e4)
    tensor([[1., 0.]])
    >>> hopfield_retrieval(torch.tensor([[0.6, 0.5]]), memories, beta=0.0)
    tensor([[0.5000, 0.5000]])
    """
    for _ in range(iterations):
        cue = torch.softmax(beta * cue @ memories.mT, dim=-1) @ memories
    return cue


class HippocampusConfig(Parameters):
    """How much is stored and how it is retrieved; by default the paper's two days, as they were."""

    capacity: Count = 2
    """Days that are stored, a mini-batch each; the oldest is forgotten first."""
    retrieval: Literal["recent", "uniform", "hopfield"] = "recent"
    """What a phase finds as today's and yesterday's memories: ``recent``, those of the last two days; ``uniform``,
    two of all that are stored, drawn for each image and for each of both alone; ``hopfield``, the last two days' as
    the store completes them from a cue (see `hopfield_retrieval`)."""
    beta: Annotated[float, Ge(0)] = 100.0
    """β of ``hopfield``."""
    iterations: Count = 10
    """Of ``hopfield``."""
    cue_noise: Share = 0.5
    """Share of a memory's elements that noise takes the place of in a cue of ``hopfield``; at 1 cues are noise
    alone, as where Spens and Burgess replay."""
    stores: Literal["latents", "images"] = "latents"
    """What a memory is; images are encoded anew, without a gradient, where a phase asks for latents."""

    def draw(
        self, random: Random, batch_size: int, latent_dim: int, image: Sequence[int]
    ) -> dict[str, Tensor]:
        """Draw what retrieval needs in a step of a phase, of images of shape [c, h, w]; by default nothing."""
        if self.retrieval == "uniform":
            return {"memory.which": random.integers("memory", 0, 2**62, (2, batch_size))}
        if self.retrieval == "recent":
            return {}
        shape = (2, batch_size, *((latent_dim,) if self.stores == "latents" else image))
        replaced = random.uniform("memory", shape) < self.cue_noise
        latents = self.stores == "latents"
        noise = random.normal("memory", shape) if latents else 2 * random.uniform("memory", shape) - 1
        return {"memory.replaced": replaced, "memory.noise": noise}


@dataclass(frozen=True)
class Hippocampus:
    """The memories of the last days: one mini-batch each, latents as they were before that day's learning.

    Attributes
    ----------
    today
        z, the latents inferred awake in this cycle, shape [b, n_z], or None before the first day.
    yesterday
        z_old, the latents of the cycle before, shape [b, n_z], or None in the first cycle.
    earlier
        Those of the days before, the last first, shape [days, b, n_z]; None with the paper's capacity of two days.
    config
        How much is stored, and how it is retrieved. Where images are stored, they stand in place of the latents,
        shape [b, c, h, w]; a phase finds latents in ``today`` and ``yesterday`` all the same.

    Examples
    --------
    >>> days = Hippocampus().store(torch.zeros(2, 3)).store(torch.ones(2, 3))
    >>> days.today.mean(), days.yesterday.mean()
    (tensor(1.), tensor(0.))
    >>> week = Hippocampus(config=HippocampusConfig(capacity=7))
    >>> for day in range(10):
    ...     week = week.store(torch.full((2, 3), float(day)))
    >>> week.days, week.memories[:, 0].tolist()
    (7, [9.0, 9.0, 8.0, 8.0, 7.0, 7.0, 6.0, 6.0, 5.0, 5.0, 4.0, 4.0, 3.0, 3.0])
    """

    today: Float[Tensor, "..."] | None = None
    yesterday: Float[Tensor, "..."] | None = None
    earlier: Float[Tensor, "..."] | None = None
    config: HippocampusConfig = HippocampusConfig()  # noqa: RUF009 - it is frozen

    def store(
        self, latents: Float[Tensor, "*cortices b n"], images: Float[Tensor, "*seen c h w"] | None = None
    ) -> "Hippocampus":
        """Return a hippocampus in which a new day has begun; the oldest beyond its capacity is forgotten.

        ``images`` are those of the latents, needed where images are stored.
        """
        new = latents if self.config.stores == "latents" else images
        if new is None:
            raise ValueError("this hippocampus stores images, and was given none")
        kept, axis, earlier = self.config.capacity, self.day_axis, self.earlier
        if kept > 2 and self.yesterday is not None:
            before = [self.yesterday.unsqueeze(axis)]
            if earlier is not None:
                before.append(earlier.narrow(axis, 0, min(kept - 3, earlier.shape[axis])))
            earlier = torch.cat(before, axis)
        return replace(self, today=new.detach(), yesterday=self.today if kept > 1 else None, earlier=earlier)

    @property
    def day_axis(self) -> int:
        """The axis of ``earlier`` along which days follow one another."""
        return -3 if self.config.stores == "latents" else -5

    @property
    def tensors(self) -> dict[str, Tensor]:
        """What is stored, by name, the last day first."""
        days = {"today": self.today, "yesterday": self.yesterday, "earlier": self.earlier}
        return {name: day for name, day in days.items() if day is not None}

    def holding(self, tensors: Mapping[str, Tensor]) -> "Hippocampus":
        """Return a hippocampus of the same config that holds such `tensors`."""
        return Hippocampus(
            tensors.get("today"), tensors.get("yesterday"), tensors.get("earlier"), self.config
        )

    @property
    def days(self) -> int:
        """How many days are stored."""
        earlier = 0 if self.earlier is None else self.earlier.shape[self.day_axis] - 1
        return len(self.tensors) + earlier

    @property
    def memories(self) -> Float[Tensor, "m ..."]:
        """All memories, the last day first: latents, shape [m, n_z], or the images, shape [m, c, h, w]."""
        days = self.tensors
        if not days:
            raise UserError(NOTHING)
        return torch.cat([day.flatten(0, 1) if name == "earlier" else day for name, day in days.items()])

    def complete(self, cue: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
        """Complete cues, shaped as memories are, by all that is stored (`hopfield_retrieval`)."""
        found = hopfield_retrieval(
            cue.flatten(1), self.memories.flatten(1), self.config.beta, self.config.iterations
        )
        return found.view(cue.shape)

    def retrieve(self, which: Literal[0, 1]) -> Float[Tensor, "b ..."] | None:
        """Return what stands for today (0) or yesterday (1) in a phase, as it is stored: latents, or images."""
        return self.yesterday if which else self.today

    def in_phase(self, encode: Callable[[Tensor], Tensor], draws: dict[str, Tensor]) -> "Hippocampus":
        """Return the hippocampus as a phase finds it; by default as it is.

        Parameters
        ----------
        encode
            Infers latents of images.
        draws
            What the config drew for this step.
        """
        if self.config.retrieval == "recent" and self.config.stores == "latents":
            return self
        return _Retrieving(self, encode, draws)


class _Retrieving(Hippocampus):
    """A hippocampus as a phase finds it, whose memories are retrieved when they are first asked for."""

    _stored: Hippocampus
    _encode: Callable[[Tensor], Tensor]
    _draws: dict[str, Tensor]

    def __init__(
        self, stored: Hippocampus, encode: Callable[[Tensor], Tensor], draws: dict[str, Tensor]
    ) -> None:
        vars(self).update(
            _stored=stored, _encode=encode, _draws=draws, earlier=stored.earlier, config=stored.config
        )

    @cached_property
    def today(self) -> Tensor | None:
        return self._latents(0)

    @cached_property
    def yesterday(self) -> Tensor | None:
        return self._latents(1)

    @property
    def tensors(self) -> dict[str, Tensor]:
        return self._stored.tensors

    def retrieve(self, which: Literal[0, 1]) -> Tensor | None:
        memory, retrieval = self._stored.retrieve(which), self.config.retrieval
        if retrieval == "uniform" and self.tensors:
            return self.memories[self._draws["memory.which"][which] % len(self.memories)]
        if retrieval == "hopfield" and memory is not None:
            replaced, noise = self._draws["memory.replaced"][which], self._draws["memory.noise"][which]
            return self.complete(torch.where(replaced, noise, memory))
        return memory

    def _latents(self, which: Literal[0, 1]) -> Tensor | None:
        memory = self.retrieve(which)
        if memory is None or self.config.stores == "latents":
            return memory
        with torch.no_grad():
            return self._encode(memory)


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
            raise UserError(NOTHING)
        memory = today if yesterday is None else (1 - self.past) * today + self.past * yesterday
        alone = self.first_night == "memory_alone" and yesterday is None and self.noise < 1
        if self.noise == 0 or alone:
            return memory
        if noise is None:
            raise ValueError(f"this replay has a share of noise ({self.noise}) and was given none")
        return (1 - self.noise) * memory + self.noise * noise
