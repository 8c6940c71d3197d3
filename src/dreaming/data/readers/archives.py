"""Files of a packed archive, read as it streams by: nothing is written to the disk, and no bomb unpacked."""

import gzip
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from dreaming.errors import UserError


def members_of(path: Path, folder: str, names: Sequence[str], largest: int, most: int) -> dict[str, bytes]:
    """Read some files of a ``.tar.gz``, or of a ``.tar`` that a browser has unpacked under its name.

    Parameters
    ----------
    path
        The archive.
    folder
        That holds the files in it, if any does, wherever it lies there.
    names
        Of the files; all others are passed over, and links are not followed.
    largest
        Bytes that none of them goes beyond.
    most
        Bytes that all of the archive does not unpack beyond.

    Returns
    -------
    dict
        The content of each file by its name.

    Raises
    ------
    UserError
        If the archive is cut off, damaged, too large, or lacks a file.
    """
    members: dict[str, bytes] = {}
    try:
        with _opened(path, most) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
            for member in archive:
                *above, name = PurePosixPath(member.name).parts or ("",)
                here = not above or above[-1] == folder
                if here and name in names and member.isreg() and member.size <= largest:
                    content = archive.extractfile(member)
                    members[name] = content.read() if content else b""
                if len(members) == len(names) or member.size > most:  # tarfile would look for its end
                    break
    except Exception as error:  # whatever tarfile stumbles over
        raise UserError(f"{path} is damaged or cut off ({error}); fetch it again") from error
    missing = [name for name in names if name not in members]
    if missing:
        raise UserError(
            f"{path} lacks {folder}/{missing[0]}, or that has more than {largest:,} bytes; fetch the archive "
            f"again, or pack it anew with all of: {', '.join(names)}"
        )
    return members


def _opened(path: Path, most: int) -> io.BufferedIOBase:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return _Unpacked(path, most) if packed else path.open("rb")


class _Unpacked(gzip.GzipFile):
    """A gzip file that refuses to unpack more than so many bytes."""

    def __init__(self, path: Path, most: int) -> None:
        super().__init__(path)
        self._most = most

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > self._most:
            raise ValueError("it unpacks to more than it should hold")
        return super().read(size)
