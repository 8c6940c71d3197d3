"""What a config is called where nobody says it: by its condition, and by all that is special in it."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from dreaming.config.schedule import PHASE_KINDS
from dreaming.model.conditions import CONDITIONS, condition
from dreaming.model.parameters import Parameters, Recorded
from dreaming.model.phases import Cycle, Phase, usual_name

LONGEST = 120
"""Letters of what is special; more of them become a checksum, since folders are called by it."""


def cycle_name(phases: Cycle) -> tuple[str, Cycle]:
    """Return the name of a cycle, and what is usual under that name.

    Examples
    --------
    >>> from dreaming.model.phases import NREM, REM, Wake
    >>> cycle_name((Wake(), REM()))[0], cycle_name((Wake(), NREM(), REM(weight=0.5)))[0]
    ('without_nrem', 'pad')
    >>> name, usual = cycle_name((Wake(), NREM(weight=0.7)))
    >>> name, usual[1].weight
    ('wake-nrem', 1.0)
    """
    for name in CONDITIONS:
        if condition(name) == phases:
            return name, phases
    pad = condition("pad")
    if _kinds(phases) == _kinds(pad):
        return "pad", pad
    return "-".join(map(phase_name, phases)), tuple(map(usual_phase, phases))


def phase_name(phase: Phase) -> str:
    """Return the name of a phase, with its kind where the name does not say it.

    Examples
    --------
    >>> from dreaming.model.phases import NREM
    >>> phase_name(NREM()), phase_name(NREM(name="spindle"))
    ('nrem', 'spindle-NREM')
    """
    kind = type(phase)
    says_it = phase.name == usual_name(kind) and PHASE_KINDS.get(phase.name, kind) is kind
    return phase.name if says_it else f"{phase.name}-{kind.__name__}"


def usual_phase(phase: Phase) -> Phase:
    """Return a phase of the same class and name in which nothing is special."""
    return type(phase).model_construct(name=phase.name)


def special(value: Parameters, usual: Parameters, nameless: frozenset[str] = frozenset()) -> str:
    """Return what is special in a group of parameters, as it is added to its name: ``+PATH-VALUE`` for each field.

    Parameters
    ----------
    value
        The group, such as a config.
    usual
        What has the name alone.
    nameless
        Paths of fields that are in no name.

    Examples
    --------
    >>> from dreaming.model.hippocampus import Replay
    >>> special(Replay(noise=0.1, first_night="memory_alone"), Replay())
    '+noise-0.1+first_night-memory_alone'
    """
    said = "".join(f"+{each}" for each in dict.fromkeys(_special(value, usual, nameless, "")))
    return said if len(said) <= LONGEST else f"+{_checksum(said)}"


def _special(value: Any, usual: Any, nameless: frozenset[str], path: str) -> Iterator[str]:
    if isinstance(value, Parameters):
        if not _of_one_class(value, usual):
            yield f"{path}-{type(value).__name__}"
            usual = type(value).model_construct()
        for name in type(value).model_fields:
            inner = f"{path}.{name}".lstrip(".")
            if inner not in nameless:
                yield from _special(getattr(value, name), getattr(usual, name, None), nameless, inner)
    elif _are_groups(value) and _are_groups(usual) and list(map(_key, value)) == list(map(_key, usual)):
        for each, other in zip(
            value, usual, strict=True
        ):  # what is set of a phase, is in each stage that has it
            if isinstance(each, Phase):
                yield from _special(each, other, nameless, each.name)
            else:
                yield from _special(each.phases, other.phases, nameless, path)
    elif value != usual:
        yield f"{path}-{_word(value)}"


def _of_one_class(value: Parameters, usual: Any) -> bool:
    """Return whether two groups are of one class, or records of one, each of which is a class of its own."""
    if isinstance(value, Recorded) and isinstance(usual, Recorded):
        return (type(value).__name__, value.source) == (type(usual).__name__, usual.source)
    return type(value) is type(usual)


def _are_groups(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, Parameters) for each in value)


def _key(group: Any) -> str:
    """Return what tells phases of a cycle, and stages of a schedule, apart."""
    if isinstance(group, Phase):
        return phase_name(group)
    return f"{group.after}-{group.condition}-{_kinds(group.phases)}"


def _kinds(phases: Cycle) -> list[tuple[str, type[Phase]]]:
    return [(phase.name, type(phase)) for phase in phases]


def _word(value: Any) -> str:
    """Return a value as it can stand in the name of a folder."""
    if isinstance(value, tuple) and not _are_groups(value):
        return "-".join(map(_word, value))
    said = str(value).lower() if value is None or isinstance(value, bool) else str(value).removesuffix(".0")
    return said if re.fullmatch(r"[A-Za-z0-9_.+-]{1,40}", said) else _checksum(repr(value))


def _checksum(said: str) -> str:
    return hashlib.sha256(said.encode()).hexdigest()[:8]
