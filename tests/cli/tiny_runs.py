"""Words that make a run small enough for a test, and a look at everything on the disk."""

import os
import subprocess
import sys
from pathlib import Path

from dreaming.runs.tensors import read_tensors

SMALL = (
    "--set=networks.base_channels=2",
    "--set=networks.latent_dim=8",
    "--set=networks.image_channels=1",  # one channel keeps the principal components of `evaluate` cheap
    "--set=training.batch_size=16",
    "--device=cpu",
)
TINY = ("--limit", "80", *SMALL)

WAITING = """
import os
import signal
import time

from dreaming import NREM, REM, Wake

heard, nights = [], []
TRIED = 2  # nights in which a phase of one's own is tried, before the training


def also_noted(hear):
    def heard_by_both(number, frame):
        heard.append(number)
        hear(number, frame)

    return heard_by_both


class Waiting(NREM):
    def objective(self, *words):
        nights.append(None)
        if WAIT in os.environ:
            if len(nights) == 1 + TRIED:
                for number in signal.valid_signals():
                    if callable(before := signal.getsignal(number)):
                        signal.signal(number, also_noted(before))
            while len(nights) == 7 + TRIED and not heard:
                time.sleep(0.01)
        return super().objective(*words)


waiting = (Wake(), Waiting(name="nrem"), REM())
""".replace("WAIT", "'DREAMING_TESTS_WAIT'")
"""A user's own PAD, which waits in its seventh cycle until it is told to stop, if the environment says so.
However busy a machine is, a signal comes neither too early nor too late then."""


def told_to_stop(words, out, number, *, whole_group=False, when=("epoch 1/",)):
    """Train in a process of its own and signal it when it has said all that; give status, output and errors."""
    training = subprocess.Popen(
        [sys.executable, "-m", "dreaming", *words, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "DREAMING_TESTS_WAIT": "1"},
    )
    said, left = [], list(when)
    for line in training.stdout:
        said.append(line)
        left = [each for each in left if each not in line]
        if not left:
            (os.killpg if whole_group else os.kill)(training.pid, number)
            break
    rest, error = training.communicate(timeout=600)
    return training.returncode, "".join(said) + rest, error


def tree(folder):
    """Every file and folder below, with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(Path(folder).rglob("*"))
    }


def without_seconds(losses):
    """The text of a losses.csv without its column of seconds, which no two runs share."""
    return [line.split(",")[:2] + line.split(",")[3:] for line in losses.read_text().splitlines()]


def tensors_of(path):
    """What a file of tensors holds: bits and metadata, but for seconds and the checksum over them."""
    tensors, about = read_tensors(path)
    about.get("position", {}).pop("seconds", None)
    return about, {name: (str(value.dtype), value.numpy().tobytes()) for name, value in tensors.items()}


def results(run):
    """What a run came to: all but when, and how fast."""
    saved = [*run.glob("snapshots/*"), run / "state.safetensors"]
    as_bytes = [*run.glob("dreams/*"), run / "config.yaml"]
    return {
        **{path.relative_to(run).as_posix(): tensors_of(path) for path in saved},
        **{path.relative_to(run).as_posix(): path.read_bytes() for path in as_bytes},
        "losses.csv": without_seconds(run / "losses.csv"),
    }
