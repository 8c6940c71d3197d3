"""How much memory a process held at most."""

import resource
import sys
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
