"""From a name to a data set: ``load``, and what ``dreaming data list`` and ``check`` show."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from dreaming.data.contents import Contents, limited
from dreaming.data.dataset import Dataset
from dreaming.data.known import image_folder, source_called
from dreaming.data.readers.folder import read_folder
from dreaming.data.readers.listing import list_folder
from dreaming.data.sources import FileCheck, Layout, Source, check_file, check_files, found_checksum, locate
from dreaming.data.weights import NETWORKS
from dreaming.errors import UserError, command, spelled
from dreaming.system.defaults import torch_defaults
from dreaming.system.disk import expanded


@dataclass(frozen=True)
class DatasetInfo:
    """A data set in one row of a list.

    Attributes
    ----------
    name
        As it is asked for.
    n_train, n_test
        Images.
    host
        Where it comes from.
    licence
        What may be done with it, and whom to cite.
    size
        Bytes to be fetched (of a folder: that it has).
    """

    name: str
    n_train: int
    n_test: int
    host: str
    licence: str
    size: int


def dataset_info(name: str) -> DatasetInfo:
    """Return what a data set is in short; reads no image.

    Parameters
    ----------
    name
        One of `names`, or ``folder:PATH``.

    Raises
    ------
    UserError
        If the name is unknown, or the folder is not laid out as one.

    Examples
    --------
    >>> dataset_info("cifar10").n_train, dataset_info("digits").size
    (50000, 0)
    """
    folder = image_folder(name)
    if folder is not None:
        listing = list_folder(folder)
        return DatasetInfo(
            name, len(listing.train), len(listing.test), "this machine", "your own", listing.size
        )
    source = source_called(name)
    size = sum(file.size for layout in source.layouts[:1] for file in layout.files)
    return DatasetInfo(source.name, source.n_train, source.n_test, source.host, source.licence, size)


def check(name: str, data_dir: Path) -> list[FileCheck]:
    """Compare the files of a data set, or the weights of a network, with what is published.

    Parameters
    ----------
    name
        One of `names`, ``folder:PATH`` or ``inception``.
    data_dir
        Where the files lie.

    Returns
    -------
    list of FileCheck
        One for each expected file of each layout that is there; the official files, as missing, if none is.
        Empty for digits and house_digits; for a folder, its two splits, which are laid out well (images are
        not decoded).

    Raises
    ------
    UserError
        If the name is unknown, a file cannot be read, or the folder is not laid out as one.

    Examples
    --------
    >>> check("digits", Path("nowhere"))
    []
    >>> [found.state for found in check("svhn", Path("nowhere"))]
    ['missing', 'missing']
    """
    if (network := spelled(name, NETWORKS)) in NETWORKS:
        return [check_file(file, expanded(data_dir)) for file in NETWORKS[network].files]
    folder = image_folder(name, *NETWORKS)
    if folder is not None:
        listing = list_folder(folder)
        return [FileCheck(place, "ok") for place in listing.places]
    return check_files(source_called(name), expanded(data_dir))


@torch_defaults()
def load_dataset(
    name: str,
    data_dir: str | Path | None = None,
    *,
    limit: int | None = None,
    trust: bool = False,
    image_size: int = 32,
) -> Dataset:
    """Read a data set into memory.

    Parameters
    ----------
    name
        One of `names`, or ``folder:PATH``.
    data_dir
        Where the files lie; without it, ``$DREAMING_DATA``. Digits, house_digits and folders need none.
    limit
        Take only so many images of each split: the first, or of a set that is sorted by class the first of each.
        ``house_digits`` are drawn as many as the limit says,
        also where that is more than by default.
    trust
        Accept files whose checksum is not the official one; the data set then says so (``official``).
    image_size
        Height and width in pixels to which images are brought. Pictures of a folder are cut to a square and resized
        by Lanczos' filter; all others are as they are published, 32 x 32 but for STL-10, and shrunk or grown
        bilinearly.

    Returns
    -------
    Dataset
        On the CPU, in the order of its files.

    Raises
    ------
    UserError
        In one sentence, for an unknown name, files that are missing, damaged or not the official ones, and a
        limit that leaves out a class (or asks for more than can be drawn).

    Examples
    --------
    >>> digits = load_dataset("digits", limit=50)
    >>> len(digits.train), digits.classes[3], digits.official
    (50, '3', True)
    """
    folder = image_folder(name)
    if folder is not None:
        images = _dataset(name, read_folder(folder, image_size), limit, image_size)
        return replace(images, place=str(expanded(folder).resolve()))
    source = source_called(name)
    if source.make is not None:
        return _dataset(source.name, source.make(limit), limit, image_size)
    data_dir = data_dir or os.environ.get("DREAMING_DATA")
    if not data_dir:
        raise UserError(
            f"{source.name} is read from files: say where they lie with --data-dir DIR or DREAMING_DATA,"
            f" or get them with `{command('data', 'fetch', source.name, '--data-dir', 'DIR')}`"
        )
    images = load_source(source, expanded(data_dir), limit=limit, trust=trust, image_size=image_size)
    return replace(images, place=str(expanded(data_dir).resolve()))


def load_source(
    source: Source,
    data_dir: Path,
    *,
    limit: int | None = None,
    trust: bool = False,
    image_size: int = 32,
) -> Dataset:
    """Read a published data set, as `load` does, given what is published about it.

    The first layout whose files all have their official checksum is read; else, with ``trust``, the first
    whose files are all there.
    """
    complete = [
        (layout, paths) for layout in source.layouts if (paths := _complete(layout, data_dir)) is not None
    ]
    if not complete:
        raise _nothing_there(source, data_dir)
    refusals = []
    for layout, paths in complete:
        found = {
            file.name: found_checksum(file, path) for file, path in zip(layout.files, paths, strict=True)
        }
        other = [i for i, file in enumerate(layout.files) if found[file.name] != file.checksum]
        if not other:
            return _dataset(source.name, layout.read(paths), limit, image_size, found)
        refusals.append((layout, paths, found, other[0]))
    layout, paths, found, i = refusals[0]
    if trust:
        return _dataset(source.name, layout.read(paths), limit, image_size, found, official=False)
    expected = layout.files[i].checksum
    raise UserError(
        f"{paths[i]} has checksum {found[layout.files[i].name]}"
        + (f", not the official {expected}" if expected else ", and no official one is published")
        + f"; get the official files with `{command('data', 'fetch', source.name, '--data-dir', data_dir)}`,"
        " or accept these with --trust-data"
    )


def _dataset(
    name: str,
    contents: Contents,
    limit: int | None,
    image_size: int,
    source: dict[str, str] | None = None,
    official: bool = True,
) -> Dataset:
    used = limited(contents, limit)
    whole = Dataset(
        name, used.train, used.test, used.classes, source or {}, official, limit=limit, _loaded=True
    )
    return whole.resized(image_size)


def _complete(layout: Layout, data_dir: Path) -> list[Path] | None:
    paths = [locate(file, data_dir) for file in layout.files]
    there = [path for path in paths if path is not None]
    return there if len(there) == len(paths) else None


def _nothing_there(source: Source, data_dir: Path) -> UserError:
    get = f"get it with `{command('data', 'fetch', source.name, '--data-dir', data_dir)}`"
    if not data_dir.is_dir():
        return UserError(f"{source.name} was looked for in {data_dir}, which is no directory; {get}")
    for layout in source.layouts:
        missing = [file.name for file in layout.files if locate(file, data_dir) is None]
        if len(missing) < len(layout.files):
            there = next(file.name for file in layout.files if file.name not in missing)
            return UserError(
                f"{data_dir} holds {there} but not {missing[0]}, which {source.name} needs; {get}"
            )
    looked_for = ", or ".join(layout.files[0].name for layout in source.layouts)
    return UserError(f"{source.name} is not in {data_dir}, where {looked_for} was looked for; {get}")
