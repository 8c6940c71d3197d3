"""A download that is not whole yet: ``FILE.part``, in the hands of one process at a time."""

import errno
import fcntl
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_PAUSE = 0.2
"""Seconds between two looks at whether another process has let go."""


def part_of(target: Path) -> Path:
    """Name the part of a file; no reader of data takes a file of this name.

    Examples
    --------
    >>> part_of(Path("data/train_32x32.mat")).name
    'train_32x32.mat.part'
    """
    return target.with_name(target.name + ".part")


class Part:
    """What is there of a download; made by `held`.

    Attributes
    ----------
    path
        Where it lies.
    """

    def __init__(self, target: Path, path: Path, file: FileIO) -> None:
        self._target, self._file = target, file
        self.path = path

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return os.fstat(self._file.fileno()).st_size

    def append(self, content: bytes) -> None:
        """Write more of it; what was written is in the file, also if this process is killed."""
        left = memoryview(content)
        while left:
            left = left[self._file.write(left) :]

    def cut(self, size: int) -> None:
        """Keep only the first bytes."""
        os.truncate(self._file.fileno(), size)

    def finish(self) -> None:
        """Give it the name of the whole file, once it is on the disk."""
        os.fsync(self._file.fileno())
        self.path.replace(self._target)


@contextmanager
def held(target: Path, waiting: Callable[[int], None]) -> Iterator[Part]:
    """Open the part of a file for one process alone; one without content is not left behind.

    Parameters
    ----------
    target
        The file that it is to become.
    waiting
        Called with the bytes that are there, while another process holds it.

    Raises
    ------
    OSError
        If it cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder) / "set.bin"
    ...     with held(target, print) as part:
    ...         part.append(b"whole")
    ...         part.finish()
    ...     target.read_bytes()
    b'whole'
    """
    path = part_of(target)
    file, shared = _locked(path, waiting), True
    if file is None:
        # Some file systems of clusters know no locks: there it is one of our own, which nobody goes on with.
        path = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")
        file, shared = path.open("xb", buffering=0), False
    part = Part(target, path, file)
    try:
        yield part
    finally:
        if part.size == 0 or not shared:
            path.unlink(missing_ok=True)
        file.close()


def _locked(path: Path, waiting: Callable[[int], None]) -> FileIO | None:
    """Open a file as soon as nobody else has it; None where files cannot be locked."""
    while True:
        file = path.open("ab", buffering=0)
        ours = False
        try:
            # The system unlocks it when it is closed, or we die.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = _still_there(file, path)
            if ours:
                return file
        except BlockingIOError:
            waiting(os.fstat(file.fileno()).st_size)
            time.sleep(_PAUSE)
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise
            if os.fstat(file.fileno()).st_size == 0:
                path.unlink(missing_ok=True)
            return None
        finally:
            if not ours:
                file.close()


def _still_there(file: FileIO, path: Path) -> bool:
    """Tell whether the name still is that of the open file: who held it before may have finished."""
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())
