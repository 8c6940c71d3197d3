"""A user's own images: ``PATH/train/CLASS/*`` and ``PATH/test/CLASS/*``, resized once and then cached."""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from dreaming.data.contents import Contents, Split, fingerprint
from dreaming.data.readers.pictures import RESIZE_VERSION, open_picture, to_square
from dreaming.errors import UserError, told_apart
from dreaming.system.disk import cache_dir, expanded, sweep, write

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class Listing:
    """The images of a folder, not yet read.

    Attributes
    ----------
    root
        The folder that holds ``train`` and ``test``.
    classes
        Names of the class folders, sorted.
    train, test
        Files with the index of their class, sorted by class, then by name.
    """

    root: Path
    classes: tuple[str, ...]
    train: tuple[tuple[Path, int], ...]
    test: tuple[tuple[Path, int], ...]

    @property
    def size(self) -> int:
        """Bytes of all image files together."""
        return sum(path.stat().st_size for path, _ in self.train + self.test)


def list_folder(root: Path) -> Listing:
    """Find the images of a folder and see that both splits have the same two or more classes.

    Files that do not end in .png, .jpg, .jpeg or .webp are passed over, and so is what begins with a dot.

    Parameters
    ----------
    root
        The folder; ``~`` is understood.

    Raises
    ------
    UserError
        If the folder, ``train`` or ``test`` is missing, if there are fewer than two classes or a class has no
        images, or if the classes of train and test differ.
    """
    root = expanded(root)
    if not root.is_dir():
        raise UserError(f"there is no folder {root}; folder:PATH needs PATH/train/CLASS and PATH/test/CLASS")
    try:
        found = {split: _list_split(root / split) for split in ("train", "test")}
    except OSError as error:
        raise UserError(f"{error.filename or root} cannot be read: {error.strerror or error}") from error
    train, test = found["train"], found["test"]
    for a, b, name, other in ((train, test, "train", "test"), (test, train, "test", "train")):
        only = sorted(set(a) - set(b))
        if only:
            raise UserError(
                f"{root / name} has a class {told_apart(only[0], b)} that {root / other} has not;"
                " both need the same classes"
            )
    if len(train) < 2:
        raise UserError(f"{root} has only one class, {next(iter(train))!r}; a readout needs two or more")
    classes = tuple(sorted(train))
    return Listing(
        root,
        classes,
        *(
            tuple((path, label) for label, name in enumerate(classes) for path in split[name])
            for split in (train, test)
        ),
    )


def _list_split(folder: Path) -> dict[str, list[Path]]:
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; put images into {folder}/CLASS/")
    classes = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or not entry.is_dir():
            continue
        classes[entry.name] = sorted(
            path
            for path in entry.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
        )
        if not classes[entry.name]:
            raise UserError(f"{entry} holds no {', '.join(SUFFIXES)} files; fill it or take it away")
    if not classes:
        raise UserError(f"{folder} is empty; put images into {folder}/CLASS/")
    return classes


def read_folder(root: Path, image_size: int = 32) -> Contents:
    """Read a folder of images, from the cache if nothing has changed since.

    Each image is made RGB, its largest centred square is cut out and resized by Lanczos' filter.
    The result is kept in ``$DREAMING_CACHE`` (else the user's cache directory), under a hash of every file's
    path, size and time of change; a cache that is damaged is made anew, one that cannot be written is done
    without.

    Parameters
    ----------
    root
        The folder that holds ``train`` and ``test``.
    image_size
        Height and width to which images are resized, in pixels.

    Returns
    -------
    Contents
        Images sorted by class, then by file name.

    Raises
    ------
    UserError
        As `list_folder`, and if a file is no image, cut off, or larger than Pillow allows (90 million pixels).
    """
    listing = list_folder(root)
    cache = _cache_file(listing, image_size)
    kept = _from_cache(cache, listing)
    if kept is not None:
        return kept
    train, test = (_decode(files, image_size) for files in (listing.train, listing.test))
    contents = Contents(train, test, listing.classes)
    _to_cache(cache, contents)
    return contents


def _decode(files: tuple[tuple[Path, int], ...], size: int) -> Split:
    images = np.empty((len(files), size, size, 3), dtype=np.uint8)
    for row, (path, _) in enumerate(files):
        images[row] = np.asarray(to_square(open_picture(path, str(path)), size))
    return Split(
        torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), torch.tensor([label for _, label in files])
    )


def _cache_file(listing: Listing, size: int) -> Path:
    # The paper's size goes without saying, as in caches from when there was no other.
    digest = hashlib.sha256(f"resize {RESIZE_VERSION}{'' if size == 32 else f' to {size}'}".encode())
    for path, _ in listing.train + listing.test:
        status = path.stat()
        entry = [path.relative_to(listing.root).as_posix(), status.st_size, status.st_mtime_ns]
        digest.update(json.dumps(entry).encode())
    return cache_dir() / "folders" / f"{digest.hexdigest()}.safetensors"


def _from_cache(cache: Path, listing: Listing) -> Contents | None:
    try:
        with safe_open(cache, framework="pt") as file:
            expected = (file.metadata() or {}).get("fingerprint")
            train, test = (
                Split(file.get_tensor(f"{name}.images"), file.get_tensor(f"{name}.labels"))
                for name in ("train", "test")
            )
    except (SafetensorError, OSError, ValueError):
        return None
    # The format notices a cut, not a changed byte; the fingerprint does.
    if fingerprint(train, test) != expected:
        return None
    return Contents(train, test, listing.classes)


def _to_cache(cache: Path, contents: Contents) -> None:
    tensors = {
        f"{name}.{part}": tensor
        for name, split in (("train", contents.train), ("test", contents.test))
        for part, tensor in (("images", split.images), ("labels", split.labels))
    }
    content = save(tensors, {"fingerprint": fingerprint(contents.train, contents.test)})
    # A full disk or a home that cannot be written to costs time at the next load, and nothing else.
    with suppress(UserError, OSError):
        sweep(cache.parent)
        write(cache, content)
