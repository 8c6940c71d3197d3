"""Attempts: what fails is noted and said, and does not keep the rest from being done."""

from collections.abc import Callable

from dreaming.errors import Stopped
from dreaming.system.progress import NoProgress
from dreaming.training.processes import ended


class Attempts:
    """Notes of what failed, by the title of a run or the name of a figure.

    Parameters
    ----------
    progress
        Who is told.
    """

    def __init__(self, progress: NoProgress) -> None:
        self.progress = progress
        self.failures: dict[str, str] = {}

    def __call__(self, name: str, work: Callable[[], object]) -> bool:
        """Do some work; if it fails, note why; tell whether it was done.

        Raises
        ------
        Stopped
            If somebody wishes to stop.

        Examples
        --------
        >>> attempts = Attempts(NoProgress())
        >>> attempts("half", lambda: 1 / 2), attempts("nothing", lambda: 1 / 0)
        (True, False)
        >>> attempts.failures
        {'nothing': 'ZeroDivisionError: division by zero'}
        """
        ending = ended(work)
        if ending.kind == "stopped":
            raise Stopped(ending.said)
        if ending.kind == "failed":
            self.note(name, ending.said)
            if ending.fault:
                self.progress.say(ending.fault)
        return ending.kind == "finished"

    def note(self, name: str, why: str) -> None:
        """Note that something failed, and say so, once."""
        before = self.failures.get(name)
        if before is None or why not in before:
            self.failures[name] = why if before is None else f"{before}; {why}"
            self.progress.say(f"{name}: FAILED: {why}")
