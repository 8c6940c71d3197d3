"""The paper's conditions, each a function whose body is its difference from PAD.

A condition is the tuple of phases that make a cycle (paper, figures 4b and 5b, and appendix 1).
"""

from collections.abc import Callable

from dreaming.errors import UserError, nearest
from dreaming.model.hippocampus import Replay
from dreaming.model.phases import NREM, REM, Cycle, Wake


def pad() -> Cycle:
    """Perturbed and adversarial dreaming: the full model."""
    return Wake(), NREM(), REM()


def without_memory_mix() -> Cycle:
    """REM is driven by one memory alone: no yesterday, no noise."""
    return Wake(), NREM(), REM(replay=Replay(past=0, noise=0))


def without_rem() -> Cycle:
    """No REM, so nothing to tell dream from reality by; noisy reconstruction (eq. 12) and half an NREM."""
    return Wake(externality_weight=0, latent_noise=0.5), NREM(weight=0.5)


def without_nrem() -> Cycle:
    """No NREM."""
    return Wake(), REM()


def wake_only() -> Cycle:
    """No sleep; noisy reconstruction (eq. 12), as without REM."""
    return (Wake(externality_weight=0, latent_noise=0.5),)


def rem_noise_only() -> Cycle:
    """REM is driven by spontaneous activity alone."""
    return Wake(), NREM(), REM(replay=Replay(noise=1))


def rem_memories_only() -> Cycle:
    """REM is driven by two days' memories, without noise."""
    return Wake(), NREM(), REM(replay=Replay(past=0.5, noise=0))


def rem_before_nrem() -> Cycle:
    """REM comes before NREM."""
    return Wake(), REM(), NREM()


def nrem_mixed() -> Cycle:
    """NREM replays what REM does: mixed memories and noise, which are also what it has to recover."""
    return Wake(), NREM(replay=REM().replay), REM()


def untrained() -> Cycle:
    """No phases: the initial weights."""
    return ()


_CONDITIONS: dict[str, Callable[[], Cycle]] = {
    function.__name__: function
    for function in (
        pad,
        without_memory_mix,
        without_rem,
        without_nrem,
        wake_only,
        rem_noise_only,
        rem_memories_only,
        rem_before_nrem,
        nrem_mixed,
        untrained,
    )
}


def conditions() -> dict[str, str]:
    """Name every condition, with a line that says how it differs from PAD.

    Examples
    --------
    >>> conditions()["without_nrem"]
    'No NREM.'
    """
    return {name: (function.__doc__ or "").strip() for name, function in _CONDITIONS.items()}


def condition(name: str) -> Cycle:
    """Return the phases of a condition, in their order.

    Raises
    ------
    UserError
        If there is no such condition; the nearest is suggested.

    Examples
    --------
    >>> [phase.name for phase in condition("rem_before_nrem")]
    ['wake', 'rem', 'nrem']
    """
    if name not in _CONDITIONS:
        raise UserError(f"there is no condition '{name}'; {nearest(name, _CONDITIONS)}")
    return _CONDITIONS[name]()
