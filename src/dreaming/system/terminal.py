"""Lines for people: on a terminal none is wider than it, so that words and names stay whole."""

import shutil
import sys
import textwrap
from typing import TextIO

from dreaming.errors import shown


def tell(text: str, stream: TextIO | None = None) -> None:
    """Print a line to a stream, standard output by default; on a terminal as `folded` has it."""
    stream, line = stream or sys.stdout, shown(text)
    print(folded(line, shutil.get_terminal_size().columns) if stream.isatty() else line, file=stream)


def folded(line: str, columns: int) -> str:
    """Break a line that is wider than a terminal between words; what follows is set in.

    Examples
    --------
    >>> print(folded("its dreams are in runs/digits/pad/seed-0/dreams", 30))
    its dreams are in
        runs/digits/pad/seed-0/dreams
    """
    return textwrap.fill(
        line, columns, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
