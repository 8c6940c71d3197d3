"""Settings ``PATH=VALUE`` on nested values."""

from collections.abc import Iterator
from typing import Any

import yaml

from dreaming.errors import UserError, brief, meant, near, nearest
from dreaming.system.texts import yaml_of


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
            hint = _meant(path, depth, content, here) or (
                nearest(key, known) if known else "it is a single value"
            )
            raise UserError(f"--set {'.'.join(path)}: {where} has no '{key}'; {hint}")
        if depth < len(path) - 1:
            here = here[key]
    if isinstance(here[path[-1]], dict):
        raise UserError(f"--set {'.'.join(path)}: this is a group; name one of {', '.join(here[path[-1]])}")
    try:
        here[path[-1]] = text if isinstance(here[path[-1]], str) else yaml_of(text)
    except yaml.YAMLError:
        raise UserError(f"--set {'.'.join(path)}: cannot read the value {brief(text)}") from None


def _meant(path: list[str], depth: int, content: Any, here: Any) -> str | None:
    """Suggest what a path can mean that goes astray at a depth: a slip, or the same names elsewhere."""
    rest, slip = path[depth:], near(path[depth], here) if isinstance(here, dict) else None
    for found in (
        list(_with_names(rest, here, path[:depth])),
        [] if slip is None else [slip],
        list(_with_names(rest, content, [])),
    ):
        if found:
            return meant(found)
    return None


def _with_names(rest: list[str], content: Any, path: list[str]) -> Iterator[str]:
    """Yield the paths in a nested mapping that have some names in this order, the last of them at their end."""
    for key, value in content.items() if isinstance(content, dict) else ():
        here = [*path, key]
        passed = iter(here)
        if key == rest[-1] and all(name in passed for name in rest):
            yield ".".join(here)
        yield from _with_names(rest, value, here)


def difference(old: Any, new: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """Return the first place where two nested values differ: its path, the old value and the new."""
    if isinstance(old, dict) and isinstance(new, dict):
        if list(old) != list(new):
            return path or "config", list(old), list(new)
        found = (difference(old[key], new[key], f"{path}.{key}".lstrip(".")) for key in old)
        return next((first for first in found if first), None)
    return None if old == new else (path, old, new)
