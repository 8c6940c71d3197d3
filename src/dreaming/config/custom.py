"""Phases of the user's own, from a Python file of the user's, which is executed."""

import hashlib
import importlib.util
import sys
import types
from collections.abc import Callable, Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from dreaming.config.config import PhaseSource
from dreaming.errors import UserError, nearest
from dreaming.model.phases import Cycle, Phase
from dreaming.model.plasticity import Plasticity

OWN_MODULE = "dreaming_own_phases_"  # and the name of the user's file


def load_phases(spec: str, cycle: Cycle) -> tuple[Cycle, PhaseSource]:
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
    """Run what is the user's within the block; whatever it raises becomes one line."""
    try:
        return call()
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())
        raise UserError(f"--phases: {path} fails with {type(error).__name__}: {said}") from error


def _is_phases(value: object) -> bool:
    if isinstance(value, type):
        return issubclass(value, Phase)
    return isinstance(value, Phase | tuple) or callable(value)


class _Uncached(SourceFileLoader):
    """Compiles the file as it stands: no old bytecode is taken for it, and none is left beside it."""

    def get_code(self, fullname: str) -> types.CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _executed(path: Path) -> Any:
    name = OWN_MODULE + path.stem
    spec = importlib.util.spec_from_file_location(name, path, loader=_Uncached(name, str(path)))
    if spec is None or spec.loader is None:
        raise UserError(f"--phases: {path} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # classes look their module up while they are made
    loader = spec.loader
    _told(path, lambda: loader.exec_module(module))
    return module
