"""What every group of parameters has in common: frozen, typed, no unknown names, and recorded as what it is."""

import inspect
import json
import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, cast

from annotated_types import Ge
from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic._internal._model_construction import ModelMetaclass  # which has no public name

from dreaming.errors import UserError, command, nearest
from dreaming.system.source_code import SourceCode, source_of
from dreaming.system.texts import sentence

Count = Annotated[int, Ge(1)]
"""A whole number, at least 1."""


class _InOneSentence(ModelMetaclass):
    """Makes groups of parameters; values that do not fit are refused in one sentence."""

    def __call__(self, *args: Any, **values: Any) -> Any:
        """Make one.

        Raises
        ------
        UserError
            Naming the first mistake.
        """
        try:
            return super().__call__(*args, **values)
        except ValidationError as error:
            raise UserError(f"{self.__name__}: {sentence(error, cast(type[BaseModel], self))}") from None


class Parameters(BaseModel, metaclass=_InOneSentence):
    """A frozen group of named parameters that refuses names it does not know.

    A class derived from a group can take its place. It is recorded by its name (``kind``) and, if it is a user's
    own, with the file that defines it (``source``), and read back as what it was. A group that is given in part, as
    a mapping, is else as the field's default.

    Examples
    --------
    >>> class Learning(Parameters):
    ...     rate: float = 0.1
    ...     decay: float = 0.0
    >>> Learning(rate=0.2)
    Learning(rate=0.2, decay=0.0)
    >>> class Plan(Parameters):
    ...     learning: Learning = Learning(rate=0.3)
    >>> Plan(learning={"decay": 0.5})
    Plan(learning=Learning(rate=0.3, decay=0.5))
    >>> Learning(rat=0.2)
    Traceback (most recent call last):
    dreaming.errors.UserError: Learning: there is no 'rat'; did you mean 'rate'?
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
        polymorphic_serialization=True,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: Any) -> Any:
        """Refuse true and false where pydantic would read them as 1 and 0."""
        field = cls.model_fields.get(info.field_name or "")
        if isinstance(value, bool) and field is not None and field.annotation is not bool:
            raise ValueError(f"it is {str(value).lower()}, where no truth value is wanted")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _as_by_default_where_nothing_is_said(cls, value: Any, info: Any) -> Any:
        """Complete a group that is given in part by the field's default, which may be other than its class's."""
        field = cls.model_fields.get(info.field_name or "")
        if field is None or not isinstance(value, Mapping) or not isinstance(field.default, Parameters):
            return value
        declared, kind = field.annotation, type(field.default)
        if declared is not kind and value.keys() >= getattr(declared, "model_fields", {}).keys():
            return value  # all of another group than the default is, as a record has it
        return _completed(field.default, value, info.context)

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse to change a value.

        Raises
        ------
        UserError
            If there is a field of that name, or none.
        """
        try:
            super().__setattr__(name, value)
        except ValidationError:
            kind = type(self).__name__
            raise UserError(f"{kind} is frozen: its {name} cannot be changed; make another {kind}") from None

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Keep the names by which a class is recorded free of fields."""
        for name in {"kind", "source"} & cls.model_fields.keys():
            raise TypeError(
                f"{cls.__name__} has a field '{name}', which is a word of the record; call it otherwise"
            )

    @classmethod
    def class_record(cls) -> dict[str, Any]:
        """Return what is recorded of the class: nothing of a group as it is declared.

        Examples
        --------
        >>> Parameters.class_record()
        {}
        """
        if not cls.__module__.startswith("dreaming."):
            return {"kind": cls.__name__, "source": source_of(cls).record()}
        return {"kind": cls.__name__} if any(map(_is_whole, cls.__mro__[1:])) else {}

    @model_serializer(mode="wrap")
    def _with_kind(self, write: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return {**self.class_record(), **(self.values() if isinstance(self, Recorded) else write(self))}

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_kind(cls, values: Any, read: Callable[[Any], Any], info: Any) -> Any:
        """Read values of a derived class as that class; ``classes`` of the context are the user's own."""
        if not isinstance(values, Mapping) or not isinstance(values.get("kind"), str):
            return read(values)
        kind, source = values["kind"], values.get("source")
        given = {name: value for name, value in values.items() if name not in ("kind", "source")}
        known = {**_derived(cls), **(info.context or {}).get("classes", {})}
        if kind in known and issubclass(known[kind], cls):
            return known[kind].model_validate(given, context=info.context)
        if not kind.isidentifier():
            raise ValueError(f"'{kind}' is no name of a class")
        if source is None and not inspect.isabstract(cls):
            raise ValueError(f"there is no kind '{kind}' of {cls.__name__}; {nearest(kind, known)}")
        try:
            json.dumps(given, allow_nan=False)
        except (TypeError, ValueError):
            raise ValueError(f"a value of '{kind}' is none that a config can hold") from None
        try:
            code = SourceCode(**source) if source else None
            return recorded(cls, kind, code, (info.context or {}).get("run", "RUN")).model_construct(**given)
        except (TypeError, ValueError):
            raise ValueError(f"the source of '{kind}' is no file with its sha256") from None


