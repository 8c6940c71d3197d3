"""What a measure is: options, the rows it gives of each snapshot, and how its numbers are named and shown."""

from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pandas as pd

from dreaming.evaluation.measures.snapshot_batch import SnapshotBatch
from dreaming.model.parameters import Parameters

Row = tuple[int | None, str, str, float]
"""Epoch, measure, parameter, value."""


@dataclass(frozen=True)
class Quantity:
    """How the values of one name in the column ``measure`` are shown to people.

    Attributes
    ----------
    label
        In tables and on axes.
    unit
        ``%`` for a fraction, which is shown in percent, or empty for a number, which is shown as it is.
    of_classes
        Whether it is the accuracy of telling classes, beside which chance is drawn.

    Examples
    --------
    >>> Quantity("accuracy", "%").shown(0.5), Quantity("ratio").shown(0.5)
    ('50.00', '0.5000')
    """

    label: str
    unit: Literal["", "%"] = ""
    of_classes: bool = False

    @property
    def scale(self) -> float:
        """What a value is multiplied with before it is shown."""
        return 100.0 if self.unit else 1.0

    @property
    def title(self) -> str:
        """The label with the unit."""
        return f"{self.label} (%)" if self.unit else self.label

    def shown(self, value: float) -> str:
        """Return a value as people read it, without the unit."""
        return f"{self.scale * value:.{2 if self.unit else 4}f}"


class Measure(Parameters):
    """Something to be measured of snapshots; its fields are its options."""

    quantities: ClassVar[Mapping[str, Quantity]] = {}
    """How its values are shown, by their name in the column ``measure``; by default as numbers under that name."""
    table: ClassVar[Literal["measures", "projection"]] = "measures"
    """The table of the run folder that its rows go into."""
    passes: ClassVar[int] = 0
    """How often it infers the test images of a snapshot, besides the latents that all measures share."""

    @property
    def needs_labels(self) -> bool:
        """Whether it asks to which class images belong."""
        return False

    @abstractmethod
    def keys(self) -> frozenset[tuple[str, str]]:
        """Return the measure and the parameter of every row that one snapshot gets."""

    @property
    def measured(self) -> frozenset[str]:
        """Return the names that stand in the column ``measure`` of its rows."""
        return frozenset(name for name, _ in self.keys())

    def complete(self, there: Collection[tuple[str, str]]) -> bool:
        """Return whether every row that one snapshot gets is among some, which are measures and parameters."""
        return self.keys() <= set(there)

    def unavailable(self, data_dir: str | Path | None) -> str:
        """Return why it cannot be measured here, in a sentence that says what to do; empty if it can.

        Parameters
        ----------
        data_dir
            The folder of data; without it ``$DREAMING_DATA``.
        """
        return ""

    def check(self, snapshots: SnapshotBatch) -> None:
        """Refuse, in one sentence, what cannot be measured of these snapshots; asked before anything is."""

    @abstractmethod
    def measure(self, snapshots: SnapshotBatch) -> pd.DataFrame:
        """Measure snapshots: rows with ``epoch, measure, parameter, value``, and what else the table has."""


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
    """Return the parameter of a value: a base, and ``;OPTION=VALUE`` for each option that differs from its default.

    Parameters
    ----------
    base
        What the value is called where all options have their default.
    options
        The measure, or a part of its options.
    fields
        The options that this value depends on.

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
