"""Tables of runs: CSV files, one value a row, every float to its last bit."""

import io
from csv import Error as CSVError
from csv import reader
from pathlib import Path
from typing import Any

import pandas as pd

from dreaming.errors import UserError

TEXTS = ("dataset", "condition", "measure", "parameter", "phase", "term", "finding")


WHOLE = ("epoch", "cycles", "seed", "image", "label", "component")


def read_table(path: Path, columns: tuple[str, ...], content: bytes) -> pd.DataFrame:
    """Read the content of a CSV file that must begin with these columns, every float to its last bit.

    Raises
    ------
    UserError
        If it is no such table.
    """
    try:
        table = _rows(content)
        for column in table.columns.difference(list(TEXTS)):
            if column in WHOLE:
                table[column] = pd.array([_whole(text) for text in table[column]], dtype="Int64")
            else:
                table[column] = [float(text) if text else float("nan") for text in table[column]]
                table[column] = table[column].astype(float)
    except (ValueError, TypeError, OverflowError, CSVError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"{path} is damaged: it is no table ({said})") from None
    if tuple(table.columns[: len(columns)]) != columns:
        raise UserError(f"{path} is damaged: its columns should begin with {', '.join(columns)}")
    return table


def _rows(content: bytes) -> pd.DataFrame:
    """Read all cells as text; each row has one for every column."""
    if b"\r" in content or b"\0" in content:
        raise ValueError("it holds a carriage return or a zero")
    columns, *rows = reader(io.StringIO(content.decode(), newline=""), strict=True)
    if len(set(columns)) < len(columns):
        raise ValueError("two columns have one name")
    if any(len(row) != len(columns) for row in rows):
        raise ValueError("a row is longer or shorter than the first line")
    return pd.DataFrame(rows, columns=columns, dtype=str)


def _whole(text: str) -> Any:
    """Read a whole number, every digit of it, or that there is none."""
    if not text:
        return pd.NA
    try:
        return int(text)
    except ValueError:
        number = float(text)
    if not number.is_integer():
        raise ValueError(f"{text} is no whole number")
    return int(number)


def csv(table: pd.DataFrame) -> bytes:
    """Turn a table into CSV, every float to its last bit."""
    buffer = io.StringIO()
    table.to_csv(buffer, index=False, lineterminator="\n")
    return buffer.getvalue().encode()
