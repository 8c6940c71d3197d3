"""Measuring planned runs: which measures, with the options of a profile, of what is not measured yet."""

from collections.abc import Mapping
from pathlib import Path

from dreaming.data import Dataset
from dreaming.evaluation.measures.measure import Measure
from dreaming.evaluation.measures.realism import Realism
from dreaming.evaluation.measuring import MEASURES, evaluate
from dreaming.paper.plan.panels import Keys
from dreaming.paper.plan.profile import Profile
from dreaming.runs.folder import RunFolder
from dreaming.system.progress import NoProgress

Measures = Mapping[str, tuple[Measure, ...]]


def measures_of(profile: Profile) -> Measures:
    """Return the measures of a profile, by the names that `dreaming.paper.plan.panels` uses.

    Examples
    --------
    >>> from dreaming.paper.plan.presets import PROFILES
    >>> sorted(measures_of(PROFILES["demo"]))
    ['organisation', 'projection', 'readout', 'realism', 'robustness']
    """
    usual = {name: (measure(),) for name, measure in MEASURES.items() if name != "realism"}
    # Features are measures of their own, so that where one cannot be had, the others can.
    realism = tuple(Realism(features=(name,), samples=profile.samples) for name in profile.features)
    return {**usual, "realism": realism}


def keys_of(measures: Measures) -> dict[str, Keys]:
    """Name the rows that a snapshot gets by each measure."""
    return {name: frozenset().union(*(each.keys() for each in own)) for name, own in measures.items()}


def measure(
    folder: RunFolder,
    lacking: Mapping[str, tuple[int, ...]],
    measures: Measures,
    images: Dataset,
    device: str,
    progress: NoProgress,
    data_dir: Path | None = None,
) -> None:
    """Measure a run where it lacks values, as far as the weights of the epochs are there.

    Parameters
    ----------
    folder
        The run.
    lacking
        For each measure, after which epochs.
    measures
        As `measures_of` made them.
    images
        What the run was trained on.
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
    there = set(folder.snapshots())
    together: dict[tuple[str, ...], list[int]] = {}
    for epoch in sorted(there & {e for own in lacking.values() for e in own}):
        names = tuple(name for name, epochs in lacking.items() if epoch in epochs)
        together.setdefault(tuple(name for name in names if name != "realism"), []).append(epoch)
    jobs = [
        ([each for name in names for each in measures[name]], epochs) for names, epochs in together.items()
    ]
    realistic = sorted(there.intersection(lacking.get("realism", ())))
    jobs += [([each], realistic) for each in measures["realism"]]
    for wanted, epochs in jobs:
        if wanted and epochs:
            evaluate(
                folder.path,
                measures=wanted,
                epochs=",".join(map(str, epochs)),
                device=device,
                dataset=images,
                data_dir=data_dir,
                progress=progress,
            )
