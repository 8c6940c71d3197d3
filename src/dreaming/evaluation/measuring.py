"""Measuring runs: which measures, of which snapshots, into the run folder."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from dreaming.config.config import groups_in
from dreaming.config.settings import assign, path_and_value
from dreaming.data import Dataset
from dreaming.errors import RunsFailed, UserError, brief, nearest, spelled
from dreaming.evaluation import measures as modules
from dreaming.evaluation.features.controls import CONTROLS
from dreaming.evaluation.measures.measure import Measure
from dreaming.evaluation.measures.measure_table import MeasureTable
from dreaming.evaluation.measures.own import as_measure, asked, definition_of, load_measure, measured_rows
from dreaming.evaluation.measures.readout import Readout
from dreaming.evaluation.measures.snapshot_batch import SnapshotBatch, Stopwatch
from dreaming.runs.folder import RunFolder
from dreaming.runs.images import images_of_run
from dreaming.system import hardware
from dreaming.system.defaults import torch_defaults
from dreaming.system.disk import require_writable
from dreaming.system.locks import locked
from dreaming.system.progress import NoProgress, told
from dreaming.system.signals import stopping
from dreaming.system.texts import sentence

MEASURES: dict[str, type[Measure]] = {
    name: getattr(import_module(f"{modules.__name__}.{name}"), name.title().replace("_", ""))
    for name in modules.NAMES
}
"""Every measure by its name."""
Own = Measure | type[Measure] | Callable[..., Any]
"""A measure, a class of measures, or a function of a cortex and its data set."""
TOGETHER = 8
"""Snapshots measured side by side: of 60,000 images, 8 sets of 256 latents take half a gigabyte."""
MEASURES_LOCK = ".lock.measuring"
"""What holds the tables of measures; a training, which writes all else, has another, so that both go on at once."""
MEASURING = "measuring; what is measured is kept, and the same command goes on from there"


@torch_defaults()
def evaluate(
    run_folder: str | Path,
    *,
    measures: str | Own | Sequence[str | Own] = "readout",
    settings: Sequence[str] = (),
    epochs: str | int | Sequence[int] = "all",
    data_dir: str | Path | None = None,
    trust_data: bool = False,
    device: str = "auto",
    dataset: Dataset | None = None,
    progress: NoProgress | None = None,
) -> pd.DataFrame:
    """Measure the snapshots of a run.

    Parameters
    ----------
    run_folder
        A folder that `dreaming.train` made.
    measures
        Names of `dreaming.evaluation.measures.NAMES`, as a list or with commas between them; ``all`` is every one.
        Or measures themselves, one or a list, such as ``Organisation(distance="squared")``. One of your own is
        ``FILE.py:NAME``, which is executed, or a class, a measure of it, or a function (cortex, dataset) -> number
        or dict of numbers; its rows have its file and the checksum of that in a column ``definition``, and where
        that changed, it is measured anew.
    settings
        Options of the measures that are named, as ``MEASURE.OPTION=VALUE``.
    epochs
        Snapshots to measure: ``all`` that are kept, ``last``, or epochs, as numbers or such as ``0,1,5`` (0:
        untrained).
    data_dir, trust_data
        Where the archives of the run's data set and weights of networks are, or where its folder of images was
        moved to; by default where the run had them. And whether to take unofficial data.
    device
        Where to compute.
    dataset
        Images to use in place of reading them; they must be those of the run.
    progress
        Who is told how it goes.

    Returns
    -------
    DataFrame
        The whole of ``measures.csv``: ``dataset, condition, seed, epoch, measure, parameter, value``, one value
        a row; each measure's class says which rows it gives. A projection goes into ``projection.csv`` instead.
        Latents are inferred in the precision in which the run was trained. What stands in the tables already is
        not done again. Controls of the readout are measured once for all runs of the same images, seed and protocol
        (`dreaming.evaluation.features.controls`).

    Raises
    ------
    UserError
        If the folder is no run, a measure or option is unknown, a measure lacks something on this machine, a
        snapshot is missing or damaged, or the images are others; and, after the other measures, if one cannot be
        had of these images.
    Stopped
        On Ctrl-C or SIGTERM; what is measured is kept, and the same call goes on.
    """
    if not isinstance(run_folder, str | Path):
        raise UserError(
            f"evaluate measures one run, and got {brief(run_folder)}; call it for each run folder"
        )
    chosen = chosen_measures(measures, settings)
    folder, progress = RunFolder.existing(Path(run_folder)), told(progress)
    with locked(folder.path, "measuring", MEASURES_LOCK):
        config = folder.read_config(own=True)
        wanted, table = _epochs(folder, epochs), MeasureTable(folder, config, progress)
        todo = _todo(table, chosen, wanted)
        controls = [
            (measure, control)
            for measure in chosen
            if isinstance(measure, Readout) and not definition_of(measure)
            for control in CONTROLS
            if not measure.has_control(control, table.measures)
        ]
        if not todo and not controls:
            progress.say(f"{table.title}: measured already")
            return table.measures
        require_writable(folder.measures)
        for measure in dict.fromkeys(measure for lacking, _ in todo for measure in lacking):
            if said := asked(measure, partial(measure.unavailable, data_dir)):
                raise UserError(said)  # before hours go into the other measures
        where = hardware.device(device)
        watch = Stopwatch(where)
        with watch.stage("images"):
            images = images_of_run(folder, config, dataset, data_dir, trust_data)
        if not images.classes:
            chosen = _without_labels(chosen, images.name, progress)
            todo, controls = _todo(table, chosen, wanted), []
        for lacking, portion in todo:
            snapshots = SnapshotBatch(folder, config, images, portion[:1], where, progress, data_dir, watch)
            for measure in lacking:
                asked(measure, partial(measure.check, snapshots))
        failed: dict[Measure, str] = {}
        with stopping(MEASURING):
            for readout, control in controls:
                with watch.stage("controls"), _noted(readout, failed):
                    readout.add_control(control, table, images, where)
            for lacking, portion in todo:
                snapshots = SnapshotBatch(folder, config, images, portion, where, progress, data_dir, watch)
                for measure in (each for each in lacking if each not in failed):
                    with watch.stage(type(measure).__name__.lower()), _noted(measure, failed):
                        found = measured_rows(measure, snapshots)
                    if measure not in failed:
                        with watch.stage("writing"):
                            table.add(measure, found)
        progress.measured(table.title, watch.seconds, watch.inferred)
        if failed:
            raise UserError("; ".join(failed.values()))
        return table.measures


@contextmanager
def _noted(measure: Measure, failed: dict[Measure, str]) -> Iterator[None]:
    """Note why a measure cannot be had, for the end: the others are measured all the same."""
    try:
        yield
    except UserError as mistake:
        failed[measure] = str(mistake)


def evaluate_all(
    paths: Sequence[str | Path], *, progress: NoProgress | None = None, **options: Any
) -> list[pd.DataFrame]:
    """Measure several runs, one after another; one that cannot be measured does not keep the others from it.

    Parameters
    ----------
    paths
        Run folders, or folders that contain some.
    progress
        Who is told how it goes.
    **options
        As for `evaluate`.

    Raises
    ------
    UserError
        If a folder neither is a run nor contains one.
    RunsFailed
        After the others were measured: which were not, and why.
    """
    folders, progress = RunFolder.all_in(paths), progress or NoProgress()
    tables, failed = [], dict[Path, str]()
    for folder in folders:
        try:
            tables.append(evaluate(folder.path, progress=progress, **options))
        except UserError as mistake:
            failed[folder.path] = str(mistake)
    if failed and len(set(failed.values())) == 1:
        raise RunsFailed(failed, next(iter(failed.values())))
    if failed:
        raise RunsFailed(failed)
    return tables


def _without_labels(measures: Sequence[Measure], name: str, progress: NoProgress) -> list[Measure]:
    """Return the measures that need no labels, and say which do.

    Raises
    ------
    UserError
        If all do.
    """
    left = [measure for measure in measures if not measure.needs_labels]
    called = {kind: known for known, kind in MEASURES.items()}
    needing = [type(measure) for measure in measures if measure.needs_labels]
    names = [called.get(kind, kind.__name__) for kind in needing]
    said = f"the images of {name} have no labels, which {' and '.join(names)} would need"
    if names and not left:
        raise UserError(f"{said}; train on images with labels, or measure the projection")
    if names:
        progress.say(f"{said}: not measured")
    return left


def chosen_measures(measures: str | Own | Sequence[str | Own], settings: Sequence[str] = ()) -> list[Measure]:
    """Make measures of their names, with the options that settings change.

    Raises
    ------
    UserError
        If a measure, or an option of one that is named, is unknown (the nearest is suggested), or a value does not
        fit.

    Examples
    --------
    >>> chosen_measures("organisation", ["organisation.distance=squared"])[0].names()["intra_inter_ratio"]
    'squared'
    >>> chosen_measures("robustnes")
    Traceback (most recent call last):
    dreaming.errors.UserError: there is no measure 'robustnes'; did you mean 'robustness'?
    """
    if isinstance(measures, Measure) or callable(measures):
        measures = [measures]
    listed = measures.split(",") if isinstance(measures, str) else list(measures)
    listed = [spelled(item, (*MEASURES, "all")) if isinstance(item, str) else item for item in listed]
    listed = [each for item in listed for each in (MEASURES if item == "all" else [item])]
    named: dict[str, Measure] = {}
    specs: dict[str, str] = {}
    chosen: list[str | Measure] = []
    for item in listed:
        if not isinstance(item, str):
            chosen.append(as_measure(item, str(item)))
            continue
        if item not in MEASURES and ":" not in item:
            raise UserError(f"there is no measure '{item}'; {nearest(item, (*MEASURES, 'all'))}")
        name = item if item in MEASURES else item.rpartition(":")[2]
        if specs.setdefault(name, item) != item:
            raise UserError(f"--measures: {specs[name]} and {item} have one name; rename one")
        named[name] = MEASURES[item]() if item in MEASURES else load_measure(item)
        chosen.append(name)
    options: dict[str, Any] = {
        name: {field: own.model_dump(mode="json")[field] for field in type(own).model_fields}
        for name, own in named.items()
    }
    for setting in settings:
        assign(options, *path_and_value(setting), "the list of --measures")
    made = [_made(each, named[each], options[each]) if isinstance(each, str) else each for each in chosen]
    _distinct(made)
    return list(dict.fromkeys(made))


def _distinct(measures: Sequence[Measure]) -> None:
    """Refuse a measure of the user's own whose rows would stand under the name of another's."""
    for measure in measures:
        if type(measure).__module__.startswith("dreaming.") and (definition := definition_of(measure)):
            raise UserError(
                f"--measures: what {type(measure).__name__} gives with {definition} would stand under the name of "
                "a measure of dreaming; derive a class from it whose keys have another name"
            )
    owner = {name: "a measure of dreaming" for kind in MEASURES.values() for name in kind.quantities}
    for measure in (each for each in measures if type(each) not in MEASURES.values()):
        definition = definition_of(measure)
        for name in measure.measured:
            if owner.setdefault(name, definition) != definition:
                raise UserError(
                    f"--measures: {definition} calls its values {name}, as {owner[name]} does; rename it"
                )


def _made(name: str, found: Measure, options: dict[str, object]) -> Measure:
    maker, classes = type(found), {type(group).__name__: type(group) for group in groups_in(found)}
    try:
        return maker.model_validate(options, context={"classes": classes})
    except ValidationError as error:
        raise UserError(f"--set: {sentence(error, maker, name)}") from None


def _epochs(folder: RunFolder, epochs: str | int | Sequence[int]) -> list[int]:
    """Return the epochs that are asked for, of which there must be snapshots."""
    if not isinstance(epochs, str):
        epochs = ",".join(map(str, epochs if isinstance(epochs, Iterable) else [epochs]))
    if epochs in ("all", "last"):
        there = folder.require_snapshots()
        return there if epochs == "all" else there[-1:]
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in epochs.split(",")):
        raise UserError(f"--epochs wants all, last or a list such as 0,1,5, and got '{epochs}'")
    chosen = sorted({int(part) for part in epochs.split(",")})
    folder.require_snapshots(chosen)
    return chosen


def _todo(
    table: MeasureTable, measures: Sequence[Measure], epochs: Sequence[int]
) -> list[tuple[tuple[Measure, ...], list[int]]]:
    """Group epochs by the measures that they lack, in portions that are measured together."""
    done = {measure: table.epochs(measure) for measure in measures}
    groups: dict[tuple[Measure, ...], list[int]] = {}
    for epoch in epochs:
        lacking = tuple(measure for measure in measures if epoch not in done[measure])
        groups.setdefault(lacking, []).append(epoch)
    groups.pop((), None)
    return [
        (lacking, own[i : i + TOGETHER])
        for lacking, own in groups.items()
        for i in range(0, len(own), TOGETHER)
    ]
