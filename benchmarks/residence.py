"""How much memory a process holds and held at most, and what else it keeps open."""

import ctypes
import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

from dreaming.errors import UserError


def peak(process: int | None = None) -> float:
    """The most that a process, by default this one, ever held, in MiB.

    getrusage also counts what the process that started this one held at that moment; where the system says what
    one held by itself, that is taken.
    """
    status = Path(f"/proc/{process or 'self'}/status")
    if status.exists():
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    if process is not None:
        raise UserError(
            "this system does not say how much memory another process held; leave out --published"
        )
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / (2**20 if sys.platform == "darwin" else 2**10)


@dataclass(frozen=True)
class Held:
    """What a process holds now; memory in MiB."""

    rss: float
    own: float
    """Anonymous memory, swapped out or not: what the process asked for itself, whatever it shares with others."""
    files: int
    threads: int


def held(process: int) -> Held:
    """Look at a process.

    Raises
    ------
    UserError
        On a system without /proc.
    """
    about = Path(f"/proc/{process}")
    if not (about / "smaps_rollup").exists():
        raise UserError(f"this system does not say what process {process} holds; endurance needs Linux")
    fields = [line.split() for line in (about / "smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]]
    mebibytes = {words[0].rstrip(":"): int(words[1]) / 1024 for words in fields}
    return Held(
        mebibytes["Rss"],
        mebibytes["Anonymous"] + mebibytes["Swap"],
        len(list((about / "fd").iterdir())) - (process == os.getpid()),  # the one that lists them
        len(list((about / "task").iterdir())),
    )


class _Heap(ctypes.Structure):
    """What glibc's mallinfo2 tells."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def asked_for() -> float:
    """Count what this process has asked the C library for and not given back, in MiB; NaN if that is not glibc.

    Resident memory moves in steps, with where the library finds room; this is what the program itself holds on to.
    """
    try:
        tell = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError):
        return float("nan")
    tell.restype = _Heap
    heap = tell()
    return float(heap.uordblks + heap.hblkhd) / 2**20
