"""One run in a process of its own: how it is started, what it tells its parent, how it is told to stop."""

import atexit
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe, resource_tracker
from multiprocessing.connection import Connection
from typing import Any, ClassVar, Generic, Literal, TypeVar

import cloudpickle
import torch
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.backend import resource_tracker as loky_tracker

from dreaming.config.config import Config
from dreaming.errors import Notice, Stopped, UserError
from dreaming.system.progress import NoProgress
from dreaming.system.signals import SIGNALS
from dreaming.system.source_code import own_modules
from dreaming.system.threads import keep_memory, wishes
from dreaming.training.callback import OnEpoch
from dreaming.training.loop import train

Task = TypeVar("Task")
Found = TypeVar("Found")
STANDARD_FIRST = {"PYTHONSAFEPATH": "1"}
"""Environment in which a new interpreter does not look for the standard library in the working folder first, where
a user may have a queue.py of their own. Once it runs, it is told where this one looks."""
TELL_EVERY = 1.0  # seconds between two counts of cycles


@dataclass(frozen=True)
class Ending:
    """How a run ended, and why."""

    kind: Literal["finished", "stopped", "failed"]
    said: str = ""
    fault: str = ""
    """Traceback, if it failed of anything but a mistake of the user's."""


def ended(work: Callable[[], object]) -> Ending:
    """Do the work of a run; return how it ended.

    Examples
    --------
    >>> ended(lambda: None)
    Ending(kind='finished', said='', fault='')
    >>> ended(lambda: 1 / 0).said
    'ZeroDivisionError: division by zero'
    """
    try:
        work()
    except Stopped as stopped:
        return Ending("stopped", str(stopped))
    except UserError as mistake:
        return Ending("failed", str(mistake))
    except Exception as fault:
        said = " ".join(f"{type(fault).__name__}: {fault}".split())
        return Ending("failed", said, traceback.format_exc())
    return Ending("finished")


def children_allowed() -> bool:
    """Return whether this process may have children: a worker of a `multiprocessing.Pool` may not."""
    return not multiprocessing.current_process().daemon


def in_processes(work: Callable[[Task], Found], tasks: Sequence[Task]) -> list[Found]:
    """Do a piece of work on each of some tasks, each in a process of its own on one thread.

    The processes end with the call, also where it is interrupted.

    Parameters
    ----------
    work
        What is done.
    tasks
        What it is given, once in each process.

    Returns
    -------
    list
        What it returned.

    Examples
    --------
    >>> in_processes(abs, [-1, 2])
    [1, 2]
    """
    children, done = [Child(1, work, task) for task in tasks], False
    try:
        found = [child.result.result() for child in children]
        done = True
    finally:
        for child in children:
            child.end(kill=not done)
    return found


def pickled(value: Config | OnEpoch | None, name: str) -> bytes:
    """Write a config, or what is called after an epoch, for another process: the user's own travels by its content.

    Raises
    ------
    UserError
        If it holds something that cannot travel, such as an open file.
    """
    if isinstance(value, Config):
        value.content()  # what is the user's own takes its source along
    own = own_modules()
    for module in own:
        cloudpickle.register_pickle_by_value(module)
    try:
        content: bytes = cloudpickle.dumps(value)
    except Exception as error:  # whatever the user's own raises
        said = " ".join(str(error).split())
        raise UserError(
            f"{name} cannot be sent to a process of its own ({said}); train with workers=1"
        ) from error
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)
    return content


