"""The run folder: the only place that knows the names of its files, and how its texts are read and written.

Every file is written by `dreaming.system.disk.write`, so that whatever happens, a name holds either the whole of
the old content or the whole of the new. Texts are a person's to open and to correct; weights and states are sealed
by checksums (`dreaming.runs.tensors`).
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dreaming.config.config import Config, plain_name, validated
from dreaming.data import Dataset
from dreaming.errors import UserError, brief, command, shown
from dreaming.model.parameters import Recorded
from dreaming.runs.own_code import own_classes, trust_own
from dreaming.runs.tables import csv, read_table
from dreaming.system.disk import expanded, write
from dreaming.system.texts import content_of

MEASURE_COLUMNS = ("dataset", "condition", "seed", "epoch", "measure", "parameter", "value")
PROJECTION_COLUMNS = (*MEASURE_COLUMNS[:-1], "image", "label", "occluded", "component", "value")


def run_path(out: Path, dataset: str, condition: str, seed: int) -> Path:
    """Return where a run lies: OUT/DATASET/CONDITION/seed-N.

    Examples
    --------
    >>> run_path(Path("runs"), "cifar10", "pad", 0).as_posix()
    'runs/cifar10/pad/seed-0'
    >>> run_path(Path("runs"), "folder:/data/my cats", "pad", 0).as_posix()
    'runs/folder-my-cats/pad/seed-0'
    """
    if dataset.startswith("folder:"):
        name = expanded(dataset.removeprefix("folder:")).resolve().name
        dataset = "folder-" + (re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.") or "images")
    return expanded(out) / dataset / condition / f"seed-{seed}"


def shipped() -> dict[str, Path]:
    """Return the run folders that come with the project, by name: cortices that have lived the paper's 50 epochs.

    Examples
    --------
    >>> sorted(shipped())[0]
    'pad-cifar10'
    """
    package = Path(__file__).parents[1]
    places = (
        package / "weights",
        package.parents[1] / "weights",
    )  # of an installed package, and of a checkout
    return {file.parent.name: file.parent for place in places for file in place.glob("*/config.yaml")}


class RunFolder:
    """One run on disk.

    Parameters
    ----------
    path
        The folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = expanded(path)
        self.config = self.path / "config.yaml"
        self.environment = self.path / "environment.json"
        self.losses = self.path / "losses.csv"
        self.findings = self.path / "findings.csv"
        self.measures = self.path / "measures.csv"
        self.projection = self.path / "projection.csv"
        self.state = self.path / "state.safetensors"
        self.state_before = self.path / "state.before.safetensors"

    @classmethod
    def existing(cls, path: Path) -> "RunFolder":
        """Return a folder that must hold a run: the one of this path, or else the weights of this name.

        Raises
        ------
        UserError
            If there is neither.
        """
        folder = cls(path if path.exists() else shipped().get(str(path), path))
        if not folder.path.is_dir():
            names = shipped() if len(path.parts) == 1 else {}
            there = (
                f"; the weights that come with the project are {', '.join(sorted(names))}" if names else ""
            )
            raise UserError(f"there is no run folder {path}{there}")
        if not folder.config.is_file():
            inside = sorted(folder.path.glob("**/config.yaml"))[:1]
            hint = f"; did you mean {inside[0].parent}?" if inside else ""
            raise UserError(f"{path} is no run folder: config.yaml is missing{hint}")
        return folder

    @classmethod
    def all_in(cls, paths: Iterable[str | Path]) -> list["RunFolder"]:
        """Return the runs that folders are, or that lie in them, each once.

        Raises
        ------
        UserError
            If one neither is a run nor holds any.
        """
        found: list[RunFolder] = []
        for path in map(Path, paths):
            inside = {file.parent for file in path.glob("**/config.yaml")} if path.is_dir() else set()
            whole = sorted(
                each for each in inside if not each.name.startswith(".")
            )  # else it is being written
            found += [cls(folder) for folder in whole] or [cls.existing(path)]
        return list({folder.path.resolve(): folder for folder in found}.values())

    @property
    def title(self) -> str:
        """Data set, condition and seed, as the folders are named."""
        return "/".join(self.path.parts[-3:])

    def snapshot(self, epoch: int) -> Path:
        """Return where the weights after an epoch lie (0: untrained)."""
        return self.path / "snapshots" / f"{epoch:04d}.safetensors"

    def dreams(self, epoch: int) -> Path:
        """Return where the sheet of dreams after an epoch lies."""
        return self.path / "dreams" / f"{epoch:04d}.png"

    def dream_picture(self, name: str) -> Path:
        """Return where a picture of dreams of this name lies."""
        return self.path / "dreams" / name

    def snapshots(self) -> list[int]:
        """Return the epochs whose weights are there, in order."""
        found = (self.path / "snapshots").glob("*.safetensors")
        return sorted(int(file.stem) for file in found if file.stem.isascii() and file.stem.isdigit())

    def require_snapshots(self, epochs: Iterable[int] = ()) -> list[int]:
        """Return the epochs whose weights are there, in order, and make sure that some epochs are among them.

        Raises
        ------
        UserError
            If one is not, or none is there.
        """
        there = self.snapshots()
        if not there:
            remedy = (
                "they were thrown away, and training it into another --out makes them again"
                if self.losses.exists()
                else "train it first"
            )
            raise UserError(f"{self.path} holds no snapshots; {remedy}")
        for epoch in epochs:
            if epoch not in there:
                listed = ", ".join(map(str, there))
                if not isinstance(epoch, int):
                    raise UserError(f"epoch {brief(epoch)} is no number; the epochs kept are {listed}")
                raise UserError(f"{self.snapshot(epoch)} is missing; the epochs kept are {listed}")
        return there

    def read_config(self, own: bool = False) -> Config:
        """Return the config of the run.

        Parameters
        ----------
        own
            Whether to execute what the folder keeps of its maker's own code, as far as it is trusted
            (`dreaming.trust`). Else, a class that is not the project's holds what was recorded of it, and no more.

        Raises
        ------
        UserError
            If it is missing, is no config, or is cut short.
        """
        config = Config.from_yaml(self.config)
        if "seed" not in config.model_fields_set:  # it is written last: others may be missing too
            raise UserError(f"{self.config} is damaged: it is cut short, before the seed")
        return self._with_own(config) if own and _lacks_classes(config) else config

    def at_hand(self, config: Config) -> Config:
        """Return a config that was read without its maker's own classes with those that this folder keeps.

        Only if it is the config of the run which lies here, and as far as their files are trusted.

        Raises
        ------
        UserError
            If a file is missing, is another than it was, or fails.
        """
        if not _lacks_classes(config) or not self.config.exists() or self.read_config().difference(config):
            return config
        return self._with_own(config)

    def _with_own(self, config: Config) -> Config:
        content = config.content()
        return validated(content, str(self.config), own_classes(self.path, content))

    def trust(self) -> list[Path]:
        """Mark the code that its maker added to the run as this user's; return the files (see `dreaming.trust`)."""
        return trust_own(self.path, self.read_config().content())

    def write_config(self, config: Config) -> None:
        """Write the config of the run."""
        write(self.config, config.to_yaml().encode())

    def read_environment(self) -> dict[str, Any]:
        """Return the record of the machines the run was made on: its ``sessions``, one or more.

        Raises
        ------
        UserError
            If it is missing or is no such record.
        """
        try:
            content = json.loads(content_of(self.environment))
        except (ValueError, RecursionError) as error:
            raise UserError(f"{self.environment} is damaged: it is no JSON ({error})") from None
        sessions = content.get("sessions") if isinstance(content, dict) else None
        if not isinstance(sessions, list) or not sessions or not all(map(_is_session, sessions)):
            raise UserError(f"{self.environment} is damaged: it holds no sessions")
        return dict(content)

    def write_environment(self, content: Mapping[str, Any]) -> None:
        """Write the record of the machines the run was made on."""
        write(self.environment, json.dumps(content, indent=2).encode() + b"\n")

    def fingerprint(self) -> Any:
        """Return the fingerprint of the images that the run saw last; None if its record names none."""
        return self.read_environment()["sessions"][-1].get("dataset", {}).get("fingerprint")

    def read_losses(self) -> pd.DataFrame:
        """Return the losses, a row an epoch.

        Raises
        ------
        UserError
            If the file is missing or is no such table.
        """
        return read_table(self.losses, ("epoch", "cycles", "seconds"))

    def read_measures(self, config: Config | None = None) -> pd.DataFrame:
        """Return what has been measured so far, a value a row; an empty table if nothing has.

        Parameters
        ----------
        config
            What the run is, where that is at hand.

        Raises
        ------
        UserError
            If the file is no such table, or another run's.
        """
        return self._so_far(self.measures, MEASURE_COLUMNS, config)

    def read_projection(self, config: Config | None = None) -> pd.DataFrame:
        """Return what has been projected so far, as `read_measures` does."""
        return self._so_far(self.projection, PROJECTION_COLUMNS, config)

    def _so_far(self, path: Path, columns: tuple[str, ...], config: Config | None) -> pd.DataFrame:
        if not path.exists():
            return pd.DataFrame(columns=list(columns))
        table, config = read_table(path, columns, needed=("value",)), config or self.read_config()
        table["dataset"] = table["dataset"].map(plain_name, na_action="ignore")
        run = {"dataset": config.dataset.name, "condition": config.condition, "seed": config.seed}
        for name, own in run.items():
            others = table.loc[~table[name].isin([own]), name]
            if len(others):
                raise UserError(
                    f"{path} is another run's: it has the {name} {shown(str(others.iloc[0]))} and the run here "
                    f"{own}; take it away, and measure this run with: {command('evaluate', self.path)}"
                )
        return table

    def write_table(self, path: Path, table: pd.DataFrame) -> None:
        """Write one of the folder's tables as CSV, every float to its last bit, an undefined value as nan."""
        if "value" in table:
            table = table.assign(value=table["value"].astype(object).fillna("nan"))
        write(path, csv(table))


