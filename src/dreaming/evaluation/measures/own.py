"""Measures of the user's own: classes derived from `Measure`, or functions of a cortex and its data set."""

import copy
import hashlib
import inspect
import sys
import types
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from dreaming.errors import UserError, brief, nearest
from dreaming.evaluation.measures.measure import Measure, Quantity, Row, tabled
from dreaming.evaluation.measures.snapshot_batch import SnapshotBatch

_OWN_MODULE = "dreaming_own_measures_"  # and the name of the user's file and its checksum
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
            found = _told(name, partial(type(self).function, copy.deepcopy(cortex), snapshots.images))
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


def _told(place: object, call: Callable[[], Any]) -> Any:
    """Run what is the user's; whatever it raises becomes one line."""
    try:
        return call()
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())
        raise UserError(f"--measures: {place} fails with {type(error).__name__}: {said}") from error


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
    file, colon, name = spec.rpartition(":")
    path = Path(file)
    if not colon or path.suffix != ".py" or not name.isidentifier():
        raise UserError(f"--measures wants names of measures, or FILE.py:NAME, and got '{spec}'")
    if not path.is_file():
        raise UserError(f"--measures: there is no file {path}")
    content = path.read_bytes()
    module_name = f"{_OWN_MODULE}{path.stem}_{hashlib.sha256(content).hexdigest()[:16]}"
    module = types.ModuleType(module_name)
    vars(module).update(__file__=str(path), __definition__=_definition(path.name, content))
    sys.modules[module_name] = module  # classes look their module up while they are made
    _told(path, lambda: exec(compile(content, path, "exec"), vars(module)))  # noqa: S102 - it is the user's
    defined = vars(module)
    if name not in defined:
        own = [key for key, value in defined.items() if getattr(value, "__module__", None) == module_name]
        raise UserError(f"--measures: {path} defines no '{name}'; {nearest(name, own)}")
    return as_measure(defined[name], f"{name} in {path}")


def as_measure(found: Any, what: str) -> Measure:
    """Return the measure that an object stands for: itself, a class of measures, or a function.

    Raises
    ------
    UserError
        If it stands for none.
    """
    if inspect.isclass(found) and issubclass(found, Measure):
        found = _told(what, found)
    elif inspect.isfunction(found):
        found = FunctionMeasure.of(found)
    if not isinstance(found, Measure):
        raise UserError(
            f"--measures: {what} is no class derived from Measure, no measure, and no function (cortex, dataset)"
        )
    return found


def definition_of(measure: Measure) -> str:
    """Return where a measure of the user's own is defined, with the file's checksum; nothing of a built-in one.

    Examples
    --------
    >>> from dreaming.evaluation.measures.knn import Knn
    >>> definition_of(Knn())
    ''
    """
    kind = type(measure)
    if kind.__module__.startswith("dreaming."):
        return ""
    defined = vars(sys.modules[kind.__module__]) if kind.__module__ in sys.modules else {}
    file = defined.get("__definition__")
    if file is None:
        thing = kind.function if issubclass(kind, FunctionMeasure) else kind
        where = inspect.getsourcefile(thing)
        known = where is not None and Path(where).is_file()
        text = Path(where).read_bytes() if known and where else inspect.getsource(thing).encode()
        file = _definition(Path(where).name if known and where else "notebook", text)
    return f"{kind.__name__} in {file}"


def _definition(file: str, content: bytes) -> str:
    return f"{file} sha256:{hashlib.sha256(content).hexdigest()[:16]}"
