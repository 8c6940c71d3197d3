"""Wake, NREM and REM: what each phase minimises, and which synapses it changes.

                 minimises                                 encoder   generator
    Wake         L_img + L_KL + L_real                     +1        +1
    NREM         L_NREM                                    +1         0
    REM          L_REM, which the generator maximises      +1        -1

The table of signs is the paper's claim about neuromodulation. It stands in the code as each phase's
``plasticity``. A cycle is a tuple of phases; a phase of your own is a class with an objective and signs
(``examples/lucid_dreaming.py``), and may bring networks of its own (`Phase.organs`). Objectives are pure: they know
nothing of devices, optimisers or files.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from dreaming.model import losses
from dreaming.model.cortex import Cortex
from dreaming.model.hippocampus import Hippocampus, Replay
from dreaming.model.networks import IMAGE_SIZE
from dreaming.model.occlusion import Occlusion
from dreaming.model.parameters import Parameters
from dreaming.model.plasticity import Plasticity
from dreaming.rng import Random

Draws = dict[str, Tensor]
Weight = Annotated[float, Ge(0)]


@dataclass(frozen=True)
class Outcome:
    """What the objective of a phase returns.

    Attributes
    ----------
    loss
        The scalar which pathways of sign +1 descend and pathways of sign -1 ascend.
    terms
        Its named terms, unweighted, for the record.
    memory
        Latents for the hippocampus, shape [b, n_z], or None where the phase stores nothing.
    """

    loss: Float[Tensor, "*cortices"]
    terms: dict[str, Float[Tensor, "*cortices"]]
    memory: Float[Tensor, "*cortices b n"] | None = None


class Phase(Parameters, ABC):
    """A phase of the sleep-wake cycle: an objective, its parameters, and a row of signs."""

    plasticity: ClassVar[Plasticity]
    terms: ClassVar[tuple[str, ...]] = ()
    """Names of the terms that the objective returns; none for a phase that does not say."""
    words: ClassVar[Mapping[str, str]] = {}
    """How a term of the phase of this class's name is called where people read it."""
    sees_labels: ClassVar[bool] = False
    """Whether the objective is given ``labels=``, the class of each image, int64 [b]; others never see them."""

    name: str = Field(default="", pattern=r"^[a-z][a-z0-9_]*$")
    """What the phase is called in the config and in losses.csv; by default its class, in lower case."""
    weight: Weight = 1.0
    """Weight of the whole phase's loss; a phase of weight 0 is off and changes nothing."""
    dose: Annotated[float, Ge(0), Le(1)] = 1.0
    """Share of an epoch's cycles in which the phase is active, evenly spread; its losses are means over those."""
    steps: Annotated[int, Ge(1)] = 1
    """How often the phase is repeated in such a cycle, each time with random numbers of its own."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        return {"name": usual_name(cls), **values} if isinstance(values, dict) else values

    def is_active(self, cycle: int) -> bool:
        """Return whether the phase is active in a cycle of an epoch, counted from 0; if in any, then in the first.

        Examples
        --------
        >>> [REM(dose=0.4).is_active(cycle) for cycle in range(5)]
        [True, False, True, False, False]
        """
        before, after = (math.ceil(round(count * self.dose, 9)) for count in (cycle, cycle + 1))
        return bool(self.weight) and after > before

    def called(self, term: str) -> str:
        """Return what people call a term of the phase; a phase of another name has its own before the term.

        Examples
        --------
        >>> Wake().called("image"), NREM(name="first_night").called("latent")
        ('reconstruction', 'first_night latent')
        """
        named = next(kind for kind in type(self).__mro__ if "words" in vars(kind))
        usual = self.name == named.__name__.lower()
        return self.words[term] if usual and term in self.words else f"{self.name} {term}"

    def draw(self, random: Random, batch_size: int, latent_dim: int, image_size: int = IMAGE_SIZE) -> Draws:
        """Draw the random numbers that the objective will need; a phase without chance draws none."""
        return {}

    def organs(self, cortex: Cortex) -> dict[str, nn.Module]:
        """Make the networks that the phase brings, by the names of their signs; by default it brings none.

        Called once, when a cortex is made, under random numbers of the run's; ``cortex.organs`` holds them from
        then on, those of a schedule's last stage too. Two phases whose organs of one name are alike share them.
        """
        return {}

    @abstractmethod
    def objective(
        self, cortex: Cortex, images: Float[Tensor, "b c h w"], hippocampus: Hippocampus, draws: Draws
    ) -> Outcome | Tensor:
        """Compute the phase's loss from a cortex, what it sees, what it remembers, and chance.

        A phase whose loss is its only term may return that alone, a scalar; it is recorded under the term's name,
        or as ``loss``.
        A phase with `sees_labels` has one argument more, ``labels: Tensor | None = None``.
        """


def usual_name(kind: type[Phase]) -> str:
    """Return the name of phases of a class that are given none."""
    return str(kind.model_fields["name"].default or kind.__name__.lower())


class Wake(Phase):
    """Awake, the cortex reconstructs what it sees and learns that it is external.

    Paper: eq. 1 = eq. 2 + eq. 4 + eq. 5; with ``latent_noise``, eq. 12 takes the place of eq. 2.
    """

    plasticity: ClassVar = Plasticity(encoder=+1, generator=+1)
    terms: ClassVar = ("image", "kl", "externality")
    words: ClassVar = {"image": "reconstruction", "kl": "KL", "externality": "real"}

    image_weight: Weight = 1.0
    """Weight of L_img."""
    kl_weight: Weight = 1.0
    """Weight of L_KL."""
    externality_weight: Weight = 1.0
    """Weight of L_real; at 0 the externality head learns nothing awake."""
    latent_noise: Weight = 0.0
    """Standard deviation of the noise added to the latents before they are reconstructed (eq. 12)."""
    reduction: losses.Reduction = "mean"
    """How the squared error of L_img is reduced."""

    def draw(self, random: Random, batch_size: int, latent_dim: int, image_size: int = IMAGE_SIZE) -> Draws:
        """Draw the noise of eq. 12, where there is any."""
        return {"noise": random.normal("noise", (batch_size, latent_dim))} if self.latent_noise else {}

    def objective(
        self, cortex: Cortex, images: Float[Tensor, "b c h w"], hippocampus: Hippocampus, draws: Draws
    ) -> Outcome:
        """Compute L_img + L_KL + L_real, and hand the latents to the hippocampus."""
        z, d_logit = cortex.encoder(images)
        seen = z + self.latent_noise * draws["noise"] if self.latent_noise else z
        terms = {
            "image": losses.image_reconstruction(images, cortex.generator(seen), self.reduction),
            "kl": losses.kl_to_standard_normal(z),
            "externality": losses.externality(d_logit, external=True),
        }
        weights = {
            "image": self.image_weight,
            "kl": self.kl_weight,
            "externality": self.externality_weight,
        }
        # A term of weight 0 stays out of the sum: its weights must get no gradient, rather than a gradient of 0.
        loss = sum((weights[term] * terms[term] for term in terms if weights[term]), start=z.new_zeros(()))
        return Outcome(loss, terms, memory=z)


class NREM(Phase):
    """In NREM sleep, a memory is replayed, its dream occluded, and the memory recovered from it.

    Paper: eq. 6. The generator dreams and does not learn.
    """

    plasticity: ClassVar = Plasticity(encoder=+1, generator=0)
    terms: ClassVar = ("latent",)
    words: ClassVar = {"latent": "NREM"}

    replay: Replay = Replay()
    """Which memories drive the dream: by default single ones."""
    occlusion: Occlusion = Occlusion()
    """How the dream is perturbed."""
    reduction: losses.Reduction = "mean"
    """How the squared error of L_NREM is reduced."""

    def draw(self, random: Random, batch_size: int, latent_dim: int, image_size: int = IMAGE_SIZE) -> Draws:
        """Draw the occlusion mask, and spontaneous activity where the replay has a share of it."""
        mask = {"mask": self.occlusion.draw(random, batch_size, image_size)}
        return mask | _spontaneous_activity(self.replay, random, batch_size, latent_dim)

    def objective(
        self, cortex: Cortex, images: Float[Tensor, "b c h w"], hippocampus: Hippocampus, draws: Draws
    ) -> Outcome:
        """Compute L_NREM = (z - E_z(G(z) · ω))²."""
        z = self.replay.recall(hippocampus, draws.get("noise"))
        dream = cortex.generator(z).detach()
        z_hat = cortex.latents(dream * draws["mask"])
        loss = losses.latent_reconstruction(z, z_hat, self.reduction)
        return Outcome(loss, {"latent": loss})


class REM(Phase):
    """In REM sleep, memories are mixed with spontaneous activity; E unmasks the dream, G makes it convincing.

    Paper: eq. 7 and 8. The error is back-propagated once, through E_d and G; G's sign of plasticity is switched.
    """

    plasticity: ClassVar = Plasticity(encoder=+1, generator=-1)
    terms: ClassVar = ("externality",)
    words: ClassVar = {"externality": "REM"}

    replay: Replay = Replay(past=0.5, noise=0.5)
    """Which memories drive the dream: by default two days' mixed, and noise."""

    def draw(self, random: Random, batch_size: int, latent_dim: int, image_size: int = IMAGE_SIZE) -> Draws:
        """Draw spontaneous activity where the replay has a share of it."""
        return _spontaneous_activity(self.replay, random, batch_size, latent_dim)

    def objective(
        self, cortex: Cortex, images: Float[Tensor, "b c h w"], hippocampus: Hippocampus, draws: Draws
    ) -> Outcome:
        """Compute L_REM = -log(1 - E_d(G(z_mix)))."""
        dream = cortex.generator(self.replay.recall(hippocampus, draws.get("noise")))
        loss = losses.externality(cortex.externality(dream), external=False)
        return Outcome(loss, {"externality": loss})


def _spontaneous_activity(replay: Replay, random: Random, batch_size: int, latent_dim: int) -> Draws:
    return {"noise": random.normal("noise", (batch_size, latent_dim))} if replay.noise else {}


Cycle = tuple[Phase, ...]
