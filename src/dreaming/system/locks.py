"""A folder is written by one process at a time; a second one is told who holds it.

The lock is the system's own (flock) on a file in the folder, so a process that dies in whatever way lets go of it,
and what it left lying is no obstacle. Own code rather than a library's, because the file says who holds the lock,
which it must still say while somebody else tries it.
"""

import errno
import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from dreaming.errors import UserError
from dreaming.system.disk import make_folder

NAME = ".lock"
PATIENCE = 3.0  # seconds: a process that was told to stop, or whose parent died, is let go of by then
_PAUSE = 0.05
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def locked(folder: Path, doing: str) -> Iterator[None]:
    """Hold a folder within the block; it is made if it is not there, and taken away again if nothing came of it.

    Parameters
    ----------
    folder
        What nobody else may write to.
    doing
        What for, such as ``training``; others are told.

    Raises
    ------
    UserError
        If another process holds it, and does not let go of it within three seconds; or it cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     with locked(Path(place) / "seed-0", "training"):
    ...         [path.name for path in Path(place).rglob("*")]
    ...     list(Path(place).iterdir())
    ['seed-0', '.lock']
    []
    """
    made, descriptor = _taken(folder, doing)
    try:
        yield
    finally:
        if descriptor is not None:
            with suppress(OSError):  # the folder may have been taken away meanwhile
                (folder / NAME).unlink()
            os.close(descriptor)
        for each in reversed(made):
            with suppress(OSError):  # it is not empty: something came of it
                each.rmdir()


def _taken(folder: Path, doing: str) -> tuple[list[Path], int | None]:
    """Take the lock; no lock is needed, and none is returned, where nothing can be written anyway."""
    until = time.monotonic() + PATIENCE
    try:
        made = make_folder(folder)
        while (descriptor := _tried(folder / NAME)) is None:
            made += make_folder(folder)  # whoever held it may have taken it away, if nothing came of it
            if time.monotonic() > until:
                raise UserError(
                    f"{folder} is in use: {_holder(folder / NAME)}; wait until it is done or stop it"
                )
            time.sleep(_PAUSE)
        about = {
            "doing": doing,
            "process": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        }
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(about).encode())
    except OSError as error:
        if error.errno in _UNWRITABLE and folder.is_dir():
            return [], None
        raise UserError(f"cannot write into {folder} ({error.strerror}); nothing was begun") from error
    return made, descriptor


def _tried(path: Path) -> int | None:
    """Try to lock a file; None if another process holds it, or it was taken away while we waited for it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _holder(path: Path) -> str:
    try:
        about = json.loads(path.read_bytes())
        return (
            f"process {about['process']} on {about['host']} is {about['doing']} there since {about['since']}"
        )
    except (OSError, ValueError, LookupError, TypeError):  # it has only just taken it, or is letting go
        return "another process is at work there"
