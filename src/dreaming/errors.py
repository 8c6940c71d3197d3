"""The errors a user can cause: each is one sentence that says what is wrong, where, and what to do."""

import os
import reprlib
import shlex
import sysconfig
import traceback
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

LIBRARIES = (Path(__file__).parent, *map(sysconfig.get_path, ("stdlib", "purelib", "platlib")))
NOT_THE_USERS = ("<frozen ", *(f"{folder}{os.sep}" for folder in LIBRARIES))
"""What the names of files begin with that are not the user's: Python's, those of libraries and of this package."""


def own_lines(error: BaseException) -> list[str]:
    """Return where an error passed through code of the user's, from the outermost line to the innermost.

    Where it passed through none, its innermost line is returned, wherever that is. Lines of a notebook's cells,
    which are in no file, come with their text.
    """
    frames = traceback.extract_tb(error.__traceback__)
    found = []
    for frame in [each for each in frames if not each.filename.startswith(NOT_THE_USERS)] or frames[-1:]:
        in_file = Path(frame.filename).exists()
        file, text = f"{Path(frame.filename).name}, " * in_file, f": {frame.line}" * (not in_file)
        found.append(f"{file}line {frame.lineno}{text}")
    return found


class Said(Exception):  # noqa: N818 - it is said, whether it is an error or not
    """What one sentence says completely: a notebook shows no traceback, but the user's own lines above it."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback."""
        return [*own_lines(self), f"{type(self).__name__}: {shown(str(self))}"]


class UserError(Said):
    """A mistake which the user can mend.

    The command line prints its text and exits with status 2; no traceback is shown, nor in a notebook.

    Examples
    --------
    >>> str(UserError("no data set is called 'cifar'; did you mean 'cifar10'?"))
    "no data set is called 'cifar'; did you mean 'cifar10'?"
    """


class RunsFailed(UserError):  # noqa: N818 - it names what happened, as its sentence does
    """Some of several runs failed; the others are whole.

    Attributes
    ----------
    failed
        The folder of each that failed, and why, in one sentence.
    """

    def __init__(self, failed: Mapping[Path, str], said: str | None = None) -> None:
        super().__init__(said or "; ".join(failed.values()) + "; the runs beside are whole")
        self.failed = dict(failed)

    def __reduce__(self) -> tuple[type["RunsFailed"], tuple[Mapping[Path, str], str]]:
        """Come whole out of another process."""
        return type(self), (self.failed, str(self))


class Notice(UserWarning):
    """What a user should know of though nothing is wrong: the command line shows its text as a line."""


class Stopped(Said):
    """Work was interrupted, what was done is saved, and the same command goes on with it."""


def shown(text: str) -> str:
    r"""Write what does not print, such as a terminal's control codes, as its escape.

    Names come from files and folders of others. A sentence with one in it stays one line, and does nothing to the
    terminal.

    Examples
    --------
    >>> shown("cats\x1b[2J\n")
    'cats\\x1b[2J\\n'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = _BRIEF.maxlong = 120
_BRIEF.maxlevel, _BRIEF.maxlist, _BRIEF.maxdict, _BRIEF.maxtuple = 3, 8, 8, 8


def told_apart(name: str, others: Iterable[str]) -> str:
    r"""Quote a name; where another looks the same and has another Unicode form, by its code points.

    Examples
    --------
    >>> told_apart("caf\u00e9", ["tea"]), told_apart("cafe\u0301", ["caf\u00e9"])
    ("'café'", "'cafe\\u0301'")
    """
    form = unicodedata.normalize("NFC", name)
    twins = [each for each in others if each != name and unicodedata.normalize("NFC", each) == form]
    return ascii(name) if twins else repr(name)


def command(*words: object) -> str:
    """Write a command of this program so that a shell, and the program, read it as it is meant.

    Examples
    --------
    >>> command("evaluate", Path("my runs/digits/pad/seed-0"))
    "dreaming evaluate 'my runs/digits/pad/seed-0'"
    """
    said = [
        f"./{word}" if isinstance(word, Path) and str(word).startswith("-") else str(word) for word in words
    ]
    return shlex.join(["dreaming", *said])


def brief(value: object) -> str:
    """Write a value as `repr` does, and only the beginning of a large one.

    Examples
    --------
    >>> brief([0.5, "x"]), brief(2 << 100_000)
    ("[0.5, 'x']", 'a very large number')
    """
    try:
        return _BRIEF.repr(value)
    except ValueError:  # a number with more digits than Python writes
        return "a very large number"


def nearest(name: str, known: Iterable[str]) -> str:
    """Suggest the known name nearest to a mistyped one, as the end of a sentence.

    Parameters
    ----------
    name
        What the user wrote.
    known
        What could have been written.

    Returns
    -------
    str
        ``"did you mean 'x'?"`` where a name is a few slips of the finger away or begins so, else the list of what
        there is.

    Examples
    --------
    >>> nearest("cifar", ["cifar10", "svhn"])
    "did you mean 'cifar10'?"
    >>> nearest("noise", ["dose", "steps"])
    'there are: dose, steps'
    """
    known = list(known)
    slip = near(name, known)
    there = f"there are: {', '.join(known)}" if known else "there are none"
    return there if slip is None else meant([slip])


def spelled(name: str, known: Iterable[str]) -> str:
    """Return the known name that another is but for upper case; the other itself, if it is none.

    Examples
    --------
    >>> spelled("CIFAR10", ["cifar10", "svhn"]), spelled("Night", ["night", "Night"]), spelled("Nap", ["night"])
    ('cifar10', 'Night', 'Nap')
    """
    known = list(known)
    return name if name in known else next((each for each in known if each.lower() == name.lower()), name)


def near(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is a few slips of the finger away from another, or begins with it, if any is.

    Examples
    --------
    >>> near("rme", ["nrem", "rem"])
    'rem'
    """
    found = [(slips, each) for each in known if (slips := _slips(name, each)) is not None]
    return min(found)[1] if found else None


def meant(names: Iterable[str]) -> str:
    """Suggest one of some names, as the end of a sentence.

    Examples
    --------
    >>> meant(["nrem.weight", "rem.weight"])
    "did you mean 'nrem.weight' or 'rem.weight'?"
    """
    return f"did you mean {' or '.join(map(repr, names))}?"


def _slips(name: str, known: str) -> int | None:
    """Count the letters left out, added, changed or swapped between two names; None where they are no slips."""
    a, b = (each.strip("-").lower() for each in (name, known))
    if len(a) > 100:
        return None
    rows = [list(range(len(b) + 1))]
    for i, letter in enumerate(a, 1):
        row = [i]
        for j, other in enumerate(b, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != other))
            swapped = i > 1 < j and letter == b[j - 2] and other == a[i - 2]
            row.append(min(cost, rows[-2][j - 2] + 1) if swapped else cost)
        rows.append(row)
    slips = rows[-1][-1]
    few = 3 * slips <= max(len(a), len(b)) or (slips == 2 and a[:3] == b[:3])
    return slips if few or (len(a) > 2 and b.startswith(a)) else None
