"""What the program prints, wherever that goes: into a log of another encoding, onto a full disk, to nobody."""

import codecs
import errno
import os
import sys
import unicodedata
from io import TextIOWrapper
from pathlib import Path

READER_LEFT = 141
"""The status of a program whose reader has left, such as ``| head -1``: as if SIGPIPE had ended it."""
LIKE = {"±": "+-", "√": "sqrt", "×": "x", "…": "..."}
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def settle_output() -> None:
    """Let the program print where there is no output, and what the output's encoding has no letters for."""
    codecs.register_error("dreaming", _like)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # its descriptor was closed
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - to its end
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="dreaming")


def _like(error: UnicodeError) -> tuple[str, int]:
    r"""Write letters that an encoding lacks by those that it has, else as their escape.

    Examples
    --------
    >>> codecs.register_error("dreaming", _like)
    >>> "Fréchet: 1 ± 2 ☾".encode("ascii", "dreaming")
    b'Frechet: 1 +- 2 \\u263e'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = []
    for letter in error.object[error.start : error.end]:
        plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
        found.append(LIKE.get(letter) or plain or letter.encode("ascii", "backslashreplace").decode())
    return "".join(found), error.end


def not_shown(error: OSError) -> bool:
    """Return whether an error came of what was printed; then nothing more is.

    Files that are written have names, and errors of theirs become sentences where they are written.
    """
    of_output = error.filename is None and error.errno in (errno.EPIPE, *UNWRITABLE)
    if of_output and isinstance(sys.stdout, TextIOWrapper):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return of_output
