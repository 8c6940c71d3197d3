"""One run in a process of its own: how it is started, what it tells its parent, how it is told to stop."""

import io
import operator
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import active_children, get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch

from dreaming.config.config import Config
from dreaming.config.custom import OWN_MODULE, own_phases
from dreaming.errors import Stopped, UserError
from dreaming.system.progress import NoProgress
from dreaming.system.threads import keep_memory, wishes
from dreaming.training.loop import train

Task = TypeVar("Task")
Found = TypeVar("Found")
TELL_EVERY = 1.0  # seconds between two counts of cycles


@dataclass(frozen=True)
class Ending:
    """How a run ended, and why."""

    kind: Literal["finished", "stopped", "failed"]
    said: str = ""
    fault: str = ""
    """Traceback, if it failed of anything but a mistake of the user's."""


def ended(live: Callable[[], object]) -> Ending:
    """Live through a run, and say how it ended.

    Examples
    --------
    >>> ended(lambda: None)
    Ending(kind='finished', said='', fault='')
    >>> ended(lambda: 1 / 0).said
    'ZeroDivisionError: division by zero'
    """
    try:
        live()
    except Stopped as stopped:
        return Ending("stopped", str(stopped))
    except UserError as mistake:
        return Ending("failed", str(mistake))
    except Exception as fault:
        said = " ".join(f"{type(fault).__name__}: {fault}".split())
        return Ending("failed", said, traceback.format_exc())
    return Ending("finished")


def started(config: Config, options: Mapping[str, Any], threads: int) -> tuple[Connection, SpawnProcess]:
    """Start a process for a run; return where it is heard, and the process.

    What is heard are tuples: first ``"here"``, as soon as the process can be told to stop; then the name of a
    method of `NoProgress` and its arguments, ``"cycles"`` and how many more are done, and last ``"ending"`` and an
    `Ending`. A process that dies ends without.

    Parameters
    ----------
    config
        The run.
    options
        What else `train` is told.
    threads
        How many threads torch has there.
    """
    context = get_context("spawn")
    ear, mouth = context.Pipe(duplex=False)
    source, own = config.phase_source, options["own_phases"]
    spec = f"{own}:{source.name}" if source and own else None
    words = (mouth, _pickled(config), spec, dict(options), Path.cwd(), threads)
    process = context.Process(target=_live, args=words, daemon=True)
    with _children(threads):
        process.start()
    mouth.close()
    return ear, process


@contextmanager
def _children(threads: int) -> Iterator[None]:
    """Let processes which the block starts have so many threads, and hear no signal while they import.

    SIGTERM waits until `_train` unblocks it. SIGINT, which a terminal sends to parent and children alike, reaches
    the parent alone.
    """
    resource_tracker.ensure_running()  # else the first child starts it, and that unblocks what is blocked here
    added = wishes(threads)
    before = {name: os.environ.get(name) for name in added}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def in_processes(work: Callable[[Task], Found], tasks: Sequence[Task]) -> list[Found]:
    """Do a piece of work on each of some tasks, each in a process of its own on one thread.

    The processes end with the call, also where it is interrupted.

    Parameters
    ----------
    work
        A function that its module knows by name.
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
    others = set(active_children())
    pool = ProcessPoolExecutor(len(tasks), mp_context=get_context("spawn"))
    try:
        with _children(1):
            under_way = [pool.submit(work, task) for task in tasks]
        return [each.result() for each in under_way]
    finally:
        for child in set(active_children()) - others:
            child.kill()  # what is done is here, and what is not is not wanted any more
        pool.shutdown()


class _Relay(NoProgress):
    """Progress that is told to the parent; one that is gone is told nothing."""

    def __init__(self, parent: Connection) -> None:
        self._parent = parent
        self._cycles, self._told = 0, 0.0

    def tell(self, *words: Any) -> None:
        with suppress(OSError):
            self._parent.send(words)

    def start(self, title: str, epochs: int, cycles: int, done: int) -> None:
        self.tell("start", title, epochs, cycles, done)

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


def _live(
    parent: Connection, pickled: bytes, spec: str | None, options: dict[str, Any], where: Path, threads: int
) -> None:
    """Train a run: all that the child does."""
    os.chdir(where)  # spawned processes begin where multiprocessing was imported
    torch.set_num_threads(threads)
    keep_memory()
    threading.Thread(target=_stop_without_parent, daemon=True).start()
    relay = _Relay(parent)
    relay.tell("here")
    relay.tell("ending", ended(partial(_train, pickled, spec, options, relay)))
    sys.stdout.flush()
    os._exit(0)  # all is told and written; an interpreter with all its libraries takes long to end by itself


def _train(pickled: bytes, spec: str | None, options: dict[str, Any], relay: _Relay) -> None:
    try:
        signal.signal(
            signal.SIGTERM, signal.default_int_handler
        )  # nothing is to be saved until `train` listens
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        if spec is not None:
            own_phases(spec, ())  # makes the module that the pickled phases name
        train(pickle.loads(pickled), **options, progress=relay)  # noqa: S301 - the parent pickled it
    except KeyboardInterrupt:
        raise Stopped("stopped before it began") from None
    finally:
        signal.signal(signal.SIGTERM, lambda number, frame: None)  # a signal must not hide the ending


def _stop_without_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


class _Pickler(pickle.Pickler):
    """Pickles the classes in a file of the user's by name, also if that was executed again since."""

    def reducer_override(self, found: Any) -> Any:
        if isinstance(found, type) and found.__module__.startswith(OWN_MODULE):
            return _defined, (found.__module__, found.__qualname__)
        return NotImplemented


def _defined(module: str, name: str) -> Any:
    return operator.attrgetter(name)(sys.modules[module])


def _pickled(config: Config) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer).dump(config)
    return buffer.getvalue()
