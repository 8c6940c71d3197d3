"""Whether many runs finish sooner side by side, each on one thread, than one after another on all threads."""

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import dreaming
from benchmarks.measure import RECORDS, Session, Times, row
from dreaming.config import Config
from dreaming.runs import RunFolder

NOTES = """*Side by side* is `dreaming.population.train_all` with as many workers as runs; *one after
another* is `dreaming.train` of each run in this process, on all its threads. The cycles of all runs are
divided by the seconds of training: side by side those of the slowest run, one after another those of all
runs. The first epoch, in which memory is first taken and kernels first chosen, is left out. *With start*
divides all cycles by the whole time, with the start of the processes, the loading of the data and the
writing of the runs; this process had started before."""


def main(
    runs: int | None = None,
    epochs: int = 4,
    cycles: int = 20,
    rounds: int = 5,
    dataset: str = "digits",
    data_dir: Path | None = None,
    trust_data: bool = False,
    base_channels: int = 64,
    latent_dim: int = 256,
    batch: int = 64,
    precision: str = "float32",
    threads: int | None = None,
    out: Path = RECORDS,
) -> Path:
    """Compare the throughput of several runs at once with that of the same runs one after another, in turn.

    Parameters
    ----------
    runs
        How many runs, and processes; by default one for each core allowed.
    epochs, cycles, rounds
        Epochs of each run, cycles of each epoch, and how often all runs are trained each way.
    dataset, data_dir, trust_data
        As for training.
    base_channels, latent_dim, batch, precision
        Of each run.
    threads
        Of torch where runs follow one another; by default as torch has it.
    out
        Folder of records.
    """
    settings = dict(locals())
    if epochs < 2:
        raise SystemExit("the first epoch is left out, so --epochs has to be 2 or more")
    session = Session("population", out, threads)
    runs = runs or len(os.sched_getaffinity(0))
    configs = [configured(seed, settings) for seed in range(runs)]
    data = {"data_dir": data_dir, "trust_data": trust_data}
    trained, whole = compare(configs, data, rounds)
    tables = [
        ("Training alone, ms for each cycle of all runs", throughput(trained)),
        ("With start", throughput(whole)),
    ]
    times = {"training": trained, "with start": whole}
    return session.write(tables, times, settings | {"runs": runs}, NOTES)


def compare(configs: list[Config], data: dict, rounds: int) -> tuple[Times, Times]:
    """Train all runs each way, in turn; return milliseconds a cycle, of training alone and of the whole."""
    ways = {"one after another": one_by_one, "side by side": together}
    trained: Times = {name: [] for name in ways}
    whole: Times = {name: [] for name in ways}
    for turn in range(rounds):
        for name in list(ways)[:: 1 if turn % 2 else -1]:
            alone, around = ways[name](configs, data)
            trained[name].append([1e3 * alone])
            whole[name].append([1e3 * around])
    return trained, whole


def configured(seed: int, asked: dict) -> Config:
    """One of the runs."""
    return dreaming.configure(
        "pad",
        dataset={"name": asked["dataset"], "limit": asked["cycles"] * asked["batch"]},
        networks={key: asked[key] for key in ("base_channels", "latent_dim")},
        training={
            "epochs": asked["epochs"],
            "batch_size": asked["batch"],
            "precision": asked["precision"],
            "snapshots": "ends",
        },
        seed=seed,
    )


def throughput(times: Times) -> list[dict]:
    """One row for each way, with cycles a second."""
    base, *others = times
    rows = [row(times, base), *(row(times, name, base) for name in others)]
    return [found | {"cycles/s": 1e3 / found["median ms"]} for found in rows]


def one_by_one(configs: list[Config], data: dict) -> tuple[float, float]:
    """Train each run in this process; return seconds a cycle, of training alone and with all around it."""
    with tempfile.TemporaryDirectory() as out:
        begin = time.perf_counter()
        folders = [dreaming.train(config, out=out, **data) for config in configs]
        return seconds_a_cycle(folders, time.perf_counter() - begin, sum)


def together(configs: list[Config], data: dict) -> tuple[float, float]:
    """Train all runs at once, each in a process with one thread."""
    try:
        from dreaming.population import train_all
    except ImportError:
        raise SystemExit(
            "this version of dreaming has no dreaming.population to train runs together"
        ) from None
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as out:
        begin = time.perf_counter()
        train_all(configs, out=out, workers=len(configs), **data)
        whole = time.perf_counter() - begin
        torch.set_num_threads(threads)
        folders = sorted({path.parent for path in Path(out).rglob("losses.csv")})
        if len(folders) != len(configs):
            raise SystemExit(f"{len(configs)} runs were asked for and {len(folders)} were trained")
        return seconds_a_cycle(folders, whole, max)


def seconds_a_cycle(folders: list[Path], whole: float, of_all: type[max] | type[sum]) -> tuple[float, float]:
    """Divide the seconds of training, and the whole, by the cycles of all runs."""
    tables = [RunFolder.existing(folder).read_losses() for folder in folders]
    counted = [table[table["epoch"] > 1] for table in tables]
    cycles = int(np.sum([table["cycles"].sum() for table in counted]))
    seconds = of_all([float(table["seconds"].sum()) for table in counted])
    return seconds / cycles, whole / int(np.sum([table["cycles"].sum() for table in tables]))
