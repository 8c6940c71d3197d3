"""Several runs at once: on a CPU each in a process of its own, on a GPU side by side in one program."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import torch

from dreaming.config.config import Config
from dreaming.config.custom import called
from dreaming.config.trial import TRIED_CYCLES
from dreaming.data import Dataset
from dreaming.errors import RunsFailed, Stopped, UserError
from dreaming.runs.folder import RunFolder, require_seeds_of_one_config, run_path
from dreaming.runs.images import named_as_beside, named_for
from dreaming.system import hardware
from dreaming.system.defaults import torch_defaults
from dreaming.system.locks import locked
from dreaming.system.progress import NoProgress, told
from dreaming.system.signals import Interrupt, listening
from dreaming.system.threads import cores
from dreaming.training.callback import OnEpoch
from dreaming.training.captured import CapturedCycle
from dreaming.training.loop import close_and_show, images_of, show_repairs_and_stages, timed, train
from dreaming.training.precision import auto_path, exactly, resolved
from dreaming.training.processes import Child, Ending, children_allowed, ended, pickled, train_in_child
from dreaming.training.resume import open_run, require_at_hand
from dreaming.training.run import Run, run_folder_path
from dreaming.training.state import TrainingState

PAUSE = 0.2  # seconds between two looks at whether somebody wishes to stop


def train_all(
    configs: Sequence[Config],
    *,
    out: str | Path = "runs",
    data_dir: str | Path | None = None,
    trust_data: bool = False,
    dataset: Dataset | None = None,
    workers: int | None = None,
    on_epoch: OnEpoch | None = None,
    progress: NoProgress | None = None,
) -> list[Path]:
    """Train several runs, some of them at once, each as `train` does it alone.

    On a CPU runs are processes, which use the cores better than one run on all of them. A run of float32 comes out
    bit for bit as alone with the same number of threads; they share the cores, and have no more threads than torch
    has here.

    On a GPU that `dreaming doctor` has found right, runs that differ in nothing but the seed go side by side in one
    program, `train_together`; on one that it has not, one after another.

    Parameters
    ----------
    configs
        The runs. No two may have one folder.
    out, data_dir, trust_data, dataset
        As for `train`, for all runs.
    workers
        How many processes, at least 1; with 1, runs are trained in this process, one after another. By default
        one a core; one for all on a GPU, and in a worker of a `multiprocessing.Pool`, which may begin no other.
    on_epoch
        As for `train`. A run in a process of its own calls a copy of it there: what that writes to the disk lasts,
        what it changes in memory is not seen here.
    progress
        Who is told how it goes; by default the cell of a notebook, and elsewhere nobody.

    Returns
    -------
    list of Path
        The run folders, in the order of the configs.

    Raises
    ------
    UserError
        If anything asked for cannot be, or runs failed: then the others were trained to their end first.
    Stopped
        On Ctrl-C or SIGTERM, after each run has saved. The same call goes on.

    Examples
    --------
    >>> import dreaming, tempfile
    >>> with tempfile.TemporaryDirectory() as out:
    ...     configs = [
    ...         dreaming.configure(
    ...             networks={"base_channels": 2, "latent_dim": 8},
    ...             dataset={"limit": 128},
    ...             training={"epochs": 1, "snapshots": "ends"},
    ...             seed=seed,
    ...         )
    ...         for seed in (0, 1)
    ...     ]
    ...     runs = dreaming.train_all(configs, out=out, workers=1)
    ...     [run.relative_to(out).as_posix() for run in runs]
    ['digits/pad/seed-0', 'digits/pad/seed-1']
    """
    progress = told(progress)
    require_workers(workers)
    configs = [named_for(config, dataset) for config in configs]
    paths = [run_path(Path(out), config.dataset.name, config.condition, config.seed) for config in configs]
    alike: dict[Path, Config] = {}
    for path, config in zip(paths, configs, strict=True):
        if paths.count(path) > 1:
            raise UserError(f"two of these runs would be written into {path}; give them other seeds or names")
        require_seeds_of_one_config(path.parent, alike.setdefault(path.parent, config), config)
    options: dict[str, Any] = {
        "out": out,
        "data_dir": data_dir,
        "trust_data": trust_data,
        "dataset": dataset,
    }
    if len(configs) < 2:
        return [train(config, **options, on_epoch=on_epoch, progress=progress) for config in configs]
    devices = {hardware.device(config.training.device) for config in configs}
    on_gpu = any(device.type == "cuda" for device in devices)
    runs = dict(zip(paths, configs, strict=True))
    progress.several(
        {RunFolder(path).title: _cost(config) for path, config in zip(paths, configs, strict=True)}
    )
    with listening() as interrupt:  # also for a wish that comes between two runs, or too late for one
        if workers is None and on_gpu and all(auto_path(device) == "captured" for device in devices):
            endings = _one_after_another(_alike(runs), {**options, "on_epoch": on_epoch}, progress, interrupt)
        elif (count := workers or (1 if on_gpu or not children_allowed() else cores())) == 1:
            each = [{path: config} for path, config in runs.items()]
            endings = _one_after_another(each, {**options, "on_epoch": on_epoch}, progress, interrupt)
        else:
            endings = _at_once(runs, options, on_epoch, min(count, len(configs)), progress, interrupt)
        _whole(endings, paths, Path(out), progress)
    return paths


def require_workers(workers: int | None) -> None:
    """Make sure that there is a worker, unless their number is left open.

    Raises
    ------
    UserError
        If there is none.
    """
    if workers is not None and workers < 1:
        raise UserError(f"--workers is {workers}; at least one is needed, or leave the option out")


Runs = Mapping[Path, Config]


def _cost(config: Config) -> float:
    """Return roughly what a run costs beside others: how often a phase is done."""
    epochs = range(1, config.training.epochs + 1)
    return sum(
        phase.dose * phase.steps for epoch in epochs for phase in config.phases_in(epoch) if phase.weight
    )


def _alike(runs: Runs) -> list[Runs]:
    """Sort runs into groups that differ in nothing but the seed."""
    groups: dict[str, dict[Path, Config]] = {}
    for path, config in runs.items():
        groups.setdefault(config.model_copy(update={"seed": 0}).to_yaml(), {})[path] = config
    return list(groups.values())


def _whole(endings: Mapping[Path, Ending], paths: Sequence[Path], out: Path, progress: NoProgress) -> None:
    """Make sure that all runs are finished, or raise one sentence: which are not, and why."""
    kinds = [ending.kind for ending in endings.values()]
    failed = {
        path: endings[path].said for path in paths if path in endings and endings[path].kind == "failed"
    }
    faults = "\n".join(ending.fault for ending in endings.values() if ending.fault)
    for line in faults.splitlines():
        progress.say(line)
    cause = RuntimeError(faults) if faults else None
    each = "; ".join(f"{RunFolder(path).title}: {said}" for path, said in failed.items())
    why = f"{len(failed)} of {len(paths)} runs failed, {each}"
    if "stopped" in kinds or len(endings) < len(paths):
        raise Stopped(
            f"stopped with {kinds.count('finished')} of {len(paths)} runs finished, {kinds.count('stopped')} "
            f"stopped on their way and {len(paths) - len(endings)} not begun; all is saved in {out}, and the same "
            "command goes on from there" + (f"; {why}" if failed else "")
        ) from cause
    if len(failed) == len(paths) and len(set(failed.values())) == 1:
        raise RunsFailed(failed, failed[paths[0]]) from cause
    if failed:
        others = len(paths) - len(failed)
        came = f"; the other {others} came to {'its' if others == 1 else 'their'} end" if others else ""
        raise RunsFailed(failed, why + came) from cause


def _one_after_another(
    groups: Sequence[Runs], options: Mapping[str, Any], progress: NoProgress, interrupt: Interrupt
) -> dict[Path, Ending]:
    """Train runs in this process, those of a group side by side."""
    endings: dict[Path, Ending] = {}
    for group in groups:
        failed: dict[Path, str] = {}
        ending = ended(partial(_trained, list(group.values()), {**options, "progress": progress}, failed))
        for path in group:
            endings[path] = Ending("failed", failed[path]) if path in failed else ending
        if ending.kind == "stopped" or interrupt.requested:
            break
    return endings


def _trained(configs: Sequence[Config], options: Mapping[str, Any], failed: dict[Path, str]) -> None:
    """Train one run or several side by side; those that fail beside others that do not are noted."""
    if len(configs) == 1:
        train(configs[0], **options)
        return
    try:
        train_together(configs, **options)
    except RunsFailed as failure:
        failed.update(failure.failed)


def _at_once(
    runs: Runs,
    options: Mapping[str, Any],
    on_epoch: OnEpoch | None,
    workers: int,
    progress: NoProgress,
    interrupt: Interrupt,
) -> dict[Path, Ending]:
    """Train runs in processes, so many at once, until all ended or somebody wishes to stop."""
    threads = max(1, min(torch.get_num_threads(), cores() // workers))
    after_epoch = pickled(on_epoch, "on_epoch")
    waiting = [(path, pickled(config, config.condition)) for path, config in runs.items()]
    alive: dict[Connection, tuple[Child[Ending], Path, NoProgress]] = {}
    endings: dict[Path, Ending] = {}
    try:
        while alive or (waiting and not interrupt.requested):
            while waiting and len(alive) < workers and not interrupt.requested:
                path, config = waiting.pop(0)
                child = Child(threads, train_in_child, config, after_epoch, options)
                alive[child.ear] = child, path, progress.part(RunFolder(path).title)
            ready = wait(list(alive), PAUSE)
            for ear in [ear for ear in alive if ear in ready]:
                child, path, part = alive[ear]
                if not child.hear(part):
                    del alive[ear]
                    part.over()
                    if ending := child.ending():
                        endings[path] = ending
            if interrupt.requested:
                for child, _, _ in alive.values():
                    child.stop()
    finally:
        for child, _, _ in alive.values():  # asked twice, or a fault here
            child.end(kill=True)
    return endings


@torch_defaults()
def train_together(
    configs: Sequence[Config],
    *,
    out: str | Path = "runs",
    data_dir: str | Path | None = None,
    trust_data: bool = False,
    dataset: Dataset | None = None,
    on_epoch: OnEpoch | None = None,
    progress: NoProgress | None = None,
) -> list[Path]:
    """Train cortices of one make side by side in one program, each in a run folder of its own.

    Parameters
    ----------
    configs
        They differ in nothing but the seed.
    out, data_dir, trust_data, dataset, on_epoch, progress
        As for `train`.

    Returns
    -------
    list[Path]
        The run folders, in the order of the configs.

    Raises
    ------
    UserError
        If the configs differ in more than the seed, or what is the user's own fails side by side.
    RunsFailed
        After the others are trained, if one has diverged, or ``on_epoch`` raised.
    Stopped
        On Ctrl-C or SIGTERM, after saving each.

    Notes
    -----
    Each run is what `train` makes of it up to the order of summation: in float32, losses of the first 20 cycles
    agree within a relative 1e-3 (`dreaming doctor` measures it). Resume mixes freely with `train`.
    """
    progress = told(progress)
    configs = [named_for(config, dataset) for config in configs]
    folders = [RunFolder(run_folder_path(config, Path(out))) for config in configs]
    configs = [
        resolved(folder.at_hand(config), folder) for folder, config in zip(folders, configs, strict=True)
    ]
    if len(_alike({run_folder_path(config, Path(out)): config for config in configs})) > 1:
        raise UserError("cortices train side by side only where their configs differ in nothing but the seed")
    images = images_of(configs[0], dataset, data_dir, trust_data)
    configs = [
        named_as_beside(config, RunFolder(run_folder_path(config, Path(out))), images) for config in configs
    ]
    if len(configs) > 1:
        _require_side_by_side(configs[:2], images)
    with listening() as interrupt, ExitStack() as locks:
        for config in configs:
            locks.enter_context(locked(run_folder_path(config, Path(out)), "training"))
        runs = [open_run(config, images, Path(out), beside=True) for config in configs]
        for run in runs:
            show_repairs_and_stages(run, progress)
        failures = _side_by_side([run for run in runs if not run.finished], on_epoch, progress, interrupt)
    if failures:
        raise RunsFailed(failures)
    return [run.folder.path for run in runs]


def _require_side_by_side(configs: Sequence[Config], dataset: Dataset) -> None:
    """Try cycles of what is the user's own side by side, on cortices that are thrown away.

    Raises
    ------
    UserError
        If it fails there alone, as what reads numbers or branches on them does.
    """
    config = configs[0]
    if all(type(group).__module__.startswith("dreaming.") for group in config.groups()):
        return
    require_at_hand(config, beside=True)  # what fails alone too says so
    device, count = hardware.device(config.training.device), TRIED_CYCLES * config.training.batch_size
    seen = dataset.to(device).train
    images = torch.cat([seen.images] * TRIED_CYCLES)[:count]
    labels = torch.cat([seen.labels] * TRIED_CYCLES)[:count]

    def cycles() -> None:
        for done in (0, *(stage.after for stage in config.schedule)):
            states = [TrainingState.initial(each, device) for each in configs]
            for state in states:
                state.epochs_done = done
            tried = CapturedCycle(states, configs, images, labels)
            tried.captures = False
            tried.run(lambda: True, lambda: None)

    own = " and ".join(sorted(config.own()))
    try:
        with exactly(config):
            called("--phases or --networks", f"{own}, side by side with another run,", cycles)
    except UserError as mistake:
        raise UserError(f"{mistake}; train one run after another, with --workers 1") from mistake


def _side_by_side(
    unfinished: list[Run], on_epoch: OnEpoch | None, progress: NoProgress, interrupt: Interrupt
) -> dict[Path, str]:
    """Train all to their last epoch, those behind first; return why some could not go on."""
    failures: dict[Path, str] = {}
    group: list[Run] = []
    while unfinished:
        behind = min(run.cycles_done for run in unfinished)
        step = [run for run in unfinished if run.cycles_done == behind]
        if step != group:
            group, first = step, step[0]
            captured = CapturedCycle(
                [run.state for run in group], [run.config for run in group], first.images, first.labels
            )
            title = (
                f"{first.folder.title} and {len(group) - 1} more" if len(group) > 1 else first.folder.title
            )
            progress.start(title, first.config.training.epochs, first.cycles, behind)
        if first.config.schedule:
            progress.stage(first.config.condition_in(first.state.epochs_done + 1))
        with exactly(group[0].config), timed([run.state for run in group], group[0].images.device):
            captured.run(lambda: not interrupt.requested, progress.cycle)
        if interrupt.requested and group[0].state.cycles_done < group[0].cycles:
            raise Stopped("; ".join(str(run.stopped()) for run in group))
        for run in group:
            try:
                close_and_show(run, progress, on_epoch)
            except UserError as failure:
                failures[run.folder.path] = str(failure)
                unfinished.remove(run)
        unfinished = [run for run in unfinished if not run.finished]
    return failures
