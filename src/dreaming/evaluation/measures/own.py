"""Measures of the user's own: classes derived from `Measure`, or functions of a cortex and its data set."""

import copy
import inspect
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, ClassVar, TypeVar

import pandas as pd

from dreaming.config.config import groups_in
from dreaming.config.custom import called, load_object
from dreaming.errors import UserError, brief
from dreaming.evaluation.measures.measure import Measure, Quantity, Row, tabled
from dreaming.evaluation.measures.snapshot_batch import SnapshotBatch
from dreaming.system.source_code import source_of

WHOLE = "cortex"
"""The parameter of a function's single number."""
T = TypeVar("T")


class FunctionMeasure(Measure):
    """A measure that a function makes, of a cortex and the data set of its run.

    Rows: under the function's name; of a number the parameter ``cortex``, of a dict of numbers its keys. The cortex
    and the data set are the function's own copies, the cortex in the precision of the run and on the device that is
    measured on.

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
            given = copy.deepcopy((cortex, snapshots.images))
            found = called("--measures", name, partial(type(self).function, *given))
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
    """Return where a measure of the user's own is defined; nothing of a built-in one.

    It names the file, with its checksum, of the class and of each group of options within it that is the user's
    own, and the options that tell no row from another: those that differ from their default while the keys do not.

    Raises
    ------
    UserError
        If a source is nowhere to be found, or the keys fail.

    Examples
    --------
    >>> from dreaming.evaluation.measures.knn import Knn
    >>> definition_of(Knn(k=5))
    ''
    """
    kinds = dict.fromkeys(type(group) for group in groups_in(measure))
    own = [kind for kind in kinds if not kind.__module__.startswith("dreaming.")]
    if not own:
        return ""
    places = []
    for kind in own:
        source = source_of(kind.function if issubclass(kind, FunctionMeasure) else kind)
        places.append(f"{kind.__name__} in {source.file} sha256:{source.sha256[:16]}")
    unnamed = called("--measures", own[0].__name__, lambda: _unnamed(measure))
    return " with ".join(places) + "".join(f";{option}={getattr(measure, option)}" for option in unnamed)


def _unnamed(measure: Measure) -> list[str]:
    """List the options that are not as by default, where the keys would be the same if they were."""
    keys, unnamed = measure.keys(), []
    for option, about in type(measure).model_fields.items():
        usual = about.get_default(call_default_factory=True)
        alike = about.is_required() or measure.model_copy(update={option: usual}).keys() == keys
        if getattr(measure, option) != usual and alike:
            unnamed.append(option)
    return unnamed


def asked(measure: Measure, ask: Callable[[], T]) -> T:
    """Ask something of a measure; what one of the user's own raises becomes a sentence, unless it is one.

    Raises
    ------
    UserError
        Naming the measure.
    """
    if not definition_of(measure):
        return ask()
    try:
        found: T = called("--measures", type(measure).__name__, ask)
    except UserError as error:
        raise (error.__cause__ if isinstance(error.__cause__, UserError) else error) from None
    return found


def measured_rows(measure: Measure, snapshots: SnapshotBatch) -> pd.DataFrame:
    """Measure snapshots, and make sure that a measure of the user's own gives the rows that its keys name.

    Raises
    ------
    UserError
        If it fails, returns no table of numbers, or other rows.
    """
    found = asked(measure, lambda: measure.measure(snapshots))
    if not definition_of(measure):
        return found
    said = f"--measures: {type(measure).__name__} returned"
    try:
        found = found.astype({"epoch": "Int64", "measure": str, "parameter": str, "value": float})
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(
            f"{said} {' '.join(brief(found).split())}, and `measure` returns a table with epoch, measure, "
            "parameter and value"
        ) from None
    keys, there = measure.keys(), {epoch: set[tuple[str, str]]() for epoch in snapshots.epochs}
    for epoch, *row in found[["epoch", "measure", "parameter"]].itertuples(index=False):
        key = (row[0], row[1])
        if epoch not in there or key[0] not in measure.measured or (keys and key not in keys):
            raise UserError(
                f"{said} a row of {' of '.join(key)}, epoch {epoch}, which neither its keys nor the snapshots have"
            )
        there[epoch].add(key)
    for epoch, own in there.items():
        if not measure.complete(own):
            lacking = ", ".join("of " + " of ".join(key) for key in sorted(keys - own))
            raise UserError(
                f"{said} no row {lacking}".rstrip()
                + f" for epoch {epoch}; it is to return all of its rows at once"
            )
    return found
