"""Hugging Face's image files: one parquet file a split, PNG bytes in a struct, labels beside them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dreaming.data.contents import Split
from dreaming.data.readers.pictures import open_picture
from dreaming.errors import UserError


def read_parquet(path: Path, image_column: str, n_classes: int) -> Split:
    """Read one split.

    Parameters
    ----------
    path
        The parquet file.
    image_column
        Name of the column of structs with PNG ``bytes``, each an image of 32 x 32.
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
    try:
        table = pq.read_table(path)
        pictures = [row["bytes"] for row in table.column(image_column).to_pylist()]
        labels = table.column("label").to_pylist()
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path} has not the columns {image_column!r} (with PNG bytes) and 'label';"
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
