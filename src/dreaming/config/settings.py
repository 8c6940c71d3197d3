"""Settings ``PATH=VALUE`` on nested values, and what is wrong with values in one sentence."""

import re
import types
import typing
from collections.abc import Sequence
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from dreaming.errors import UserError, brief, nearest
from dreaming.system.texts import yaml_of


def sentence(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """Return the first of a validation's errors as a sentence.

    Examples
    --------
    >>> from dreaming.model.parameters import Parameters
    >>> class Learning(Parameters):
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
        return f"there is no '{trail}'; {nearest(path[-1], fields_of(model, path[:-1]))}"
    message = re.sub(r"^(Value error|Input), ?", "", first["msg"])
    if first["type"] == "value_error":
        return message if path in ([], ["phases"]) else f"{trail}: {message}"
    meaning = fields_of(model, path[:-1]).get(path[-1]) if path else None
    if first["type"] == "string_pattern_mismatch" and meaning:
        wanted = " ".join(meaning.replace("``", "").split()).rpartition(": ")[2].partition(";")[0].rstrip(".")
        return f"{trail} is {brief(first['input'])}, and should be {wanted[0].lower()}{wanted[1:]}"
    return f"{trail} is {brief(first['input'])}: {message[0].lower()}{message[1:]}"


def fields_of(model: type[BaseModel], path: Sequence[str]) -> dict[str, str | None]:
    """Return the fields of the model that a path of fields leads to, with what they mean."""
    for part in path:
        field = model.model_fields.get(part)
        annotation = field.annotation if field else None
        options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
        inner = next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)
        if inner is None:
            return {}
        model = inner
    return {name: field.description for name, field in model.model_fields.items()}


def path_and_value(setting: str) -> tuple[list[str], str]:
    """Return the path and the value of a setting ``PATH=VALUE``.

    Raises
    ------
    UserError
        If it is none.

    Examples
    --------
    >>> path_and_value("rate.first=0.5")
    (['rate', 'first'], '0.5')
    """
    path, equals, text = setting.partition("=")
    if not equals:
        raise UserError(f"--set wants PATH=VALUE, and got '{setting}'")
    return path.strip().split("."), text


def assign(content: dict[str, Any], path: list[str], text: str, whole: str = "the config") -> None:
    """Change one value of a nested mapping, which errors call ``whole``; the path must exist in it.

    Raises
    ------
    UserError
        If it does not (the nearest name is suggested), is a group, or the value is no YAML.

    Examples
    --------
    >>> content = {"rate": {"first": 1}}
    >>> assign(content, ["rate", "first"], "0.5")
    >>> content
    {'rate': {'first': 0.5}}
    """
    here: Any = content
    for depth, key in enumerate(path):
        if not isinstance(here, dict) or key not in here:
            known = list(here) if isinstance(here, dict) else []
            trail = ".".join(path[:depth])
            where = f"'{trail}'" if trail else whole
            hint = nearest(key, known) if known else "it is a single value"
            raise UserError(f"--set {'.'.join(path)}: {where} has no '{key}'; {hint}")
        if depth < len(path) - 1:
            here = here[key]
    if isinstance(here[path[-1]], dict):
        raise UserError(f"--set {'.'.join(path)}: this is a group; name one of {', '.join(here[path[-1]])}")
    try:
        here[path[-1]] = text if isinstance(here[path[-1]], str) else yaml_of(text)
    except yaml.YAMLError:
        raise UserError(f"--set {'.'.join(path)}: cannot read the value {brief(text)}") from None


def difference(old: Any, new: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """Return the first place where two nested values differ: its path, the old value and the new."""
    if isinstance(old, dict) and isinstance(new, dict):
        if list(old) != list(new):
            return path or "config", list(old), list(new)
        found = (difference(old[key], new[key], f"{path}.{key}".lstrip(".")) for key in old)
        return next((first for first in found if first), None)
    return None if old == new else (path, old, new)
