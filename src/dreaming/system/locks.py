"""A folder is written by one process at a time; a second one is told who holds it."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from dreaming.errors import UserError
from dreaming.system.disk import make_folder

NAME = ".lock"
SOFT = (
    ".soft"  # ends the name of what is there while somebody holds a folder on a file system that has no locks
)
PATIENCE = 3.0  # seconds: a process that was told to stop, or whose parent died, has let go by then
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def locked(folder: Path, doing: str, name: str = NAME) -> Iterator[None]:
    """Hold a folder within the block; it is made if it is not there, and taken away again if nothing came of it.

    What a dead process left, or one ended by a signal, is no obstacle. Where nothing can be written anyway, no lock
    is needed.

    Parameters
    ----------
    folder
        What nobody else may write to.
    doing
        What for, such as ``training``; others are told.
    name
        Of the lock: those who write different files have locks of different names.

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
    with ExitStack() as held:
        try:
            _hold(folder, doing, held, name)
        except OSError as error:
            if error.errno not in _UNWRITABLE or not folder.is_dir():
                raise UserError(
                    f"cannot write into {folder} ({error.strerror}); nothing was begun"
                ) from error
        yield


def _hold(folder: Path, doing: str, held: ExitStack, name: str) -> None:
    path = folder / name
    for made in make_folder(folder):
        held.callback(_remove, made)
    try:
        held.enter_context(_acquired(path))
    except FileNotFoundError:  # whoever held the folder has taken it away, since nothing came of it
        return _hold(folder, doing, held, name)
    except Timeout as timeout:
        marker = Path(timeout.lock_file)
        by_hand = f"; if it is no more, remove {marker}" if marker.suffix == SOFT else ""
        raise UserError(
            f"{folder} is in use: {_holder(path)}; wait until it is done or stop it{by_hand}"
        ) from None
    held.callback(_remove, path)  # while it is held: whoever waits for this file sees that it is gone
    now = datetime.now(UTC).isoformat(timespec="seconds")
    path.write_text(f"process {os.getpid()} on {socket.gethostname()} is {doing} there since {now}")
    return None


def _acquired(path: Path) -> AbstractContextManager[object]:
    try:
        return FileLock(path, PATIENCE, fallback_to_soft=False).acquire()
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return SoftFileLock(path.with_name(path.name + SOFT), PATIENCE).acquire()


def _holder(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):  # it has only just taken it, or is letting go
        if (said := path.read_text()).startswith("process "):
            return said
    return "another process is at work there"


def _remove(path: Path) -> None:
    with suppress(OSError):  # it is a folder that is not empty: something came of it
        path.rmdir() if path.is_dir() else path.unlink()
