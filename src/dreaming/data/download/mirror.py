"""One mirror: asked for what is lacking of a file, and judged by its answer and its speed."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import requests
import urllib3

from dreaming.data.download.part import Part
from dreaming.data.sources import RemoteFile

Progress = Callable[[str, int, int], None]
"""Called with file name, bytes done and bytes in all."""

_CHUNK = 64 * 1024
_BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError)


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
    """A mirror gives the file so slowly that another is worth a try; the text says how slowly."""


def take(
    url: str, file: RemoteFile, part: Part, progress: Progress | None, patience: Patience, *, hurry: bool
) -> None:
    """Get what a part lacks from one mirror, by HTTP Range if there is something already.

    Parameters
    ----------
    url
        The mirror's address of the file.
    file
        What is published of it.
    part
        What is there; afterwards it has as many bytes as the file.
    progress
        Who is told.
    patience
        How long to wait.
    hurry
        Whether to leave a mirror that is slow but alive.

    Raises
    ------
    MirrorFailedError, TooSlowError
        If it does not have as many bytes afterwards. What may be right of it is kept.
    """
    try:
        with _answer(url, part.size, patience) as response:
            start = _start(response, part.size, file.size)
            part.cut(start)
            for piece in _pieces(response, patience, hurry=hurry):
                if part.size + len(piece) > file.size:
                    part.cut(start)  # it has another file: nothing of it is right
                    raise MirrorFailedError(f"gave more than {file.size} bytes")
                part.append(piece)
                if progress is not None:
                    progress(file.name, part.size, file.size)
    except _BROKEN as error:
        raise MirrorFailedError(f"broke off ({_reason(error)})") from error
    if part.size != file.size:
        raise MirrorFailedError(f"broke off after {part.size} of {file.size} bytes")


def _answer(url: str, have: int, patience: Patience) -> requests.Response:
    # The bytes as they are stored: an archive must not be unpacked on the way.
    headers = {"Accept-Encoding": "identity", "User-Agent": "dreaming (scientific data fetcher)"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        return requests.get(url, headers=headers, stream=True, timeout=(patience.connect, patience.read))
    except requests.RequestException:
        raise
    except ValueError as error:  # requests reads the address of a redirect, and may stumble over it
        raise MirrorFailedError(f"sends on to an address that is none ({error})") from error


def _start(response: requests.Response, have: int, size: int) -> int:
    """Tell at which byte the answer begins; an error if it is not an answer to what was asked."""
    hops = [*(hop.url for hop in response.history), response.url]
    for one, other in pairwise(hops):
        if one.startswith("https:") and not other.startswith("https:"):
            raise MirrorFailedError(f"sends on from https to {other}, which anybody on the way can change")
    if response.status_code not in (200, 206):
        raise MirrorFailedError(f"answered {response.status_code} {response.reason}".rstrip())
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise MirrorFailedError("gave a page in place of the file")
    start = have if response.status_code == 206 else 0  # 200: the mirror knows no ranges and gives it all
    if response.status_code == 206:
        said = re.match(r"bytes (\d+)-\d+/(\d+|\*)$", response.headers.get("Content-Range", ""))
        if said is None or int(said[1]) != have:
            raise MirrorFailedError("gave another part of the file than was asked for")
        if said[2] not in ("*", str(size)):
            raise MirrorFailedError(f"has {said[2]} bytes instead of {size}")
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and start + int(length) != size:
        raise MirrorFailedError(f"has {start + int(length)} bytes instead of {size}")
    return start


def _pieces(response: requests.Response, patience: Patience, *, hurry: bool) -> Iterator[bytes]:
    """Give the content piece by piece as it comes, as long as it comes fast enough."""
    slowest = patience.slowest if hurry else patience.least
    since, came = time.monotonic(), 0
    # Not `stream`, which waits for a whole piece, and so for ever where a byte comes now and then.
    while piece := response.raw.read1(_CHUNK, decode_content=False):
        yield piece
        came += len(piece)
        seconds = time.monotonic() - since
        if seconds > patience.grace:
            if came < slowest * seconds:
                said = f"gave only {came / seconds / 1000:.1f} kB a second"
                raise TooSlowError(said) if hurry else MirrorFailedError(said)
            since, came = time.monotonic(), 0


def _reason(error: BaseException) -> str:
    """Find the cause that a person can use: the innermost one, without the objects' addresses around it."""
    for inner in (getattr(error, "reason", None), *error.args):
        if isinstance(inner, BaseException):
            return _reason(inner)
    return str(error).rpartition(">: ")[2] or type(error).__name__
