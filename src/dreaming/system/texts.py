"""Texts that people write, such as configs: what is wrong with one is an error that fits into a sentence."""

from pathlib import Path
from typing import Any

import yaml

from dreaming.errors import UserError

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
