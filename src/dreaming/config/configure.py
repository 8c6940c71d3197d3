"""Configs made of a condition, sections and settings: one, a schedule's, or a sweep's."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dreaming.config.config import Config, Networks, names_condition, validated
from dreaming.config.custom import load_networks, load_phases, networks_of, phases_of
from dreaming.config.naming import phase_name, usual_phase
from dreaming.config.schedule import Stage
from dreaming.errors import UserError, brief
from dreaming.model.conditions import condition, condition_called
from dreaming.model.phases import Cycle, Phase, usual_name
from dreaming.system.texts import fields_of


def configure(
    condition_name: str = "pad",
    *,
    phases: str | Phase | type[Phase] | Sequence[Phase | type[Phase]] | None = None,
    networks: str | Networks | Mapping[str, Any] | Callable[..., Any] | None = None,
    schedule: str | None = None,
    name: str | None = None,
    settings: str | Sequence[str] = (),
    **sections: Any,
) -> Config:
    """Make the config of a run: a condition, its sections, then single settings on top.

    Parameters
    ----------
    condition_name
        One of `conditions`, whose phases are taken.
    phases
        Phases of one's own, or their classes: several are the whole cycle, a single one follows the condition's, or
        those of each condition of a schedule; or ``FILE.py:NAME`` for what is defined there.
    networks
        The section as a mapping, such as ``{"latent_dim": 64}``; or networks of one's own: a function that returns
        an encoder and a generator, a class derived from `Networks`, or ``FILE.py:NAME`` for what is defined there.
    schedule
        ``CONDITION:EPOCH,...,CONDITION``: conditions one after another in place of one, each until an epoch is
        done, such as ``pad:10,without_rem:20,pad``.
    name
        What to call the condition, and its folder; by default what it is called, with what is special in this
        config, such as ``pad+rem.replay.noise-0.1``. Sizes of networks, of images and of mini-batches, how many
        images there are and the precision are in no such name.
    settings
        ``PATH=VALUE`` pairs, or one, applied last; those of a phase in every condition of a schedule that has the
        phase.
    **sections
        Sections of `Config` as mappings, such as ``training={"epochs": 5}``.

    Raises
    ------
    UserError
        If a name is unknown or a value does not fit.

    Examples
    --------
    >>> config = configure("without_rem", settings=["phases.nrem.weight=1"])
    >>> config.phases[1].weight, config.condition
    (1.0, 'without_rem+nrem.weight-1')
    """
    _require_sections(sections)
    settings = [settings] if isinstance(settings, str) else settings
    label = condition_called(condition_name)
    cycle = condition(label)
    later: list[dict[str, Any]] = []
    if schedule is not None:
        if label != "pad":
            raise UserError("a schedule names its conditions itself; leave --condition out")
        cycle, later, label = _scheduled(schedule)
    usual, usual_later = cycle, later
    if phases is not None:
        own = load_phases(phases) if isinstance(phases, str) else phases_of(phases)
        called = phases.rpartition(":")[2] if isinstance(phases, str) else _called(phases, own)
        label = called if label == "pad" else f"{label}+{called}"
        named = isinstance(phases, str) or inspect.isfunction(
            phases
        )  # whatever it is: the name is of all of it
        if isinstance(own, Phase):
            own_usual = own if named else usual_phase(own)
            cycle, usual = (*cycle, own), (*cycle, own_usual)
            usual_later = _followed(later, own_usual)
            later = _followed(later, own)
        elif later:
            raise UserError(
                "a schedule has the cycles of its conditions, and a single phase of --phases may follow them; give "
                "cycles of your own in Python, as dreaming.Config(schedule=(dreaming.Stage(...), ...))"
            )
        else:
            cycle, usual = own, own if named else tuple(map(usual_phase, own))
    if networks is not None and not isinstance(networks, Mapping):
        networks = load_networks(networks) if isinstance(networks, str) else networks_of(networks)
        label += f"+{type(networks).__name__}" * (type(networks) is not Networks)
    if networks is not None:
        sections["networks"] = networks
    config = validated(
        {"condition": label if name is None else name, "phases": cycle, "schedule": later, **sections},
        "config",
    )
    config = config.but(settings)
    if not names_condition(settings):
        kind = type(config.networks)
        follow = tuple(Stage(**stage) for stage in usual_later)
        as_usual = Config.model_construct(phases=usual, schedule=follow, networks=kind.model_construct())
        config = config.called(label + config.special(as_usual) if name is None else name)
    if not config.phases and not config.schedule:
        return config.model_copy(update={"training": config.training.model_copy(update={"epochs": 0})})
    return config


def _followed(later: Sequence[Mapping[str, Any]], own: Phase) -> list[dict[str, Any]]:
    """Return stages of a schedule whose phases a phase of the user's own follows."""
    return [{**stage, "phases": (*stage["phases"], own)} for stage in later]


