"""The plan: which runs the figures need, which of them are there, what is missing of each, and measuring it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dreaming.config.config import Config
from dreaming.data import Dataset, dataset_info
from dreaming.errors import UserError
from dreaming.evaluation.measures.measure import Measure
from dreaming.evaluation.measures.measure_table import epochs_measured
from dreaming.evaluation.measures.realism import Realism
from dreaming.evaluation.measuring import MEASURES, evaluate
from dreaming.paper.figures import FIGURES
from dreaming.paper.figures.figure import OWN_MEASURES
from dreaming.paper.plan.presets import chosen
from dreaming.paper.plan.profile import Profile
from dreaming.runs.folder import RunFolder, require_same_config, run_path
from dreaming.system.disk import expanded
from dreaming.system.progress import NoProgress
from dreaming.training.precision import resolved

State = Literal["finished", "begun", "to do"]
Keys = frozenset[tuple[str, str]]
"""Measure and parameter of each row that a snapshot gets."""
Measures = Mapping[str, tuple[Measure, ...]]
ALONE = ("realism", OWN_MEASURES)
"""Measures that may fail where others do not, each measured by itself after the others."""
RunName = tuple[str, str, int]
"""Data set, condition and seed."""


def measures_of(profile: Profile) -> Measures:
    """Return the measures of a profile, by the names that figures use for them.

    Examples
    --------
    >>> from dreaming.paper.plan.presets import profile
    >>> sorted(measures_of(profile("demo")))
    ['few_labels', 'knn', 'measures', 'organisation', 'projection', 'readout', 'realism', 'robustness']
    """
    usual = {name: (measure(),) for name, measure in MEASURES.items() if name != "realism"}
    # Features are measures of their own, so that where one cannot be had, the others can.
    realism = tuple(Realism(features=(name,), samples=profile.samples) for name in profile.features)
    return {**usual, "realism": realism, OWN_MEASURES: profile.own_measures}


def keys_of(measures: Measures, there: Keys = frozenset()) -> dict[str, Keys]:
    """Return the rows that a snapshot gets by each measure.

    A function does not say which it gives: those of ``there`` that bear its name, or one without a parameter.
    """

    def keys(measure: Measure) -> Keys:
        found = frozenset(key for key in there if key[0] in measure.measured)
        return measure.keys() or found or frozenset((name, "") for name in measure.measured)

    return {name: frozenset().union(*map(keys, own)) for name, own in measures.items()}


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
        return self.folder.title

    @property
    def state(self) -> State:
        """How far it is."""
        if self.done >= self.config.training.epochs:
            return "finished"
        return "begun" if self.folder.config.exists() else "to do"

    def unmeasured(self, measures: Measures) -> dict[str, tuple[int, ...]]:
        """Return what is not measured yet: for each measure, after which epochs."""
        tables = {
            "measures": self.folder.read_measures(self.config),
            "projection": self.folder.read_projection(self.config),
        }
        lacking = {}
        for name, epochs in self.measures.items():
            done = [epochs_measured(tables[each.table], each) for each in measures[name]]
            lacking[name] = tuple(epoch for epoch in epochs if any(epoch not in own for own in done))
        return {name: epochs for name, epochs in lacking.items() if epochs}

    def measure(
        self,
        measures: Measures,
        images: Callable[[str], Dataset],
        device: str,
        progress: NoProgress,
        data_dir: str | Path | None = None,
    ) -> None:
        """Measure what is not measured yet, as far as the weights of the epochs are there.

        Parameters
        ----------
        measures
            As `measures_of` makes them.
        images
            Reads a data set by its name.
        device
            Where to compute.
        progress
            Who is told of each value.
        data_dir
            The folder of data, where weights of networks that measure lie too.

        Raises
        ------
        UserError
            If something cannot be measured; what can be is, first.
        Stopped
            On Ctrl-C or SIGTERM; what is measured is kept.
        """
        lacking = self.unmeasured(measures)
        there = self.folder.snapshots()
        together: dict[tuple[str, ...], list[int]] = {}  # measures of the same epochs share their latents
        for epoch in there:
            names = tuple(name for name, own in lacking.items() if name not in ALONE and epoch in own)
            together.setdefault(names, []).append(epoch)
        jobs = [([each for name in names for each in measures[name]], own) for names, own in together.items()]
        for name in ALONE:
            epochs = [epoch for epoch in there if epoch in lacking.get(name, ())]
            jobs += [([each], epochs) for each in measures[name]]
        failed: dict[str, None] = {}
        for wanted, epochs in jobs:
            if not (wanted and epochs):
                continue
            try:
                evaluate(
                    self.folder.path,
                    measures=wanted,
                    epochs=",".join(map(str, epochs)),
                    device=device,
                    dataset=images(self.config.dataset.name),
                    data_dir=data_dir,
                    progress=progress,
                )
            except UserError as mistake:
                failed[str(mistake)] = None
        if failed:
            raise UserError("; ".join(failed))


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
    place
        The folder of the runs.
    """

    profile: Profile
    figures: tuple[str, ...]
    runs: tuple[PlannedRun, ...]
    out: Path
    place: Path

    @property
    def measures(self) -> Measures:
        """The measures of the profile, by name."""
        return measures_of(self.profile)

    @property
    def missing(self) -> tuple[PlannedRun, ...]:
        """The runs that are not finished."""
        return tuple(run for run in self.runs if run.state != "finished")

    def unavailable(self, data_dir: str | Path | None) -> list[str]:
        """Return what cannot be measured as things are on this machine, and what to do, in a sentence each.

        Parameters
        ----------
        data_dir
            The folder of data; without it ``$DREAMING_DATA``.
        """
        measures = self.measures
        return [
            f"{' and '.join(sorted(each.measured)) if name == OWN_MEASURES else name} cannot be measured as things "
            f"are, and all else can: {said}"
            for name, own in measures.items()
            for each in own
            if (said := each.unavailable(data_dir))
            and any(name in run.unmeasured({**measures, name: (each,)}) for run in self.runs)
        ]


