"""Ctrl-C and SIGTERM, heard as a wish to stop at the next good moment."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dreaming.errors import Stopped


class Interrupt:
    """Whether somebody wishes the work to stop."""

    def __init__(self) -> None:
        self.requested = False

    def check(self, doing: str) -> None:
        """Stop here if that is wished.

        Raises
        ------
        Stopped
            Saying what was being done.
        """
        if self.requested:
            raise Stopped(f"stopped while {doing}")

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt  # asked twice: stop at once, without saving
        self.requested = True


@contextmanager
def listening() -> Iterator[Interrupt]:
    """Hear SIGINT and SIGTERM within the block instead of dying of them.

    Outside the main thread, where Python delivers no signals, nothing is heard.

    Examples
    --------
    >>> with listening() as interrupt:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     interrupt.requested
    True
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = {number: signal.signal(number, interrupt._hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
