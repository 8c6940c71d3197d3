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


def keep_own(path: Path, config: Config) -> list[str]:
    """Keep in a run folder, and mark as this user's, the files that define the own classes of its config.

    Returns
    -------
    list of str
        What could not be marked, in a sentence.

    Raises
    ------
    UserError
        If two files have one name, or one cannot be written.
    """
    kept: dict[str, SourceCode] = {}
    for cls in config.own().values():
        source = source_of(cls)
        if kept.setdefault(source.file, source) != source:
            raise UserError(f"two files are called {source.file}; give one of them another name")
    said = []
    for source in kept.values():
        write(own_file(path, source), source.content)
        try:
            _mark(source)
        except UserError as error:
            said.append(f"{error}; without that, what this run needs of {source.file} will not be read again")
    return said


def own_file(path: Path, source: SourceCode) -> Path:
    """Return where the copy of a file of the user's own lies in a run folder."""
    earlier = path / "phases.py"  # of runs that kept one file
    return path / "own" / source.file if not earlier.exists() else earlier


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
        if _marker(source).exists():
            found |= classes_in(_whole(path, source), sorted(kinds))
    return found


def trust_own(path: Path, content: Any) -> list[Path]:
    """Mark the code in a run folder as this user's; see `RunFolder.trust`."""
    sources = list(_recorded(content))
    if not sources:
        raise UserError(f"{path} has no code of its maker's own, so there is nothing to trust")
    files = [_whole(path, source) for source in sources]
    for source in sources:
        _mark(source)
    return files


def _recorded(content: Any) -> dict[SourceCode, set[str]]:
    """Return the sources that nested values name, each with the classes that it defines."""
    found: dict[SourceCode, set[str]] = {}
    for values in _mappings(content):
        kind, source = values.get("kind"), values.get("source")
        if isinstance(kind, str) and isinstance(source, Mapping):
            named = {name: str(source.get(name)) for name in ("file", "sha256")}
            found.setdefault(SourceCode(Path(named["file"]).name, named["sha256"]), set()).add(kind)
    return found


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from _mappings(each)


def _whole(path: Path, source: SourceCode) -> Path:
    """Return the copy of a file, which is bit for bit what it was when the run was made."""
    file = own_file(path, source)
    if SourceCode.of(source.file, content_of(file)) != source:
        raise UserError(f"{file} is damaged: its checksum is another than when the run was made")
    return file


def _marker(source: SourceCode) -> Path:
    return state_dir() / "own code" / source.sha256


def _mark(source: SourceCode) -> None:
    write(_marker(source), source.file.encode())
