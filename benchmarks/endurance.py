"""Whether a long run grows: memory, open files, threads and log over many cycles of each path, and in 24 hours."""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import active_children
from pathlib import Path

import numpy as np

import dreaming
from benchmarks.growth import FULL_WIDTH, NO_MATTER, SHORT_EPOCHS, STEPS, headline, kept, log, memory, verdict
from benchmarks.record import RECORDS, Record
from benchmarks.residence import asked_for, held
from dreaming.config.config import Config
from dreaming.errors import UserError
from dreaming.system.progress import NoProgress
from dreaming.training.population import train_all, train_together

MOST = 4000
"""Looks at a process."""
NOTED = ("cycles", "seconds", "asked", "own", "rss", "files", "threads")
NOTES = f"""Each path is run by a process of its own, which is looked at every so many cycles: by itself after a
cycle, and *dreaming train* and *2 processes* from outside, after an epoch. Memory is what a process asked for
itself, in MiB, swapped out or not; files it maps, such as libraries, come and go with what else the machine
does, and are left out (*rss* is with them). Of *2 processes* and *ensemble of 2*, a cycle is one of each run;
memory of *2 processes* is the mean of both, files and threads are those of both. A cycle of *evaluate* is a
snapshot measured anew: readout, robustness, organisation, projection, realism. *dreaming train* is the
command with snapshots, sheets of dreams and losses after each epoch; in *epochs of one cycle* losses.csv,
which is written whole after each epoch, grows to as many rows as there are cycles.

*asked* is what the process has asked the C library for and not given back: resident memory moves in steps of some
MiB, with where the library finds room, while this does not. It is known of the paths that are run in a process
which looks at itself. It grows with each epoch by its line of losses, which a run keeps in memory.

The first third of the samples is left out. *per 1,000* is the slope by Theil and Sen with the ends of its
interval of 95 %; *in 24 h* is that slope times the cycles of a day: at this path's pace here, or {FULL_WIDTH:,},
the pace at full width, if networks are narrower than one would train for a day; for *epochs of one cycle*,
{SHORT_EPOCHS["epochs of one cycle"]:,.0f}, as an epoch of full width has 25 cycles at least. A path is *flat* if
the interval holds 0, or if its upper end comes to less than {NO_MATTER:.0f} MiB in 24 h; *flat, in steps* if that
holds of what was asked for, and what is resident grew by less than {STEPS:.0%} since it had settled; else it
*grows*."""


def myself() -> list[int]:
    """Name this process."""
    return [os.getpid()]


class Watch(NoProgress):
    """Who is told of each cycle, and looks at some processes every so many.

    What it notes has its place from the beginning, so that it does not grow itself.
    """

    def __init__(self, every: int, processes: Callable[[], Sequence[int]] = myself) -> None:
        self.every, self.processes, self.cycles = every, processes, 0
        self.noted, self.looks = np.zeros((MOST, len(NOTED))), 0

    def cycle(self) -> None:
        self.cycles += 1
        if self.cycles % self.every == 0:
            self.look()

    def look(self) -> None:
        """Note what the processes hold: memory as their mean, files and threads together."""
        found = [held(process) for process in self.processes()]
        each_holds = (sum(getattr(one, key) for one in found) / len(found) for key in NOTED[3:5])
        open_still = (sum(getattr(one, key) for one in found) for key in NOTED[5:])
        asked = asked_for() if self.processes is myself else float("nan")
        self.noted[self.looks] = self.cycles, time.monotonic(), asked, *each_holds, *open_still
        self.looks += 1

    @property
    def samples(self) -> list[dict]:
        """All that was noted, as far as it could be known."""
        rows = (zip(NOTED, map(float, row), strict=True) for row in self.noted[: self.looks])
        return [{key: value for key, value in row if not math.isnan(value)} for row in rows]