class Recorded:
    """What marks a group known from a run's record alone: its class was the user's and is not at hand."""

    source: ClassVar[SourceCode | None]
    declared: ClassVar[type[Parameters]]
    """The group in whose place it is."""
    run: ClassVar[str]
    """The folder of the run whose record it is of."""

    def __eq__(self, other: object) -> bool:
        """Return whether another is a record of the same, wherever it was read."""
        same = isinstance(other, Recorded) and type(self).__name__ == type(other).__name__
        return same and (self.source, self.values()) == (other.source, other.values())  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.source))

    def values(self) -> dict[str, Any]:
        """Return what was recorded; of a phase also the fields that came later, with their defaults."""
        held = cast(Parameters, self)
        late = set() if inspect.isabstract(self.declared) else self.declared.model_fields.keys()
        return {name: value for name, value in held if name in held.model_fields_set or name not in late}

    def refuse(self, *_: Any, **__: Any) -> Any:
        """Say where the class is defined, and what to do.

        Raises
        ------
        UserError
            Always.
        """
        kind = type(self).__name__
        where = f"in {self.source.file}, which was not executed" if self.source else "in a file not recorded"
        raise UserError(
            f"{kind} is defined {where}: to train, name the file anew with --phases or --networks; for all else, "
            f"read its copy in the run folder and, if you trust it, say: {command('trust', self.run)}"
        )


@cache
def recorded(
    cls: type[Parameters], kind: str, source: SourceCode | None, run: str = "RUN"
) -> type[Parameters]:
    """Return a class that stands for a user's own, holds what was recorded of it, and refuses all it should do."""
    about = {"kind": kind, **({"source": source.record()} if source else {})}

    bases = [base for base in cls.__mro__ if issubclass(base, Parameters)]
    inherited = {name: value for base in bases for name, value in vars(base).items()}
    doing = [name for name, value in inherited.items() if inspect.isfunction(value)]
    space = {
        **{name: Recorded.refuse for name in doing if not name.startswith("_")},
        "__module__": "dreaming.recorded",
        "model_config": ConfigDict(extra="allow"),
        "class_record": classmethod(lambda _: about),
    }
    made: type[Parameters] = types.new_class(kind, (Recorded, cls), exec_body=lambda body: body.update(space))
    made.source, made.declared, made.run = source, cls, run  # type: ignore[attr-defined]  # of Recorded
    return made


def _completed(default: Parameters, given: Mapping[str, Any], context: Any) -> Any:
    """Return a group of the values given and, for all else, those of a default; of another kind, what is given."""
    if "kind" in given:
        return given
    values = dict(default)
    for name, value in given.items():
        own = values.get(name)
        in_part = isinstance(own, Parameters) and isinstance(value, Mapping)
        values[name] = _completed(cast(Parameters, own), value, context) if in_part else value
    return type(default).model_validate(values, context=context)


def _is_whole(base: type) -> bool:
    """Return whether a class is a group that can be made, of which another is derived."""
    return issubclass(base, Parameters) and bool(base.model_fields) and not inspect.isabstract(base)


def _derived(cls: type[Parameters]) -> dict[str, type[Parameters]]:
    """Return the project's own classes that are derived from a group, by name."""
    found = {}
    for derived in cls.__subclasses__():
        if derived.__module__.startswith("dreaming.") and not issubclass(derived, Recorded):
            found[derived.__name__] = derived
        found |= _derived(derived)
    return found
