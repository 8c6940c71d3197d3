"""Several runs at once, each in a process of its own: on a CPU they use the cores better than one run on all."""

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import torch

from dreaming import hardware
from dreaming.config import Config
from dreaming.errors import Stopped, UserError
from dreaming.interrupts import listening
from dreaming.processes import Ending, ended, started
from dreaming.progress import Silence
from dreaming.runs import run_path
from dreaming.training import train

PAUSE = 0.2  # seconds between two looks at whether somebody wishes to stop


def train_all(
    configs: Sequence[Config],
    *,
    out: str | Path = "runs",
    data_dir: str | Path | None = None,
    trust_data: bool = False,
    own_phases: str | Path | None = None,
    workers: int | None = None,
    progress: Silence | None = None,
) -> list[Path]:
    """Train several runs, some of them at once, each as `train` does it alone.

    A run of float32 on a CPU comes out bit for bit as alone with the same number of threads. Runs in processes
    share the cores, and have no more threads than torch has here. As with all processes that Python spawns, a
    script that calls this keeps the call below ``if __name__ == "__main__":``.

    Parameters
    ----------
    configs
        The runs. No two may have one folder.
    out, data_dir, trust_data, own_phases
        As for `train`, for all runs.
    workers
        How many are trained at once, at least 1. By default one a core that this process may use, or one if a run
        is on a GPU. With 1, they are trained in this process, one after another.
    progress
        Who is told how it goes; nobody by default.

    Returns
    -------
    list of Path
        The run folders, in the order of the configs.

    Raises
    ------
    UserError
        If anything asked for cannot be, or runs failed: then the others were trained to their end first.
    Stopped
        On Ctrl-C or SIGTERM, after each run has saved. The same call goes on.

    Examples
    --------
    >>> import dreaming, tempfile
    >>> with tempfile.TemporaryDirectory() as out:
    ...     configs = [
    ...         dreaming.configure(
    ...             networks={"base_channels": 2, "latent_dim": 8},
    ...             dataset={"limit": 128},
    ...             training={"epochs": 1, "snapshots": "ends"},
    ...             seed=seed,
    ...         )
    ...         for seed in (0, 1)
    ...     ]
    ...     runs = dreaming.train_all(configs, out=out, workers=1)
    ...     [run.relative_to(out).as_posix() for run in runs]
    ['digits/pad/seed-0', 'digits/pad/seed-1']
    """
    progress = progress or Silence()
    if workers is not None and workers < 1:
        raise UserError(f"workers is {workers}; at least one is needed")
    paths = [run_path(Path(out), config.dataset.name, config.condition, config.seed) for config in configs]
    for path in paths:
        if paths.count(path) > 1:
            raise UserError(f"two of these runs would be written into {path}; give them other seeds or names")
    options: dict[str, Any] = {
        "out": out,
        "data_dir": data_dir,
        "trust_data": trust_data,
        "own_phases": own_phases,
    }
    if len(configs) < 2:
        return [train(config, **options, progress=progress) for config in configs]
    if workers is None:
        on_gpu = any(hardware.device(config.training.device).type == "cuda" for config in configs)
        workers = 1 if on_gpu else cores()
    names = ["/".join(path.parts[-3:]) for path in paths]
    if workers == 1:
        endings = _one_after_another(configs, names, options, progress)
    else:
        endings = _at_once(configs, names, options, min(workers, len(configs)), progress)
    _whole(endings, names, Path(out), progress)
    return paths


def cores() -> int:
    """Count the cores that this process may use.

    Examples
    --------
    >>> cores() > 0
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _whole(endings: Mapping[str, Ending], names: Sequence[str], out: Path, progress: Silence) -> None:
    """Make sure that all runs are finished, or say in one sentence which are not, and why."""
    kinds = [ending.kind for ending in endings.values()]
    failed = {
        name: endings[name].said for name in names if name in endings and endings[name].kind == "failed"
    }
    faults = "\n".join(ending.fault for ending in endings.values() if ending.fault)
    if faults:
        progress.say(faults)
    cause = RuntimeError(faults) if faults else None
    why = f"{len(failed)} of {len(names)} runs failed, " + "; ".join(f"{n}: {s}" for n, s in failed.items())
    if "stopped" in kinds or len(endings) < len(names):
        raise Stopped(
            f"stopped with {kinds.count('finished')} of {len(names)} runs finished, {kinds.count('stopped')} "
            f"stopped on their way and {len(names) - len(endings)} not begun; all is saved in {out}, and the same "
            "command goes on from there" + (f"; {why}" if failed else "")
        ) from cause
    if len(failed) == len(names) and len(set(failed.values())) == 1:
        raise UserError(failed[names[0]]) from cause
    if failed:
        others = len(names) - len(failed)
        raise UserError(
            why + (f"; the other {others} came to {'its' if others == 1 else 'their'} end" if others else "")
        ) from cause


def _one_after_another(
    configs: Sequence[Config], names: Sequence[str], options: Mapping[str, Any], progress: Silence
) -> dict[str, Ending]:
    """Train runs in this process."""
    endings: dict[str, Ending] = {}
    for name, config in zip(names, configs, strict=True):
        endings[name] = ended(partial(train, config, **options, progress=progress))
        if endings[name].kind == "stopped":
            break
    return endings


@dataclass(frozen=True)
class _Child:
    """A process that trains a run."""

    name: str
    process: SpawnProcess
    progress: Silence


def _at_once(
    configs: Sequence[Config],
    names: Sequence[str],
    options: Mapping[str, Any],
    workers: int,
    progress: Silence,
) -> dict[str, Ending]:
    """Train runs in processes, so many at once, until all ended or somebody wishes to stop."""
    threads = max(1, min(torch.get_num_threads(), cores() // workers))
    waiting = list(zip(names, configs, strict=True))
    alive: dict[Connection, _Child] = {}
    endings: dict[str, Ending] = {}
    told = False
    with listening() as interrupt:
        try:
            while alive or (waiting and not interrupt.requested):
                while waiting and len(alive) < workers and not interrupt.requested:
                    name, config = waiting.pop(0)
                    ear, process = started(config, options, threads)
                    alive[ear] = _Child(name, process, progress.part(name))
                if interrupt.requested and not told:
                    told = True
                    for child in alive.values():
                        child.process.terminate()
                ready = wait(list(alive), PAUSE)
                for ear in [ear for ear in alive if ear in ready]:
                    if not _hear(ear, alive[ear], endings):
                        del alive[ear]
        finally:
            for child in alive.values():  # asked twice, or a fault here; what the runs have saved stays whole
                child.process.kill()
                child.process.join()
    return endings


def _hear(ear: Connection, child: _Child, endings: dict[str, Ending]) -> bool:
    """Take one message from a child; tell whether there may be more."""
    try:
        what, *about = ear.recv()
    except (EOFError, OSError):
        ear.close()
        child.process.join()
        code = child.process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        endings.setdefault(child.name, Ending("failed", f"its process {how} before the run was done"))
        child.process.close()
        return False
    if what == "ending":
        endings[child.name] = about[0]
    elif what == "cycles":
        for _ in range(about[0]):
            child.progress.cycle()
    else:
        getattr(child.progress, what)(*about)
    return True
