"""Phases as a config holds them, read from names and values and written as such; and stages, one after another."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from annotated_types import Ge
from pydantic import BeforeValidator, PlainSerializer, ValidationError

from dreaming.errors import brief, nearest
from dreaming.model.parameters import Parameters
from dreaming.model.phases import NREM, REM, Phase, Wake
from dreaming.system.texts import sentence

PHASE_KINDS: dict[str, type[Phase]] = {phase.__name__.lower(): phase for phase in (Wake, NREM, REM)}


def _phase(name: str, values: Any, context: Any) -> Any:
    """Make a phase of its name and values, in which ``kind`` names a class that the name does not."""
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise ValueError(f"phase '{name}' wants a mapping of its parameters")
    kind = str(values.get("kind", name))
    cls: Any = Phase
    if "source" not in values and kind in PHASE_KINDS:
        cls, values = PHASE_KINDS[kind], {key: value for key, value in values.items() if key != "kind"}
    elif "kind" not in values:
        raise ValueError(f"there is no phase '{name}'; {nearest(name, PHASE_KINDS)}")
    try:
        return cls.model_validate({**values, "name": name}, context=context)
    except ValidationError as error:
        raise ValueError(sentence(error, cls, f"phases.{name}")) from None


def _entries(value: Any) -> Sequence[Any]:
    """List phases, and names with values of phases."""
    entries = list(value.items()) if isinstance(value, Mapping) else value
    if not isinstance(entries, list | tuple):
        raise ValueError("phases want a mapping of their names to their parameters")
    for entry in entries:
        named = isinstance(entry, list | tuple) and len(entry) == 2 and isinstance(entry[0], str)
        if not named and not isinstance(entry, Phase):
            raise ValueError(f"phases hold {brief(entry)}, which is no name with parameters")
    return entries


def _read_phases(value: Any, info: Any) -> Any:
    """Read phases from a mapping of names, as the config file has them, or take them as they are."""
    phases = tuple(e if isinstance(e, Phase) else _phase(e[0], e[1], info.context) for e in _entries(value))
    names = [phase.name for phase in phases]
    if len(set(names)) < len(names):
        raise ValueError(f"two phases have one name ({', '.join(names)}); give one of them another `name`")
    return phases


def _write_phases(phases: tuple[Phase, ...]) -> dict[str, Any]:
    written = {}
    for phase in phases:
        values = phase.model_dump(mode="json")
        del values["name"]
        usual = PHASE_KINDS.get(phase.name) is type(phase) or "kind" in values
        kind = next((kind for kind, cls in PHASE_KINDS.items() if cls is type(phase)), type(phase).__name__)
        written[phase.name] = values if usual else {"kind": kind, **values}
    return written


Phases = Annotated[tuple[Phase, ...], BeforeValidator(_read_phases), PlainSerializer(_write_phases)]


class Stage(Parameters):
    """A condition that takes the place of another while a cortex grows up."""

    after: Annotated[int, Ge(1)]
    """How many epochs are done when it begins."""
    condition: str
    """What it is called."""
    phases: Phases
    """The phases of a cycle, in order."""
