"""Measuring runs: which measures, of which snapshots, into the run folder."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from dreaming.config.config import Config
from dreaming.config.settings import assign, path_and_value, sentence
from dreaming.data import Dataset, load
from dreaming.errors import UserError, nearest
from dreaming.evaluation.features.cache import CONTROLS, Control
from dreaming.evaluation.measures.cortices import SnapshotBatch
from dreaming.evaluation.measures.measure import Measure
from dreaming.evaluation.measures.organisation import Organisation
from dreaming.evaluation.measures.projection import Projection
from dreaming.evaluation.measures.realism import Realism
from dreaming.evaluation.measures.record import MeasureTable
from dreaming.evaluation.measures.robustness import Robustness
from dreaming.evaluation.measures.separability import Readout
from dreaming.evaluation.stopwatch import Stopwatch
from dreaming.runs.folder import RunFolder, fingerprint
from dreaming.system import hardware
from dreaming.system.locks import locked
from dreaming.system.progress import NoProgress
from dreaming.system.signals import stopping

MEASURES: dict[str, type[Measure]] = {
    "readout": Readout,
    "robustness": Robustness,
    "organisation": Organisation,
    "projection": Projection,
    "realism": Realism,
}
"""Every measure by its name; another one is a class such as these, and a line here."""
TOGETHER = 8
"""Snapshots measured side by side: of 60,000 images, 8 sets of 256 latents take half a gigabyte."""
MEASURING = "measuring; what is measured is kept, and the same command goes on from there"


def evaluate(
    run_folder: str | Path,
    *,
    measures: str | Sequence[str | Measure] = "readout",
    settings: Sequence[str] = (),
    epochs: str = "all",
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
        Names, as a list or with commas between them: ``readout``, ``robustness``, ``organisation``, ``projection``,
        ``realism``; ``all`` is every one that needs no download. Or measures themselves, such as
        ``Organisation(distance="squared")``.
    settings
        Options of the measures that are named, as ``MEASURE.OPTION=VALUE``.
    epochs
        Snapshots to measure: ``all`` that are kept, ``last``, or a list such as ``0,1,5`` (0: untrained).
    data_dir, trust_data
        Where the archives of the run's data set and weights of networks are, and whether to take unofficial data.
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
        (`dreaming.evaluation.features.cache`).

    Raises
    ------
    UserError
        If the folder is no run, a measure or option is unknown, a measure lacks something on this machine, a
        snapshot is missing or damaged, or the images are others.
    Stopped
        On Ctrl-C or SIGTERM; what is measured is kept, and the same call goes on.
    """
    chosen = chosen_measures(measures, settings)
    folder = RunFolder.existing(Path(run_folder))
    with locked(folder.path, "measuring"):
        return _measured(
            chosen, folder, epochs, data_dir, trust_data, device, dataset, progress or NoProgress()
        )


def _measured(
    chosen: Sequence[Measure],
    folder: RunFolder,
    epochs: str,
    data_dir: str | Path | None,
    trust_data: bool,
    device: str,
    dataset: Dataset | None,
    progress: NoProgress,
) -> pd.DataFrame:
    """Measure what is not measured yet."""
    config = folder.read_config()
    wanted = _chosen_epochs(folder, epochs)
    record = MeasureTable(folder, config, progress)
    todo = _todo(record, chosen, wanted)
    controls = _lacking_controls(record, chosen)
    if not todo and not controls:
        record.progress.say(f"{record.title}: measured already")
        return record.measures
    place = None if data_dir is None else Path(data_dir)
    for measure in dict.fromkeys(measure for lacking, _ in todo for measure in lacking):
        if said := measure.unavailable(place):
            raise UserError(said)  # before hours go into the other measures
    where = hardware.device(device)
    watch = Stopwatch(where)
    with watch.stage("images"):
        images = _same_images(folder, config, dataset, place, trust_data)
    with stopping(MEASURING):
        for readout, control in controls:
            with watch.stage("controls"):
                readout.add_control(control, record, images, where)
        for lacking, portion in todo:
            subjects = SnapshotBatch(folder, config, images, portion, where, record.progress, place, watch)
            for measure in lacking:
                with watch.stage(type(measure).__name__.lower()):
                    found = measure.measure(subjects)
                with watch.stage("writing"):
                    record.add(measure.table, found)
    progress.measured(record.title, watch.seconds, watch.inferred)
    return record.measures


def chosen_measures(measures: str | Sequence[str | Measure], settings: Sequence[str] = ()) -> list[Measure]:
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
    listed = measures.split(",") if isinstance(measures, str) else list(measures)
    local = [name for name, measure in MEASURES.items() if measure.local]
    listed = [each for item in listed for each in (local if item == "all" else [item])]
    unknown = [name for name in listed if isinstance(name, str) and name not in MEASURES]
    if unknown:
        raise UserError(f"there is no measure '{unknown[0]}'; {nearest(unknown[0], (*MEASURES, 'all'))}")
    options = {name: MEASURES[name]().model_dump(mode="json") for name in listed if isinstance(name, str)}
    for setting in settings:
        assign(options, *path_and_value(setting), "the list of --measures")
    made = [_made(each, options[each]) if isinstance(each, str) else each for each in listed]
    return list(dict.fromkeys(made))


def _made(name: str, options: dict[str, object]) -> Measure:
    try:
        return MEASURES[name].model_validate(options)
    except ValidationError as error:
        raise UserError(f"--set: {sentence(error, MEASURES[name], name)}") from None


def _chosen_epochs(folder: RunFolder, epochs: str) -> list[int]:
    there = folder.snapshots()
    if not there:
        raise UserError(f"{folder.path} holds no snapshots yet; train it first")
    if epochs in ("all", "last"):
        return there if epochs == "all" else there[-1:]
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in epochs.split(",")):
        raise UserError(f"--epochs wants all, last or a list such as 0,1,5, and got '{epochs}'")
    chosen = sorted({int(part) for part in epochs.split(",")})
    missing = [epoch for epoch in chosen if epoch not in there]
    if missing:
        listed = ", ".join(map(str, there))
        raise UserError(f"{folder.snapshot(missing[0])} is missing; the epochs kept are {listed}")
    return chosen


def _todo(
    record: MeasureTable, measures: Sequence[Measure], epochs: Sequence[int]
) -> list[tuple[tuple[Measure, ...], list[int]]]:
    """Group epochs by the measures that they lack, in portions that are measured together."""
    done = {measure: record.epochs(measure) for measure in measures}
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


def _lacking_controls(record: MeasureTable, measures: Sequence[Measure]) -> list[tuple[Readout, Control]]:
    """List the controls that the record lacks, for each readout that is asked for."""
    return [
        (measure, control)
        for measure in measures
        if isinstance(measure, Readout)
        for control in CONTROLS
        if not len(measure.rows_of_control(control, record.measures))
    ]


def _same_images(
    folder: RunFolder, config: Config, dataset: Dataset | None, data_dir: Path | None, trust: bool
) -> Dataset:
    if dataset is None:
        dataset = load(config.dataset.name, data_dir, limit=config.dataset.limit, trust=trust)
    if fingerprint(folder) != dataset.fingerprint:
        raise UserError(f"{folder.path} was trained on other images than {dataset.name} has now")
    return dataset