class Child(Generic[Found]):
    """A process that does one piece of work, and does not outlive this one.

    Parameters
    ----------
    threads
        How many threads torch has there.
    work, words
        What is called there, and its arguments.

    Raises
    ------
    UserError
        If this process may begin no other.

    Attributes
    ----------
    result
        What it returns.
    ear
        Where it is heard. What `train_in_child` tells are tuples: the name of a method of `NoProgress` and its
        arguments, ``"cycles"`` and how many more are done, or ``"notice"`` and its text; and last ``"over"``.
    """

    def __init__(self, threads: int, work: Callable[..., Found], *words: Any) -> None:
        if not children_allowed():
            raise UserError(
                "a worker of a multiprocessing.Pool may begin no process of its own; train with workers=1, or in a "
                "concurrent.futures.ProcessPoolExecutor"
            )
        self.ear, mouth = Pipe()
        self._begun = self._told = False
        _begin_trackers()
        self._pool = ProcessPoolExecutor(
            1, initializer=_settle, initargs=(mouth, threads), env={**wishes(threads), **STANDARD_FIRST}
        )
        # What a terminal or a cluster sends to parent and children alike reaches the parent alone, which asks them.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {*SIGNALS} - {signal.SIGTERM, signal.SIGXCPU})
        try:
            self.result: Future[Found] = self._pool.submit(work, *words)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        mouth.close()

    def hear(self, progress: NoProgress) -> bool:
        """Receive one message; return whether there may be more."""
        try:
            what, *about = self.ear.recv()
        except (EOFError, OSError):
            return False
        self._begun = True
        if what == "cycles":
            for _ in range(about[0]):
                progress.cycle()
        elif what == "notice":
            warnings.warn(about[0], Notice, stacklevel=2)
        elif what != "over":
            getattr(progress, what)(*about)
        return bool(what != "over")

    def stop(self) -> None:
        """Ask it to save and stop; one that still imports has nothing to save, and is ended."""
        if self._told:
            return
        self._told = True
        if self._begun:
            with suppress(OSError):  # it is over
                self.ear.send("stop")
        else:
            self.end(kill=True)

    def end(self, kill: bool = False) -> None:
        """Wait for its end, or end it at once: what a run has saved stays whole."""
        self._pool.shutdown(kill_workers=kill)

    def ending(self) -> Found | Ending | None:
        """Wait for its end; return what it returned, or how it died; None if it had not begun when told to stop."""
        fault = self.result.exception()
        self.end()
        self.ear.close()
        if fault is None:
            return self.result.result()
        if self._told:
            return None
        return Ending("failed", "its process was killed, or memory ran out, before the run was done")


def _begin_trackers() -> None:
    """Begin what clears up after processes that were killed: without a word, and without a user's queue.py."""
    before = {name: os.environ.get(name) for name in STANDARD_FIRST}
    os.environ.update(STANDARD_FIRST)
    sys.warnoptions.append("ignore")
    try:
        loky_tracker.ensure_running()
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.remove("ignore")
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _settle(parent: Connection, threads: int) -> None:
    """Settle a child before its work."""
    torch.set_num_threads(threads)
    keep_memory()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # which the parent asks by, also where it ignores it itself
    atexit.register(os._exit, 0)  # to take down an interpreter with all its libraries takes long
    _Relay.parent = parent
    threading.Thread(target=_obey, args=(parent,), daemon=True).start()


def _obey(parent: Connection) -> None:
    """Wait for the wish to stop, or the parent's death."""
    with suppress(EOFError, OSError):
        parent.recv()
    os.kill(os.getpid(), signal.SIGTERM)


class _Relay(NoProgress):
    """Progress that a child tells its parent; one that is gone is told nothing."""

    parent: ClassVar[Connection]

    def __init__(self) -> None:
        self._cycles, self._told = 0, 0.0

    def tell(self, *words: Any) -> None:
        with suppress(OSError):
            self.parent.send(words)

    def start(self, title: str, epochs: int, cycles: int, done: int) -> None:
        self.tell("start", title, epochs, cycles, done)

    def stage(self, name: str) -> None:
        self.tell("stage", name)

    def cycle(self) -> None:
        self._cycles += 1
        if time.monotonic() - self._told >= TELL_EVERY:
            self._count()

    def _count(self) -> None:
        self.tell("cycles", self._cycles)
        self._cycles, self._told = 0, time.monotonic()

    def epoch(self, epoch: int, seconds: float, terms: Mapping[str, float]) -> None:
        self._count()
        self.tell("epoch", epoch, seconds, dict(terms))

    def say(self, text: str) -> None:
        self.tell("say", text)


def _relay_notice(
    relay: _Relay, show: Callable[..., None], message: Warning | str, category: type[Warning], *about: Any
) -> None:
    """Let the parent show a notice of ours; show other warnings here."""
    if issubclass(category, Notice):
        relay.tell("notice", str(message))
    else:
        show(message, category, *about)


def train_in_child(config: bytes, on_epoch: bytes, options: dict[str, Any]) -> Ending:
    """Train a run; its config and what is called after its epochs are `pickled`. This is all that a child does.

    Until `train` listens, SIGTERM ends it, since nothing is to be saved yet.
    """
    relay = _Relay()
    warnings.simplefilter("always", Notice)
    warnings.showwarning = partial(_relay_notice, relay, warnings.showwarning)

    def work() -> None:
        sent, called = pickle.loads(config), pickle.loads(on_epoch)  # noqa: S301 - the parent's
        train(sent, **options, on_epoch=called, progress=relay)

    ending = ended(work)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # a wish that comes too late must not hide the ending
    relay.tell("over")
    if relay.parent.poll():
        os._exit(0)  # there is no parent any more
    return ending
