"""Get a data set from its mirrors: resumed where it broke off, checked, never half under its good name."""

import errno
import shutil
from collections import deque
from pathlib import Path

from dreaming.data.download.mirror import MirrorFailedError, Patience, Progress, TooSlowError, take
from dreaming.data.download.part import Part, held
from dreaming.data.loading import folder_of
from dreaming.data.sources import NETWORKS, SOURCES, RemoteFile, checksum
from dreaming.errors import UserError
from dreaming.system.disk import expanded

_ORDINARY = Patience()


def fetch(name: str, data_dir: Path, *, progress: Progress | None = None) -> list[Path]:
    """Get the official files of a data set, or the weights of a network.

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
    if name in NETWORKS:
        files = NETWORKS[name].files
    elif folder_of(name, *NETWORKS) is not None:
        raise UserError(f"{name} needs no fetching: it is a folder of your own")
    elif name not in SOURCES:
        raise UserError(f"{name} needs no fetching: it comes with scikit-learn")
    else:
        files = SOURCES[name].layouts[0].files
    return [download(file, expanded(data_dir), progress=progress) for file in files]


def download(
    file: RemoteFile, data_dir: Path, *, progress: Progress | None = None, patience: Patience = _ORDINARY
) -> Path:
    """Get one file from the first of its mirrors that gives it, as `fetch` does.

    A mirror that is slow is set aside while there are others, and taken after all if those fail. While another
    process gets the same file into the same folder, this one waits for it.
    """
    target = data_dir / file.name
    if target.is_file() and _is_right(target, file):
        return target

    def others(done: int) -> None:
        if progress is not None:
            progress(file.name, done, file.size)

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with held(target, others) as part:
            # Whoever held it before may have got it meanwhile.
            answers = (
                [] if target.is_file() and _is_right(target, file) else _tried(file, part, progress, patience)
            )
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_full(target, file.size) from error
        raise UserError(f"{target} cannot be written: {error.strerror or error}") from error
    if not answers:
        return target
    raise UserError(
        f"{file.name} could not be fetched: {'; '.join(answers)}; the same command tries again and goes on"
        f" from what is there, or put the file into {data_dir} yourself"
    )


def _tried(file: RemoteFile, part: Part, progress: Progress | None, patience: Patience) -> list[str]:
    """Try one mirror after another; return what each answered, or nothing once the file is there."""
    _refuse_full_disk(file, part)
    answers: list[str] = []
    left = deque((url, len(file.mirrors) > 1) for url in file.mirrors)
    while left:
        url, hurry = left.popleft()
        try:
            _from_mirror(url, file, part, progress, patience, hurry=hurry)
        except TooSlowError as slow:
            answers.append(f"{url} {slow}")
            left.append((url, False))
        except MirrorFailedError as failure:
            answers.append(f"{url} {failure}")
        else:
            part.finish()
            return []
    return answers


def _from_mirror(
    url: str, file: RemoteFile, part: Part, progress: Progress | None, patience: Patience, *, hurry: bool
) -> None:
    """Get the file from one mirror; what an earlier one left is built on, and dropped if it was wrong."""
    if part.size > file.size:
        part.cut(0)
    resumed = part.size > 0
    if part.size < file.size:
        take(url, file, part, progress, patience, hurry=hurry)
    if _is_right(part.path, file):
        return
    part.cut(0)
    if not resumed:
        raise MirrorFailedError("gave a file with another checksum")
    # The wrong bytes may have been an earlier mirror's, so this one gets its own chance.
    _from_mirror(url, file, part, progress, patience, hurry=hurry)


def _is_right(path: Path, file: RemoteFile) -> bool:
    return file.checksum is None or checksum(path, file.checksum.partition(":")[0]) == file.checksum


def _refuse_full_disk(file: RemoteFile, part: Part) -> None:
    needed = file.size - part.size
    if shutil.disk_usage(part.path.parent).free < needed:
        raise _disk_full(part.path.with_suffix(""), needed)


def _disk_full(target: Path, needed: int) -> UserError:
    return UserError(
        f"the disk of {target.parent} is too full for {target.name}, which needs {needed / 1e6:.0f} MB more;"
        " make room or choose another --data-dir"
    )
