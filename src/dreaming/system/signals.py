"""Ctrl-C and SIGTERM: a wish to stop at the next good moment where something is to be saved, else an order."""

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

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE = 3.0
"""Seconds that one long call of a library may go on after somebody wished to stop."""
INTERRUPTED = "dreaming: interrupted; what was finished is kept, and the same command goes on"

_Handler = Callable[[int, FrameType | None], Any]


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


class _Patience:
    """How many blocks are under way that stop by themselves, after saving."""

    blocks = 0


@contextmanager
def listening() -> Iterator[Interrupt]:
    """Hear SIGINT and SIGTERM within the block instead of dying of them.

    A wish that came too late for the block is passed on to the one around it, if that hears too. Outside the main
    thread, where Python delivers no signals, nothing is heard.

    Examples
    --------
    >>> with listening() as interrupt:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     interrupt.requested
    True
    """
    interrupt = Interrupt()
    if not _in_main_thread():
        yield interrupt
        return
    _Patience.blocks += 1
    try:
        with _handling(interrupt._hear):
            yield interrupt
    finally:
        _Patience.blocks -= 1
    around = signal.getsignal(signal.SIGTERM)
    if interrupt.requested and getattr(around, "__module__", None) == __name__:
        signal.raise_signal(signal.SIGTERM)


@contextmanager
def stopping(doing: str) -> Iterator[None]:
    """Stop wherever in the block SIGINT or SIGTERM comes: for work that keeps each result as soon as it is whole.

    Raises
    ------
    Stopped
        Saying what was being done.

    Examples
    --------
    >>> with stopping("counting"):
    ...     signal.raise_signal(signal.SIGTERM)
    Traceback (most recent call last):
    dreaming.errors.Stopped: stopped while counting
    """
    if not _in_main_thread():
        yield
        return
    try:
        with _insisting(_interrupt):
            yield
    except KeyboardInterrupt:  # no Stopped from the start: libraries catch what is an Exception
        raise Stopped(f"stopped while {doing}") from None


@contextmanager
def obeying() -> Iterator[None]:
    """Be a program that ends soon after SIGINT or SIGTERM, wherever in the block they come.

    Where nobody `listening` stops by himself after saving, KeyboardInterrupt is raised; an import, which would not
    bear that, is left at once. What has not come to its end after `GRACE` seconds, in one long call of a library
    or because a library swallowed the exception, is ended: status 3, and one sentence. Whatever is written is
    whole, since `dreaming.system.disk.write` moves it into place.
    """
    if not _in_main_thread():
        yield
        return
    ear, mouth = socket.socketpair()
    mouth.setblocking(False)
    over = threading.Event()
    watch = threading.Thread(target=_end_in_time, args=(ear, over), name="patience", daemon=True)
    watch.start()
    fd, hook = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False), sys.unraisablehook
    sys.unraisablehook = _quietly
    try:
        with _insisting(_obey):
            yield
    finally:
        sys.unraisablehook = hook
        signal.set_wakeup_fd(fd)
        over.set()
        mouth.close()
        watch.join()
        ear.close()


def leave(number: int = 0, frame: FrameType | None = None) -> None:
    """End this process and its children at once, with status 3 and one sentence; also a handler of signals."""
    processes = sys.modules.get("multiprocessing.process")  # where nobody asked for it, there are no children
    for child in processes.active_children() if processes else ():
        child.kill()
    if sys.stdout is not None and sys.stdout.isatty():
        os.write(sys.stdout.fileno(), b"\x1b[?25h")  # a bar may have hidden the cursor
    os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(3)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextmanager
def _handling(handler: _Handler) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def _insisting(handler: _Handler) -> Iterator[None]:
    """Handle signals by raising KeyboardInterrupt, also where a library has made another error of it.

    A signal while a tensor is read, for one, may come out as an error by which the file would seem damaged.
    """
    heard = []

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        handler(number, frame)

    try:
        with _handling(hear):
            yield
    except Stopped:
        raise
    except Exception:
        if heard:
            raise KeyboardInterrupt from None
        raise


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _obey(number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            leave()
        frame = frame.f_back
    raise KeyboardInterrupt


def _end_in_time(ear: socket.socket, over: threading.Event) -> None:
    """End the process `GRACE` seconds after a signal, unless the block is over or somebody is saving."""
    while heard := ear.recv(1):
        if heard[0] in SIGNALS and not over.wait(GRACE) and not _Patience.blocks:
            leave()


def _quietly(lost: "sys.UnraisableHookArgs") -> None:
    """Say nothing of an interrupt that came where none can be raised; `_end_in_time` remembers it."""
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
