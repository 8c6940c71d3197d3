"""Many runs: one after another on all threads, in processes of their own, or as an ensemble in one program."""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import torch

import dreaming
from benchmarks.measure import Row, Times, headline, row
from benchmarks.record import RECORDS, Record
from dreaming.config.config import Config
from dreaming.errors import UserError
from dreaming.runs.folder import RunFolder
from dreaming.training.population import train_all, train_together
from dreaming.training.precision import resolved

ALONE, PLAIN = "1 run", "1 run, plain"
NOTES = """*1 run* is `dreaming.train`, on all threads of this process (on a GPU captured, and *plain* not);
*N processes* is `dreaming.train_all` with N runs and N workers, which share the cores; *ensemble of N* is
`train_together` of N runs, on all threads. Times are of one cycle of one cortex: the seconds of training,
of all runs of an ensemble together and of the slowest process, divided by the cycles of all runs. The first epoch,
in which memory is first taken and kernels first chosen, is left out. *With start* divides the whole time by all
cycles, with the start of the processes, the loading of the data and the writing of the runs; this process had
started before."""

Finished = tuple[float, int]
"""Seconds of training for each cycle of each cortex after the first epoch, and the cycles of all epochs."""


def main(
    cortices: tuple[int, ...] = (1, 2, 4, 8),
    epochs: int = 3,
    cycles: int = 10,
    rounds: int = 5,
    processes: bool = True,
    dataset: str = "digits",
    data_dir: Path | None = None,
    trust_data: bool = False,
    base_channels: int = 64,
    latent_dim: int = 256,
    batch: int = 64,
    precision: str = "auto",
    device: str = "auto",
    threads: int | None = None,
    out: Path = RECORDS,
) -> Path:
    """Compare what a cycle of a cortex costs alone, in N processes and in a ensemble of N, in turn.

    Parameters
    ----------
    cortices
        The Ns.
    epochs, cycles, rounds
        Epochs of each run, cycles of each epoch, and how often each way has its turn.
    processes
        Whether runs in processes of their own are among the ways.
    dataset, data_dir, trust_data
        As for training.
    base_channels, latent_dim, batch, precision
        Of each run.
    device, threads, out
        Where, how many threads of torch (by default as torch has it), and the folder of records.
    """
    settings = dict(locals())
    if epochs < 2 or rounds < 1:
        raise UserError("the first epoch is left out: --epochs has to be 2 or more, and --rounds 1 or more")
    record = Record("population", out, threads, device)
    configs = [resolved(configured(seed, settings)) for seed in range(max(cortices))]
    data = {"data_dir": data_dir, "trust_data": trust_data}
    ways = ways_of(configs, cortices, processes, record.where)
    trained, whole = compare(ways, data, rounds)
    settings |= {"precision": configs[0].training.precision}
    return record.write(
        [("Training alone", table(trained)), ("With start", table(whole))],
        {"ms": {"training": trained, "with start": whole}},
        settings,
        NOTES,
        baseline="the same run alone, on all threads",
        headlines=[
            headline(f"cycle of a cortex, {name}", trained, name, None if name == ALONE else ALONE)
            for name in trained
        ],
    )


def configured(seed: int, asked: dict) -> Config:
    """One of the runs."""
    training = {
        "epochs": asked["epochs"],
        "batch_size": asked["batch"],
        "precision": asked["precision"],
        "device": asked["device"],
        "snapshots": "ends",
    }
    return dreaming.configure(
        "pad",
        dataset={"name": asked["dataset"], "limit": asked["cycles"] * asked["batch"]},
        networks={key: asked[key] for key in ("base_channels", "latent_dim")},
        training=training,
        seed=seed,
    )


def ways_of(
    configs: Sequence[Config], cortices: Sequence[int], processes: bool, where: torch.device
) -> dict[str, Callable[..., Finished]]:
    """Each way to train some of the runs: a function of the folder of runs and of where the data is."""

    def alone(path: str) -> Callable[..., Finished]:
        return lambda **options: finished([dreaming.train(on(configs[0], path), **options)], sum)

    def in_processes(n: int) -> Callable[..., Finished]:
        return lambda **options: finished(train_all(configs[:n], workers=n, **options), max)

    def as_ensemble(n: int) -> Callable[..., Finished]:
        return lambda **options: finished(train_together(configs[:n], **options), sum)

    ways = {ALONE: alone("auto")} | ({PLAIN: alone("plain")} if where.type == "cuda" else {})
    ways |= {f"{n} processes": in_processes(n) for n in cortices if n > 1 and processes}
    return ways | {f"ensemble of {n}": as_ensemble(n) for n in cortices}


def on(config: Config, path: str) -> Config:
    """The same run on another path."""
    return config.model_copy(update={"training": config.training.model_copy(update={"path": path})})


def finished(folders: Sequence[Path], of_all: Callable[[list[float]], float]) -> Finished:
    """Count what runs have done, by their losses.csv; of their seconds, take the sum or the longest."""
    tables = [RunFolder.existing(folder).read_losses() for folder in folders]
    counted = [table[table["epoch"] > 1] for table in tables]
    seconds = of_all([float(table["seconds"].sum()) for table in counted])
    return seconds / cycles(counted), cycles(tables)


def cycles(tables: Sequence[pd.DataFrame]) -> int:
    """Count the cycles of several runs."""
    return sum(int(table["cycles"].sum()) for table in tables)


def compare(ways: dict[str, Callable[..., Finished]], data: dict, rounds: int) -> tuple[Times, Times]:
    """Train each way, in turn; return milliseconds a cycle and cortex, of training alone and of the whole."""
    names = list(ways)
    trained: Times = {name: [] for name in ways}
    whole: Times = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as out:
        ways[ALONE](out=out, **data)  # what happens once in a process is not timed
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            with tempfile.TemporaryDirectory() as out:
                begin = time.perf_counter()
                seconds, done = ways[name](out=out, **data)
                around = (time.perf_counter() - begin) / done
            trained[name].append([1e3 * seconds])
            whole[name].append([1e3 * around])
    return trained, whole


def table(times: Times) -> list[Row]:
    """One row for each way, with cycles a second."""
    rows = [row(times, name, None if name == ALONE else ALONE) for name in times]
    return [found | {"cycles/s": 1e3 / found["median ms"]} for found in rows]
