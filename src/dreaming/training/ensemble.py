"""An ensemble: many cortices of one make, side by side in one program, each learning by itself.

Every weight of the ensemble is the weights of its cortices, stacked. Objectives are those of the phases, mapped
over the cortices; no sum runs across them, so that what one cortex becomes never reaches another, not even as NaN.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dreaming.model.hippocampus import Hippocampus
from dreaming.model.layers import side_by_side
from dreaming.model.networks import Cortex
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
        Its weights have a leading axis; `objective` computes with it, and `unstack` copies its weights back.

    Examples
    --------
    >>> ensemble = stack([Cortex(latent_dim=8, base_channels=4) for _ in range(3)])
    >>> ensemble.encoder.latent_head.weight.shape
    torch.Size([3, 8, 16, 4, 4])
    """
    ensemble = copy.deepcopy(cortices[0])
    named = [dict(cortex.named_parameters()) for cortex in cortices]
    for module_name, module in ensemble.named_modules():
        for name, _ in list(module.named_parameters(recurse=False)):
            path = f"{module_name}.{name}"
            stacked = stack_tensors([weights[path].detach() for weights in named])
            module.register_parameter(name, nn.Parameter(stacked))
    return ensemble


def unstack(ensemble: Cortex, cortices: Sequence[Cortex]) -> None:
    """Copy the weights of an ensemble back to the cortices, which are changed in place."""
    weights = dict(ensemble.named_parameters())
    with torch.no_grad():
        for number, cortex in enumerate(cortices):
            for name, weight in cortex.named_parameters():
                weight.copy_(weights[name][number])


def stack_tensors(values: Sequence[Tensor]) -> Tensor:
    """Stack tensors of one layout so that each lies in memory as it did."""
    axes, strides = range(values[0].ndim), values[0].stride()
    order = sorted(axes, key=lambda axis: -strides[axis])
    together = torch.stack([value.permute(order) for value in values])
    back = [0, *(1 + order.index(axis) for axis in axes)]
    return together.permute(back)


class _Objective(nn.Module):
    """An objective as a module, so that the weights of its cortex can be given to it."""

    def __init__(self, phase: Phase, cortex: Cortex) -> None:
        super().__init__()
        self.phase, self.cortex = phase, cortex

    def forward(
        self, images: Tensor, today: Tensor | None, yesterday: Tensor | None, draws: Draws
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        outcome = self.phase.objective(self.cortex, images, Hippocampus(today, yesterday), draws)
        memory = {} if outcome.memory is None else {"memory": outcome.memory}
        return outcome.loss, outcome.terms, memory


def objective(
    phase: Phase, ensemble: Cortex, images: Tensor, hippocampus: Hippocampus, draws: Draws
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

    Returns
    -------
    Outcome
        Loss, terms and memory, with a leading axis of n.
    """
    module = _Objective(phase, ensemble)
    weights: dict[str, Tensor] = dict(module.named_parameters())
    remembered = tuple(0 if day is not None else None for day in (hippocampus.today, hippocampus.yesterday))

    def one(weights: dict[str, Tensor], *seen: object) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        return torch.func.functional_call(module, weights, seen)  # type: ignore[no-any-return]

    many = torch.vmap(one, in_dims=(0, 0, *remembered, 0))
    with side_by_side():
        loss, terms, memory = many(weights, images, hippocampus.today, hippocampus.yesterday, draws)
    return Outcome(loss, terms, memory.get("memory"))
