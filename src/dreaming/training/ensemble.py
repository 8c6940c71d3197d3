"""An ensemble: many cortices of one make, side by side in one program, each learning by itself.

Every weight of the ensemble is the weights of its cortices, stacked. Objectives are those of the phases, mapped
over the cortices; no sum runs across them, so that what one cortex becomes never reaches another, not even as NaN.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dreaming.model import cycle
from dreaming.model.cortex import Cortex
from dreaming.model.hippocampus import Hippocampus
from dreaming.model.layers import side_by_side
from dreaming.model.phases import Draws, Outcome, Phase


def stack(cortices: Sequence[Cortex]) -> Cortex:
    """Return an ensemble of cortices of one shape: a cortex each of whose weights is theirs, stacked.

    Parameters
    ----------
    cortices
        At least one. They are copied, not changed.

    Returns
    -------
    Cortex
        Its weights and buffers have a leading axis; `phase_objective` computes with it, `unstack` copies them back.

    Examples
    --------
    >>> ensemble = stack([Cortex(latent_dim=8, base_channels=4) for _ in range(3)])
    >>> ensemble.encoder.latent_head.weight.shape
    torch.Size([3, 8, 16, 4, 4])
    """
    ensemble = copy.deepcopy(cortices[0])
    named = [_tensors(cortex) for cortex in cortices]
    together = {  # by the first cortex's own, so that a weight which an organ has twice stays one weight
        id(first): _stacked_like(first, [tensors[path].detach() for tensors in named])
        for path, first in named[0].items()
    }
    for module_name, module in ensemble.named_modules():
        for name in [*module._parameters, *module._buffers]:
            if (first := named[0].get(f"{module_name}.{name}")) is not None:
                setattr(module, name, together[id(first)])
    return ensemble


def _stacked_like(first: Tensor, values: Sequence[Tensor]) -> Tensor:
    stacked = stack_tensors(values)
    return nn.Parameter(stacked, first.requires_grad) if isinstance(first, nn.Parameter) else stacked


def _tensors(cortex: nn.Module) -> dict[str, Tensor]:
    """Return the weights and buffers of a network by their paths; one that has several has several entries."""
    return {
        **dict(cortex.named_parameters(remove_duplicate=False)),
        **dict(cortex.named_buffers(remove_duplicate=False)),
    }


def unstack(ensemble: Cortex, cortices: Sequence[Cortex]) -> None:
    """Copy the weights and buffers of an ensemble back to the cortices, which are changed in place."""
    together = _tensors(ensemble)
    with torch.no_grad():
        for number, cortex in enumerate(cortices):
            for path, value in _tensors(cortex).items():
                value.copy_(together[path][number])


def stack_tensors(values: Sequence[Tensor]) -> Tensor:
    """Stack tensors of one layout so that each lies in memory as it did."""
    axes, strides = range(values[0].ndim), values[0].stride()
    order = sorted(axes, key=lambda axis: -strides[axis])
    together = torch.stack([value.permute(order) for value in values])
    back = [0, *(1 + order.index(axis) for axis in axes)]
    return together.permute(back)


class _Objective(nn.Module):
    """An objective as a module, so that the weights of its cortex can be given to it."""

    def __init__(self, phase: Phase, cortex: Cortex, hippocampus: Hippocampus) -> None:
        super().__init__()
        self.phase, self.cortex, self.hippocampus = phase, cortex, hippocampus

    def forward(
        self,
        images: Tensor,
        remembered: dict[str, Tensor],
        draws: Draws,
        labels: Tensor | None,
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        hippocampus = self.hippocampus.holding(remembered)
        outcome = cycle.phase_objective(self.phase, self.cortex, images, hippocampus, draws, labels)
        memory = {} if outcome.memory is None else {"memory": outcome.memory}
        return outcome.loss, outcome.terms, memory


def phase_objective(
    phase: Phase,
    ensemble: Cortex,
    images: Tensor,
    hippocampus: Hippocampus,
    draws: Draws,
    labels: Tensor | None = None,
) -> Outcome:
    """Compute a phase's objective for each cortex of an ensemble.

    Parameters
    ----------
    phase
        Any phase, a user's own included.
    ensemble
        What `stack` returned, of n cortices.
    images
        What each sees, shape [n, b, c, h, w].
    hippocampus
        What each remembers, shape [n, b, n_z].
    draws
        What `Phase.draw` returned for each, stacked.
    labels
        Of what each sees, shape [n, b], for phases that see labels.

    Returns
    -------
    Outcome
        Loss, terms and memory, with a leading axis of n.
    """
    module = _Objective(phase, ensemble, hippocampus)
    weights = {**dict(module.named_parameters()), **dict(module.named_buffers())}  # tied ones once
    given = images, hippocampus.tensors, draws, labels

    def one(weights: dict[str, Tensor], *seen: object) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        return torch.func.functional_call(module, weights, seen)  # type: ignore[no-any-return]

    many = torch.vmap(one, in_dims=(0, *(None if each is None else 0 for each in given)))
    with side_by_side():
        loss, terms, memory = many(weights, *given)
    return Outcome(loss, terms, memory.get("memory"))
