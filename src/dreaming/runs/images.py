"""The images of a run: what they are called, and where they are found again."""

import os
import re
from dataclasses import replace
from pathlib import Path

from dreaming.config.config import IMAGE_SIZES, Config, DatasetConfig
from dreaming.data import Dataset, load_dataset, names
from dreaming.data.readers.listing import split_folders
from dreaming.errors import UserError, brief, spelled
from dreaming.runs.folder import RunFolder, require_same_images
from dreaming.system.disk import expanded
from dreaming.system.texts import FOLDER_NAME


def named_for(config: Config, dataset: Dataset | None) -> Config:
    """Return the config of a run on images that are given: with their name and limit, not with those of others.

    Where none are given, the name of a data set that is known stands as it is written, whatever its case was.

    Parameters
    ----------
    config
        What the run is to be.
    dataset
        Images that are given, or None where the config says which are to be read.

    Raises
    ------
    UserError
        If the config names other images than those that are given; the default name counts as none. If one of the
        two is something else.
    """
    if not isinstance(config, Config):
        raise UserError(
            f"a config says what to train, and not {brief(config)}; make one with dreaming.configure"
        )
    _require_dataset(dataset)
    called = spelled(config.dataset.name, names())
    if dataset is None and called == config.dataset.name:
        return config
    if dataset is None:
        return config.model_copy(update={"dataset": config.dataset.model_copy(update={"name": called})})
    if called not in (dataset.name, DatasetConfig().name):
        raise UserError(
            f"the config names the data set {config.dataset.name}, and the images given are {dataset.name}; leave"
            " the name in the config out, or give no images"
        )
    limits = [limit for limit in (config.dataset.limit, dataset.limit) if limit is not None]
    about = config.dataset.model_copy(update={"name": dataset.name, "limit": min(limits, default=None)})
    return config.model_copy(update={"dataset": about})


def _require_dataset(dataset: object) -> None:
    if dataset is not None and not isinstance(dataset, Dataset):
        raise UserError(
            f"images are given as a data set, and not as {type(dataset).__name__}; make one with "
            "dreaming.Dataset.of_arrays(name, train, test)"
        )


def images_for(
    config: Config, dataset: Dataset | None, data_dir: str | Path | None = None, trust_data: bool = False
) -> Dataset:
    """Return the images that a config says: those given, as many as its limit allows, or those it names, read.

    Raises
    ------
    UserError
        If they cannot be read, or those given have another size than the networks see or a name that is not
        theirs.
    """
    _require_dataset(dataset)
    about, size = config.dataset, config.networks.image_size
    if dataset is None:
        name = _named_today(about.name, data_dir)
        images = load_dataset(name, data_dir, limit=about.limit, trust=trust_data, image_size=size)
        return replace(images, name=about.name)
    if not dataset._loaded and (dataset.name in names() or not re.fullmatch(FOLDER_NAME, dataset.name)):
        raise UserError(
            f"images that are given cannot be called {brief(dataset.name)}, as if load_dataset had read them; make "
            "them with dreaming.Dataset.of_arrays, under a name of their own"
        )
    if dataset.image_size != size:
        own = dataset.image_size
        raise UserError(
            f"the images of {dataset.name} have {own} x {own} pixels, and the networks see {size} x {size}; "
            + f"set networks.image_size to {own}, or " * (own in IMAGE_SIZES)
            + f"bring the images to that with dataset.resized({size})"
        )
    return dataset.limited(about.limit)


def named_as_beside(config: Config, folder: RunFolder, images: Dataset) -> Config:
    """Return the config of a run with the name that it, or a seed beside it, gave to the same folder of images.

    Wherever one stands, and wherever the folder was moved, it is one data set.
    """
    if config.dataset.name.startswith("folder:"):
        for other in sorted(folder.path.parent.glob("seed-*/config.yaml")):
            beside = RunFolder(other.parent)
            if beside.fingerprint() == images.fingerprint:
                about = config.dataset.model_copy(update={"name": beside.read_config().dataset.name})
                return config.model_copy(update={"dataset": about})
    return config


