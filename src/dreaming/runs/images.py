"""The images of a run: what they are called, and where they are found again."""

from pathlib import Path

from dreaming.config.config import IMAGE_SIZES, Config, DatasetConfig
from dreaming.data import Dataset, load_dataset
from dreaming.errors import UserError
from dreaming.runs.folder import RunFolder, require_same_images


def named_for(config: Config, dataset: Dataset | None) -> Config:
    """Return the config of a run on images that are given: with their name, not with that of others.

    Parameters
    ----------
    config
        What the run is to be.
    dataset
        Images that are given, or None where the config says which are to be read.

    Raises
    ------
    UserError
        If the config names other images than those that are given; the default name counts as none.
    """
    if dataset is None or config.dataset.name == dataset.name:
        return config
    if config.dataset.name != DatasetConfig().name:
        raise UserError(
            f"the config names the data set {config.dataset.name}, and the images given are {dataset.name}; leave"
            " the name in the config out, or give no images"
        )
    about = config.dataset.model_copy(update={"name": dataset.name})
    return config.model_copy(update={"dataset": about})


def images_for(
    config: Config, dataset: Dataset | None, data_dir: str | Path | None = None, trust_data: bool = False
) -> Dataset:
    """Return the images that a config says: those given, as many as its limit allows, or those it names, read.

    Raises
    ------
    UserError
        If they cannot be read, or those given have another size than the networks see.
    """
    about, size = config.dataset, config.networks.image_size
    if dataset is None:
        return load_dataset(about.name, data_dir, limit=about.limit, trust=trust_data, image_size=size)
    if dataset.image_size != size:
        own = dataset.image_size
        raise UserError(
            f"the images of {dataset.name} have {own} x {own} pixels, and the networks see {size} x {size}; "
            + f"set networks.image_size to {own}, or " * (own in IMAGE_SIZES)
            + f"bring the images to that with dataset.resized({size})"
        )
    return dataset.limited(about.limit)


def images_of_run(
    folder: RunFolder,
    config: Config,
    dataset: Dataset | None = None,
    data_dir: str | Path | None = None,
    trust_data: bool = False,
) -> Dataset:
    """Return the images that a run was trained on.

    Raises
    ------
    UserError
        If they cannot be found, or are others than the run saw.
    """
    images = images_for(config, dataset, data_dir, trust_data)
    require_same_images(folder, images)
    return images
