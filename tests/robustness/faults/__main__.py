"""The long part of the faults: `make faults`, or ``python -m tests.robustness.faults --kills 100``.

Makes each kind of fault so many times, prints a line for each, and keeps a record under ``benchmarks/records``.
Ends with an error at the first outcome that is not what is promised.
"""

import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import tyro
from benchmarks.record import RECORDS, Record
from tests.robustness.faults import faults
from tests.robustness.faults.victims import Victims

NOTES = """Every strike is followed by the same commands, given until they end; then weights after each epoch, the
states, losses.csv but for its seconds, measures.csv and the sheets of dreams are those of a run that nothing
disturbed, bit for bit, or the command has said in one sentence which file is wrong; a damaged text that still says
something is read as it stands. *Points* are before and half-way through each write, before each synchronisation,
before and after each move, before each link. A *power cut* leaves what was synchronised and none, all or some of
what was not. Whatever is not so stops the harness, and there is no record then."""


def main(
    kills: int = 100,
    terms: int = 40,
    clocks: int = 5,
    cuts: float = 0.5,
    damages: int = 200,
    reproductions: int = 4,
    every: int = 1,
    seed: int = 0,
    out: Path = RECORDS,
) -> None:
    """Make faults on purpose.

    Parameters
    ----------
    kills, terms
        Strikes by SIGKILL and by SIGTERM at random moments.
    clocks
        Runs under a clock that jumps.
    cuts
        Share of the moments of a training at which the power is cut, each with no, half and all luck.
    damages
        Files damaged at random.
    reproductions
        Reproductions of which workers, or all, are killed.
    every
        Of the points of work on the disk, each one or each second, and so on.
    seed
        Of all that is random here.
    out
        Folder of records.
    """
    settings = dict(locals())
    record = Record("faults", out, 1, "cpu", "tests.robustness.faults")
    rows = []

    def row(fault, make):
        begun = time.monotonic()
        found = make()
        rows.append({"": fault, **_told(found), "minutes": (time.monotonic() - begun) / 60})
        print(rows[-1], flush=True)

    with tempfile.TemporaryDirectory() as place, Victims(Path(place)) as victims:
        root = Path(place)
        wanted, seconds = faults.undisturbed(victims, root / "undisturbed")
        points = range(1, faults.points_of(victims, root / "counted") + 1, every)
        for name, number, strikes in (("SIGKILL", signal.SIGKILL, kills), ("SIGTERM", signal.SIGTERM, terms)):
            row(
                f"{name} at random moments",
                lambda number=number, strikes=strikes, name=name: faults.struck_at_random(
                    victims, root / name, wanted, seconds, strikes, number, seed
                ),
            )
        for name, how in (
            ("SIGKILL at every point of work on the disk", "KILL"),
            ("a full disk at every point", "ENOSPC"),
            ("an input/output error at every point", "EIO"),
        ):
            row(
                name,
                lambda how=how: faults.struck_at_points(victims, root / how, wanted, how, list(points)),
            )
        row("a clock that jumps", lambda: faults.clock_that_jumps(victims, root, wanted, clocks, seed))
        row("a second process, and a dead first", lambda: faults.two_at_once(victims, root / "two", wanted))
        row("a power cut", lambda: faults.power_cuts(_made(root / "power"), wanted, cuts, seed))
        row("a damaged file", lambda: faults.damaged_files(victims, root / "files", wanted, damages, seed))
        row(
            "a killed worker of reproduce",
            lambda: faults.reproduce_with_a_killed_worker(_made(root / "paper"), reproductions, seed),
        )
        with suppress(OSError):
            (root / "said.txt").unlink()
    record.write([("Faults", rows)], {}, settings, NOTES, baseline="runs that nothing disturbs", headlines=[])


def _told(found):
    """A row whose numbers of strikes stand in the first column, and all else in words."""
    rest = ", ".join(f"{value} {name}" for name, value in found.items() if name != "strikes")
    return {"strikes": found["strikes"], "of which": rest}


def _made(folder):
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    tyro.cli(main)
