"""A process in which everything is imported already, whose children run commands and die of them.

It reads a job a line (JSON) and answers with a line: the child's exit status, negative if a signal killed it.
"""

import errno
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

import dreaming.evaluation.measuring  # what the commands need, so that a child does not spend its life importing
import dreaming.training.population  # noqa: F401
from dreaming.cli import main as cli
from dreaming.system import locks
from dreaming.system.signals import end_at_signals
from dreaming.training import resume

SECOND = 0.002  # seconds between two looks at a child


class Points:
    """The moments at which something is half done on the disk; at one of them something happens.

    Before and half-way through each write, before each synchronisation, before and after each move, before
    each link.

    Parameters
    ----------
    at
        At which of them, from 1; 0 only counts.
    how
        ``KILL`` dies there; a name of errno fails there, once.
    """

    def __init__(self, at, how):
        self.at, self.how, self.count = at, how, 0

    def __call__(self):
        self.count += 1
        if self.count == self.at:
            if self.how == "KILL":
                os.kill(os.getpid(), signal.SIGKILL)
            code = getattr(errno, self.how)
            raise OSError(code, os.strerror(code))

    def watch(self):
        """From now on each of them counts."""
        opened, fsync, replace, link, point = Path.open, os.fsync, Path.replace, os.link, self

        class Watched:
            def __init__(self, file):
                self.file = file

            def __enter__(self):
                return self

            def __exit__(self, *exception):
                self.file.close()

            def write(self, content):
                point()
                half = len(content) // 2
                self.file.write(content[:half])
                self.file.flush()
                point()
                self.file.write(content[half:])

            def __getattr__(self, name):
                return getattr(self.file, name)

        def watched_open(path, mode="r", *args, **kwargs):
            file = opened(path, mode, *args, **kwargs)
            return Watched(file) if mode == "wb" else file

        def watched_fsync(descriptor):
            point()
            fsync(descriptor)

        def watched_replace(path, target):
            point()
            moved = replace(path, target)
            point()
            return moved

        def watched_link(source, target):
            point()
            link(source, target)

        Path.open, os.fsync, Path.replace, os.link = (
            watched_open,
            watched_fsync,
            watched_replace,
            watched_link,
        )


def let_the_clock_jump(seed):
    """The time of day leaps days ahead and back whenever somebody looks."""
    leaps, real, clock = random.Random(seed), time.time, resume.datetime

    class Leaping(clock):
        @classmethod
        def now(cls, tz=None):
            return clock.fromtimestamp(time.time(), tz)

    time.time = lambda: real() + leaps.uniform(-3e6, 3e6)
    resume.datetime = locks.datetime = Leaping


def live(job):
    """Run the command of a job; all that a child does."""
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["DREAMING_CACHE"] = job["cache"]
    end_at_signals()  # as the program does
    points = Points(job.get("at", 0), job.get("how", ""))
    if "at" in job:
        points.watch()
    if "clock" in job:
        let_the_clock_jump(job["clock"])
    status = cli.main(job["words"])
    if job.get("at") == 0:
        print(f"\npoints {points.count}")
    sys.stdout.flush()
    os._exit(status)


def serve():
    """Answer each job."""
    torch.set_num_threads(1)
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            live(job)
        until = time.monotonic() + job.get("after", float("inf"))
        struck = False
        while (found := os.waitpid(child, os.WNOHANG))[0] == 0:
            if not struck and time.monotonic() >= until:
                struck = True
                os.kill(child, job["signal"])
            time.sleep(SECOND)
        print(json.dumps({"status": os.waitstatus_to_exitcode(found[1]), "struck": struck}), flush=True)


if __name__ == "__main__":
    serve()
