"""Texts and values that people write, such as configs: what is wrong with one fits into a sentence."""

import re
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from dreaming.errors import UserError, brief, meant, nearest

FOLDER_NAME = "[A-Za-z0-9][A-Za-z0-9_.+-]*"
"""What may be a name that folders are called by, as a regular expression."""


def content_of(path: Path) -> bytes:
    """Return the content of a file.

    Raises
    ------
    UserError
        If it is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None


class _Loader(yaml.SafeLoader):
    """The safe loader without aliases, a few lines of which can stand for more than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias, *NAME; write out what that stands for")
        return super().compose_node(parent, index)


def yaml_of(text: str | bytes) -> Any:
    """Return what YAML says, as plain values.

    Raises
    ------
    yaml.YAMLError
        If it is none, asks for an object of Python's, has an alias, or says what cannot be, such as the 31st of
        June.

    Examples
    --------
    >>> yaml_of("seeds: 2")
    {'seeds': 2}
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - it is a safe one
    # What its constructors let pass of a number, a date or a key that cannot be, or of what is nested too deep.
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise yaml.YAMLError(str(error)) from None


def plural(count: int, word: str, words: str = "") -> str:
    """Return a count of things; what several are called is by default the word with an s.

    Examples
    --------
    >>> plural(0, "run"), plural(1, "run"), plural(2, "run")
    ('0 runs', '1 run', '2 runs')
    """
    return f"{count} {word if count == 1 else words or word + 's'}"


def sentence(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """Return the first of a validation's errors as a sentence.

    Examples
    --------
    >>> class Learning(BaseModel, extra="forbid"):
    ...     rate: float = 0.1
    >>> try:
    ...     Learning(rat=3)
    ... except ValidationError as error:
    ...     sentence(error, Learning)
    "there is no 'rat'; did you mean 'rate'?"
    """
    first = error.errors()[0]
    path = [str(part)[:80] for part in first["loc"]]
    trail = ".".join([prefix, *path] if prefix else path)
    if first["type"] == "extra_forbidden":
        group = group_at(model, path[:-1])
        inner = list(_places(path[-1], group, [prefix, *path[:-1]])) if group else []
        elsewhere = inner or list(_places(path[-1], model, [prefix]))
        hint = meant(elsewhere) if elsewhere else nearest(path[-1], fields_of(model, path[:-1]))
        return f"there is no '{trail}'; {hint}"
    message = re.sub(r"^(Value error|Input), ?", "", first["msg"])
    if first["type"] == "value_error":
        return message if path in ([], ["phases"]) else f"{trail}: {message}"
    meaning = fields_of(model, path[:-1]).get(path[-1]) if path else None
    if first["type"] == "missing":
        return f"{trail} is missing"
    if first["type"] == "tuple_type" and (group := group_at(model, path[:-1])):
        usual = group.model_fields[path[-1]].default
        return f"{trail} is {brief(first['input'])}, and should be several values, such as {brief(usual)}"
    if first["type"] == "string_pattern_mismatch" and meaning:
        wanted = " ".join(meaning.replace("``", "").split()).rpartition(": ")[2].partition(";")[0].rstrip(".")
        return f"{trail} is {brief(first['input'])}, and should be {wanted[0].lower()}{wanted[1:]}"
    return f"{trail} is {brief(first['input'])}: {message[0].lower()}{message[1:]}"


def fields_of(model: type[BaseModel], path: Sequence[str]) -> dict[str, str | None]:
    """Return the fields of the model that a path of fields leads to, with what they mean."""
    group = group_at(model, path)
    return {name: field.description for name, field in group.model_fields.items()} if group else {}


def group_at(model: type[BaseModel], path: Sequence[str]) -> type[BaseModel] | None:
    """Return the model that a path of fields leads to, if it leads to one."""
    for part in path:
        field = model.model_fields.get(part)
        annotation = field.annotation if field else None
        options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
        inner = next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)
        if inner is None:
            return None
        model = inner
    return model


def _places(name: str, model: type[BaseModel], path: Sequence[str]) -> Iterator[str]:
    """Yield where in a model, or deeper, fields of a name are."""
    for each in model.model_fields:
        here = [*path, each]
        if each == name:
            yield ".".join(filter(None, here))
        if group := group_at(model, [each]):
            yield from _places(name, group, here)
