"""One run in a process of its own: how it is started, what it tells its parent, how it is told to stop."""

import atexit
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe, resource_tracker
from multiprocessing.connection import Connection
from typing import Any, ClassVar, Literal, TypeVar

import cloudpickle
import torch
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.backend import resource_tracker as loky_tracker

from dreaming.config.config import Config
from dreaming.config.custom import OWN_MODULE
from dreaming.errors import Stopped, UserError
from dreaming.system.progress import NoProgress
from dreaming.system.threads import keep_memory, wishes
from dreaming.training.loop import train

Task = TypeVar("Task")
Found = TypeVar("Found")
TELL_EVERY = 1.0  # seconds between two counts of cycles
LOOK_EVERY = 0.5  # seconds between two looks whether the parent is still there


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
    pools, done = [_pool(1) for _ in tasks], False
    try:
        under_way = [_begun(pool, work, task) for pool, task in zip(pools, tasks, strict=True)]
        found = [each.result() for each in under_way]
        done = True
    finally:
        for pool in pools:
            pool.shutdown(kill_workers=not done)
    return found


def pickled(config: Config) -> bytes:
    """Write a config so that another process can read it: classes of the user's travel by their content.

    Raises
    ------
    UserError
        If they hold something that cannot travel, such as an open file.
    """
    for name in [name for name in sys.modules if name.startswith(OWN_MODULE)]:
        cloudpickle.register_pickle_by_value(sys.modules[name])
    try:
        content: bytes = cloudpickle.dumps(config)
    except Exception as error:  # whatever the user's classes raise
        said = " ".join(str(error).split())
        raise UserError(
            f"{config.condition} cannot be sent to a process of its own ({said}); train with workers=1"
        ) from error
    return content


class Child:
    """A process that trains a run.

    Parameters
    ----------
    config
        The run, `pickled`.
    options
        What else `train` is told.
    threads
        How many threads torch has there.
    progress
        Who is told how it goes.

    Attributes
    ----------
    ear
        Where it is heard. What is heard are tuples: first ``"here"`` and its process; then the name of a method of
        `NoProgress` and its arguments, or ``"cycles"`` and how many more are done.
    """

    def __init__(self, config: bytes, options: Mapping[str, Any], threads: int, progress: NoProgress) -> None:
        self.ear, mouth = Pipe(duplex=False)
        self._progress = progress
        self._process: int | None = None
        self._told = False
        self._pool = _pool(threads, mouth)
        self._future = _begun(self._pool, _train, config, dict(options))
        mouth.close()

    def hear(self) -> bool:
        """Take one message; return whether there may be more."""
        try:
            what, *about = self.ear.recv()
        except (EOFError, OSError):
            return False
        if what == "here":
            (self._process,) = about
        elif what == "cycles":
            for _ in range(about[0]):
                self._progress.cycle()
        else:
            getattr(self._progress, what)(*about)
        return True

    def stop(self) -> None:
        """Have it save and stop; one that still imports has nothing to save, and is ended."""
        if self._told:
            return
        self._told = True
        if self._process is None:
            self.kill()
        else:
            with suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGTERM)

    def kill(self) -> None:
        """End it at once; what the run has saved stays whole."""
        self._pool.shutdown(kill_workers=True)

    def ending(self) -> Ending | None:
        """Wait for its end; return how its run ended, or None if it was told to stop before it had begun."""
        self.ear.close()
        fault = self._future.exception()
        self._pool.shutdown()
        if fault is None:
            return self._future.result()
        if self._told:
            return None
        return Ending("failed", "its process was killed, or memory ran out, before the run was done")


def _pool(threads: int, mouth: Connection | None = None) -> ProcessPoolExecutor:
    """Return what will start a process of so many threads, which does not outlive this one."""
    with _environment(
        PYTHONWARNINGS="ignore"
    ):  # what clears up after a process that was killed says nothing of it
        loky_tracker.ensure_running()
        resource_tracker.ensure_running()
    return ProcessPoolExecutor(
        1, initializer=_settle, initargs=(os.getpid(), threads, mouth), env=wishes(threads)
    )


@contextmanager
def _environment(**added: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _begun(pool: ProcessPoolExecutor, work: Callable[..., Found], *words: Any) -> Future[Found]:
    """Start a process and its work; SIGINT, which a terminal sends to children too, it does not hear."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        future: Future[Found] = pool.submit(work, *words)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return future


class _Relay(NoProgress):
    """Progress that a child tells its parent; one that is gone is told nothing."""

    parent: ClassVar[int]
    mouth: ClassVar[Connection]

    def __init__(self) -> None:
        self._cycles, self._told = 0, 0.0

    def tell(self, *words: Any) -> None:
        with suppress(OSError):
            self.mouth.send(words)

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


def _settle(parent: int, threads: int, mouth: Connection | None) -> None:
    """Settle a child before its work."""
    torch.set_num_threads(threads)
    keep_memory()
    atexit.register(os._exit, 0)  # to take down an interpreter with all its libraries takes long
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    if mouth is not None:
        _Relay.parent, _Relay.mouth = parent, mouth


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)


def _train(config: bytes, options: dict[str, Any]) -> Ending:
    """Train a run: all that a child does. Until `train` listens, SIGTERM ends it, as nothing is to be saved yet."""
    relay = _Relay()
    relay.tell("here", os.getpid())
    ending = ended(lambda: train(pickle.loads(config), **options, progress=relay))  # noqa: S301 - the parent's
    relay.mouth.close()
    if os.getppid() != relay.parent:
        os._exit(0)  # there is nobody to hear of it
    return ending
