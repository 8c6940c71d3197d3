"""How long the program takes from Ctrl-C or SIGTERM to its end, at random moments of everything it does."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import dreaming
from benchmarks.measure import Row, statistics
from benchmarks.record import RECORDS, Record
from dreaming.errors import UserError

PROMISE = 5.0
"""Seconds from a signal to the end."""
PATIENCE = 300.0
"""Seconds to wait for a moment."""
LONGEST = 60.0
"""Seconds to wait for an end."""
OURS = str(Path(dreaming.__file__).parent)
SENTENCE = re.compile(r"dreaming: (stopped|interrupted)[^\n]*the same command goes on[^\n]*\n")
NOTES = f"""Each time a command is started, sent a signal at a random moment, and timed from there to the end of
its process. A moment is so many seconds after the start, or after a line of the log that tells what is under way;
of commands that end by themselves before long, a share of the seconds that one takes undisturbed.
SIGINT goes to the whole process group, as a terminal sends it, SIGTERM to the parent alone; they take turns.

*load* is that of the machine: with one of 10 on 2 cores, a cycle of 0.4 s takes 2 to 3 s.

*kept*: it ended within {PROMISE:.0f} s with status 3, one sentence that says how to go on and nothing else on
standard error, and no child of it lived on. *too early*: the signal came before the program's first line, while
Python itself began, and the process died of it (status -2, -15, or Python's own 1), as every Python program does;
Python may show where it was, and that was in no file of ours. *done*: the work was
over; it ended with status 0 and without a word before the signal, or within {PROMISE:.0f} s of it.
*broken*: all else."""
FULL = ("--dataset", "house_digits", "--limit", "2560", "--epochs", "40", "--precision", "float32")
TINY = ("networks.base_channels=2", "networks.latent_dim=8")
PROFILE = f"""base: demo
datasets: digits
seeds: 2
epochs: 2
long_epochs: 2
every: 1
limit: 128
samples: 100
figures: table-1,figure-3,figure-4,figure-5,figure-6,figure-9
settings: {",".join(TINY)},training.batch_size=32
"""


@dataclass(frozen=True)
class Moment:
    """What is under way when the signal comes."""

    what: str
    words: tuple[str, ...]
    after: str = ""
    """A pattern that the log shows first; nothing if seconds count from the start."""
    within: tuple[float, float] = (0.0, 1.0)
    """Seconds between which the signal is sent."""
    begun: str = ""
    """The folder of which --out is a copy when the command is given."""
    soon_over: bool = False
    """Whether the command comes to its end by itself before long: then seconds are shares of what is left of it."""


def moments(place: Path) -> list[Moment]:
    """Everything that is interrupted; `prepare` makes what lies at that place."""
    full, two = ("train", *FULL), ("train", *FULL, "--seeds", "2", "--workers", "2")
    many = ("train", "--dataset", "house_digits", "--limit", "100000")
    tiny = ("train", *(word for each in TINY for word in ("--set", each)), "--limit", "64", "--epochs", "300")
    run = str(place / "runs/house_digits/untrained/seed-0")
    evaluate = ("evaluate", run, "--device", "cpu")
    again = ("reproduce", "--profile", str(place / "tiny.yaml"), "--workers", "2", "--device", "cpu")
    doctor = ("doctor", "--dry-run", "--device", "cpu")
    measured = "readout accuracy of"
    return [
        Moment("before and in the first imports", full, "", (0.0, 1.0)),
        Moment("imports", full, "", (1.0, 8.0)),
        Moment("drawing house_digits", many, "", (12.0, 20.0)),
        Moment("cycles at full width", full, "40 epochs of 40", (0.0, 10.0)),
        Moment("snapshots and sheets of dreams", tiny, "epoch 3/", (0.0, 2.0)),
        Moment("2 workers: beginning", two, "", (6.0, 25.0)),
        Moment("2 workers: cycles", two, "epochs of 40", (2.0, 10.0)),
        Moment("evaluate: images and pixels", evaluate, "", (0.3, 0.6), soon_over=True),
        Moment("evaluate: principal components", evaluate, f"{measured} pixels", (0.0, 0.5), soon_over=True),
        Moment("evaluate: latents and readout", evaluate, f"{measured} pca", (0.0, 0.8), soon_over=True),
        *(
            Moment(f"evaluate: {each}", (*evaluate, "--measures", each), "", (0.4, 0.95), soon_over=True)
            for each in ("robustness", "organisation", "realism")
        ),
        Moment("reproduce: training", again, "epoch 1/", (0.0, 15.0)),
        Moment("reproduce: measuring", again, measured, (0.0, 4.0), "unmeasured"),
        Moment("reproduce: gathering and drawing", again, "", (0.3, 0.7), "whole", soon_over=True),
        Moment(
            "reproduce: drawing and report", again, "drawing figure 3 of", (0.0, 0.6), "whole", soon_over=True
        ),
        Moment("doctor", doctor, "cycles on every path", (0.0, 60.0)),
        Moment("doctor: processes", (*doctor, "--base-channels", "8"), "program: right", (0.0, 10.0)),
        Moment("dream", ("dream", run), "", (0.1, 0.9), soon_over=True),
    ]


def prepare(place: Path) -> None:
    """Make what is measured and reproduced."""
    (place / "tiny.yaml").write_text(PROFILE)
    whole = ("reproduce", "--profile", str(place / "tiny.yaml"), "--workers", "2", "--device", "cpu")
    untrained = ("train", "--condition", "untrained", "--epochs", "0", *FULL[:4], "--precision", "float32")
    for words in ((*whole, "--out", str(place / "whole")), (*untrained, "--out", str(place / "runs"))):
        done = subprocess.run(command(words), stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise UserError(f"dreaming {' '.join(words)} ended with status {done.returncode}")
    shutil.copytree(place / "whole", place / "unmeasured")
    for table in (place / "unmeasured").rglob("measures.csv"):
        table.unlink()


def command(words: Sequence[str]) -> list[str]:
    """The program as a command."""
    return [sys.executable, "-m", "dreaming", *words]


@contextmanager
def given(moment: Moment, place: Path) -> Iterator[tuple[subprocess.Popen, Path]]:
    """Give the command of a moment, in a folder of its own; yield its process and that folder."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        words, here = list(moment.words), Path(folder)
        if moment.begun:
            shutil.copytree(place / moment.begun, here / "out")
        if words[0] == "evaluate":  # each has all to measure
            words[1] = str(shutil.copytree(words[1], here / "run"))
        if words[0] in ("train", "reproduce"):
            words += ["--out", str(here / "out")]
        environment = os.environ | {"DREAMING_CACHE": str(here / "cache")}
        with (here / "log").open("wb") as said, (here / "error").open("w") as error:
            yield (
                subprocess.Popen(
                    command(words),
                    stdout=said,
                    stderr=error,
                    env=environment,
                    cwd=here,
                    start_new_session=True,
                ),
                here,
            )


def left(moment: Moment, place: Path) -> float:
    """Seconds that a command takes from a moment to its end, if nobody interrupts it."""
    with given(moment, place) as (program, here):
        wait_for(moment, program, here / "log")
        begin = time.monotonic()
        program.wait()
        return time.monotonic() - begin


def interrupted(moment: Moment, number: signal.Signals, delay: float, place: Path) -> Row:
    """Give a command, send a signal at a moment, and say how it ended."""
    with given(moment, place) as (program, here):
        wait_for(moment, program, here / "log")
        time.sleep(delay)
        begin = time.monotonic()
        if program.poll() is None:
            (os.killpg if number == signal.SIGINT else os.kill)(program.pid, number)
        with suppress(subprocess.TimeoutExpired):  # nothing came of it: what is left is ended below
            program.wait(LONGEST)
        seconds = time.monotonic() - begin
        alone = no_child_of(program.pid)
        status = program.wait()
        sentence = (here / "error").read_text()
    row = {"": moment.what, "signal": number.name, "after s": delay, "load": os.getloadavg()[0]}
    row |= {"seconds": seconds, "status": status}
    return row | {"verdict": verdict(seconds, status, sentence, alone), "said": sentence.strip()[-300:]}


def wait_for(moment: Moment, program: subprocess.Popen, log: Path) -> None:
    """Wait until the log shows that the moment has come, or the program is over."""
    begin = time.monotonic()
    while moment.after and moment.after not in log.read_text() and program.poll() is None:
        if time.monotonic() - begin > PATIENCE:
            program.kill()
            raise UserError(f"'{moment.after}' was not said within {PATIENCE:.0f} s: {moment.words}")
        time.sleep(0.02)


def no_child_of(group: int) -> bool:
    """Whether nothing of a process group lives on for more than a few seconds; end what does."""
    deadline = time.monotonic() + PROMISE
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.05)
        os.killpg(group, signal.SIGKILL)
        return False
    return True


