"""Plasticity: how a phase's loss changes the synapses of each pathway, by which sign, through which optimiser."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor

from dreaming.errors import UserError
from dreaming.model.cortex import Cortex
from dreaming.model.parameters import Parameters

Sign = Literal[-1, 0, 1]
Beta = Annotated[float, Ge(0), Lt(1)]
STEP = "step"


class Plasticity(Mapping[str, Sign]):
    """The sign of plasticity of each network in a phase: +1 descends the loss, -1 ascends it, 0 is not plastic.

    Parameters
    ----------
    encoder, generator
        The signs of both pathways.
    **organs
        The signs of networks that phases bring, by their names (`dreaming.model.organs`).

    Raises
    ------
    ValueError
        If a sign is none.

    Examples
    --------
    >>> signs = Plasticity(encoder=+1, generator=0, projector=+1)
    >>> signs["projector"], signs.get("critic", 0), list(signs)
    (1, 0, ['encoder', 'generator', 'projector'])
    """

    def __init__(self, encoder: Sign, generator: Sign, **organs: Sign) -> None:
        self._signs = {"encoder": encoder, "generator": generator, **organs}
        for name, sign in self._signs.items():
            if sign not in (-1, 0, 1):
                raise ValueError(f"a sign of plasticity is -1, 0 or +1, and that of {name} is {sign!r}")

    def __getitem__(self, name: str) -> Sign:
        return self._signs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._signs)

    def __len__(self) -> int:
        return len(self._signs)

    def __repr__(self) -> str:
        return f"Plasticity({', '.join(f'{name}={sign:+d}' for name, sign in self.items())})"


class Optimizer(Parameters):
    """Adam, one for each pathway and organ, shared by all phases."""

    learning_rate: Annotated[float, Gt(0)] = 2e-4
    """Step size of Adam."""
    betas: tuple[Beta, Beta] = (0.5, 0.999)
    """Decay of the averages of the gradient and of its square, per step."""
    idle_weights: Literal["hold", "coast"] = "hold"
    """Whether weights that get no gradient in a phase hold still, or coast on by their momentum, as those of
    the published program did under PyTorch 1 (and the whole encoder in an NREM that is left out)."""


class _Adam(torch.optim.Adam):
    """Adam itself, without torch's compiler, which its wrappers import to be left alone by it: two seconds."""

    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))
    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Optimizer.load_state_dict)


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
        self.pathways = cortex.pathways
        # Adam sees each weight flat, number by number as it lies in memory: its fused step pairs weights, gradients
        # and momenta by their place there, whatever their strides, or else copies them first.
        self._weights = {
            name: [
                (weight, _flattened(weight.detach()))
                for weight in pathway.parameters()
                if weight.requires_grad
            ]
            for name, pathway in self.pathways.items()
        }
        self.optimizers = {
            name: _Adam(
                [flat for _, flat in pairs],
                lr=optimizer.learning_rate,
                betas=optimizer.betas,
                fused=True,
                capturable=cortex.device.type == "cuda",
            )
            for name, pairs in self._weights.items()
            if pairs
        }

    def change(self, loss: Float[Tensor, ""], signs: Plasticity) -> None:
        """Back-propagate a loss once and let each plastic pathway take one step, by its sign.

        Parameters
        ----------
        loss
            Scalar. One whose graph reaches no weight changes nothing, but where idle weights coast on.
        signs
            The phase's signs of plasticity. A network with sign 0, or with none, is bit for bit left as it is.

        Raises
        ------
        UserError
            If a sign is that of a network which the cortex does not have.
        """
        if missing := signs.keys() - self.pathways.keys():
            raise UserError(
                f"there is a sign of plasticity for {', '.join(sorted(missing))}, which this cortex lacks; bring "
                "the organs of phases with grow_organs(cortex, phases) before its Synapses are made"
            )
        plastic = {name: sign for name, sign in signs.items() if sign and name in self.optimizers}
        if not plastic or not (loss.requires_grad or self.coasts):
            return
        weights = [weight for name in plastic for weight, _ in self._weights[name]]
        learned = torch.autograd.grad(loss, weights, allow_unused=True) if loss.requires_grad else ()
        gradients = iter(learned or [None] * len(weights))
        for name, sign in plastic.items():
            for weight, flat in self._weights[name]:
                gradient = next(gradients)
                if gradient is not None:
                    flat.grad = _flattened(_in_place_like(gradient, weight))
            self._step(name, sign)

    def _step(self, name: str, sign: Sign) -> None:
        optimizer = self.optimizers[name]
        optimizer.param_groups[0]["maximize"] = sign < 0
        if self.coasts:
            for _, flat in self._weights[name]:
                if flat.grad is None and flat in optimizer.state:
                    flat.grad = torch.zeros_like(flat)
        optimizer.step()
        for _, flat in self._weights[name]:
            flat.grad = None

    def state(self) -> dict[str, Tensor]:
        """Return the optimisers' state as named tensors: ``PATHWAY.WEIGHT.{step,exp_avg,exp_avg_sq}``."""
        return {
            f"{name}.{weight_name}.{key}": value
            if key == STEP
            else value.as_strided(weight.shape, weight.stride())
            for name, weight_name, weight, flat in self._named_weights()
            for key, value in self.optimizers[name].state[flat].items()
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restore a state that `state` returned, of a cortex of the same shape."""
        entries: dict[str, dict[int, dict[str, Tensor]]] = {name: {} for name in self.optimizers}
        for name, weight_name, weight, here in self._named_weights():
            prefix = f"{name}.{weight_name}."
            entry = {
                key: value if key == STEP else _flattened(_in_place_like(value, weight))
                for key in (STEP, "exp_avg", "exp_avg_sq")
                if (value := state.get(prefix + key)) is not None
            }
            position = next(i for i, (_, flat) in enumerate(self._weights[name]) if flat is here)
            if entry:
                entries[name][position] = entry
        for name, optimizer in self.optimizers.items():
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": entries[name], "param_groups": groups})

    def stack(self, many: Sequence["Synapses"]) -> None:
        """Stack the momentum of several cortices, whose weights these synapses have stacked."""
        states = [synapses.state() for synapses in many]
        shared = {
            name: values[0].clone() if _counts(name) else torch.stack(values)
            for name in states[0]
            for values in [[state[name] for state in states]]
        }
        self.restore(shared)

    def unstack(self, many: Sequence["Synapses"]) -> None:
        """Copy the momentum back to the cortices it was stacked from."""
        state = self.state()
        for number, synapses in enumerate(many):
            synapses.restore(
                {
                    name: value.clone() if _counts(name) else value[number].clone()
                    for name, value in state.items()
                }
            )

    def _named_weights(self) -> Iterator[tuple[str, str, Tensor, Tensor]]:
        for name, pathway in self.pathways.items():
            named = [(key, weight) for key, weight in pathway.named_parameters() if weight.requires_grad]
            for (weight_name, weight), (_, flat) in zip(named, self._weights[name], strict=True):
                yield name, weight_name, weight, flat


def _counts(name: str) -> bool:
    """Return whether a named state of an optimiser is its count of steps, which cortices side by side share."""
    return name.endswith(f".{STEP}")


def _flattened(value: Tensor) -> Tensor:
    """Return a view of a tensor without gaps as the numbers that it has in memory, one after another."""
    return value.as_strided((value.numel(),), (1,))


def _in_place_like(value: Tensor, weight: Tensor) -> Tensor:
    """Lay a gradient or a momentum out in memory as its weight is."""
    return value if value.stride() == weight.stride() else torch.empty_like(weight).copy_(value)
