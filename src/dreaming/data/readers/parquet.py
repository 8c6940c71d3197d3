"""Hugging Face's image files: one parquet file a split, PNG bytes in a struct, labels beside them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dreaming.data.contents import Split
from dreaming.data.readers.pictures import open_picture
from dreaming.errors import UserError

IMAGE_COLUMNS = ("img", "image")


def hub_places(name: str, split: str, folder: str) -> tuple[str, ...]:
    """Return under which paths in a folder of data the hub's tools put the one file of a split, as patterns.

    Parameters
    ----------
    name
        Of the data set on the hub, without its owner.
    split
        ``train`` or ``test``.
    folder
        Of the files in the data set's repository.

    Examples
    --------
    >>> hub_places("cifar10", "test", "plain_text")[:2]
    ('test-00000-of-00001*.parquet', 'plain_text/test-00000-of-00001*.parquet')
    """
    folders = (folder, "data", "default", f"{name}/{folder}", f"{name}/data", name)
    cached = [f"datasets--*{name}/snapshots/*/{each}" for each in (folder, "data")]
    files = (f"{split}-00000-of-00001*.parquet", f"{split}/0000.parquet")  # the latter where it is converted
    places = (".", *folders, *cached)
    return tuple(f"{place}/{file}".removeprefix("./") for file in files for place in places)


def read_parquet(path: Path, n_classes: int) -> Split:
    """Read one split.

    Parameters
    ----------
    path
        The parquet file. Its column ``img`` or ``image`` has structs with PNG ``bytes``, each an image of 32 x 32,
        and ``label`` whole numbers.
    n_classes
        Labels run from 0 to ``n_classes - 1``.

    Returns
    -------
    Split
        Three channels, in the file's order.

    Raises
    ------
    UserError
        If pyarrow is not installed; or if the file is cut off or damaged, has other columns, or holds an image or
        label that does not fit.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise UserError(
            f"{path} is a parquet file, and reading it needs pyarrow: pip install 'dreaming[parquet]'"
        ) from error
    if path.name == "0000.parquet" and (more := path.with_name("0001.parquet")).exists():
        raise UserError(f"{path} is a part of a split, as {more.name} is; write them into one file")
    try:
        table = pq.read_table(path)
        column = next((each for each in IMAGE_COLUMNS if each in table.column_names), IMAGE_COLUMNS[0])
        pictures = [row["bytes"] for row in table.column(column).to_pylist()]
        labels = table.column("label").to_pylist()
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path} has not the columns {' or '.join(map(repr, IMAGE_COLUMNS))} (with PNG bytes) and 'label';"
            " it may be the file of another data set"
        ) from error
    except Exception as error:  # whatever pyarrow stumbles over
        first_line = str(error).partition("\n")[0]
        raise UserError(f"{path} is damaged or cut off ({first_line}); fetch it again") from error
    if not labels:
        raise UserError(f"{path} holds no images; fetch it again")
    images = np.empty((len(labels), 32, 32, 3), dtype=np.uint8)
    for row, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        images[row] = _pixels(picture, f"{path}, row {row}")
        if not isinstance(label, int) or not 0 <= label < n_classes:
            raise UserError(f"{path}, row {row} has label {label}, not one from 0 to {n_classes - 1}")
    return Split(
        torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), torch.tensor(labels, dtype=torch.int64)
    )


def _pixels(content: Any, where: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    if not isinstance(content, bytes):
        raise UserError(f"{where} holds no image; fetch the file again")
    picture = open_picture(io.BytesIO(content), where, formats=("PNG",))
    if picture.size != (32, 32):
        raise UserError(f"{where} holds an image of {picture.width} x {picture.height}, not of 32 x 32")
    return np.asarray(picture)