def _lacks_classes(config: Config) -> bool:
    return any(isinstance(group, Recorded) for group in config.groups())


def _is_session(found: object) -> bool:
    groups = ("dataset", "machine", "versions")
    return isinstance(found, dict) and all(isinstance(found.get(group, {}), dict) for group in groups)


def require_same_config(folder: RunFolder, there: Config, wanted: Config, options: str) -> None:
    """Make sure that the config of the run which lies in a folder is the one that is wanted.

    Raises
    ------
    UserError
        If it is another: where they differ, and which options lead elsewhere.
    """
    found = there.difference(wanted)
    if found:
        path, old, new = found
        raise UserError(
            f"{folder.path} holds a run of another config: its {path} is {old} and this command says {new}; "
            f"use another {options}"
        )


def require_seeds_of_one_config(place: Path, there: Config, wanted: Config) -> None:
    """Make sure that two runs whose folders lie in one place differ in nothing but their seed.

    Raises
    ------
    UserError
        If they do: in what, and which options lead elsewhere.
    """
    found = there.difference(wanted.model_copy(update={"seed": there.seed}))
    if found:
        path, old, new = found
        raise UserError(
            f"{place} would hold seeds of two configs: {path} is {brief(old)} of one and {brief(new)} of the "
            "other; use another --name or --out"
        )


def require_same_images(folder: RunFolder, dataset: Dataset, remedy: str = "") -> None:
    """Make sure that images are those that a run saw last.

    Raises
    ------
    UserError
        If they are others, or the record of the run names none; the remedy ends the sentence.
    """
    if folder.fingerprint() != dataset.fingerprint:
        of_folder = dataset.place if dataset.name.startswith("folder:") else None
        name = of_folder or dataset.name
        raise UserError(f"{folder.path} was trained on other images than {name} has now{remedy}")


def trust(run_folder: str | Path) -> list[Path]:
    """Mark the code in a run folder as this user's, so that it is executed from there. Read it first.

    What one trains with is marked already.

    Parameters
    ----------
    run_folder
        A folder that `dreaming.train` made, with phases, networks or other classes of its maker's own.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    UserError
        If there is none, one is missing, or it is another than it was when the run was made.
    """
    return RunFolder.existing(Path(run_folder)).trust()
