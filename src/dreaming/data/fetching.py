"""Get a data set from its mirrors: resumed where it broke off, checked, never half under its good name."""

import errno
import logging
import shutil
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests
import urllib3

from dreaming.data.folder import expanded
from dreaming.data.loading import folder_of
from dreaming.data.sources import SOURCES, RemoteFile, checksum
from dreaming.errors import UserError

Progress = Callable[[str, int, int], None]
"""Called with file name, bytes done and bytes in all."""

_CHUNK = 16 * 1024


@dataclass(frozen=True)
class Patience:
    """How long to wait for a mirror.

    Attributes
    ----------
    connect, read
        Seconds until a connection stands, and between two pieces of data.
    grace
        Seconds before a mirror's speed is judged.
    slowest
        Bytes a second below which another mirror is tried, if there is one.
    """

    connect: float = 10.0
    read: float = 30.0
    grace: float = 20.0
    slowest: float = 200_000.0


_ORDINARY = Patience()


class _MirrorFailedError(Exception):
    """A mirror did not give the file; the text says why."""


class _TooSlowError(Exception):
    """A mirror gives the file so slowly that another is worth a try; the text says how slowly."""


def fetch(name: str, data_dir: Path, *, progress: Progress | None = None) -> list[Path]:
    """Get the official files of a data set.

    Each file is asked for at its official address first, then at its mirrors. A download that breaks off is
    kept as ``FILE.part`` and goes on from there, at the next mirror or at the next call. A file gets its name
    only once its checksum is right; one that is there with the right checksum is left alone, one with another
    is replaced.

    Parameters
    ----------
    name
        One of `names`.
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
    if folder_of(name) is not None:
        raise UserError(f"{name} needs no fetching: it is a folder of your own")
    if name not in SOURCES:
        raise UserError(f"{name} needs no fetching: it comes with scikit-learn")
    files = SOURCES[name].layouts[0].files
    return [download(file, expanded(data_dir), progress=progress) for file in files]


def download(
    file: RemoteFile, data_dir: Path, *, progress: Progress | None = None, patience: Patience = _ORDINARY
) -> Path:
    """Get one file from the first of its mirrors that gives it, as `fetch` does.

    A mirror that is slow is set aside while there are others, and taken after all if those fail.
    """
    target = data_dir / file.name
    if target.is_file() and _is_right(target, file):
        return target
    answers: list[str] = []
    left = deque((url, len(file.mirrors) > 1) for url in file.mirrors)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _refuse_full_disk(file, target)
        while left:
            url, hurry = left.popleft()
            try:
                _from_mirror(url, file, target, progress, patience, hurry=hurry)
            except _TooSlowError as slow:
                answers.append(f"{url} {slow}")
                left.append((url, False))
            except _MirrorFailedError as failure:
                answers.append(f"{url} {failure}")
            else:
                return target
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_full(target, file.size) from error
        raise UserError(f"{target} cannot be written: {error.strerror or error}") from error
    raise UserError(
        f"{file.name} could not be fetched: {'; '.join(answers)}; the same command tries again and goes on"
        f" from what is there, or put the file into {data_dir} yourself"
    )


def _is_right(path: Path, file: RemoteFile) -> bool:
    return file.checksum is None or checksum(path, file.checksum.partition(":")[0]) == file.checksum


def _part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _bytes_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _refuse_full_disk(file: RemoteFile, target: Path) -> None:
    needed = file.size - _bytes_of(_part(target))
    if shutil.disk_usage(target.parent).free < needed:
        raise _disk_full(target, needed)


def _disk_full(target: Path, needed: int) -> UserError:
    return UserError(
        f"the disk of {target.parent} is too full for {target.name}, which needs {needed / 1e6:.0f} MB more;"
        " make room or choose another --data-dir"
    )


def _from_mirror(
    url: str, file: RemoteFile, target: Path, progress: Progress | None, patience: Patience, *, hurry: bool
) -> None:
    """Get the file from one mirror; what an earlier one left is built on, and dropped if it was wrong."""
    pooch.get_logger().setLevel(logging.WARNING)  # pooch announces each try; here the caller shows progress
    resumed = _bytes_of(_part(target)) > 0
    try:
        pooch.retrieve(
            url,
            known_hash=file.checksum,
            fname=target.name,
            path=target.parent,
            downloader=_Resuming(file, _part(target), progress, patience, hurry=hurry),
        )
    except (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
        raise _MirrorFailedError(f"broke off ({_reason(error)})") from error
    except ValueError as error:  # pooch's word for a wrong checksum, upon which it has deleted the file
        if not resumed:
            raise _MirrorFailedError("gave a file with another checksum") from error
        # The wrong bytes may have been an earlier mirror's, so this one gets its own chance.
        _from_mirror(url, file, target, progress, patience, hurry=hurry)


def _reason(error: BaseException) -> str:
    """Find the cause that a person can use: the innermost one, without the objects' addresses around it."""
    for inner in (getattr(error, "reason", None), *error.args):
        if isinstance(inner, BaseException):
            return _reason(inner)
    return str(error).rpartition(">: ")[2] or type(error).__name__


class _Resuming:
    """A downloader for pooch which goes on from a ``.part`` file by HTTP Range."""

    def __init__(
        self, file: RemoteFile, part: Path, progress: Progress | None, patience: Patience, *, hurry: bool
    ) -> None:
        self._file = file
        self._part = part
        self._progress = progress
        self._patience = patience
        self._hurry = hurry

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        if _bytes_of(self._part) > self._file.size:
            self._part.unlink()
        if _bytes_of(self._part) < self._file.size:
            self._request(url)
        self._part.replace(output_file)

    def _request(self, url: str) -> None:
        have = _bytes_of(self._part)
        # The bytes as they are stored: an archive must not be unpacked on the way.
        headers = {"Accept-Encoding": "identity", "User-Agent": "dreaming (scientific data fetcher)"}
        if have:
            headers["Range"] = f"bytes={have}-"
        timeout = (self._patience.connect, self._patience.read)
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
            start = self._start(response, have)
            self._append(response, start)
        done = _bytes_of(self._part)
        if done != self._file.size:
            raise _MirrorFailedError(f"broke off after {done} of {self._file.size} bytes")

    def _start(self, response: requests.Response, have: int) -> int:
        """Tell at which byte the answer begins; an error if it is not an answer to what was asked."""
        if response.status_code not in (200, 206):
            raise _MirrorFailedError(f"answered {response.status_code} {response.reason}".rstrip())
        start = have if response.status_code == 206 else 0  # 200: the mirror knows no ranges and gives it all
        if response.status_code == 206 and not response.headers.get("Content-Range", "").startswith(
            f"bytes {have}-"
        ):
            raise _MirrorFailedError("gave another part of the file than was asked for")
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and start + int(length) != self._file.size:
            raise _MirrorFailedError(f"has {start + int(length)} bytes instead of {self._file.size}")
        return start

    def _append(self, response: requests.Response, start: int) -> None:
        begun = time.monotonic()
        done = start
        with self._part.open("ab" if start else "wb") as sink:
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                done += len(chunk)
                if done > self._file.size:
                    raise _MirrorFailedError(f"gave more than {self._file.size} bytes")
                sink.write(chunk)
                if self._progress is not None:
                    self._progress(self._file.name, done, self._file.size)
                seconds = time.monotonic() - begun
                if self._hurry and seconds > self._patience.grace:
                    speed = (done - start) / seconds
                    if speed < self._patience.slowest:
                        raise _TooSlowError(f"gave only {speed / 1000:.0f} kB a second")
