"""What is published of a data set: files, sizes, checksums and mirrors; and what of it lies here."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dreaming.data.contents import Contents
from dreaming.errors import UserError


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set.

    Attributes
    ----------
    name
        Path below the data directory, as published; it may also lie there without its folder.
    checksum
        "md5:..." or "sha256:...", or None where none is published.
    size
        Bytes; 0 where it does not matter, as nothing is fetched.
    mirrors
        Addresses of the same bytes, the official one first.
    also
        Patterns of other paths below the data directory where it may lie.
    """

    name: str
    checksum: str | None
    size: int = 0
    mirrors: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """One way in which a data set comes: what reads it, and its files in the order in which that takes them."""

    read: Callable[[Sequence[Path]], Contents]
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True)
class Source:
    """What is known of a data set.

    Attributes
    ----------
    name
        As it is asked for.
    label
        As figures call it.
    n_train, n_test
        Images.
    host
        Where it comes from.
    licence
        What may be done with it, and whom to cite.
    layouts
        The ways in which it comes; the first is the official one, which is fetched. None if it needs no files.
    make
        Of a data set that needs no files: makes its images, given the limit on them.
    chance
        The share of test images that the best constant guess gets right, the class most frequent in training.
    """

    name: str
    label: str
    n_train: int
    n_test: int
    host: str
    licence: str
    layouts: tuple[Layout, ...] = ()
    make: Callable[[int | None], Contents] | None = None
    chance: float = 0.1


@dataclass(frozen=True)
class Network:
    """A network that measures, of which the weights are published."""

    name: str
    host: str
    licence: str
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True)
class FileCheck:
    """What was found of one expected file.

    Attributes
    ----------
    path
        Where it lies, or would.
    state
        "ok", "missing", "other checksum (found ..., expected ...)", or "no official checksum (found ...)".
    """

    path: Path
    state: str


def checksum(path: Path, algorithm: str) -> str:
    """Hash a file.

    Parameters
    ----------
    path
        The file.
    algorithm
        "md5" or "sha256".

    Returns
    -------
    str
        ``"md5:..."`` or ``"sha256:..."``, hexadecimal.

    Raises
    ------
    UserError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    return f"{algorithm}:{digest.hexdigest()}"


def found_checksum(file: RemoteFile, path: Path) -> str:
    """Hash what lies at ``path`` in the way in which ``file``'s checksum is published."""
    return checksum(path, file.checksum.partition(":")[0] if file.checksum else "sha256")


def locate(file: RemoteFile, data_dir: Path) -> Path | None:
    """Return where a file lies, by its published path, flat in the data directory or elsewhere, if anywhere."""
    others = (path for pattern in file.also for path in sorted(data_dir.glob(pattern)))
    places = (data_dir / file.name, data_dir / Path(file.name).name, *others)
    return next((place for place in places if place.is_file()), None)


def check_files(source: Source, data_dir: Path) -> list[FileCheck]:
    """Compare the files of every layout that is there, even in part, with what is published.

    Parameters
    ----------
    source
        What is expected.
    data_dir
        Where to look.

    Returns
    -------
    list of FileCheck
        If nothing is there at all, the files of the official layout, as missing.
    """
    present = [
        layout
        for layout in source.layouts
        if any(locate(file, data_dir) is not None for file in layout.files)
    ]
    return [check_file(file, data_dir) for layout in present or source.layouts[:1] for file in layout.files]


def check_file(file: RemoteFile, data_dir: Path) -> FileCheck:
    """Compare one file with what is published."""
    path = locate(file, data_dir)
    if path is None:
        return FileCheck(data_dir / file.name, "missing")
    found = found_checksum(file, path)
    if file.checksum is None:
        return FileCheck(path, f"no official checksum (found {found})")
    if found != file.checksum:
        return FileCheck(path, f"other checksum (found {found}, expected {file.checksum})")
    return FileCheck(path, "ok")
