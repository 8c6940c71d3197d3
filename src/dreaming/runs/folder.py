"""The run folder: its layout and checksums. The only place that knows the names of its files.

Every file is written by `dreaming.system.disk.write`, so that whatever happens, a name holds either the whole of
the old content or the whole of the new.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from dreaming.config.config import Config
from dreaming.errors import UserError
from dreaming.runs.tables import csv, read_table
from dreaming.system.disk import write
from dreaming.system.texts import content_of, json_of

MEASURES = ("dataset", "condition", "seed", "epoch", "measure", "parameter", "value")
PROJECTION = (*MEASURES[:-1], "image", "label", "occluded", "component", "value")


def _json(content: str | bytes) -> Any:
    """Read JSON; what is none, or nested without end, is a ValueError."""
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _object(content: str) -> dict[str, Any]:
    found = _json(content)
    if not isinstance(found, dict):
        raise ValueError("it says nothing about itself")
    return found


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def run_path(out: Path, dataset: str, condition: str, seed: int) -> Path:
    """Say where a run lies: OUT/DATASET/CONDITION/seed-N.

    Examples
    --------
    >>> run_path(Path("runs"), "cifar10", "pad", 0).as_posix()
    'runs/cifar10/pad/seed-0'
    >>> run_path(Path("runs"), "folder:/data/my cats", "pad", 0).as_posix()
    'runs/folder-my-cats/pad/seed-0'
    """
    if dataset.startswith("folder:"):
        name = Path(dataset.removeprefix("folder:")).resolve().name
        dataset = "folder-" + (re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.") or "images")
    return out / dataset / condition / f"seed-{seed}"


class RunFolder:
    """One run on disk.

    Parameters
    ----------
    path
        The folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.yaml"
        self.environment = self.path / "environment.json"
        self.losses = self.path / "losses.csv"
        self.findings = self.path / "findings.csv"
        self.measures = self.path / "measures.csv"
        self.projection = self.path / "projection.csv"
        self.state = self.path / "state.safetensors"
        self.state_before = self.path / "state.before.safetensors"
        self.checksums = self.path / "checksums.json"

    @classmethod
    def existing(cls, path: Path) -> "RunFolder":
        """Open a folder that must hold a run.

        Raises
        ------
        UserError
            If it does not.
        """
        folder = cls(path)
        if not folder.path.is_dir():
            raise UserError(f"there is no run folder {path}")
        if not folder.config.is_file():
            inside = sorted(path.glob("**/config.yaml"))[:1]
            hint = f"; did you mean {inside[0].parent}?" if inside else ""
            raise UserError(f"{path} is no run folder: config.yaml is missing{hint}")
        return folder

    def snapshot(self, epoch: int) -> Path:
        """Say where the weights after an epoch lie (0: untrained)."""
        return self.path / "snapshots" / f"{epoch:04d}.safetensors"

    def dreams(self, epoch: int) -> Path:
        """Say where the sheet of dreams after an epoch lies."""
        return self.path / "dreams" / f"{epoch:04d}.png"

    def own_phases(self) -> Path:
        """Say where the copy of the user's own phases lies."""
        return self.path / "phases.py"

    def snapshots(self) -> list[int]:
        """List the epochs whose weights are there, in order."""
        found = (self.path / "snapshots").glob("*.safetensors")
        return sorted(int(file.stem) for file in found if file.stem.isascii() and file.stem.isdigit())

    def write(self, path: Path, content: bytes) -> None:
        """Write one of the folder's text files so that `read` can tell whether it is whole.

        The checksum is written first, beside that of the content it replaces: whenever the power goes, the
        content that stands there is one of the two.
        """
        name, known = path.name, self._checksums() if self.checksums.exists() else {}
        there = [_sha256(path.read_bytes())] if path.is_file() else []
        still = [checksum for checksum in known.get(name, []) if checksum in there]
        known[name] = [*still, _sha256(content)]
        write(self.checksums, _sealed(known))
        write(path, content)

    def read(self, path: Path) -> bytes:
        """Read one of the folder's text files.

        Raises
        ------
        UserError
            If it is missing, or is not bit for bit what was written.
        """
        content = content_of(path)
        if _sha256(content) not in self._checksums().get(path.name, []):
            beside = self.checksums.name
            raise UserError(
                f"{path} is damaged (or {beside} beside it): its checksum is another than when it was written"
            )
        return content

    def _checksums(self) -> dict[str, list[str]]:
        try:
            known = json_of(content_of(self.checksums))
        except ValueError:
            known = None
        listed = known.values() if isinstance(known, dict) else [None]
        if not all(isinstance(each, list) and all(isinstance(one, str) for one in each) for each in listed):
            raise UserError(f"{self.checksums} is damaged: it holds no checksums")
        return dict(known)

    def texts(self) -> dict[str, str]:
        """Return what the files hold that `repair` can put back, by name: those that are there and whole."""
        found = {}
        for path in (self.config, self.environment, self.losses, self.findings):
            with suppress(UserError):
                found[path.name] = self.read(path).decode()
        return found

    def repair(self, texts: Mapping[str, str]) -> list[str]:
        """Put back those of the text files that are missing or damaged; say which, each in a sentence.

        Parameters
        ----------
        texts
            What they held when the run was last saved, as `texts` returned it.
        """
        said = []
        try:
            if self.checksums.exists() or texts:
                self._checksums()
        except UserError as mistake:
            if self.checksums.is_dir():
                raise
            whole = {
                name: [_sha256(text.encode())]
                for name, text in texts.items()
                if (self.path / name).is_file() and (self.path / name).read_bytes() == text.encode()
            }
            write(self.checksums, _sealed(whole))
            said.append(f"{mistake}; repaired")
        for name, text in texts.items():
            path = self.path / name
            try:
                self._holds(path, text.encode())
            except UserError as mistake:
                if path.is_dir():
                    raise
                self.write(path, text.encode())
                said.append(f"{mistake}; repaired from the run's state")
        return said

    def _holds(self, path: Path, text: bytes) -> None:
        """Make sure that a file is whole and, if it is a table that grows, that it has all that was saved."""
        content = self.read(path)
        if path in (self.losses, self.findings) and not content.startswith(text):
            raise UserError(f"{path} is not what was saved")

    def read_config(self) -> Config:
        """Read the config of the run.

        Raises
        ------
        UserError
            If it is missing, or is not bit for bit what was written.
        """
        return Config.parsed(self.config, self.read(self.config))

    def read_environment(self) -> dict[str, Any]:
        """Read the record of the machines the run was made on.

        Raises
        ------
        UserError
            If it is missing or damaged.
        """
        try:
            content = json_of(self.read(self.environment))
        except ValueError as error:
            raise UserError(f"{self.environment} is damaged: it is no JSON ({error})") from None
        sessions = content.get("sessions") if isinstance(content, dict) else None
        if not isinstance(sessions, list) or not sessions or not all(isinstance(s, dict) for s in sessions):
            raise UserError(f"{self.environment} is damaged: it holds no sessions")
        groups = [
            session.get(name, {}) for session in sessions for name in ("dataset", "machine", "versions")
        ]
        if not all(isinstance(group, dict) for group in groups):
            raise UserError(f"{self.environment} is damaged: a session in it is none")
        return dict(content)

    def write_environment(self, content: Mapping[str, Any]) -> None:
        """Write the record of the machines the run was made on."""
        self.write(self.environment, environment_text(content).encode())

    def read_losses(self) -> pd.DataFrame:
        """Read the losses, a row an epoch.

        Raises
        ------
        UserError
            If the file is missing or damaged.
        """
        return self._table(self.losses, ("epoch", "cycles", "seconds"))

    def read_measures(self) -> pd.DataFrame:
        """Read what has been measured so far, a value a row; an empty table if nothing has.

        Raises
        ------
        UserError
            If the file is damaged.
        """
        return self._table_so_far(self.measures, MEASURES)

    def read_projection(self) -> pd.DataFrame:
        """Read what has been projected so far, as `read_measures` does."""
        return self._table_so_far(self.projection, PROJECTION)

    def write_table(self, path: Path, table: pd.DataFrame) -> None:
        """Write one of the folder's tables as CSV, every float to its last bit."""
        self.write(path, csv(table))

    def _table_so_far(self, path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
        return self._table(path, columns) if path.exists() else pd.DataFrame(columns=list(columns))

    def _table(self, path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
        return read_table(path, columns, self.read(path))


def environment_text(content: Mapping[str, Any]) -> str:
    """Write the record of machines as the folder keeps it."""
    return json.dumps(content, indent=2) + "\n"


def _sealed(checksums: Mapping[str, list[str]]) -> bytes:
    return json.dumps(checksums, indent=2, sort_keys=True).encode() + b"\n"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fingerprint(folder: RunFolder) -> str | None:
    """Return the checksum of the images that a run saw last, or None if its record has none."""
    found = folder.read_environment()["sessions"][-1].get("dataset", {}).get("fingerprint")
    return found if isinstance(found, str) else None
