"""The paper's conditions, each a function whose body is its difference from PAD.

A condition is the tuple of phases that make a cycle (paper, figures 4b and 5b, and appendix 1). How it is shown
stands above it, and its docstring is its line of help. Colours are as near to the paper's as people of any colour
vision can tell apart, and each has a mark of its own; a condition whose curve lies on PAD's is dashed, so that PAD
is seen beneath it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dreaming.errors import UserError, nearest, spelled
from dreaming.model.hippocampus import Replay
from dreaming.model.phases import NREM, REM, Cycle, Wake


@dataclass(frozen=True)
class Condition:
    """A condition: its phases, and how it is shown.

    Attributes
    ----------
    phases
        The function that makes them.
    label
        The name that people read.
    colour
        Of its curves and bars.
    mark
        Of its points: a letter as matplotlib has them.
    dashes
        Lengths of dashes and gaps in points; none for a solid line.
    """

    phases: Callable[[], Cycle]
    label: str
    colour: str
    mark: str
    dashes: tuple[float, ...] = ()


CONDITIONS: dict[str, Condition] = {}
"""Every condition by its name, in the order of registration."""


def register(
    label: str, colour: str, mark: str, dashes: tuple[float, ...] = ()
) -> Callable[[Callable[[], Cycle]], Callable[[], Cycle]]:
    """Register the function below as the condition of its name; see `Condition` for the arguments.

    Raises
    ------
    ValueError
        If another file has registered a condition of that name.
    """

    def registered(phases: Callable[[], Cycle]) -> Callable[[], Cycle]:
        name = phases.__name__
        if name in CONDITIONS and CONDITIONS[name].phases.__module__ != phases.__module__:
            raise ValueError(f"{CONDITIONS[name].phases.__module__} has a condition '{name}' already")
        CONDITIONS[name] = Condition(phases, label, colour, mark, dashes)
        return phases

    return registered


@register("PAD", "#000000", "o")
def pad() -> Cycle:
    """Perturbed and adversarial dreaming: the full model."""
    return Wake(), NREM(), REM()


@register("w/o memory mix", "#412C90", "D")
def without_memory_mix() -> Cycle:
    """REM is driven by one memory alone: no yesterday, no noise."""
    return Wake(), NREM(), REM(replay=Replay(past=0, noise=0))


@register("w/o REM", "#C775A7", "s")
def without_rem() -> Cycle:
    """No REM, so nothing to tell dream from reality by; noisy reconstruction (eq. 12) and half an NREM."""
    return Wake(externality_weight=0, latent_noise=0.5), NREM(weight=0.5)


@register("w/o NREM", "#E8A002", "v")
def without_nrem() -> Cycle:
    """No NREM."""
    return Wake(), REM()


@register("Wake only", "#666666", "^")
def wake_only() -> Cycle:
    """No sleep; noisy reconstruction (eq. 12), as without REM."""
    return (Wake(externality_weight=0, latent_noise=0.5),)


@register("REM from noise", "#2AA776", "P", dashes=(5.0, 2.0))
def rem_noise_only() -> Cycle:
    """REM is driven by spontaneous activity alone."""
    return Wake(), NREM(), REM(replay=Replay(noise=1))


@register("REM from memories", "#D15B00", "X", dashes=(2.0, 1.5))
def rem_memories_only() -> Cycle:
    """REM is driven by two days' memories, without noise."""
    return Wake(), NREM(), REM(replay=Replay(past=0.5, noise=0))


@register("Wake-REM-NREM", "#A0522D", "h", dashes=(5.0, 2.0))
def rem_before_nrem() -> Cycle:
    """REM comes before NREM."""
    return Wake(), REM(), NREM()


@register("NREM from mixed memories", "#0F74B4", "*")
def nrem_mixed() -> Cycle:
    """NREM replays what REM does: mixed memories and noise, which are also what it has to recover."""
    return Wake(), NREM(replay=REM().replay), REM()


@register("REM deprived", "#C9A6E5", "d")
def rem_deprived() -> Cycle:
    """REM is taken away and nothing else: Wake and NREM are PAD's, where w/o REM changes both."""
    return Wake(), NREM()


@register("untrained", "#C6C6C6", ".")
def untrained() -> Cycle:
    """No phases: the initial weights."""
    return ()


def conditions() -> dict[str, str]:
    """Return the name of every condition, with a line that says how it differs from PAD.

    Examples
    --------
    >>> conditions()["without_nrem"]
    'No NREM.'
    """
    return {name: (each.phases.__doc__ or "").strip().partition("\n")[0] for name, each in CONDITIONS.items()}


def condition_called(name: str) -> str:
    """Return the name of a condition as it is written, whatever the case in which it is given.

    Raises
    ------
    UserError
        If there is no such condition; the nearest is suggested.

    Examples
    --------
    >>> condition_called("PAD")
    'pad'
    """
    called = spelled(name, CONDITIONS)
    if called not in CONDITIONS:
        raise UserError(f"there is no condition '{name}'; {nearest(name, CONDITIONS)}")
    return called


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
    return CONDITIONS[condition_called(name)].phases()


OTHERS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Colours of conditions that are not registered, one after another: schedules and doses."""


def colours_of(conditions: Iterable[str]) -> dict[str, str]:
    """Return the colour of each condition; those that are not registered get other colours, one after another."""
    names = list(dict.fromkeys(conditions))
    others = [name for name in names if name not in CONDITIONS]
    given = {name: OTHERS[place % len(OTHERS)] for place, name in enumerate(others)}
    return {name: given.get(name) or CONDITIONS[name].colour for name in names}
