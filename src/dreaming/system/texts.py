"""Texts that people write, such as configs: what is wrong with one is an error that fits into a sentence."""

from pathlib import Path
from typing import Any

import yaml

from dreaming.errors import UserError


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


def yaml_of(text: str | bytes) -> Any:
    """Return what YAML says, as plain values.

    Raises
    ------
    yaml.YAMLError
        If it is none, asks for an object of Python's, or says what cannot be, such as the 31st of June.

    Examples
    --------
    >>> yaml_of("seeds: 2")
    {'seeds': 2}
    """
    try:
        return yaml.safe_load(text)
    # What its constructors let pass of a number, a date or a key that cannot be, or of what is nested too deep.
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise yaml.YAMLError(str(error)) from None