def images_of_run(
    folder: RunFolder,
    config: Config,
    dataset: Dataset | None = None,
    data_dir: str | Path | None = None,
    trust_data: bool = False,
) -> Dataset:
    """Return the images that a run was trained on: those given, or those found where it had them.

    Parameters
    ----------
    folder, config
        The run, which records where its images lay.
    dataset
        The images, if they are given.
    data_dir
        Where they lie now: the archives of a data set, or a folder of images that was moved (or what that was moved
        into). Without it, ``$DREAMING_DATA`` for archives, and then where the run had them.
    trust_data
        Whether to take files whose checksum is not the official one.

    Raises
    ------
    UserError
        If they cannot be found, or are others than the run saw.
    """
    if dataset is not None:
        images = images_for(config, dataset)
    elif config.dataset.name.startswith("folder:"):
        images = _of_folder(folder, config, data_dir)
    else:
        images = images_for(config, None, data_dir or _archives(folder, config.dataset.name), trust_data)
    untold = images.place is not None and data_dir is None
    moved = "; if they were moved, say where they are with --data-dir DIR" * untold
    require_same_images(folder, images, moved)
    return images


def _place(folder: RunFolder) -> Path | None:
    """Return where the images of a run lay when it was trained last, if its record says so."""
    hint = folder.read_environment()["sessions"][-1].get("dataset", {}).get("place")
    return Path(hint) if isinstance(hint, str) else None


def _archives(folder: RunFolder, name: str) -> str | Path | None:
    """Return where the archives of a run's data set lie, if nobody says so."""
    if name not in names():
        raise UserError(
            f"{folder.path} was trained on images that were given as arrays, {name}, and are kept nowhere; "
            f"give them again from Python, as in dreaming.evaluate({str(folder.path)!r}, dataset={name})"
        )
    before = _place(folder)
    return os.environ.get("DREAMING_DATA") or (before if before is not None and before.is_dir() else None)


def _of_folder(folder: RunFolder, config: Config, data_dir: str | Path | None) -> Dataset:
    """Return the images of a run on a folder from wherever they are the same; else those found first."""
    own, before = expanded(config.dataset.name.removeprefix("folder:")), _place(folder)
    places = [*_told(own, data_dir), *([] if before is None else [before]), own]
    there = {place.resolve(): place for place in places if place.is_dir()}
    found: list[Dataset] = []
    refused: list[UserError] = []
    for place in there.values():
        about = config.dataset.model_copy(update={"name": f"folder:{place}"})
        try:
            images = images_for(config.model_copy(update={"dataset": about}), None)
        except UserError as error:  # it is no folder of images, and may hold or stand beside one
            refused.append(error)
            continue
        found.append(replace(images, name=config.dataset.name))
        if images.fingerprint == folder.fingerprint():
            return found[-1]
    if found:
        return found[0]
    if refused:
        raise refused[-1]
    raise UserError(
        f"the images that {folder.path} was trained on are not in {before or own}; say where they are with "
        "--data-dir DIR, the folder that holds them"
    )


def _named_today(name: str, data_dir: str | Path | None) -> str:
    """Return the name by which images are read: a folder that is gone, by where it was moved to."""
    own = expanded(name.removeprefix("folder:"))
    if not name.startswith("folder:") or own.is_dir():
        return name
    for place in _told(own, data_dir):
        if place.is_dir() and (place.name == own.name or split_folders(place)):
            return f"folder:{place}"
    return name


def _told(own: Path, data_dir: str | Path | None) -> list[Path]:
    """List where a folder of images is now if it was moved into, or to, a place."""
    return [] if data_dir is None else [expanded(data_dir) / own.name, expanded(data_dir)]