def verdict(seconds: float, status: int, said: str, alone: bool) -> str:
    """How an end is to be called; see the notes."""
    if status == 0 and not said:
        return "done" if seconds <= PROMISE else "broken"
    died = status in (-signal.SIGINT, -signal.SIGTERM) or (status == 1 and "KeyboardInterrupt" in said)
    if died and OURS not in said and "dreaming:" not in said:
        return "too early"
    whole = status == 3 and SENTENCE.fullmatch(said) is not None
    return "kept" if whole and alone and seconds <= PROMISE else "broken"


def main(
    rounds: int = 3,
    only: tuple[str, ...] = (),
    seed: int = 0,
    threads: int | None = None,
    out: Path = RECORDS,
) -> Path:
    """Interrupt everything the program does, at random moments, and time how soon it ends.

    Parameters
    ----------
    rounds
        How often each kind of work is interrupted, by either signal in turn.
    only
        Words of which one is in the name of each kind of work that is wanted; all by default.
    seed
        Of the moments.
    threads, out
        How many threads of torch the programs have, and the folder of records.
    """
    settings = dict(locals())
    record = Record("interruption", out, threads)
    # A shell has what it starts with & ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    dice, found = random.Random(seed), []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        prepare(place)
        wanted = [each for each in moments(place) if not only or any(word in each.what for word in only)]
        lengths = {each: left(each, place) if each.soon_over else 1.0 for each in wanted}
        for turn in range(rounds):
            for place_in_turn, moment in enumerate(wanted):
                number = (signal.SIGINT, signal.SIGTERM)[(turn + place_in_turn) % 2]
                row = interrupted(moment, number, lengths[moment] * dice.uniform(*moment.within), place)
                found.append(row)
                print(" ".join(map(str, row.values())), file=sys.stderr)
    shown = [{key: value for key, value in row.items() if key != "said"} for row in found]
    return record.write(
        [("By what was under way", [line(name, found) for name in of(found)]), ("Each", shown)],
        {"ends": found},
        settings,
        NOTES,
        baseline=f"the promise of {PROMISE:.0f} s",
        headlines=[headline(found)],
    )


def of(found: Sequence[Row]) -> list[str]:
    """The kinds of work, each once."""
    return list(dict.fromkeys(row[""] for row in found))


def line(name: str, found: Sequence[Row]) -> Row:
    """The row of one kind of work."""
    own = [row for row in found if row[""] == name]
    seconds = [row["seconds"] for row in own]
    verdicts = [row["verdict"] for row in own]
    counts = {each: verdicts.count(each) for each in ("kept", "too early", "done", "broken")}
    spread = statistics(seconds)
    return {"": name, "n": len(own), "median s": spread["median"], "longest s": max(seconds), **counts}


def headline(found: Sequence[Row]) -> Row:
    """The longest end of all, for the table of all records."""
    seconds = [row["seconds"] for row in found if row["verdict"] in ("kept", "broken")]
    broken = sum(row["verdict"] == "broken" for row in found)
    unit = f"s at most from signal to end ({broken} broken)"
    return {"": "interruption", "median": max(seconds), "unit": unit, "n": len(seconds)}
