"""The paper's conditions, each a function whose body is its difference from PAD.

A condition is the tuple of phases that make a cycle (paper, figures 4b and 5b, and appendix 1).
"""

import hashlib
import importlib.util
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dreaming.config import Config, PhaseSource, validated
from dreaming.errors import UserError, nearest
from dreaming.hippocampus import Replay
from dreaming.phases import NREM, REM, Phase, Wake
from dreaming.plasticity import Plasticity

Cycle = tuple[Phase, ...]
OWN_MODULE = "dreaming_own_phases_"  # and the name of the user's file


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


def configure(
    condition_name: str = "pad",
    *,
    phases: str | None = None,
    name: str | None = None,
    settings: Sequence[str] = (),
    **sections: Any,
) -> Config:
    """Make the config of a run: a condition, its sections, then single settings on top.

    Parameters
    ----------
    condition_name
        One of `conditions`, whose phases are taken.
    phases
        ``FILE.py:NAME``, the user's own phases in place of the condition's (see `own_phases`).
    name
        What to call the condition, and its folder; by default what it is called.
    settings
        ``PATH=VALUE`` pairs, applied last.
    **sections
        Sections of `Config` as mappings, such as ``training={"epochs": 5}``.

    Raises
    ------
    UserError
        If a name is unknown or a value does not fit.

    Examples
    --------
    >>> configure("without_rem", settings=["phases.nrem.weight=1"]).phases[1].weight
    1.0
    """
    cycle, source = condition(condition_name), None
    label = condition_name
    if phases is not None:
        cycle, source = own_phases(phases, cycle)
        label = source.name if condition_name == "pad" else f"{condition_name}+{source.name}"
    config = validated(
        {"condition": label if name is None else name, "phases": cycle, "phase_source": source, **sections},
        "config",
    )
    config = config.but(settings)
    if not config.phases:
        return config.model_copy(update={"training": config.training.model_copy(update={"epochs": 0})})
    return config


def own_phases(spec: str, cycle: Cycle) -> tuple[Cycle, PhaseSource]:
    """Load phases of the user's own from a Python file of the user's, which is executed.

    Parameters
    ----------
    spec
        ``FILE.py:NAME``. NAME is a tuple of phases, or a function that returns one: it is the whole cycle. If it
        is a single phase, or a class of phases, it follows the phases of ``cycle``.
    cycle
        The phases that a single phase is added to.

    Raises
    ------
    UserError
        If the file or the name is missing, the file fails, or what it defines is no phase.
    """
    file, colon, name = spec.rpartition(":")
    path = Path(file)
    if not colon or path.suffix != ".py" or not name.isidentifier():
        raise UserError(f"--phases wants FILE.py:NAME, and got '{spec}'")
    if not path.is_file():
        raise UserError(f"--phases: there is no file {path}")
    source = PhaseSource(file=path.name, name=name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    defined = vars(_executed(path))
    if name not in defined:
        there = [key for key, value in defined.items() if not key.startswith("_") and _is_phases(value)]
        raise UserError(f"--phases: {path} defines no '{name}'; {nearest(name, there)}")
    found = defined[name]
    if callable(found):  # a class makes a phase, a function returns phases
        found = _told(path, found)
    single = isinstance(found, Phase)
    own: Any = (found,) if single else found
    if not isinstance(own, Sequence) or not own or not all(isinstance(phase, Phase) for phase in own):
        raise UserError(f"--phases: {name} in {path} is no phase, no tuple of phases, and returns none")
    for phase in own:
        if not isinstance(getattr(phase, "plasticity", None), Plasticity):
            kind = type(phase).__name__
            raise UserError(
                f"--phases: {kind} in {path} lacks `plasticity: ClassVar = Plasticity(encoder=..., ...)`"
            )
    return (*cycle, *own) if single else tuple(own), source


def _told(path: Path, call: Callable[[], Any]) -> Any:
    """Call into the user's file; whatever it raises is told in one line."""
    try:
        return call()
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())
        raise UserError(f"--phases: {path} fails with {type(error).__name__}: {said}") from error


def _is_phases(value: object) -> bool:
    if isinstance(value, type):
        return issubclass(value, Phase)
    return isinstance(value, Phase | tuple) or callable(value)


def _executed(path: Path) -> Any:
    name = OWN_MODULE + path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"--phases: {path} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # classes look their module up while they are made
    loader = spec.loader
    _told(path, lambda: loader.exec_module(module))
    return module


class _CallableModule(types.ModuleType):
    """A module which can be called as the function of its name is.

    ``dreaming.conditions`` is a function of the package and the name of this module; whoever imports the module
    first would hide the function.
    """

    def __call__(self) -> dict[str, str]:
        """Name every condition (see `conditions`)."""
        return conditions()


sys.modules[__name__].__class__ = _CallableModule
