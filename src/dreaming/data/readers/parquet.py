"""Hugging Face's image files: one parquet file a split, PNG bytes in a struct, labels beside them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dreaming.data.dataset import Split
from dreaming.data.readers.pictures import open_picture
from dreaming.errors import UserError

_MOST = 200_000  # rows; CIFAR-10 has 50,000, SVHN 73,257
_LARGEST = 1024**3  # bytes of both columns, unpacked; SVHN's have 200 million
_LARGEST_ROW = 2**20  # bytes of one image with its label; as PNG, noise takes 3,200


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
        If the file is cut off or damaged, has other columns, or holds an image or label that does not fit.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _refuse_other_columns(file.schema_arrow, image_column, path)
            n = file.metadata.num_rows
            if not 1 <= n <= _MOST:
                raise UserError(f"{path} holds {n} images; fetch it again")
            _refuse_larger(file.metadata, path)
            images = np.empty((n, 32, 32, 3), dtype=np.uint8)
            labels = np.empty(n, dtype=np.int64)
            row = 0
            # Row by row: a thousand small pages may unpack to a thousand times the memory.
            for batch in file.iter_batches(batch_size=1, columns=[image_column, "label"]):
                where = f"{path}, row {row}"
                if batch.nbytes > _LARGEST_ROW:
                    raise UserError(f"{where} holds no image of 32 x 32; fetch the file again")
                images[row] = _pixels(batch.column(image_column).field("bytes")[0].as_py(), where)
                labels[row] = _label(batch.column("label")[0].as_py(), n_classes, where)
                row += 1
    except (pa.ArrowException, OSError, ValueError, LookupError, MemoryError) as error:
        first_line = str(error).partition("\n")[0]
        raise UserError(f"{path} is damaged or cut off ({first_line}); fetch it again") from error
    if row != n:
        raise UserError(f"{path} holds {row} of {n} images; fetch it again")
    return Split(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), torch.from_numpy(labels))


def _refuse_larger(metadata: Any, path: Path) -> None:
    """Refuse a file that says it unpacks to more than images of 32 x 32 can have.

    Its row groups are asked, not their columns: pyarrow 26 ends the process where what a column says is damaged.
    """
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    if size > _LARGEST:
        raise UserError(f"{path} unpacks to {size} bytes, more than images of 32 x 32 take; fetch it again")


def _refuse_other_columns(schema: object, image_column: str, path: Path) -> None:
    import pyarrow as pa

    if isinstance(schema, pa.Schema) and {image_column, "label"} <= set(schema.names):
        kind = schema.field(image_column).type
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            return
    raise UserError(
        f"{path} has not the columns {image_column!r} (with PNG bytes) and 'label';"
        " it may be the file of another data set"
    )


def _pixels(content: object, where: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    if not isinstance(content, bytes):
        raise UserError(f"{where} holds no image; fetch the file again")
    picture = open_picture(io.BytesIO(content), where, formats=("PNG",))
    if picture.size != (32, 32):
        raise UserError(f"{where} holds an image of {picture.width} x {picture.height}, not of 32 x 32")
    return np.asarray(picture)


def _label(label: object, n_classes: int, where: str) -> int:
    if not isinstance(label, int) or not 0 <= label < n_classes:
        raise UserError(f"{where} has label {label}, not one from 0 to {n_classes - 1}")
    return label
