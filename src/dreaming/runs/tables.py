"""Tables of runs: CSV files, one value a row, every float to its last bit."""

from csv import Error, reader
from pathlib import Path

import pandas as pd

from dreaming.errors import UserError, shown

WHOLE_NUMBERS = ("epoch", "cycles", "seed", "image", "label", "component")
FLOATS = ("seconds", "value", "occluded", "explained")
"""Besides the terms of phases, PHASE.TERM."""


def read_table(path: Path, columns: tuple[str, ...], needed: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return the table in a CSV file that begins with these columns.

    Parameters
    ----------
    path
        The file.
    columns
        Its first columns; more may follow, such as a person's notes.
    needed
        Floats without which a row is left out: an empty field is none, and ``nan`` one that is undefined.

    Returns
    -------
    DataFrame
        Whole numbers as ``Int64``, floats to their last bit, and all else as texts as they stand; an empty field of
        the former two is none.

    Raises
    ------
    UserError
        If the file is missing or is no such table.
    """
    try:
        header = _header(path, columns)
        whole = [name for name in header if name in WHOLE_NUMBERS]
        floats = [name for name in header if name in FLOATS or "." in name]
        # Floats are made of texts, since older versions of pandas lose their last bit when they read them.
        table = pd.read_csv(
            path,
            names=header,
            header=0,
            index_col=False,
            dtype={name: "Int64" if name in whole else "str" for name in header},
            keep_default_na=False,  # a condition may be called "NA"
            na_values={name: ["", "nan"] if name in whole else [""] for name in (*whole, *floats)},
        )
        table = table.dropna(subset=list(needed), ignore_index=True).astype(dict.fromkeys(floats, "float64"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, OverflowError, Error) as error:
        raise UserError(f"{path} is damaged: it is no table ({shown(str(error).strip()[:200])})") from None
    return table


def _header(path: Path, columns: tuple[str, ...]) -> list[str]:
    """Return the names of the columns, after making sure that each has its own, and a cell in every row."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = reader(file, strict=True)
        header = next(lines, [])
        if tuple(header[: len(columns)]) != columns:
            raise UserError(f"{path} is damaged: its columns should begin with {', '.join(columns)}")
        for name in header:
            if header.count(name) > 1:
                raise ValueError(f"two of its columns are called {name!r}")
        for row in lines:
            if len(row) not in (0, len(header)):
                raise ValueError(f"line {lines.line_num} has {len(row)} cells and the first {len(header)}")
    return header


def csv(table: pd.DataFrame) -> bytes:
    """Return a table as CSV, every float to its last bit."""
    return table.to_csv(index=False, lineterminator="\n").encode()
