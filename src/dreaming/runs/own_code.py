"""Code of the user's own that a run was made with: kept in its folder, and executed from there only if trusted.

A run folder may come from anybody. So what lies in one is executed only where its checksum is marked as this
user's: by training with it, or by `dreaming.trust`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dreaming.config.config import Config
from dreaming.config.custom import classes_in
from dreaming.errors import UserError
from dreaming.model.parameters import Parameters
from dreaming.system.disk import state_dir, write
from dreaming.system.source_code import SourceCode, source_of
from dreaming.system.texts import content_of


def own_files(config: Config) -> dict[str, bytes]:
    """Return the files that define the own classes of a config: each one's path within ``own/``, and its content.

    Raises
    ------
    UserError
        If two have one name, or a class cannot be recorded.
    """
    files: dict[str, bytes] = {}
    for cls in config.own().values():
        source = source_of(cls)
        for name, content in ((source.file, source.content), *source.beside):
            if files.setdefault(name, content) != content:
                raise UserError(f"two files are called {name}; give one of them another name")
    return files


def keep_own(path: Path, config: Config) -> list[str]:
    """Keep in a run folder, and mark as this user's, the files that define the own classes of its config.

    Returns
    -------
    list of str
        What could not be marked, in a sentence.

    Raises
    ------
    UserError
        If a file cannot be written, or as for `own_files`.
    """
    for name, content in own_files(config).items():
        if not _earlier(path).exists():
            write(path / "own" / name, content)
    said = []
    for kind, cls in config.own().items():
        source = source_of(cls)
        try:
            _mark(source, kind)
        except UserError as error:
            said.append(f"{error}; without that, what this run needs of {source.file} will not be read again")
    return said


def own_classes(path: Path, content: Any) -> dict[str, type[Parameters]]:
    """Return the user's own classes that a config's values name, as far as their files are trusted.

    Parameters
    ----------
    path
        The run folder.
    content
        The values of its config.

    Raises
    ------
    UserError
        If a file is missing, is another than it was, or fails.
    """
    found: dict[str, type[Parameters]] = {}
    for source, kinds in _recorded(content).items():
        trusted = [kind for kind in sorted(kinds) if _marker(source, kind).exists()]
        if trusted:
            found |= classes_in(*_whole(path, source), trusted)
    return found


def trust_own(path: Path, content: Any) -> list[Path]:
    """Mark the code in a run folder as this user's; see `RunFolder.trust`."""
    recorded = _recorded(content)
    if not recorded:
        raise UserError(f"{path} has no code of its maker's own, so there is nothing to trust")
    whole = [_whole(path, source) for source in recorded]
    for source, kinds in recorded.items():
        for kind in kinds:
            _mark(source, kind)
    return [file.parent / name for file, found in whole for name in (file.name, *dict(found.beside))]


def _recorded(content: Any) -> dict[SourceCode, set[str]]:
    """Return the sources that nested values name, each with the classes that it defines."""
    found: dict[SourceCode, set[str]] = {}
    for values in _mappings(content):
        kind, source = values.get("kind"), values.get("source")
        if isinstance(kind, str) and kind.isidentifier() and isinstance(source, Mapping):
            found.setdefault(SourceCode(**source), set()).add(kind)
    return found


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from _mappings(each)


def _earlier(path: Path) -> Path:
    """Return where earlier programs kept the one file of a user's own."""
    return path / "phases.py"


def _whole(path: Path, source: SourceCode) -> tuple[Path, SourceCode]:
    """Return the copy of a file and what was read of it, which is bit for bit what it was when the run was made."""
    file = _earlier(path) if _earlier(path).exists() else path / "own" / source.file
    content_of(file)  # which says it in a sentence if it cannot be read
    found = SourceCode.at(file)
    if found.sha256 != source.sha256:
        raise UserError(f"{file} is damaged: its checksum is another than when the run was made")
    return file, found


def _marker(source: SourceCode, kind: str) -> Path:
    return state_dir() / "own code" / source.sha256 / kind


def _mark(source: SourceCode, kind: str) -> None:
    write(_marker(source, kind), source.file.encode())
