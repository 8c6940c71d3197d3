"""What a cycle loses where others work too: alone, and beside a busy loop on each core, by how threads wait.

A thread that waits for others either looks again and again whether they have come, and keeps its core, or sleeps
and lets others have it. `dreaming.system.threads` settles how long it looks; libgomp's own choice stands beside.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.alternation import checkout
from benchmarks.measure import Row, Times, headline, in_turn, ratio, row, some_images
from benchmarks.record import RECORDS, Record
from dreaming.system.threads import POLICY, SPINS, cores

ROOT = Path(__file__).resolve().parents[1]
OURS, THEIRS = "as the program settles it", "libgomp's default"
BUSY = ", beside busy loops"
NOTES = f"""Times are of whole PAD cycles in float32. Each way is a process of its own, which sleeps while the other
works: *{OURS}*, with {"=".join(SPINS)}, and *{THEIRS}*. First both take turns alone, then beside a busy loop in
Python for each core. Where there are as many busy loops as threads, twice the time is a fair share."""


def main(
    rounds: int = 8,
    block: int = 5,
    base_channels: int = 64,
    latent_dim: int = 256,
    batch: int = 64,
    threads: int | None = None,
    out: Path = RECORDS,
) -> Path:
    """Time a cycle alone and beside a busy loop on each core, by how threads wait.

    Parameters
    ----------
    rounds, block
        Each way works so many cycles in each of so many rounds, and one more that is left out.
    base_channels, latent_dim, batch
        Of the cortices.
    threads, out
        How many threads of torch, and the folder of records.
    """
    settings = dict(locals())
    record = Record("waiting", out, threads)
    unsaid = {name: value for name, value in os.environ.items() if name not in (SPINS[0], POLICY)}
    environments = {OURS: unsaid | dict([SPINS]), THEIRS: unsaid}
    with ExitStack() as processes:
        shape = (some_images(None, False), batch, base_channels, latent_dim)
        ways = {
            name: processes.enter_context(checkout(ROOT, *shape, environment))
            for name, environment in environments.items()
        }
        times = in_turn(ways, rounds, block=block, drop=1)
        with busy(cores()):
            crowded = in_turn(ways, rounds, block=block, drop=1)
    times |= {name + BUSY: found for name, found in crowded.items()}
    return record.write(
        [("Cycles", [row(times, name) for name in times]), ("Ratios", ratios(times))],
        {"ms": times},
        settings | {"loops": cores()},
        NOTES,
        baseline=THEIRS,
        headlines=[
            headline("cycle beside a busy loop on each core", times, OURS + BUSY, OURS, "alone"),
            headline("cycle, threads that wait politely", times, OURS, THEIRS),
        ],
    )


def ratios(times: Times) -> list[Row]:
    """What is lost beside others, each way, and what is lost alone by waiting politely."""
    pairs = [(OURS + BUSY, OURS), (THEIRS + BUSY, THEIRS), (OURS, THEIRS), (OURS + BUSY, THEIRS + BUSY)]
    return [{"": f"{way} / {base}", **ratio(times, way, base)} for way, base in pairs]


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """Keep so many processes busy within the block."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
