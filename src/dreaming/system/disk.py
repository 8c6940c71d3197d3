"""Files that are whole whenever they are seen: atomic writes, on the disk before they count."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path, user_state_path

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
    unfinished = beside(path)
    try:
        make_folder(path.parent)
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        sync(path.parent)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:  # also where somebody interrupts
        with suppress(OSError):  # the folder itself may not be there, or not ours: then nothing was written
            unfinished.unlink(missing_ok=True)


def require_writable(*paths: Path) -> None:
    """Make sure, before work begins, that files can be written once it is done.

    Raises
    ------
    UserError
        If the folder of one, or the first above it that is there, takes no files, or a folder has its name.

    Examples
    --------
    >>> require_writable(Path("/dev/null/measures.csv"))
    Traceback (most recent call last):
    dreaming.errors.UserError: cannot write /dev/null/measures.csv: /dev/null takes no files; nothing was begun
    """
    for path in paths:
        there = next(folder for folder in path.absolute().parents if folder.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise UserError(f"cannot write {path}: {there} takes no files; nothing was begun")
        if path.is_dir():
            raise UserError(f"cannot write {path}: it is a folder; nothing was begun")


def keep(path: Path, also: Path) -> None:
    """Link what a file holds now to another name too, so that it outlives the file's next content.

    Raises
    ------
    UserError
        If it cannot be; both names lead to what they led to before.
    """
    unfinished = beside(also)
    try:
        unfinished.unlink(missing_ok=True)
        try:
            os.link(path, unfinished)
        except OSError:  # not every file system has links
            shutil.copyfile(path, unfinished)
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())
        unfinished.replace(also)
        sync(also.parent)
    except OSError as error:
        raise _not_written(also, error) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Delete, in a folder and below, what processes that died left of files and folders they were writing."""
    for path in list(folder.rglob(".*.part")):
        writer = path.name.split(".")[-2]
        if writer.isascii() and writer.isdigit() and not _lives(int(writer)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
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


def publish(unfinished: Path, folder: Path) -> None:
    """Move a folder that is written whole to its place, on the disk before it counts.

    Raises
    ------
    UserError
        If it cannot be moved, as where another process has put something there meanwhile.
    """
    try:
        unfinished.rename(folder)
        sync(folder.parent)
    except OSError as error:
        raise _not_written(folder, error) from error


def sync(folder: Path) -> None:
    """Flush the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def beside(path: Path) -> Path:
    """Return the path beside another where this process writes what will stand there; `sweep` knows such names."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _not_written(path: Path, error: OSError) -> UserError:
    return UserError(
        f"cannot write {path} ({error.strerror}); nothing is lost: mend that and give the same command again"
    )


def expanded(path: str | Path) -> Path:
    """Return a path with a user's home in place of ``~`` or ``~user``.

    Raises
    ------
    UserError
        If there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{path}: there is no such user's home here; write the path out") from None


def cache_dir() -> Path:
    """Return where what can be made again is kept: ``$DREAMING_CACHE``, else the user's cache directory."""
    return _own_place("DREAMING_CACHE", user_cache_path)


def state_dir() -> Path:
    """Return where this user's own marks lie: ``$DREAMING_STATE``, else the user's state directory."""
    return _own_place("DREAMING_STATE", user_state_path)


def _own_place(variable: str, usual: Callable[[str], Path]) -> Path:
    """Return the place that a variable names, else the usual one; without a home, where nothing can be written."""
    if chosen := os.environ.get(variable):
        return expanded(chosen)
    try:
        return usual("dreaming")
    except RuntimeError:
        return Path(os.devnull) / f"no home is known; set {variable}"
