"""Plasticity: how a phase's loss changes the synapses of each pathway, by which sign, through which optimiser."""

from typing import Annotated, Literal, NamedTuple

import torch
from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor, nn

from dreaming.networks import Cortex
from dreaming.parameters import Parameters

Sign = Literal[-1, 0, 1]
Beta = Annotated[float, Ge(0), Lt(1)]
PATHWAYS = ("encoder", "generator")


class Plasticity(NamedTuple):
    """The sign of plasticity of each pathway in a phase: +1 descends the loss, -1 ascends it, 0 is not plastic."""

    encoder: Sign
    generator: Sign


class Optimizer(Parameters):
    """Adam, one for each pathway, shared by all phases."""

    learning_rate: Annotated[float, Gt(0)] = 2e-4
    """Step size of Adam."""
    betas: tuple[Beta, Beta] = (0.5, 0.999)
    """Decay of the averages of the gradient and of its square, per step."""
    idle_weights: Literal["hold", "coast"] = "hold"
    """Whether weights that get no gradient in a phase hold still, or coast on by their momentum, as those of
    the published program did under PyTorch 1 (and the whole encoder in an NREM that is left out)."""


class Synapses:
    """The synapses of a cortex with the momentum that their optimisers keep.

    Parameters
    ----------
    cortex
        Its weights are changed in place.
    optimizer
        Learning rate, betas and what idle weights do.

    Examples
    --------
    >>> cortex = Cortex(latent_dim=2, base_channels=1)
    >>> before = cortex.generator.layers[3].bias.clone()
    >>> synapses = Synapses(cortex, Optimizer(learning_rate=0.5))
    >>> synapses.change(cortex.generator(torch.zeros(1, 2)).sum(), Plasticity(encoder=0, generator=-1))
    >>> (cortex.generator.layers[3].bias - before).round(decimals=4)  # the loss is ascended
    tensor([0.5000, 0.5000, 0.5000], grad_fn=<RoundBackward1>)
    """

    def __init__(self, cortex: Cortex, optimizer: Optimizer) -> None:
        self.coasts = optimizer.idle_weights == "coast"
        self.pathways: dict[str, nn.Module] = {name: getattr(cortex, name) for name in PATHWAYS}
        self.optimizers = {
            name: torch.optim.Adam(
                pathway.parameters(), lr=optimizer.learning_rate, betas=optimizer.betas, fused=True
            )
            for name, pathway in self.pathways.items()
        }

    def change(self, loss: Float[Tensor, ""], signs: Plasticity) -> None:
        """Back-propagate a loss once and let each plastic pathway take one step, by its sign.

        Parameters
        ----------
        loss
            Scalar. One whose graph reaches no weight at all changes nothing.
        signs
            The phase's signs of plasticity. A pathway with sign 0 is bit for bit left as it is.
        """
        plastic = {name: sign for name, sign in signs._asdict().items() if sign}
        if not plastic or not loss.requires_grad:
            return
        weights = [w for name in plastic for w in self.pathways[name].parameters()]
        gradients = iter(torch.autograd.grad(loss, weights, allow_unused=True))
        for name, sign in plastic.items():
            for weight in self.pathways[name].parameters():
                gradient = next(gradients)
                if gradient is not None:
                    weight.grad = _in_place_like(gradient if sign > 0 else -gradient, weight)
            self._step(name)

    def coast(self, name: str) -> None:
        """Let a whole pathway move on by its momentum alone."""
        self._step(name)

    def _step(self, name: str) -> None:
        optimizer = self.optimizers[name]
        if self.coasts:
            for weight in self.pathways[name].parameters():
                if weight.grad is None and weight in optimizer.state:
                    weight.grad = torch.zeros_like(weight)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """Return the optimisers' state as named tensors: ``PATHWAY.WEIGHT.{step,exp_avg,exp_avg_sq}``."""
        return {
            f"{name}.{weight_name}.{key}": value
            for name, pathway in self.pathways.items()
            for weight_name, weight in pathway.named_parameters()
            for key, value in self.optimizers[name].state[weight].items()
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over a state that `state` returned, for a cortex of the same shape."""
        for name, pathway in self.pathways.items():
            entries: dict[int, dict[str, Tensor]] = {}
            for index, (weight_name, weight) in enumerate(pathway.named_parameters()):
                prefix = f"{name}.{weight_name}."
                entry = {
                    key.removeprefix(prefix): _in_place_like(value, weight) if value.ndim else value
                    for key, value in state.items()
                    if key.startswith(prefix)
                }
                if entry:
                    entries[index] = entry
            groups = self.optimizers[name].state_dict()["param_groups"]
            self.optimizers[name].load_state_dict({"state": entries, "param_groups": groups})


def _in_place_like(value: Tensor, weight: Tensor) -> Tensor:
    """Lay a gradient or a momentum out in memory as its weight is.

    Adam's fused step pairs them by their place in memory, whatever their strides are.
    """
    return value if value.stride() == weight.stride() else torch.empty_like(weight).copy_(value)
