"""Files that are whole whenever they are seen: atomic writes, on the disk before they count."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from dreaming.errors import UserError


def write(path: Path, content: bytes) -> None:
    """Write a file so that it is never seen half-written, not even after a power cut.

    The content is written beside its place and brought to the disk, then moved there, then the move is brought to
    the disk, as is each folder that had to be made on the way.

    Raises
    ------
    UserError
        If it cannot be written, a full disk included; what stood there before stands there still.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder) / "new" / "losses.csv", b"epoch")
    ...     [path.name for path in Path(folder).rglob("*")]
    ['new', 'losses.csv']
    """
    beside = _beside(path)
    try:
        make_folder(path.parent)
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync(path.parent)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:  # also where somebody interrupts
        with suppress(OSError):  # the folder itself may not be there, or not ours: then nothing was written
            beside.unlink(missing_ok=True)


def keep(path: Path, also: Path) -> None:
    """Let what a file holds now be found under another name too, so that it outlives its next content.

    Raises
    ------
    UserError
        If it cannot be; both names lead to what they led to before.
    """
    beside = _beside(also)
    try:
        beside.unlink(missing_ok=True)
        try:
            os.link(path, beside)
        except OSError:  # not every file system has links
            shutil.copyfile(path, beside)
            with beside.open("rb") as file:
                os.fsync(file.fileno())
        beside.replace(also)
        sync(also.parent)
    except OSError as error:
        raise _not_written(also, error) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Take away, in a folder and below, what processes that died left of files which they were writing."""
    for path in folder.rglob(".*.part"):
        writer = path.name.split(".")[-2]
        if writer.isascii() and writer.isdigit() and not _lives(int(writer)):
            path.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is somebody else's
        return True
    return True


def make_folder(folder: Path) -> list[Path]:
    """Make a folder and those above it, each on the disk before what it holds; return those that were not there."""
    made: list[Path] = []
    while not folder.exists():
        made.insert(0, folder)
        folder = folder.parent
    for each in made:
        each.mkdir(exist_ok=True)
        sync(each.parent)
    return made


def sync(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _not_written(path: Path, error: OSError) -> UserError:
    return UserError(
        f"cannot write {path} ({error.strerror}); nothing is lost: mend that and give the same command again"
    )
