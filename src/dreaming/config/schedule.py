"""Phases as a config holds them, read from names and values and written as such; and stages, one after another."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from annotated_types import Ge
from pydantic import BeforeValidator, ConfigDict, JsonValue, PlainSerializer, ValidationError

from dreaming.config.settings import sentence
from dreaming.errors import UserError, brief, nearest
from dreaming.model.parameters import Parameters
from dreaming.model.phases import NREM, REM, Draws, Outcome, Phase, Wake
from dreaming.model.plasticity import Plasticity

PHASE_KINDS: dict[str, type[Phase]] = {phase.__name__.lower(): phase for phase in (Wake, NREM, REM)}


class RecordedPhase(Phase):
    """A phase known from a run's record alone: its class was the user's and is not at hand."""

    plasticity: ClassVar = Plasticity(encoder=0, generator=0)
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    kind: str
    """Name of the class."""

    def objective(self, cortex: Any, images: Any, hippocampus: Any, draws: Draws) -> Outcome:
        """Refuse: what this phase computes is not known."""
        raise UserError(
            f"phase '{self.name}' ({self.kind}) is defined in a file of yours; name it with --phases"
        )


def kind_of(phase: type[Phase]) -> str:
    """Return what a class of phases is called in a config."""
    return next((kind for kind, known in PHASE_KINDS.items() if known is phase), phase.__name__)


def _phase(name: str, values: Any) -> Phase:
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise ValueError(f"phase '{name}' wants a mapping of its parameters")
    return phase_of(name, values, {})


def phase_of(name: str, values: Mapping[str, Any], own: Mapping[str, type[Phase]]) -> Phase:
    """Make a phase of its name and values; ``own`` are classes of the user's, by name.

    Raises
    ------
    ValueError
        If there is no such phase, or a value does not fit.
    """
    kind = str(values.get("kind", name))
    phase = {**PHASE_KINDS, **own}.get(kind)
    if phase is None and "kind" not in values:
        raise ValueError(f"there is no phase '{name}'; {nearest(name, PHASE_KINDS)}")
    if phase is None or phase is RecordedPhase:
        phase, given = RecordedPhase, {**values, "kind": kind}
    else:
        given = {key: value for key, value in values.items() if key != "kind"}
    try:
        return phase(**{**given, "name": name})
    except ValidationError as error:
        raise ValueError(sentence(error, phase, f"phases.{name}")) from None


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


def _read_phases(value: Any) -> Any:
    """Read phases from a mapping of names, as the config file has them, or take them as they are."""
    phases = tuple(e if isinstance(e, Phase) else _phase(*e) for e in _entries(value))
    names = [phase.name for phase in phases]
    if len(set(names)) < len(names):
        raise ValueError(f"two phases have one name ({', '.join(names)}); give one of them another `name`")
    return phases


def _write_phases(phases: tuple[Phase, ...]) -> dict[str, Any]:
    written = {}
    for phase in phases:
        kind = phase.kind if isinstance(phase, RecordedPhase) else kind_of(type(phase))
        values = phase.model_dump(mode="json", exclude={"name", "kind"})
        written[phase.name] = values if kind == phase.name else {"kind": kind, **values}
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
