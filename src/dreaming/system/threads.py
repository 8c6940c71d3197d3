"""The process of the program: how many threads compute, how they wait, and what becomes of memory given back.

All of it is settled once, where the program or one of its workers starts and before torch is imported. A library
call changes nothing of the kind in the process of whoever calls it.
"""

import ctypes
import math
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SPINS = "GOMP_SPINCOUNT", "1000"
"""How often a thread looks whether others have come before it sleeps. By default it looks for milliseconds, and
keeps the core from whoever could have worked there: on a busy machine a cycle then takes several times as long."""
POLICY = "OMP_WAIT_POLICY"
THREADS = "OMP_NUM_THREADS"
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # as malloc.h has them


def settle() -> dict[str, str]:
    """Settle the process, before anything imports torch; return what was added to its environment."""
    added = wishes()
    os.environ.update(added)
    keep_memory()
    return added


def wishes(threads: int | None = None) -> dict[str, str]:
    """Return what to add to the environment of a process that is about to import torch.

    What the user's environment says already stays as it is, but for the threads of a worker. How threads wait is
    settled for GNU's OpenMP, which PyTorch brings on Linux; on macOS and Windows another one is used, as it comes.

    Parameters
    ----------
    threads
        How many are to compute in a worker; None leaves that to torch, which sees the processors, but no quota.

    Examples
    --------
    >>> wishes(threads=1)["OMP_NUM_THREADS"]
    '1'
    """
    found = {} if {POLICY, SPINS[0]} & set(os.environ) else dict([SPINS])
    if threads is not None:
        found[THREADS] = str(threads)
    elif THREADS not in os.environ and cores() < _processors():
        found[THREADS] = str(cores())
    return found


def keep_memory() -> None:
    """Have the C library keep the memory that this process gives back, rather than return it to the system.

    A cycle takes and gives back the same few hundred megabytes. Where each block is mapped anew, the system's
    clearing of its pages costs a good part of the cycle. Works with glibc; elsewhere nothing is done.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(ctypes.c_int(MMAP_THRESHOLD), ctypes.c_int(2**30))
        libc.mallopt(ctypes.c_int(TRIM_THRESHOLD), ctypes.c_int(2**31 - 1))


@contextmanager
def one_thread() -> Iterator[None]:
    """Have torch compute on one thread within the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cores(root: Path = Path("/")) -> int:
    """Count the cores that this process may use: those it may run on, and no more than a container's quota.

    Examples
    --------
    >>> 1 <= cores() <= os.cpu_count()
    True
    """
    return min([_processors(), *(max(1, math.ceil(quota)) for quota in _quotas(root))])


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """Yield what control groups grant, in cores: of version 2 (one tree) and 1 (a tree of its own for the CPU)."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        tree = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        own = tree / path.lstrip("/")
        for group in (own, *own.parents):
            if not group.is_relative_to(tree):
                break
            if controllers:
                granted = [_read(group / f"cpu.cfs_{what}_us").strip() for what in ("quota", "period")]
            else:
                granted = _read(group / "cpu.max").split()
            if len(granted) == 2 and all(each.isdigit() for each in granted):  # else "max", or -1
                yield int(granted[0]) / int(granted[1])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
