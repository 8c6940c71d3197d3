"""The run folder: its layout, atomic writes and checksums. The only place that knows the names of its files.

Every file is written beside its place and moved there when it is complete and on the disk, so that whatever
happens, a name holds either the whole of the old content or the whole of the new.
"""

import hashlib
import io
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from dreaming.errors import UserError

TEXTS = ("dataset", "condition", "measure", "parameter")
WHOLE = ("epoch", "cycles", "seed")
MEASURES = ("dataset", "condition", "seed", "epoch", "measure", "parameter", "value")


def write(path: Path, content: bytes) -> None:
    """Write a file so that it is never seen half-written, not even after a power cut.

    Raises
    ------
    UserError
        If it cannot be written, a full disk included; what stood there before stands there still.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):  # the folder itself may not be there, or not ours: then nothing was written
            beside.unlink(missing_ok=True)
        raise UserError(
            f"cannot write {path} ({error.strerror}); nothing is lost: mend that and give the same command again"
        ) from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write named tensors with their metadata (as JSON values) and a checksum over both."""
    ready = {name: value.detach().to("cpu").contiguous() for name, value in tensors.items()}
    texts = {key: json.dumps(value) for key, value in metadata.items()}
    write(path, save(ready, {**texts, "sha256": _digest(ready, texts)}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote.

    Raises
    ------
    UserError
        If the file is missing, or is not bit for bit what was written.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        checksum = metadata.pop("sha256", None)
        if checksum != _digest(tensors, metadata):
            raise UserError(f"{path} is damaged: its checksum is another than when it was written")
        return tensors, {key: json.loads(text) for key, text in metadata.items()}
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} is damaged: {str(error).splitlines()[0]}") from None


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(dict(sorted(metadata.items()))).encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


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
        self.measures = self.path / "measures.csv"
        self.state = self.path / "state.safetensors"

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
        return sorted(int(file.stem) for file in found if file.stem.isdigit())

    def read_environment(self) -> dict[str, Any]:
        """Read the record of the machines the run was made on.

        Raises
        ------
        UserError
            If it is missing or damaged.
        """
        try:
            content = json.loads(self.environment.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{self.environment} is missing") from None
        except ValueError as error:
            raise UserError(f"{self.environment} is damaged: it is no JSON ({error})") from None
        if not isinstance(content, dict) or not isinstance(content.get("sessions"), list):
            raise UserError(f"{self.environment} is damaged: it holds no sessions")
        return content

    def write_environment(self, content: Mapping[str, Any]) -> None:
        """Write the record of the machines the run was made on."""
        write(self.environment, json.dumps(content, indent=2).encode() + b"\n")

    def read_losses(self) -> pd.DataFrame:
        """Read the losses, a row an epoch.

        Raises
        ------
        UserError
            If the file is missing or damaged.
        """
        return read_table(self.losses, ("epoch", "cycles", "seconds"))

    def read_measures(self) -> pd.DataFrame:
        """Read what has been measured so far, a value a row; an empty table if nothing has.

        Raises
        ------
        UserError
            If the file is damaged.
        """
        if not self.measures.exists():
            return pd.DataFrame(columns=list(MEASURES))
        return read_table(self.measures, MEASURES)


def read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read a CSV file that must begin with these columns, every float to its last bit.

    Raises
    ------
    UserError
        If the file is missing or damaged.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        for column in table.columns.difference(list(TEXTS)):
            numbers = table[column].map(lambda text: float(text) if text else float("nan"))
            table[column] = numbers.astype("Int64") if column in WHOLE else numbers.astype(float)
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except (ValueError, TypeError) as error:  # pandas' own errors are ValueErrors
        raise UserError(f"{path} is damaged: it is no table ({str(error).splitlines()[0]})") from None
    if tuple(table.columns[: len(columns)]) != columns:
        raise UserError(f"{path} is damaged: its columns should begin with {', '.join(columns)}")
    return table


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, every float to its last bit."""
    buffer = io.StringIO()
    table.to_csv(buffer, index=False, lineterminator="\n")
    write(path, buffer.getvalue().encode())
