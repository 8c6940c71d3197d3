"""Lines for people: on a terminal none is wider than it, so that words and names stay whole."""

import shutil
import sys
import textwrap

from dreaming.errors import shown


def tell(text: str, *, error: bool = False) -> None:
    """Print a line, or what is wrong where mistakes are printed; on a terminal as `folded` has it."""
    stream, line = sys.stderr if error else sys.stdout, shown(text)
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
