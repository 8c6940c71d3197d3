"""A user's own images, resized once and then cached."""

import hashlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from dreaming.data.contents import Contents, Split, fingerprint
from dreaming.data.readers.listing import Listing, list_folder
from dreaming.data.readers.pictures import RESIZE_VERSION, open_picture, to_square
from dreaming.errors import UserError
from dreaming.system.disk import cache_dir, sweep, write
from dreaming.system.texts import content_of


def read_folder(root: Path, image_size: int = 32) -> Contents:
    """Read a folder of images, from the cache if the same were read before.

    Each image is made RGB, its largest centred square is cut out and resized by Lanczos' filter.
    The result is kept in ``$DREAMING_CACHE`` (else the user's cache directory), under a hash of every file's
    content and class; a cache that is damaged is made anew, one that cannot be written is done without.

    Parameters
    ----------
    root
        The folder, as `list_folder` reads it.
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
    digest = hashlib.sha256(f"resize {RESIZE_VERSION} to {size}".encode())
    for name, files in (("train", listing.train), ("test", listing.test)):
        for path, label in files:
            content = hashlib.sha256(content_of(path)).hexdigest()
            digest.update(f"{name} {label} {content}\n".encode())
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
