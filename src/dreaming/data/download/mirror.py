"""One mirror: asked for what is lacking of a file, and judged by its answer and its speed."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import requests
import urllib3

from dreaming.data.sources import RemoteFile

Progress = Callable[[str, int, int], None]
"""Called with file name, bytes done and bytes in all."""

_CHUNK = 64 * 1024
_BROKEN = (
    *(requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError),
    ValueError,  # of a redirect to an address that is none
)


@dataclass(frozen=True)
class Patience:
    """How long to wait for a mirror.

    Attributes
    ----------
    connect, read
        Seconds until a connection stands, and between two pieces of data.
    grace
        Seconds after which a mirror's speed is judged, again and again, each time over so many seconds.
    slowest
        Bytes a second below which another mirror is tried, if there is one.
    least
        Bytes a second below which a mirror counts as broken off, also if there is no other.
    """

    connect: float = 10.0
    read: float = 30.0
    grace: float = 20.0
    slowest: float = 200_000.0
    least: float = 1_000.0


class MirrorFailedError(Exception):
    """A mirror did not give the file; the text says why, in one line, whatever it is that the mirror sent."""

    def __init__(self, why: str) -> None:
        super().__init__("".join(each if each.isprintable() else " " for each in why)[:300])


class TooSlowError(MirrorFailedError):
    """A mirror gives the file too slowly; the text says how slowly."""


def take(
    url: str, file: RemoteFile, part: Path, progress: Progress | None, patience: Patience, slowest: float
) -> None:
    """Append to a part what it lacks, from one mirror, by HTTP Range if there is something already.

    Raises
    ------
    MirrorFailedError, TooSlowError
        If it does not have as many bytes as the file afterwards, or gets less than ``slowest`` bytes a second. What
        may be right of it is kept.
    """
    have = part.stat().st_size
    # The bytes as they are stored: an archive must not be unpacked on the way.
    headers = {"Accept-Encoding": "identity", "User-Agent": "dreaming (scientific data fetcher)"}
    if have:
        headers["Range"] = f"bytes={have}-"
    times = (patience.connect, patience.read)
    try:
        with (
            requests.get(url, headers=headers, stream=True, timeout=times) as response,
            part.open("ab", buffering=0) as kept,
        ):
            done = start = _start(response, have, file.size)
            kept.truncate(start)
            since, came = time.monotonic(), 0
            # Not `stream`, which waits for a whole piece, and so for ever where a byte comes now and then.
            while piece := response.raw.read1(_CHUNK, decode_content=False):
                done, came = done + len(piece), came + len(piece)
                if done > file.size:
                    kept.truncate(start)  # it has another file: nothing of it is right
                    raise MirrorFailedError(f"gave more than {file.size} bytes")
                _append(kept, piece)
                if progress is not None:
                    progress(file.name, done, file.size)
                seconds = time.monotonic() - since
                if seconds > patience.grace:
                    if came < slowest * seconds:
                        raise TooSlowError(f"gave only {came / seconds / 1000:.1f} kB a second")
                    since, came = time.monotonic(), 0
    except _BROKEN as error:
        raise MirrorFailedError(f"broke off ({_reason(error)})") from error
    if done != file.size:
        raise MirrorFailedError(f"broke off after {done} of {file.size} bytes")


def _append(kept: FileIO, piece: bytes) -> None:
    """Write all of a piece; it is in the file then, also if this process is killed."""
    left = memoryview(piece)
    while left:
        left = left[kept.write(left) :]


def _start(response: requests.Response, have: int, size: int) -> int:
    """Return at which byte the answer begins; an error if it is not an answer to what was asked."""
    if response.status_code not in (200, 206):
        raise MirrorFailedError(f"answered {response.status_code} {response.reason}".rstrip())
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise MirrorFailedError("gave a page in place of the file")
    start = 0  # 200: the mirror knows no ranges and gives it all
    if response.status_code == 206:
        start = have
        said = re.match(r"bytes (\d+)-\d+/(\d+|\*)$", response.headers.get("Content-Range", ""))
        if said is None or int(said[1]) != have:
            raise MirrorFailedError("gave another part of the file than was asked for")
        if said[2] not in ("*", str(size)):
            raise MirrorFailedError(f"has {said[2]} bytes instead of {size}")
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and start + int(length) != size:
        raise MirrorFailedError(f"has {start + int(length)} bytes instead of {size}")
    return start


def _reason(error: BaseException) -> str:
    """Return the cause that a person can use: the innermost one, without the objects' addresses around it."""
    for inner in (getattr(error, "reason", None), *error.args):
        if isinstance(inner, BaseException):
            return _reason(inner)
    return str(error).rpartition(">: ")[2] or type(error).__name__
