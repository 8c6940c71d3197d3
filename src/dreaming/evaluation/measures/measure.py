"""What a measure is: options, the rows it gives of each snapshot, and the name under which each stands."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import pandas as pd

from dreaming.evaluation.measures.cortices import SnapshotBatch
from dreaming.model.parameters import Parameters

Row = tuple[int | None, str, str, float]
"""Epoch, measure, parameter, value."""


class Measure(Parameters):
    """Something to be measured of snapshots; its fields are its options."""

    table: ClassVar[Literal["measures", "projection"]] = "measures"
    """The table of the run folder that its rows go into."""
    local: ClassVar[bool] = True
    """Whether ``all`` means it too: it needs nothing to be downloaded, and takes minutes at most."""

    @abstractmethod
    def keys(self) -> frozenset[tuple[str, str]]:
        """Name the measure and the parameter of every row that one snapshot gets."""

    def unavailable(self, data_dir: Path | None) -> str:
        """Say why it cannot be measured here, in a sentence that tells what to do; empty if it can.

        Parameters
        ----------
        data_dir
            The folder of data; without it ``$DREAMING_DATA``.
        """
        return ""

    @abstractmethod
    def measure(self, subjects: SnapshotBatch) -> pd.DataFrame:
        """Measure some snapshots: rows with ``epoch, measure, parameter, value``, and what else the table has."""


def tabled(rows: Iterable[Row]) -> pd.DataFrame:
    """Make a table of rows.

    Examples
    --------
    >>> tabled([(3, "readout_accuracy", "latent", 0.5)]).to_dict("records")
    [{'epoch': 3, 'measure': 'readout_accuracy', 'parameter': 'latent', 'value': 0.5}]
    """
    table = pd.DataFrame(list(rows), columns=["epoch", "measure", "parameter", "value"])
    return table.astype({"epoch": "Int64"})


def parameter(base: str, options: Parameters, fields: Sequence[str]) -> str:
    """Name a value so that every option that is not as usual is seen beside it.

    Parameters
    ----------
    base
        What the value is called where all options have their default.
    options
        The measure, or a part of its options.
    fields
        The options that this value depends on.

    Returns
    -------
    str
        The base, and after it ``;OPTION=VALUE`` for each of the fields that differs from its default.

    Examples
    --------
    >>> class Naps(Parameters):
    ...     hours: float = 1.5
    ...     places: tuple[int, ...] = (1, 2)
    >>> parameter("nap", Naps(), ["hours", "places"])
    'nap'
    >>> parameter("nap", Naps(hours=2, places=(4, 5)), ["hours", "places"])
    'nap;hours=2.0;places=4-5'
    """
    name = base
    for field in fields:
        value, usual = getattr(options, field), type(options).model_fields[field].default
        if isinstance(value, Parameters):
            name = parameter(name, value, list(type(value).model_fields))
        elif value != usual:
            shown = "-".join(map(str, value)) if isinstance(value, tuple) else value
            name += f";{field}={shown}"
    return name
