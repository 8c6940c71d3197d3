"""Measures of the user's own: classes derived from `Measure`, or functions of a cortex and its data set."""

import copy
import inspect
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, ClassVar

import pandas as pd

from dreaming.config.custom import called, load_object
from dreaming.errors import UserError, brief
from dreaming.evaluation.measures.measure import Measure, Quantity, Row, tabled
from dreaming.evaluation.measures.snapshot_batch import SnapshotBatch
from dreaming.system.source_code import source_of

WHOLE = "cortex"
"""The parameter of a function's single number."""


class FunctionMeasure(Measure):
    """A measure that a function makes, of a cortex and the data set of its run.

    Rows: under the function's name; of a number the parameter ``cortex``, of a dict of numbers its keys. The cortex
    is the function's own copy, in the precision of the run and on the device that is measured on.

    Examples
    --------
    >>> def weights(cortex, dataset):
    ...     return {"encoder": 3.0, "generator": 4.0}
    >>> own = FunctionMeasure.of(weights)
    >>> own.measured, own.complete([("weights", "encoder")])
    (frozenset({'weights'}), True)
    """

    function: ClassVar[Callable[..., Any]]

    @classmethod
    def of(cls, function: Callable[..., Any]) -> "FunctionMeasure":
        """Return the measure of a function (cortex, dataset) -> number, or dict of numbers."""
        name = function.__name__
        made: type[FunctionMeasure] = type(name, (cls,), {"__module__": function.__module__})
        made.function = staticmethod(function)
        made.quantities = {name: Quantity(name.replace("_", " "))}
        return made()

    @property
    def measured(self) -> frozenset[str]:
        """Return the name that stands in the column ``measure`` of its rows."""
        return frozenset(self.quantities)

    def keys(self) -> frozenset[tuple[str, str]]:
        """Return nothing: which rows it gives is not known before it is called."""
        return frozenset()

    def complete(self, there: Collection[tuple[str, str]]) -> bool:
        """Return whether there are rows of it, since all of an epoch are written at once."""
        return any(name in self.measured for name, _ in there)

    def measure(self, snapshots: SnapshotBatch) -> pd.DataFrame:
        """Call the function with each snapshot.

        Raises
        ------
        UserError
            If it fails, or returns what is no number.
        """
        (name,) = self.measured
        rows: list[Row] = []
        for epoch, cortex in zip(snapshots.epochs, snapshots.cortices, strict=True):
            found = called(
                "--measures", name, partial(type(self).function, copy.deepcopy(cortex), snapshots.images)
            )
            for parameter, value in (found if isinstance(found, Mapping) else {WHOLE: found}).items():
                rows.append((epoch, name, str(parameter), _number(name, value)))
        return tabled(rows)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UserError(
            f"--measures: {name} returned {brief(value)}, and a measure is a number or a dict of numbers"
        ) from None


def load_measure(spec: str) -> Measure:
    """Load a measure of the user's own from a Python file of the user's, which is executed.

    Parameters
    ----------
    spec
        ``FILE.py:NAME``. NAME is a class derived from `Measure`, a measure, or a function (cortex, dataset) ->
        number or dict of numbers.

    Raises
    ------
    UserError
        If the file or the name is missing, the file fails, or what it defines is no measure.
    """
    path, _, name = spec.rpartition(":")
    return as_measure(load_object("--measures", spec, _is_measure), f"{name} in {path}")


def _is_measure(value: object) -> bool:
    if inspect.isclass(value):
        return issubclass(value, Measure) and not value.__module__.startswith("dreaming.")
    return isinstance(value, Measure) or inspect.isfunction(value)


def as_measure(found: Any, what: str) -> Measure:
    """Return the measure that an object stands for: itself, a class of measures, or a function.

    Raises
    ------
    UserError
        If it stands for none.
    """
    if inspect.isclass(found) and issubclass(found, Measure):
        found = called("--measures", what, found)
    elif inspect.isfunction(found):
        found = FunctionMeasure.of(found)
    if not isinstance(found, Measure):
        raise UserError(
            f"--measures: {what} is no class derived from Measure, no measure, and no function (cortex, dataset)"
        )
    return found


def definition_of(measure: Measure) -> str:
    """Return where a measure of the user's own is defined, with the file's checksum; nothing of a built-in one.

    Raises
    ------
    UserError
        If its source is nowhere to be found.

    Examples
    --------
    >>> from dreaming.evaluation.measures.knn import Knn
    >>> definition_of(Knn())
    ''
    """
    kind = type(measure)
    if kind.__module__.startswith("dreaming."):
        return ""
    source = source_of(kind.function if issubclass(kind, FunctionMeasure) else kind)
    return f"{kind.__name__} in {source.file} sha256:{source.sha256[:16]}"
