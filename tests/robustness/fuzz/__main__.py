"""Hunt in every target, one after another: ``python -m tests.robustness.fuzz [TARGET...] --seconds N``.

What breaks a target is written into its corpus, where the tests replay it. The number of inputs, their rate and
what was found are printed, and kept as a record with ``--out``. Status 1: something was found.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.record import Record
from tests.robustness.fuzz.seeds import keep, kept

MOST_SECONDS = 20  # for one input
MOST_MEMORY = 3000  # MiB, of which the libraries take 430
MOST_BYTES = {"archives": 45_000, "checkpoints": 16_000, "batches": 7000}
"""Of an input; of every other, 4096."""
KEPT_BYTES = 6000  # of inputs that are kept for each target


def _bytes() -> str:
    return ", ".join(f"{target} {most}" for target, most in MOST_BYTES.items())


NOTES = f"""Seconds are those of hunting, without the time in which libraries are loaded and instrumented. An input
may have {MOST_SECONDS} s, {MOST_MEMORY} MiB and 4096 bytes ({_bytes()}).
*branches*: libFuzzer's `cov`, of dreaming, Pillow, tarfile, zipfile, gzip, pickle, and for
configs yaml, as far as they are Python. What is found is kept in
`tests/robustness/fuzz/corpus.zip`, and the tests replay it."""
TARGETS = (
    *("batches", "archives", "parquets", "pictures", "checkpoints", "tensors", "headers", "states"),
    *("tables", "configs", "settings", "lists", "environments"),
)


@dataclass
class Hunted:
    """What came of one target: inputs that were tried, seconds, and the files that broke it."""

    target: str
    inputs: int
    seconds: float
    branches: int
    found: list[str]

    def __str__(self) -> str:
        what = ", ".join(self.found) or "nothing"
        rate = self.inputs / max(self.seconds, 1)
        return f"{self.target}: {self.inputs:,} inputs in {self.seconds:.0f} s, {rate:.1f} a second; found: {what}"


def hunt(target: str, seconds: int, keep_small: bool) -> Hunted:
    """Run one target for some seconds, in a process of its own."""
    before = kept(target)
    with tempfile.TemporaryDirectory() as work, tempfile.TemporaryDirectory() as known:
        for name, content in before.items():
            (Path(known) / name).write_bytes(content)
        options = (
            f"-max_total_time={seconds} -timeout={MOST_SECONDS} -report_slow_units={MOST_SECONDS}"
            f" -rss_limit_mb={MOST_MEMORY} -max_len={MOST_BYTES.get(target, 4096)}"
            f" -artifact_prefix={known}/"
        )
        command = [sys.executable, "-m", "tests.robustness.fuzz.hunt", target, *options.split(), work, known]
        begun = time.monotonic()
        ended = subprocess.run(command, capture_output=True, check=False)
        wall = time.monotonic() - begun
        said = ended.stderr.decode(errors="replace")
        broke = {path.name: path.read_bytes() for path in Path(known).iterdir() if path.name not in before}
        keep(target, broke)
        if keep_small and ended.returncode == 0:
            keep(target, _small(before, Path(work)))
    found = list(broke)
    if ended.returncode or found:
        errors = "\n".join(line for line in said.splitlines() if "ERROR" in line)
        print(f"{ended.stdout.decode(errors='replace')}{errors}", file=sys.stderr)
    if ended.returncode and not found:
        found = [f"status {ended.returncode}"]
    runs = [int(count) for count in re.findall(r"(?m)^(?:#|Done )(\d+)\s", said)]
    took = [int(count) for count in re.findall(r"runs in (\d+) second", said)]
    covered = [int(count) for count in re.findall(r" cov: (\d+)", said)]
    return Hunted(
        target, max(runs, default=0), max(took, default=round(wall)), max(covered, default=0), sorted(found)
    )


def _small(before: Mapping[str, bytes], work: Path) -> dict[str, bytes]:
    """The smallest of the inputs that reached something new, as far as there is room beside those that are kept."""
    room = KEPT_BYTES - sum(len(content) for name, content in before.items() if name.startswith("kept-"))
    small = {}
    for path in sorted(work.iterdir(), key=lambda path: (path.stat().st_size, path.name)):
        room -= path.stat().st_size
        if room < 0:
            break
        small[f"kept-{path.name[:12]}"] = path.read_bytes()
    return small


def _recorded(record: Record, done: Sequence[Hunted], settings: dict[str, Any]) -> None:
    rows = [
        {
            **{"": each.target, "inputs": each.inputs, "seconds": each.seconds},
            **{"inputs/s": each.inputs / max(each.seconds, 1), "branches": each.branches},
            "found": ", ".join(each.found) or "nothing",
        }
        for each in done
    ]
    inputs, minutes = sum(each.inputs for each in done), sum(each.seconds for each in done) / 60
    found = sum(len(each.found) for each in done)
    total = {"": "all", "inputs": inputs, "seconds": round(60 * minutes), "found": f"{found} findings"}
    record.write(
        [("Targets", [*rows, total])],
        {"targets": [asdict(each) for each in done]},
        settings,
        NOTES,
        baseline="none; every input is read whole or refused with UserError",
        headlines=[
            {"": "fuzzing, inputs", "median": inputs, "unit": f"inputs ({found} findings)", "n": len(done)},
            {"": "fuzzing, time", "median": minutes, "unit": "minutes", "n": len(done)},
        ],
    )


def main(words: Sequence[str] | None = None) -> int:
    """Hunt, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.robustness.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=120, help="for each target")
    parser.add_argument("--rounds", type=int, default=1, help="how often each has its turn")
    parser.add_argument("--keep", action="store_true", help="keep small inputs that reach something new")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the folder of records where one is kept")
    asked = parser.parse_args(words)
    chosen = asked.targets or list(TARGETS)
    if unknown := set(chosen) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    record = Record("fuzzing", asked.out, 1, module="tests.robustness.fuzz") if asked.out else None
    done = []
    for target in chosen * asked.rounds:
        done.append(hunt(target, asked.seconds, asked.keep))
        print(done[-1], flush=True)
    if record:
        settings = {"seconds": asked.seconds, "rounds": asked.rounds, "keep": asked.keep}
        _recorded(record, done, settings)
    inputs, seconds = sum(each.inputs for each in done), sum(each.seconds for each in done)
    found = [f"{each.target}/{name}" for each in done for name in each.found]
    print(f"all: {inputs:,} inputs in {seconds / 60:.1f} minutes; found: {', '.join(found) or 'nothing'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
