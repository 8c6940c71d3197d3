"""Commands that faults happen to, run in children of a process that has everything imported."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cli.tiny_runs import SMALL, results

EPOCHS = 4
TRAIN = ("train", "--limit", "80", *SMALL, "--precision", "float32", f"--epochs={EPOCHS}")
RUN = "digits/pad/seed-0"


@dataclass(frozen=True)
class Ending:
    """How a command ended.

    Attributes
    ----------
    status
        Exit status; negative: the signal that killed it.
    struck
        Whether the signal that was to be sent was sent before it ended.
    said
        All that it printed.
    """

    status: int
    struck: bool
    said: str


class Victims:
    """Runs commands, and lets faults happen to them.

    Parameters
    ----------
    place
        A folder for what they leave behind.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self) -> "Victims":
        return self

    def __exit__(self, *exception: object) -> None:
        self.server.stdin.close()
        self.server.wait()
        self.server.stdout.close()

    def __call__(self, *words: object, **fault: object) -> Ending:
        """Run a command; ``after=SECONDS, signal=N``, ``at=POINT, how=WHAT`` or ``clock=SEED`` make a fault."""
        log = self.place / "said.txt"
        cache = str(self.place / "cache")
        job = {"words": [str(word) for word in words], "log": str(log), "cache": cache, **fault}
        self.server.stdin.write(json.dumps(job) + "\n")
        self.server.stdin.flush()
        found = json.loads(self.server.stdout.readline())
        return Ending(found["status"], found["struck"], log.read_text())

    def train(self, out: Path, **fault: object) -> Ending:
        """Train, or go on."""
        return self(*TRAIN, "--out", out, **fault)

    def measure(self, out: Path, **fault: object) -> Ending:
        """Measure the run."""
        return self("evaluate", out / RUN, "--epochs=0,4", **fault)


def outcome(out: Path) -> dict[str, object]:
    """What a run came to, to the last bit: weights, states, losses but for seconds, measures, sheets of dreams."""
    found = results(out / RUN)
    measures = out / RUN / "measures.csv"
    return {**found, "measures.csv": measures.read_bytes() if measures.exists() else None}


def leftovers(out: Path) -> list[str]:
    """Files that should not be there when a command is done."""
    return [path.name for path in out.rglob("*") if path.suffix == ".part" or path.name == ".lock"]
