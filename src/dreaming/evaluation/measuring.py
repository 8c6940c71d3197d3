"""Measuring runs: which measure, of which snapshots, into the run folder."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from dreaming import hardware
from dreaming.config import Config
from dreaming.data import Dataset, load
from dreaming.errors import UserError
from dreaming.evaluation.controls import pca, pixels
from dreaming.evaluation.latents import infer
from dreaming.evaluation.readout import accuracy, train_readout
from dreaming.interrupts import listening
from dreaming.progress import Silence
from dreaming.runs import MEASURES, RunFolder
from dreaming.snapshots import load as load_cortex

TOGETHER = 8
"""Snapshots read out side by side: of 60,000 images, 8 sets of 256 latents take half a gigabyte."""
READOUT = "readout_accuracy"

Row = tuple[int | None, str, float]
"""Epoch, parameter, value."""


def evaluate(
    run_folder: str | Path,
    *,
    epochs: str = "all",
    data_dir: str | Path | None = None,
    trust_data: bool = False,
    device: str = "auto",
    dataset: Dataset | None = None,
    progress: Silence | None = None,
) -> pd.DataFrame:
    """Measure how well a linear classifier reads the classes out of a run's latents.

    Parameters
    ----------
    run_folder
        A folder that `dreaming.train` made.
    epochs
        Snapshots to measure: ``all`` that are kept, ``last``, or a list such as ``0,1,5`` (0: untrained).
    data_dir, trust_data
        Where the archives of the run's data set are, and whether to take unofficial ones.
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
        a row. ``readout_accuracy`` of ``latent`` at each epoch, and of the controls ``pixels`` and ``pca-256``,
        which belong to no epoch; a fraction of the test images. Latents are inferred in the precision in which the
        run was trained. What stands there already is not done again.

    Raises
    ------
    UserError
        If the folder is no run, a snapshot is missing or damaged, or the images are others.
    Stopped
        On Ctrl-C or SIGTERM; what is measured is kept, and the same call goes on.
    """
    progress = progress or Silence()
    folder = RunFolder.existing(Path(run_folder))
    config = Config.of_run(folder)
    wanted = _chosen(folder, epochs)
    table = folder.read_measures()
    done = table[table["measure"] == READOUT]
    wanted = [epoch for epoch in wanted if epoch not in set(done[done["parameter"] == "latent"]["epoch"])]
    controls = [name for name in ("pixels", "pca") if not done["parameter"].str.startswith(name).any()]
    title = "/".join(folder.path.parts[-3:])
    if not wanted and not controls:
        progress.say(f"{title}: measured already")
        return table
    where = hardware.device(device)
    images = _same_images(folder, config, dataset, data_dir, trust_data)
    with listening() as interrupt:
        portions: list[str | list[int]] = [*controls]
        portions += [wanted[i : i + TOGETHER] for i in range(0, len(wanted), TOGETHER)]
        for portion in portions:
            interrupt.check("measuring; what is measured is kept, and the same command goes on from there")
            if isinstance(portion, str):
                rows = _control(portion, images, config, where)
            else:
                rows = _latent(portion, folder, images, config, where)
            table = pd.concat([table, _tidy(config, rows)]) if len(table) else _tidy(config, rows)
            table = table.sort_values(["measure", "parameter", "epoch"], ignore_index=True)
            folder.write_table(folder.measures, table)
            for epoch, parameter, value in rows:
                what = parameter if epoch is None else f"{parameter}, epoch {epoch}"
                progress.say(f"{title}: readout accuracy of {what}: {100 * value:.2f} %")
    return table


def _chosen(folder: RunFolder, epochs: str) -> list[int]:
    there = folder.snapshots()
    if not there:
        raise UserError(f"{folder.path} holds no snapshots yet; train it first")
    if epochs in ("all", "last"):
        return there if epochs == "all" else there[-1:]
    if not all(part.isascii() and part.isdigit() for part in epochs.split(",")):
        raise UserError(f"--epochs wants all, last or a list such as 0,1,5, and got '{epochs}'")
    chosen = sorted({int(part) for part in epochs.split(",")})
    missing = [epoch for epoch in chosen if epoch not in there]
    if missing:
        listed = ", ".join(map(str, there))
        raise UserError(f"{folder.snapshot(missing[0])} is missing; the epochs kept are {listed}")
    return chosen


def _same_images(
    folder: RunFolder, config: Config, dataset: Dataset | None, data_dir: str | Path | None, trust: bool
) -> Dataset:
    if dataset is None:
        where = None if data_dir is None else Path(data_dir)
        dataset = load(config.dataset.name, where, limit=config.dataset.limit, trust=trust)
    if folder.read_environment()["sessions"][-1].get("dataset", {}).get("fingerprint") != dataset.fingerprint:
        raise UserError(f"{folder.path} was trained on other images than {dataset.name} has now")
    return dataset


def _latent(
    epochs: Sequence[int], folder: RunFolder, images: Dataset, config: Config, device: torch.device
) -> list[Row]:
    cortices = [load_cortex(folder.path, epoch).to(device) for epoch in epochs]
    for cortex in cortices:
        cortex.precision = config.training.number_type  # it infers as it lived
    channels = config.networks.image_channels
    seen = [
        torch.stack([infer(c, s.images, channels) for c in cortices]) for s in (images.train, images.test)
    ]
    values = _readout(seen[0], seen[1], images, config.seed)
    return [(epoch, "latent", value) for epoch, value in zip(epochs, values, strict=True)]


def _control(name: str, images: Dataset, config: Config, device: torch.device) -> list[Row]:
    made = {"pixels": pixels, "pca": pca}[name]
    label, train, test = made(
        images.train.images, images.test.images, config.networks.image_channels, config.seed
    )
    value = _readout(train[None].to(device), test[None].to(device), images, config.seed)[0]
    return [(None, label, value)]


def _readout(train: Tensor, test: Tensor, images: Dataset, seed: int) -> list[float]:
    weights = train_readout(train, images.train.labels, len(images.classes), seed)
    return [float(value) for value in accuracy(weights, test, images.test.labels)]


def _tidy(config: Config, rows: Sequence[Row]) -> pd.DataFrame:
    about = (config.dataset.name, config.condition, config.seed)
    table = pd.DataFrame(
        [(*about, epoch, READOUT, parameter, value) for epoch, parameter, value in rows],
        columns=list(MEASURES),
    )
    return table.astype({"epoch": "Int64"})
