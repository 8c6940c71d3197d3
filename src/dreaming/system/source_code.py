"""The Python text that defines a class or function of a user's own, to be recorded and kept beside its results.

What comes from a file that was executed by name, or from a module of one file, is that file, with the files beside
it that it imports. What was defined in a notebook, a script or a package is cut out of it, with all it refers to
there, into a text that can be executed by itself.
"""

import ast
import hashlib
import inspect
import linecache
import re
import symtable
import sys
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

from pydantic import BaseModel

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
        Checksum of its content and of the files beside it that it imports.
    content
        The content, where it is at hand.
    beside
        Those files: each one's path from the folder, and its content.

    Examples
    --------
    >>> SourceCode.of("naps.py", b"hours = 2").record()["file"]
    'naps.py'
    """

    file: str
    sha256: str
    content: bytes = field(default=b"", repr=False, compare=False)
    beside: tuple[tuple[str, bytes], ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what is no name of a file, and no checksum."""
        if not re.fullmatch(r"\w[\w .+-]*\.py", self.file) or not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError("a source is the name of a Python file and its sha256")

    @classmethod
    def of(cls, file: str, content: bytes, beside: tuple[tuple[str, bytes], ...] = ()) -> "SourceCode":
        """Return the source of a file of this content, with the files beside it that it imports."""
        digest = hashlib.sha256(content)
        for name, other in beside:
            digest.update(f"\0{name}\0{hashlib.sha256(other).hexdigest()}".encode())
        return cls(file, digest.hexdigest(), content, beside)

    @classmethod
    def at(cls, path: Path) -> "SourceCode":
        """Return the source that is a file, with those beside it that it imports.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        content, beside = path.read_bytes(), dict[str, bytes]()
        _beside(content, path.parent, beside)
        beside.pop(path.name, None)
        return cls.of(path.name, content, tuple(sorted(beside.items())))

    def record(self) -> dict[str, str]:
        """Return what is recorded of it: its file and its checksum."""
        return {"file": self.file, "sha256": self.sha256}


def _beside(content: bytes, folder: Path, found: dict[str, bytes]) -> None:
    """Collect the files in a folder that a text imports, and that these import."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # whoever executes it will say so
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            for depth in range(1, len(parts) + 1):
                for place in (Path(*parts[:depth]).with_suffix(".py"), Path(*parts[:depth], "__init__.py")):
                    if place.as_posix() not in found and (folder / place).is_file():
                        found[place.as_posix()] = (folder / place).read_bytes()
                        _beside(found[place.as_posix()], folder, found)


class _Given(SourceFileLoader):
    """Executes a text that was read before; no old bytecode is taken for it, and none is left beside the file."""

    def __init__(self, name: str, path: str, source: SourceCode) -> None:
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname: str) -> types.CodeType:
        return self.source_to_code(self.source.content, self.path)


def execute(path: Path, source: SourceCode | None = None) -> types.ModuleType:
    """Execute a Python file as a module whose name tells its content; one that was executed is not again.

    Parameters
    ----------
    path
        The file; it may import those beside it.
    source
        What was read of it, where it was read before.

    Raises
    ------
    OSError
        If it cannot be read.
    Exception
        Whatever the file raises.
    """
    source = source or SourceCode.at(path)
    name = f"{OWN_MODULE}{path.stem}_{source.sha256[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_loader(name, _Given(name, str(path), source))
    if spec is None or spec.loader is None:
        raise OSError(f"{path} cannot be read as Python")
    module = module_from_spec(spec)
    for other in {Path(place).parts[0].removesuffix(".py") for place, _ in source.beside}:
        for loaded in [each for each in sys.modules if each.partition(".")[0] == other]:
            del sys.modules[loaded]  # it may be another version, or lie elsewhere
    sys.modules[name] = module  # classes look their module up while they are made
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.parent))
    return module


def own_modules() -> list[types.ModuleType]:
    """Return the modules that were executed by `execute`, and those beside them that they imported."""
    modules = {name: module for name, module in sys.modules.items() if isinstance(module, types.ModuleType)}
    own = [module for name, module in modules.items() if name.startswith(OWN_MODULE)]
    folders = {_folder(module) for module in own}
    beside = {module.__name__: module for module in modules.values() if _folder(module) in folders}
    return [module for name, module in beside.items() if name != "__main__"]


def _folder(module: types.ModuleType) -> str | None:
    file = getattr(module, "__file__", None)
    return str(Path(file).parent) if isinstance(file, str) else None


def source_of(thing: Definition) -> SourceCode:
    """Return the source of a class or a function; it is kept with it, also into other processes.

    Raises
    ------
    UserError
        If its text is nowhere to be found, refers to what cannot be written down, or could make others of its name.
    """
    known = vars(thing).get("_own_source")
    if known is None:
        known = _found(thing)
        setattr(thing, "_own_source", known)  # noqa: B010 - any class or function takes it, which mypy does not know
    found: SourceCode = known
    return found


