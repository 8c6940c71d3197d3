"""Organs: networks that phases bring of their own, such as a projection head, a critic or a classifier.

A phase makes them (`Phase.organs`), names a sign of plasticity for each, and finds them in ``cortex.organs``. What
a cortex is without them does not change by a bit: they have random numbers and an optimiser of their own.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from dreaming.errors import UserError
from dreaming.model.cortex import Cortex, require_float32
from dreaming.model.phases import Phase
from dreaming.rng import seeded


def grow_organs(cortex: Cortex, phases: Iterable[Phase], seed: int = 0) -> Cortex:
    """Let phases bring their organs into a cortex.

    Parameters
    ----------
    cortex
        Changed in place.
    phases
        Those of all its life. Where two bring organs of one name, they share the first, if class and shapes agree.
    seed
        From which initial weights grow, those of each phase by its name; torch's global generator is left alone.

    Returns
    -------
    Cortex
        The same.

    Raises
    ------
    UserError
        If an organ is none, lacks a sign, is not of float32, or is another phase's of the same name; or if there is
        a sign for one that nobody brings.

    Examples
    --------
    >>> from dreaming.model.phases import Wake
    >>> from dreaming.model.plasticity import Plasticity
    >>> class Projected(Wake):
    ...     plasticity = Plasticity(encoder=+1, generator=+1, projector=+1)
    ...     def organs(self, cortex):
    ...         return {"projector": nn.Linear(cortex.latent_dim, 3)}
    >>> grow_organs(Cortex(latent_dim=8, base_channels=4), [Projected()]).organs["projector"]
    Linear(in_features=8, out_features=3, bias=True)
    """
    phases = tuple(phases)
    for phase in phases:
        for name, organ in _brought(phase, cortex, seed).items():
            _admit(phase, name, organ, cortex)
    known = list(cortex.pathways)
    for phase in phases:
        if missing := [name for name in phase.plasticity if name not in known]:
            raise UserError(
                f"phase '{phase.name}' has a sign of plasticity for '{missing[0]}', and no phase brings an organ "
                f"of that name; there are: {', '.join(known)}"
            )
    return cortex


def _brought(phase: Phase, cortex: Cortex, seed: int) -> dict[str, nn.Module]:
    """Call a phase's `organs` under random numbers of its own; whatever it raises becomes one line."""
    with seeded(seed, "init", "organs", phase.name):
        try:
            brought = phase.organs(cortex)
        except Exception as error:  # whatever the user's code raises
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise UserError(f"phase '{phase.name}' fails to bring its organs with {said}") from error
    if not isinstance(brought, dict) or not all(isinstance(organ, nn.Module) for organ in brought.values()):
        raise UserError(f"the organs of phase '{phase.name}' are no dict of names to torch.nn.Module")
    return brought


def _admit(phase: Phase, name: str, organ: nn.Module, cortex: Cortex) -> None:
    """Make sure that an organ can be trained with its cortex, and give it to it."""
    its = f"the organ '{name}' of phase '{phase.name}'"
    if name not in phase.plasticity:
        raise UserError(
            f"{its} has no sign of plasticity; write Plasticity(encoder=..., {name}=+1), or {name}=0"
        )
    if name in cortex.organs:
        if not _alike(organ, cortex.organs[name]):
            raise UserError(f"{its} is another than an earlier phase's; let one of them have another name")
        return
    if not name.isidentifier() or name in cortex.pathways or hasattr(cortex.organs, name):
        raise UserError(f"{its} cannot be called so; choose another name")
    require_float32(its, organ)
    if storages(organ) & storages(cortex):
        raise UserError(f"{its} shares weights with another network of the cortex; bring a copy of them")
    for weight in organ.parameters():
        weight.data = weight.data.clone()  # without gaps in memory, as `Synapses` wants it
    cortex.organs[name] = organ


def _alike(one: nn.Module, other: nn.Module) -> bool:
    shapes: Sequence[list[tuple[str, torch.Size]]] = [
        [(key, value.shape) for key, value in organ.state_dict().items()] for organ in (one, other)
    ]
    return type(one) is type(other) and shapes[0] == shapes[1]


def storages(network: nn.Module) -> set[int]:
    """Return where the memory of weights and buffers begins, by which two are seen to be one."""
    tensors = (*network.parameters(), *network.buffers())
    return {value.untyped_storage().data_ptr() for value in tensors if value.numel()}