def _require_sections(sections: Mapping[str, Any]) -> None:
    """Refuse a field in the place of its section, and say where it belongs."""
    for name in sections.keys() - Config.model_fields.keys():
        for section in Config.model_fields:
            if name in fields_of(Config, [section]):
                said = f'{section}={{"{name}": {brief(sections[name])}}}'
                raise UserError(f"config: there is no section '{name}'; write {said}")


def _called(phases: Any, own: Phase | Cycle) -> str:
    """Return what phases are called that were given as objects: a class by its name, a cycle by its phases'."""
    if isinstance(phases, list | tuple) and isinstance(own, tuple):
        return "-".join(map(phase_name, own))
    if not isinstance(phases, Phase):
        return str(phases.__name__)
    kind = type(phases)
    return kind.__name__ + f"-{phases.name}" * (phases.name != usual_name(kind))


def _scheduled(text: str) -> tuple[Cycle, list[dict[str, Any]], str]:
    """Read a schedule: the phases it begins with, the stages that follow, and what to call it."""
    *parts, last = text.split(",")
    names, ends = [], []
    for part in parts:
        name, _, end = part.partition(":")
        names.append(name)
        ends.append(int(end) if end.isascii() and end.isdigit() and len(end) < 10 else 0)
    if not parts or ":" in last or ends != sorted(set(ends)) or ends[0] < 1:
        raise UserError(
            "--schedule wants CONDITION:EPOCH,...,CONDITION with epochs that grow, such as "
            f"pad:10,without_rem:20,pad, and got '{text}'"
        )
    names = [condition_called(name) for name in (*names, last)]
    follow = list(zip(ends, names[1:], strict=True))
    later = [{"after": end, "condition": name, "phases": condition(name)} for end, name in follow]
    parts = [f"{name}-{end}" for end, name in zip(ends, names, strict=False)]
    return condition(names[0]), later, "-".join([*parts, names[-1]])


def swept(config: Config, sweep: str) -> list[Config]:
    """Make a config for each value that a sweep gives to one field.

    Parameters
    ----------
    config
        What they have in common.
    sweep
        ``PATH=VALUE,VALUE,...``, such as ``phases.rem.dose=0,0.5,1``. Each is called by the condition, the field
        and the value.

    Raises
    ------
    UserError
        If the sweep cannot be read, the path names no field, or a value does not fit.

    Examples
    --------
    >>> [each.condition for each in swept(configure(), "phases.rem.dose=0,0.5")]
    ['pad+rem.dose-0', 'pad+rem.dose-0.5']
    """
    path, equals, values = sweep.partition("=")
    if not equals or not all(value.strip() for value in values.split(",")):
        raise UserError(f"--sweep wants PATH=VALUE,VALUE,... and got '{sweep}'")
    found = []
    for value in map(str.strip, values.split(",")):
        name = f"{config.condition}+{path.strip().removeprefix('phases.')}-{value}"
        found.append(config.but([f"{path}={value}", f"condition={name}"]))
    return found
