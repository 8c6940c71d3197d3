"""Signals that mean the end: a wish to stop at the next good moment where something is to be saved, else the end.

Ctrl-C and SIGTERM, a terminal that is gone (SIGHUP), a limit of processor time (SIGXCPU), and those by which a
cluster says that the time of a job is over (SIGUSR1, SIGUSR2). One that whoever began this process had ignored, as
`nohup` and a shell in the background do, stays ignored.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from dreaming.errors import Stopped

ASKED = (signal.SIGINT, signal.SIGTERM)
SIGNALS = (
    *ASKED,
    *(getattr(signal, name) for name in ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU") if hasattr(signal, name)),
)
INTERRUPTED = "dreaming: interrupted; what was finished is kept, and the same command goes on"
_LEAVING = threading.Lock()


class Interrupt:
    """Whether somebody wishes the work to stop."""

    def __init__(self) -> None:
        self.requested = False
        self.heard: int = signal.SIGTERM
        """The signal that it was last requested by."""

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt  # asked twice: stop at once, without saving
        self.requested, self.heard = True, number


@contextmanager
def listening() -> Iterator[Interrupt]:
    """Hear signals within the block as the wish that it stops by itself, after saving.

    A wish that came too late for the block is passed on to the one around it. Outside the main thread, where Python
    delivers no signals, nothing is heard; nor is a signal that is ignored, or (but for SIGINT and SIGTERM) that a
    handler of the user's waits for.

    Examples
    --------
    >>> with listening() as interrupt:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     interrupt.requested
    True
    """
    interrupt = Interrupt()
    with _handled_by(interrupt._hear):
        yield interrupt
    if interrupt.requested and _is_ours(signal.getsignal(interrupt.heard)):
        signal.raise_signal(interrupt.heard)


@contextmanager
def stopping(doing: str) -> Iterator[None]:
    """Stop wherever in the block a signal comes: for work that keeps each result as soon as it is whole.

    Raises
    ------
    Stopped
        With what was being done; not in a program that has called `end_at_signals`, which ends at once.

    Examples
    --------
    >>> with stopping("counting"):
    ...     signal.raise_signal(signal.SIGTERM)
    Traceback (most recent call last):
    dreaming.errors.Stopped: stopped while counting
    """
    heard = []

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        raise KeyboardInterrupt  # no Stopped yet: libraries catch what is an Exception

    if any(signal.getsignal(number) is _leave for number in SIGNALS):
        yield
        return
    try:
        with _handled_by(hear):
            yield
    except (Exception, KeyboardInterrupt):
        if heard:  # also where a library made another error of it: by that, a file would seem damaged
            raise Stopped(f"stopped while {doing}") from None
        raise


def end_at_signals() -> None:
    """Make signals end this program at once, with status 3 and a sentence, where nobody is `listening`.

    Whatever is written is whole, since `dreaming.system.disk.write` moves it into place: nothing has to be unwound.
    A thread watches too, since an import or one long call of a library can keep signals from the main one for long.
    """
    ear, mouth = socket.socketpair()
    mouth.setblocking(False)
    signal.set_wakeup_fd(mouth.detach(), warn_on_full_buffer=False)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    threading.Thread(target=_watch, args=(ear,), name="signals", daemon=True).start()


def _watch(ear: socket.socket) -> None:
    while heard := ear.recv(1):
        if heard[0] in SIGNALS and signal.getsignal(heard[0]) is _leave:
            _leave(heard[0], None)


def _leave(number: int, frame: FrameType | None) -> None:
    if _LEAVING.acquire(blocking=False):  # the main thread and the watch may both come here
        if sys.stdout is not None and sys.stdout.isatty():
            os.write(sys.stdout.fileno(), b"\x1b[?25h")  # a bar may have hidden the cursor
        os.write(2, f"{INTERRUPTED}\n".encode())
        os._exit(3)


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    in_main_thread = threading.current_thread() is threading.main_thread()
    hears = [number for number in SIGNALS if in_main_thread and _is_to_be_heard(number)]
    before = {number: signal.signal(number, handler) for number in hears}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _is_to_be_heard(number: int) -> bool:
    now = signal.getsignal(number)
    return now is not signal.SIG_IGN and (number in ASKED or now is signal.SIG_DFL or _is_ours(now))


def _is_ours(handler: object) -> bool:
    return getattr(handler, "__module__", None) == __name__