def make_plan(
    profile: Profile,
    only: Sequence[str] = (),
    out: str | Path | None = None,
    device: str = "auto",
    runs: str | Path | None = None,
) -> Plan:
    """Plan the runs that figures need; nothing is written, and nothing is run.

    Parameters
    ----------
    profile
        How much.
    only
        Figures by name; all of the profile by default.
    out
        The folder of all of it, ``reproduction/PROFILE`` by default.
    device
        Where runs are to be trained.
    runs
        The folder of the runs, ``OUT/runs`` by default.

    Raises
    ------
    UserError
        If there is no such figure or data set, or a run of another config lies where one of these should.

    Examples
    --------
    >>> from dreaming.paper.plan.presets import profile
    >>> plan = make_plan(profile("paper"), ["figure-4"], out="elsewhere")
    >>> len(plan.runs), plan.runs[0].title, plan.runs[0].config.training.epochs
    (24, 'cifar10/pad/seed-0', 50)
    """
    figures = chosen(profile, only)
    place = expanded(out) if out is not None else Path("reproduction") / profile.name
    for dataset in profile.datasets:
        dataset_info(dataset)  # refuses one that there is not, before anything is run
    needed = _needed(profile, figures)
    kept = _needed(profile, dict.fromkeys((*chosen(profile, ()), *figures)))
    where = expanded(runs) if runs is not None else place / "runs"
    planned = (_planned(profile, run, needs, kept[run], where, device) for run, needs in needed.items())
    return Plan(profile, figures, tuple(planned), place, where)


@dataclass
class _Needs:
    """What figures need of a run: epochs, by the measure they are needed for."""

    figures: list[str]
    epochs: dict[str, set[int]]

    @property
    def snapshots(self) -> set[int]:
        """The epochs whose weights are needed."""
        return {epoch for measure, own in self.epochs.items() if measure != "losses" for epoch in own}


def _needed(profile: Profile, figures: Iterable[str]) -> dict[RunName, _Needs]:
    """Return what figures need of each run."""
    found: dict[RunName, _Needs] = {}
    for dataset in profile.datasets:
        for figure in figures:
            if dataset not in FIGURES[figure].datasets(profile.datasets):
                continue
            for need in FIGURES[figure].needs:
                epochs = profile.epochs_of(need.when)
                for name in profile.conditions_of(need):
                    for seed in profile.all_seeds[: 1 if need.one_seed else None]:
                        own = found.setdefault((dataset, name, seed), _Needs([], {}))
                        own.figures += [figure] if figure not in own.figures else []
                        own.epochs.setdefault(need.measure, set()).update(epochs)
    return found


def _planned(
    profile: Profile, run: RunName, needs: _Needs, of_all: _Needs, runs: Path, device: str
) -> PlannedRun:
    folder = RunFolder(run_path(runs, *run))
    last = max(epoch for own in needs.epochs.values() for epoch in own)
    done, lacking, kept = 0, "", of_all.snapshots

    def config() -> Config:
        listed = ",".join(str(epoch) for epoch in sorted(kept) if 0 < epoch <= last) or "0"
        return profile.config(*run, last, listed, device)

    if folder.config.exists():
        try:
            there = folder.read_config()
            done = len(folder.read_losses()) if folder.losses.exists() else 0
        except UserError as damage:
            lacking = str(damage)
        else:
            require_same_config(folder, there, resolved(config(), folder), "--out")
        # What is kept cannot be changed for epochs that are done, and the record of a run has to say what is kept.
        kept = {epoch for epoch in kept if epoch > done} | set(folder.snapshots())
    epochs = {measure: tuple(sorted(own)) for measure, own in needs.epochs.items() if measure != "losses"}
    shown = epochs.pop("pictures", ())
    found = PlannedRun(config(), folder, tuple(needs.figures), epochs, tuple(sorted(shown)), done, lacking)
    return found if lacking or not done else replace(found, lacking=_thrown_away(found, measures_of(profile)))


def _thrown_away(run: PlannedRun, measures: Measures) -> str:
    """Say which snapshots that are still needed a run no longer has, or never kept; empty if it has all."""
    try:
        unmeasured = run.unmeasured(measures)
    except UserError as damage:
        return str(damage)
    needed = {*run.shown, *(epoch for epochs in unmeasured.values() for epoch in epochs)}
    gone = [e for e in sorted(needed) if e <= run.done and e not in run.folder.snapshots()]
    if not gone:
        return ""
    epochs = ", ".join(map(str, gone))
    return (
        f"{run.folder.path} is trained to epoch {run.done} and has no snapshot of epoch {epochs}, "
        f"which {', '.join(run.figures)} needs; train into another --out"
    )
