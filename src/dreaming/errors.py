"""The errors a user can cause: each is one sentence that says what is wrong, where, and what to do."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path


class UserError(Exception):
    """A mistake which the user can mend.

    The command line prints its text and exits with status 2; no traceback is shown.

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


class Stopped(Exception):  # noqa: N818 - it is no error: the work is saved and can go on
    """Work was interrupted, what was done is saved, and the same command goes on with it."""


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
        ``"did you mean 'x'?"`` where a name is near, else the list of what there is.

    Examples
    --------
    >>> nearest("cifar", ["cifar10", "svhn"])
    "did you mean 'cifar10'?"
    >>> nearest("qqq", ["cifar10", "svhn"])
    'there are: cifar10, svhn'
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"