class Children(Watch):
    """Looks at both of two children after each epoch of the first."""

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch, lambda: [child.pid for child in active_children()])
        self.watched = False

    def part(self, name: str) -> NoProgress:
        watched, self.watched = self.watched, True
        return NoProgress() if watched else self

    def cycle(self) -> None:
        """Counted by epochs: children tell of several cycles at once."""

    def epoch(self, epoch: int, seconds: float, terms: dict) -> None:
        self.cycles = epoch * self.every
        if len(active_children()) == 2:
            with suppress(ProcessLookupError, FileNotFoundError):  # of one that ends just now
                self.look()


def config(asked: dict, seed: int = 0) -> Config:
    """One of the runs."""
    return dreaming.configure(
        "pad",
        networks={key: asked[key] for key in ("base_channels", "latent_dim")},
        dataset={"name": asked["dataset"], "limit": asked["batch"] * asked["epoch"]},
        training={
            **{"batch_size": asked["batch"], "epochs": -(-asked["cycles"] // asked["epoch"])},
            **{"device": "cpu", "snapshots": "ends", **asked.get("training", {})},
        },
        seed=seed,
    )


def samples_of(asked: dict) -> list[dict]:
    """Run a path in this process, and return the samples."""
    watch = Children(asked["epoch"]) if asked["path"] == "2 processes" else Watch(asked["every"])
    with tempfile.TemporaryDirectory() as out:
        both = [config(asked, seed) for seed in (0, 1)]
        if asked["path"] == "2 processes":
            train_all(both, out=out, workers=2, progress=watch)
        elif asked["path"] == "ensemble of 2":
            train_together(both, out=out, progress=watch)
        elif asked["path"] == "evaluate":
            measured(asked, Path(out), watch)
        else:
            dreaming.train(both[0], out=out, progress=watch)
    return watch.samples


def measured(asked: dict, out: Path, watch: Watch) -> None:
    """Measure the two snapshots of a run again and again."""
    os.environ["DREAMING_CACHE"] = str(out / "cache")
    run = dreaming.train(config(asked | {"cycles": asked["epoch"]}), out=out)
    for _ in range(asked["cycles"] // 2):
        for table in ("measures.csv", "projection.csv"):
            (run / table).unlink(missing_ok=True)
        dreaming.evaluate(run, measures="all,realism", settings=["realism.samples=200"], device="cpu")
        watch.cycle()
        watch.cycle()


def in_a_process(asked: dict) -> list[dict]:
    """Run a path in a new process, and return the samples."""
    command = [sys.executable, "-m", "benchmarks.endurance", json.dumps(asked)]
    root = Path(__file__).resolve().parents[1]
    answer = subprocess.run(command, stdout=subprocess.PIPE, cwd=root, check=True, text=True)
    return json.loads(answer.stdout)


def commanded(asked: dict) -> list[dict]:
    """Give the command ``dreaming train``, and look at its process after each epoch it tells of."""
    wanted = config(asked)
    words = [f"--set=networks.{key}={asked[key]}" for key in ("base_channels", "latent_dim")]
    words += [f"--set=training.batch_size={asked['batch']}", "--device=cpu", f"--dataset={asked['dataset']}"]
    words += [f"--limit={wanted.dataset.limit}", f"--epochs={wanted.training.epochs}"]
    words += [f"--snapshots={wanted.training.snapshots}"]
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "dreaming", "train", f"--out={out}", *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as training:
            watch = Watch(1, lambda: [training.pid])
            samples = list(after_epochs(training, watch, asked))
        if training.returncode:
            raise UserError(f"{' '.join(command)} ended with status {training.returncode}")
    return samples


def after_epochs(training: subprocess.Popen, watch: Watch, asked: dict) -> Sequence[dict]:
    """Look at a training at the epochs after which enough cycles are done; count the log until then."""
    lines = length = 0
    for line in training.stdout:
        lines, length = lines + 1, length + len(line)
        if line.startswith("epoch ") and training.poll() is None:
            done = int(line.split()[1].partition("/")[0])
            watch.cycles = done * asked["epoch"]
            if watch.cycles % asked["every"] == 0 and watch.cycles < asked["cycles"]:
                watch.look()
                yield watch.samples[-1] | {"epochs": done, "lines": lines, "bytes": length}


def main(
    cycles: int = 6000,
    every: int = 100,
    epoch: int = 200,
    base_channels: int = 4,
    latent_dim: int = 16,
    batch: int = 16,
    snapshots: int = 120,
    wide: int = 64,
    wide_cycles: int = 2000,
    only: tuple[str, ...] = (),
    threads: int | None = None,
    out: Path = RECORDS,
) -> Path:
    """Look at a process while it runs, on each path there is on a CPU.

    Parameters
    ----------
    cycles
        How many are run on each path.
    every
        Cycles from look to look, at most an epoch.
    epoch
        Cycles of an epoch.
    base_channels, latent_dim, batch
        Of the narrow networks.
    snapshots
        How many measurements of a snapshot.
    wide
        Base channels of the wide network (latents 256, batch 64), which takes some ten minutes; 0 leaves it out.
    wide_cycles
        How many it runs.
    only
        Paths by name; all by default.
    threads, out
        How many threads of torch, and the folder of records.
    """
    settings = dict(locals())
    record = Record("endurance", out, threads)
    narrow = {"cycles": cycles, "every": every, "epoch": epoch, "dataset": "house_digits"}
    narrow |= {"base_channels": base_channels, "latent_dim": latent_dim, "batch": batch}
    paths = paths_of(narrow, snapshots, {"base_channels": wide, "cycles": wide_cycles} if wide else {})
    unknown = [name for name in only if name not in paths]
    if unknown:
        raise UserError(f"there is no path '{unknown[0]}'; there are {', '.join(paths)}")
    if threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    samples = {}
    for name, (way, asked) in paths.items():
        if not only or name in only:
            samples[name] = way(asked)
            print(f"{name}: {verdict(name, samples[name])}", file=sys.stderr)
    tables = [
        ("Memory of its own, MiB", [memory(name, found) for name, found in samples.items()]),
        ("Open files and threads", [kept(name, found) for name, found in samples.items()]),
    ]
    logs = [log(name, found) for name, found in samples.items() if "lines" in found[0]]
    tables += [("Log, and the time of an epoch", logs)] if logs else []
    return record.write(
        tables,
        {name: {key: [each[key] for each in found] for key in found[0]} for name, found in samples.items()},
        settings,
        NOTES,
        baseline="each path beside itself, after the first third of the samples",
        headlines=[headline(name, found) for name, found in samples.items()],
    )


def paths_of(
    narrow: dict, snapshots: int, wide: dict
) -> dict[str, tuple[Callable[[dict], list[dict]], dict]]:
    """How each path is run, and at which size."""

    def told(way: Callable[[dict], list[dict]], name: str, more: dict, **training: str) -> tuple:
        return way, narrow | {"path": name, "training": training} | more

    paths = {
        "plain, float32": told(in_a_process, "plain", {}, path="plain", precision="float32"),
        "plain, bfloat16": told(in_a_process, "plain", {}, path="plain", precision="bfloat16"),
        "program": told(in_a_process, "program", {}, path="captured", precision="float32"),
        "ensemble of 2": told(in_a_process, "ensemble of 2", {}, precision="float32"),
        "2 processes": told(in_a_process, "2 processes", {}, precision="float32"),
        "evaluate": told(in_a_process, "evaluate", {"cycles": snapshots, "every": 2}),
        "dreaming train": told(commanded, "dreaming train", {"every": narrow["epoch"]}, snapshots="all"),
        "epochs of one cycle": told(commanded, "epochs", {"epoch": 1, "batch": 64}, snapshots="ends"),
    }
    if wide:
        full = {"latent_dim": 256, "batch": 64, "epoch": 100, "every": 25}
        paths["wide"] = told(in_a_process, "wide", full | wide, path="plain")
    return paths


if __name__ == "__main__":
    print(json.dumps(samples_of(json.loads(sys.argv[1]))))