def _found(thing: Definition) -> SourceCode:
    space = _space(thing)
    if "." in thing.__qualname__ or space.get(thing.__name__) is not thing:
        raise UserError(
            f"{thing.__qualname__} cannot be recorded: another of its name could be made, or it has none; define "
            "it at the top of a file, a cell or a script, once"
        )
    module = sys.modules.get(thing.__module__)
    loader, file = getattr(module, "__loader__", None), getattr(module, "__file__", None)
    if isinstance(loader, _Given):
        return loader.source
    if file and thing.__module__.isidentifier() and thing.__module__ != "__main__":
        source = SourceCode.at(Path(file))
        if not _holds(source.content, file, thing):
            raise UserError(
                f"{file} was edited after {thing.__name__} was imported from it; begin a new process"
            )
        return source
    content, folder = _cut_out(thing).encode(), Path(file).parent if file else Path()
    beside: dict[str, bytes] = {}
    _beside(content, folder, beside)
    return SourceCode.of(f"{thing.__name__}.py", content, tuple(sorted(beside.items())))


def _holds(content: bytes, file: str, thing: Definition) -> bool:
    """Return whether a file still has the functions of a definition that were read from it."""
    there: set[types.CodeType] = set()
    todo = [compile(content, file, "exec")]
    while todo:
        there.add(code := todo.pop())
        todo += [each for each in code.co_consts if isinstance(each, types.CodeType)]
    codes = [function.__code__ for function in _functions(thing)]
    return all(code in there for code in codes if code.co_filename == file)


def _cut_out(thing: Definition) -> str:
    """Return a text that defines a class or function with all that it refers to."""
    imports: dict[str, str] = {}
    definitions: dict[str, str] = {}
    home, begun = thing.__module__, set[str]()
    space = _space(thing)

    def add(name: str, value: Any) -> None:
        if name in begun:
            return
        begun.add(name)
        if isinstance(value, types.ModuleType):
            imports[name] = f"import {value.__name__} as {name}"
        elif (place := _place(value, name)) and place[0] != home:
            imports[name] = f"from {place[0]} import {place[1]} as {name}"
        elif _is_definition(value) or isinstance(value, (BaseModel, *ALIASES)):
            text, names = _definition(name, value, space)
            for used in names:
                if used in space:
                    add(used, space[used])
            definitions[name] = text
        elif _is_plain(value):
            definitions[name] = f"{name} = {value!r}"
        else:
            raise UserError(
                f"{thing.__name__} refers to {name}, which cannot be recorded; define both in a file, and name "
                f"FILE.py:{thing.__name__}"
            )

    add(thing.__name__, thing)
    return "\n".join([*sorted(imports.values()), "", *(f"\n{text}" for text in definitions.values()), ""])


ALIASES = (types.UnionType, types.GenericAlias, type(typing.Optional[int]))  # noqa: UP045 - the kind of such


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


def _definition(name: str, value: Any, space: dict[str, Any]) -> tuple[str, set[str]]:
    """Return the text that gives a name its value, and the names of the module that it reads."""
    for text in _texts(value, space):
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):  # a cell of a notebook with a magic in it, or no Python at all
            continue
        if found := [node for node in tree.body if name in _defined(node)]:
            node = found[-1]
            decorators = getattr(node, "decorator_list", [])
            first = min(each.lineno for each in (node, *decorators))
            own = "\n".join(text.splitlines()[first - 1 : node.end_lineno])
            return own, _read(own)
    raise UserError(
        f"the source of {name} cannot be found, so it cannot be recorded; define it at the top of a file, and name "
        f"FILE.py:{name}"
    )


def _defined(node: ast.stmt) -> list[str]:
    """Return the names that a statement defines."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _read(text: str) -> set[str]:
    """Return the names of its module that a statement reads, those in annotations that are strings too."""
    found, todo = set[str](), [symtable.symtable(text, "<own>", "exec")]
    while todo:
        table = todo.pop()
        todo += table.get_children()
        for symbol in table.get_symbols():
            outer = symbol.is_global() if table.get_type() != "module" else not symbol.is_assigned()
            if outer and symbol.is_referenced():
                found.add(symbol.get_name())
    for node in ast.walk(ast.parse(text)):
        for noted in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(noted, ast.Constant) and isinstance(noted.value, str):
                found |= {n.id for n in ast.walk(ast.parse(noted.value)) if isinstance(n, ast.Name)}
    return found


def _texts(value: Any, space: dict[str, Any]) -> Iterator[str]:
    """Yield the texts in which a definition may stand, the likeliest first: files, and cells of a notebook."""
    for function in _functions(value) if _is_definition(value) else []:
        yield "".join(linecache.getlines(function.__code__.co_filename))
    yield "".join(linecache.getlines(space.get("__file__") or ""))
    for cell in reversed(space.get("In", [])):
        yield cell
        if below := re.fullmatch(r"get_ipython\(\)\.run_cell_magic(\(.*\))\n?", cell):  # %%time, for example
            yield ast.literal_eval(below[1])[-1]


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
