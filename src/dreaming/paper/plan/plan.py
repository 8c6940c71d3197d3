"""The plan: which runs the figures need, which of them are there, and what is missing of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dreaming.config.config import Config
from dreaming.config.settings import difference
from dreaming.data import describe
from dreaming.errors import UserError
from dreaming.paper.plan.measuring import Measures, keys_of, measures_of
from dreaming.paper.plan.panels import FIGURES
from dreaming.paper.plan.presets import chosen
from dreaming.paper.plan.profile import Profile
from dreaming.runs.folder import RunFolder, run_path
from dreaming.training.precision import resolved

State = Literal["finished", "begun", "to do"]


@dataclass(frozen=True)
class PlannedRun:
    """A run that figures need.

    Attributes
    ----------
    config
        What it is; its snapshots are the epochs that any figure of the profile needs.
    folder
        Where it lies.
    figures
        Who needs it.
    measures
        For each measure, after which epochs.
    shown
        Epochs whose weights are shown in pictures.
    done
        Epochs that are done.
    lacking
        What cannot be had of it by going on, in a sentence; empty if all can.
    """

    config: Config
    folder: RunFolder
    figures: tuple[str, ...]
    measures: Mapping[str, tuple[int, ...]]
    shown: tuple[int, ...]
    done: int
    lacking: str

    @property
    def title(self) -> str:
        """Data set, condition and seed, as the folders are named."""
        return "/".join(self.folder.path.parts[-3:])

    @property
    def state(self) -> State:
        """How far it is."""
        if self.done >= self.config.training.epochs:
            return "finished"
        return "begun" if self.folder.config.exists() else "to do"

    def unmeasured(self, measures: Measures) -> dict[str, tuple[int, ...]]:
        """List what is not measured yet: for each measure, after which epochs."""
        values = [self.folder.read_measures(), self.folder.read_projection()]
        there = {
            key
            for table in values
            for key in table[["epoch", "measure", "parameter"]]
            .drop_duplicates()
            .itertuples(index=False, name=None)
        }
        found, keys = {}, keys_of(measures)
        for name, epochs in self.measures.items():
            missing = tuple(e for e in epochs if any((e, *key) not in there for key in keys[name]))
            if missing:
                found[name] = missing
        return found


@dataclass(frozen=True)
class Plan:
    """What is to be run, measured and drawn.

    Attributes
    ----------
    profile
        How much.
    figures
        Which figures and tables, in the report's order.
    runs
        Each run once, however many figures need it.
    out
        The folder of all of it.
    """

    profile: Profile
    figures: tuple[str, ...]
    runs: tuple[PlannedRun, ...]
    out: Path

    @property
    def measures(self) -> Measures:
        """The measures of the profile, by name."""
        return measures_of(self.profile)

    @property
    def missing(self) -> tuple[PlannedRun, ...]:
        """The runs that are not finished."""
        return tuple(run for run in self.runs if run.state != "finished")

    def hindrances(self, data_dir: str | Path | None) -> list[str]:
        """Say what cannot be measured as things are on this machine, and what to do, in a sentence each.

        Parameters
        ----------
        data_dir
            The folder of data; without it ``$DREAMING_DATA``.
        """
        measures, place = self.measures, None if data_dir is None else Path(data_dir)
        return [
            f"{name} cannot be measured as things are, and all else can: {said}"
            for name, own in measures.items()
            for each in own
            if (said := each.unavailable(place))
            and any(name in run.unmeasured({**measures, name: (each,)}) for run in self.runs)
        ]


Wanted = dict[str, set[int]]
"""Epochs, by the measure they are needed for."""


def make_plan(
    profile: Profile, only: Sequence[str] = (), out: str | Path = "reproduction", device: str = "auto"
) -> Plan:
    """Plan the runs that figures need; nothing is written, and nothing is run.

    Parameters
    ----------
    profile
        How much.
    only
        Figures by name; all of the profile by default.
    out
        The folder of all of it; runs lie in ``OUT/runs``.
    device
        Where runs are to be trained.

    Raises
    ------
    UserError
        If there is no such figure or data set, or a run of another config lies where one of these should.

    Examples
    --------
    >>> from dreaming.paper.plan.presets import PROFILES
    >>> plan = make_plan(PROFILES["paper"], ["figure-4"], out="elsewhere")
    >>> len(plan.runs), plan.runs[0].title, plan.runs[0].config.training.epochs
    (24, 'cifar10/pad/seed-0', 50)
    """
    figures, place = chosen(profile, only), Path(out)
    for dataset in profile.datasets:
        describe(dataset)  # refuses one that there is not, before anything is run
    wanted = _wanted(profile, figures)
    kept = _wanted(profile, tuple(dict.fromkeys((*profile.figures, *figures))))
    runs = []
    for (dataset, name, seed), needs in wanted.items():
        folder = RunFolder(run_path(place / "runs", dataset, name, seed))
        of_all = kept[dataset, name, seed]
        snapshots = {epoch for need, epochs in of_all.items() if need != "losses" for epoch in epochs}
        users = tuple(figure for figure in figures if _needs(profile, figure, dataset, name, seed))
        epochs = max(epoch for own in needs.values() for epoch in own)
        make = _Maker(profile, dataset, name, seed, device)
        runs.append(_planned(make, folder, epochs, snapshots, needs, users))
    return Plan(profile, figures, tuple(runs), place)


@dataclass(frozen=True)
class _Maker:
    profile: Profile
    dataset: str
    name: str
    seed: int
    device: str

    def config(self, epochs: int, kept: set[int]) -> Config:
        listed = ",".join(str(epoch) for epoch in sorted(kept) if 0 < epoch <= epochs) or "0"
        return self.profile.config(self.dataset, self.name, self.seed, epochs, listed, self.device)


def _needs(profile: Profile, figure: str, dataset: str, name: str, seed: int) -> Wanted:
    found: Wanted = {}
    if dataset in FIGURES[figure].datasets(profile.datasets):
        for need in FIGURES[figure].needs:
            if name in profile.conditions_of(need) and (seed == 0 or not need.first_seed):
                found.setdefault(need.measure, set()).update(profile.epochs_of(need.when))
    return found


def _wanted(profile: Profile, figures: Sequence[str]) -> dict[tuple[str, str, int], Wanted]:
    """List what all figures need of each run: data set by data set, condition by condition."""
    conditions = dict.fromkeys(
        name for figure in figures for need in FIGURES[figure].needs for name in profile.conditions_of(need)
    )
    wanted: dict[tuple[str, str, int], Wanted] = {}
    for dataset in profile.datasets:
        for name in conditions:
            for seed in range(profile.seeds):
                merged: Wanted = {}
                for figure in figures:
                    for measure, epochs in _needs(profile, figure, dataset, name, seed).items():
                        merged.setdefault(measure, set()).update(epochs)
                if merged:
                    wanted[dataset, name, seed] = merged
    return wanted


def _planned(
    make: _Maker, folder: RunFolder, epochs: int, kept: set[int], needs: Wanted, figures: tuple[str, ...]
) -> PlannedRun:
    done, lacking = 0, ""
    if folder.config.exists():
        try:
            there = folder.read_config()
            done = len(folder.read_losses()) if folder.losses.exists() else 0
        except UserError as damage:
            lacking = str(damage)
        else:
            _same(folder, there, make.config(epochs, kept))
        # What is kept cannot be changed for epochs that are done, and the record of a run has to say what is kept.
        kept = {epoch for epoch in kept if epoch > done} | set(folder.snapshots())
    needed = sorted(set().union(*(own for need, own in needs.items() if need != "losses")))
    gone = [epoch for epoch in needed if epoch <= done and epoch not in folder.snapshots()] if done else []
    if gone:
        lacking = (
            f"{folder.path} is trained to epoch {done} and did not keep epoch {', '.join(map(str, gone))}, which "
            f"{', '.join(figures)} needs; train into another --out"
        )
    measures = {need: tuple(sorted(own)) for need, own in needs.items() if need not in ("losses", "pictures")}
    shown = tuple(sorted(needs.get("pictures", ())))
    return PlannedRun(make.config(epochs, kept), folder, figures, measures, shown, done, lacking)


def _same(folder: RunFolder, there: Config, wanted: Config) -> None:
    """Make sure that the run which lies in a folder is the one that is meant.

    Raises
    ------
    UserError
        If it is another.
    """
    found = difference(there.identity(), resolved(wanted).identity())
    if found:
        path, old, new = found
        raise UserError(
            f"{folder.path} holds a run of another config: its {path} is {old} and this plan says {new}; "
            "use another --out"
        )
