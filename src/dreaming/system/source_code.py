"""The Python text that defines a class or function of a user's own, to be recorded and kept beside its results.

What comes from a file that was executed by name, or from a module of one file, is that file. What was defined in a
notebook, a script or a package is cut out of it, with all it refers to there, into a text that can be executed by
itself.
"""

import ast
import hashlib
import inspect
import linecache
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

from dreaming.errors import UserError

Definition = type | Callable[..., Any]
OWN_MODULE = "dreaming_own_"
"""What the names of modules begin with that were executed by `execute`."""


@dataclass(frozen=True)
class SourceCode:
    """Where a class or a function of a user's own is defined.

    Attributes
    ----------
    file
        Name of the Python file, without its folder.
    sha256
        Checksum of its content.
    content
        The content, where it is at hand.

    Examples
    --------
    >>> SourceCode.of("naps.py", b"hours = 2").record()["file"]
    'naps.py'
    """

    file: str
    sha256: str
    content: bytes = field(default=b"", repr=False, compare=False)

    @classmethod
    def of(cls, file: str, content: bytes) -> "SourceCode":
        """Return the source of a file of this content."""
        return cls(file, hashlib.sha256(content).hexdigest(), content)

    def record(self) -> dict[str, str]:
        """Return what is recorded of it: its file and its checksum."""
        return {"file": self.file, "sha256": self.sha256}


class _Given(SourceFileLoader):
    """Executes a text that was read before; no old bytecode is taken for it, and none is left beside the file."""

    def __init__(self, name: str, path: str, source: SourceCode) -> None:
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname: str) -> types.CodeType:
        return self.source_to_code(self.source.content, self.path)


def execute(path: Path) -> types.ModuleType:
    """Execute a Python file as a module whose name tells its content.

    Raises
    ------
    OSError
        If it cannot be read.
    Exception
        Whatever the file raises.
    """
    source = SourceCode.of(path.name, path.read_bytes())
    name = f"{OWN_MODULE}{path.stem}_{source.sha256[:16]}"
    spec = spec_from_loader(name, _Given(name, str(path), source))
    if spec is None or spec.loader is None:
        raise OSError(f"{path} cannot be read as Python")
    module = module_from_spec(spec)
    sys.modules[name] = module  # classes look their module up while they are made
    spec.loader.exec_module(module)
    return module


def source_of(thing: Definition) -> SourceCode:
    """Return the source of a class or a function; it is kept with it, also into other processes.

    Raises
    ------
    UserError
        If its text is nowhere to be found, or refers to what cannot be written down.
    """
    known = vars(thing).get("_own_source")
    if known is None:
        module = sys.modules.get(thing.__module__)
        loader, file = getattr(module, "__loader__", None), getattr(module, "__file__", None)
        if isinstance(loader, _Given):
            known = loader.source
        elif file and thing.__module__.isidentifier() and thing.__module__ != "__main__":
            known = SourceCode.of(Path(file).name, Path(file).read_bytes())
        else:
            known = SourceCode.of(f"{thing.__name__}.py", _cut_out(thing).encode())
        setattr(thing, "_own_source", known)  # noqa: B010 - any class or function takes it, which mypy does not know
    found: SourceCode = known
    return found


def _cut_out(thing: Definition) -> str:
    """Return a text that defines a class or function with all that it refers to."""
    imports: dict[str, str] = {}
    definitions: dict[str, str] = {}
    home, begun = thing.__module__, set[str]()

    def add(name: str, value: Any) -> None:
        if name in begun:
            return
        begun.add(name)
        if isinstance(value, types.ModuleType):
            imports[name] = f"import {value.__name__} as {name}"
        elif _is_definition(value) and value.__module__ == home and value.__name__ == name:
            text, names = _definition(value)
            for used in names:
                if used in space:
                    add(used, space[used])
            definitions[name] = text
        elif place := _place(value, name):
            imports[name] = f"from {place[0]} import {place[1]} as {name}"
        elif _is_plain(value):
            definitions[name] = f"{name} = {value!r}"
        else:
            raise UserError(
                f"{thing.__name__} refers to {name}, which cannot be recorded; define both in a file, and name "
                f"FILE.py:{thing.__name__}"
            )

    space = _space(thing)
    add(thing.__name__, thing)
    return "\n".join([*sorted(imports.values()), "", *(f"\n{text}" for text in definitions.values()), ""])


def _functions(thing: Definition) -> list[types.FunctionType]:
    """Return a function itself, or those that a class defines."""
    if isinstance(thing, types.FunctionType):
        return [thing]
    found = [value for value in vars(thing).values() if isinstance(value, types.FunctionType)]
    return [function for function in found if function.__module__ == thing.__module__]


def _space(thing: Definition) -> dict[str, Any]:
    """Return the names that a definition can refer to: those of its module."""
    module = sys.modules.get(thing.__module__)
    spaces = [vars(module)] if module else [function.__globals__ for function in _functions(thing)]
    return spaces[0] if spaces else {}


def _is_definition(value: Any) -> bool:
    return inspect.isclass(value) or inspect.isfunction(value)


def _definition(thing: Definition) -> tuple[str, list[str]]:
    """Return the text of a class or function and the names that it reads."""
    for text in _texts(thing):
        try:
            tree = ast.parse(text)
        except SyntaxError:  # a cell of a notebook with a magic in it, or no Python at all
            continue
        found = [
            node
            for node in tree.body
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == thing.__name__
        ]
        if found:
            node = found[-1]
            lines = text.splitlines()[
                min(n.lineno for n in (node, *node.decorator_list)) - 1 : node.end_lineno
            ]
            reads = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
            quoted = [
                n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)
            ]
            return "\n".join(lines), [*reads, *quoted]
    raise UserError(
        f"the source of {thing.__name__} cannot be found, so it cannot be recorded; define it at the top of a "
        f"file, and name FILE.py:{thing.__name__}"
    )


def _texts(thing: Definition) -> Iterator[str]:
    """Yield the texts in which a definition may stand, the likeliest first: files, and cells of a notebook."""
    for function in _functions(thing):
        yield "".join(linecache.getlines(function.__code__.co_filename))
    space = _space(thing)
    yield "".join(linecache.getlines(space.get("__file__") or ""))
    yield from reversed(space.get("In", []))


def _place(value: Any, name: str) -> tuple[str, str] | None:
    """Return the module and the name by which a value can be imported."""
    module = str(getattr(value, "__module__", None))
    for called in (getattr(value, "__qualname__", None), getattr(value, "_name", None), name):
        if isinstance(called, str) and getattr(sys.modules.get(module), called, None) is value:
            return (module, called) if module != "__main__" else None
    return None


def _is_plain(value: Any) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError):
        return False
