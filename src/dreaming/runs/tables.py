"""Tables of runs: CSV files, one value a row, every float to its last bit."""

from pathlib import Path

import pandas as pd

from dreaming.errors import UserError, shown

TEXTS = ("dataset", "condition", "measure", "parameter", "phase", "term", "finding")
WHOLE_NUMBERS = ("epoch", "cycles", "seed", "image", "label", "component")


def read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return the table in a CSV file that begins with these columns.

    Parameters
    ----------
    path
        The file.
    columns
        Its first columns; more may follow.

    Returns
    -------
    DataFrame
        Texts as they stand, whole numbers as ``Int64``, and all else as floats to their last bit; an empty field of
        the latter two is none.

    Raises
    ------
    UserError
        If the file is missing or is no such table.
    """
    try:
        header = pd.read_csv(path, nrows=0).columns
        numbers = header.difference(list(TEXTS))
        floats = numbers.difference(list(WHOLE_NUMBERS))
        # Floats are made of texts, since older versions of pandas lose their last bit when they read them.
        table = pd.read_csv(
            path,
            dtype={column: "Int64" if column in WHOLE_NUMBERS else "str" for column in header},
            keep_default_na=False,  # a condition may be called "NA"
            na_values={column: ["", "nan"] for column in numbers},
        ).astype(dict.fromkeys(floats, "float64"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{path} is damaged: it is no table ({shown(str(error).strip()[:200])})") from None
    if tuple(header[: len(columns)]) != columns:
        raise UserError(f"{path} is damaged: its columns should begin with {', '.join(columns)}")
    if not isinstance(table.index, pd.RangeIndex):  # what pandas makes of cells without a column
        raise UserError(f"{path} is damaged: it has rows that are longer than the first line")
    return table


def csv(table: pd.DataFrame) -> bytes:
    """Return a table as CSV, every float to its last bit."""
    return table.to_csv(index=False, lineterminator="\n").encode()
