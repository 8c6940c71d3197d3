"""Fetching a data set from its mirrors: resumed where it broke off, checked, never half under its good name."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from dreaming.data.download.mirror import MirrorFailedError, Patience, Progress, TooSlowError, take
from dreaming.data.known import image_folder, source_called
from dreaming.data.sources import RemoteFile, found_checksum
from dreaming.data.weights import NETWORKS
from dreaming.errors import UserError, spelled
from dreaming.system.disk import expanded

_ORDINARY = Patience()
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What file systems say that have no locks, as some of clusters."""
_PAUSE = 0.2
"""Seconds between two looks at whether another process has let go."""


def fetch(name: str, data_dir: Path, *, progress: Progress | None = None) -> list[Path]:
    """Fetch the official files of a data set, or the weights of a network.

    Each file is asked for at its official address first, then at its mirrors. A download that breaks off is
    kept as ``FILE.part`` and goes on from there, at the next mirror or at the next call. A file gets its name
    only once its checksum is right; one that is there with the right checksum is left alone, one with another
    is replaced.

    Parameters
    ----------
    name
        One of `names`, or ``inception``.
    data_dir
        Where to put the files; made if it is not there.
    progress
        Called with file name, bytes done and bytes in all, many times a second.

    Returns
    -------
    list of Path
        The files, in the order in which they are published.

    Raises
    ------
    UserError
        In one sentence: if there is nothing to fetch (digits, house_digits, a folder), if no mirror gives the file
        (and what each said), or if the disk is full or cannot be written to.

    Examples
    --------
    >>> fetch("digits", Path("nowhere"))
    Traceback (most recent call last):
    dreaming.errors.UserError: digits needs no fetching: it comes with scikit-learn
    """
    if (network := spelled(name, NETWORKS)) in NETWORKS:
        files = NETWORKS[network].files
    elif image_folder(name, *NETWORKS) is not None:
        raise UserError(f"{name} needs no fetching: it is a folder of your own")
    elif not (source := source_called(name)).layouts:
        raise UserError(f"{name} needs no fetching: it comes with scikit-learn")
    else:
        files = source.layouts[0].files
    return [download(file, expanded(data_dir), progress=progress) for file in files]


def download(
    file: RemoteFile, data_dir: Path, *, progress: Progress | None = None, patience: Patience = _ORDINARY
) -> Path:
    """Fetch one file from the first of its mirrors that gives it, as `fetch` does.

    A mirror that is slow is set aside while there are others, and taken after all if those fail. While another
    process fetches the same file into the same folder, this one waits for it.
    """
    target = data_dir / file.name
    if _is_right(target, file):
        return target
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(part, file, progress):
            if not _is_right(target, file):  # whoever held it before may have got it meanwhile
                _from_mirrors(file, part, progress, patience)
                part.replace(target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_full(part, file.size) from error
        raise UserError(f"{target} cannot be written: {error.strerror or error}") from error
    return target


@contextmanager
def _alone(part: Path, file: RemoteFile, progress: Progress | None) -> Iterator[None]:
    """Keep other processes from a part within the block; one without content is not left behind."""
    name = part.with_name(f".{part.name}.lock")
    lock: BaseFileLock = FileLock(name, fallback_to_soft=False)
    while not lock.is_locked:
        try:
            lock.acquire(timeout=_PAUSE)
        except Timeout:
            if progress is not None and part.exists():
                progress(file.name, part.stat().st_size, file.size)
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise
            lock = SoftFileLock(f"{name}.soft")
    try:
        part.touch()
        yield
    finally:
        if part.exists() and part.stat().st_size == 0:
            part.unlink()
        name.unlink(missing_ok=True)  # while it is held: whoever waits for it makes another
        lock.release()


def _from_mirrors(file: RemoteFile, part: Path, progress: Progress | None, patience: Patience) -> None:
    """Complete a part from one mirror after another, until it is the file."""
    needed = file.size - part.stat().st_size
    if shutil.disk_usage(part.parent).free < needed:
        raise _disk_full(part, needed)
    answers = []
    turns = [(url, patience.slowest if len(file.mirrors) > 1 else patience.least) for url in file.mirrors]
    for url, slowest in turns:
        try:
            return _from_mirror(url, file, part, progress, patience, slowest)
        except MirrorFailedError as failure:
            answers.append(f"{url} {failure}")
            if isinstance(failure, TooSlowError) and slowest > patience.least:
                turns.append((url, patience.least))  # after all others, it has its time
    raise UserError(
        f"{file.name} could not be fetched: {'; '.join(answers)}; the same command tries again and goes on"
        f" from what is there, or put the file into {part.parent} yourself"
    )


def _from_mirror(
    url: str, file: RemoteFile, part: Path, progress: Progress | None, patience: Patience, slowest: float
) -> None:
    """Complete a part from one mirror; what an earlier one left is built on, and dropped if it was wrong."""
    if part.stat().st_size > file.size:
        os.truncate(part, 0)
    resumed = part.stat().st_size > 0
    if part.stat().st_size < file.size:
        take(url, file, part, progress, patience, slowest)
    if _is_right(part, file):
        return
    os.truncate(part, 0)
    if not resumed:
        raise MirrorFailedError("gave a file with another checksum")
    # The wrong bytes may have been an earlier mirror's, so this one gets its own chance.
    _from_mirror(url, file, part, progress, patience, slowest)


def _is_right(path: Path, file: RemoteFile) -> bool:
    return path.is_file() and file.checksum in (None, found_checksum(file, path))


def _disk_full(part: Path, needed: int) -> UserError:
    return UserError(
        f"the disk of {part.parent} is too full for {part.stem}, which needs {needed / 1e6:.0f} MB more;"
        " make room or choose another --data-dir"
    )
