"""What a file of text holds, read within bounds: files come from others, and a few bytes can ask for any amount."""

import json
from pathlib import Path
from typing import Any

import yaml

from dreaming.errors import UserError

LARGEST = 256 * 1024**2
"""Bytes of a text file; a projection of 50 epochs has 30 million."""
LARGEST_YAML = 1024**2
"""Characters of a file of YAML; a config has 2,000."""
_DEEPEST = 32


def content_of(path: Path) -> bytes:
    """Read a file whole.

    Raises
    ------
    UserError
        If it is missing, no plain file (a pipe would be waited for), too large, or cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{path} cannot be read (it is no plain file)")
        size = path.stat().st_size
        if size > LARGEST:
            raise UserError(f"{path} cannot be read (it has {size} bytes, more than {LARGEST})")
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None


def json_of(text: str | bytes) -> Any:
    """Read JSON.

    Raises
    ------
    ValueError
        If it is none, or nested deeper than it can be read.

    Examples
    --------
    >>> json_of('{"a": [1]}')
    {'a': [1]}
    >>> json_of("[" * 100_000)
    Traceback (most recent call last):
    ValueError: it is nested too deep
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


# What YAML's constructors raise of a number, a date or a key that cannot be, besides their own errors.
_CONSTRUCTORS = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


class _Plain(yaml.SafeLoader):
    """Reads what a config needs: values, lists and mappings, each written out."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*) are not taken: write the value out")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.YAMLError(f"it is nested more than {_DEEPEST} deep")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def yaml_of(text: str | bytes) -> Any:
    r"""Read YAML of plain values, without aliases: ten lines of those can stand for more than any memory holds.

    Raises
    ------
    yaml.YAMLError
        If it is none, asks for an object of Python's, or is larger or nested deeper than a config.

    Examples
    --------
    >>> yaml_of("seeds: 2")
    {'seeds': 2}
    >>> yaml_of("a: &a [1]\nb: *a")
    Traceback (most recent call last):
    yaml.error.YAMLError: aliases (*) are not taken: write the value out
    """
    if len(text) > LARGEST_YAML:
        raise yaml.YAMLError(f"it has more than {LARGEST_YAML} characters")
    try:
        return yaml.load(text, _Plain)  # noqa: S506 - a SafeLoader
    except _CONSTRUCTORS as error:
        raise yaml.YAMLError(str(error) or type(error).__name__) from None
