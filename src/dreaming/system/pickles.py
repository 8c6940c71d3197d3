"""Pickles, read without running anything in them.

A pickle is a program: loading one can run any command, or take any amount of memory. Data sets and checkpoints come
as pickles all the same, of plain values and a few arrays. Here the standard library takes a pickle apart into its
instructions, and a machine that knows no Python objects follows them: it makes plain values, and of everything else
it only writes down the name and what the name was given. What it makes grows with the file alone.
"""

import io
import pickletools
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from dreaming.errors import UserError

MOST_INSTRUCTIONS = 1_000_000
"""An honest batch of CIFAR-10 has 20,000; a checkpoint after 500 epochs, 60,000."""

_BROKEN = (ValueError, TypeError, IndexError, KeyError, EOFError, OverflowError, MemoryError)
_SIMPLE = frozenset(
    {
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    }
)
_TEXTS = frozenset({"STRING", "BINSTRING", "SHORT_BINSTRING"})  # Python 2's, which are bytes
_MADE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_ORDERED = "collections.OrderedDict"


@dataclass(frozen=True)
class Name:
    """A name that a pickle asks for, ``module.name``; nothing is imported."""

    text: str


@dataclass(eq=False)
class Record:
    """What a pickle says to make of a name: the name, what it is called with, and the state given to the result."""

    of: str
    arguments: tuple[object, ...]
    state: object = field(default=None)


@dataclass(frozen=True, eq=False)
class Kept:
    """A reference to what is kept outside the pickle."""

    reference: object


class _RefusedError(Exception):
    """The pickle asks for what no file of its kind does; the text says for what."""


class _Machine:
    """Follows the instructions of one pickle."""

    def __init__(self, names: Collection[str], references: bool) -> None:
        self.names, self.references = names, references
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self, stream: io.BytesIO) -> object:
        """Follow all instructions up to the end of the pickle, and return its value."""
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count == MOST_INSTRUCTIONS:
                raise _RefusedError(f"more than {MOST_INSTRUCTIONS:,} values")
            name = opcode.name
            if name in _SIMPLE:
                self.stack.append(argument)
            elif name in _TEXTS:
                self.stack.append(str(argument).encode("latin1"))
            elif name in _MADE:
                self.stack.append(_MADE[name]())
            elif name not in ("PROTO", "FRAME", "STOP"):
                self._follow(name, argument)
        return self.stack.pop()

    def _follow(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "MARK":
                self.marks.append(stack)
                self.stack = []
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self._taken(_TUPLES[name])))
            case "TUPLE":
                self._since_mark(tuple)
            case "LIST":
                self._since_mark(list)
            case "DICT":
                self._since_mark(lambda items: _filled({}, items))
            case "APPEND" | "APPENDS":
                items = self._taken(1) if name == "APPEND" else self._marked()
                _of_kind(self.stack[-1], list).extend(items)
            case "SETITEM" | "SETITEMS":
                items = self._taken(2) if name == "SETITEM" else self._marked()
                _filled(_of_kind(self.stack[-1], dict), items)
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case _:
                self._refer(name, argument)

    def _refer(self, name: str, argument: Any) -> None:
        """Write down what would be made of a name, or looked up outside."""
        if name == "GLOBAL":
            self.stack.append(self._named(str(argument).replace(" ", ".", 1)))
        elif name == "STACK_GLOBAL":
            self.stack.append(self._named(".".join(map(_text, self._taken(2)))))
        elif name == "REDUCE":
            function, arguments = self._taken(2)
            self.stack.append(_reduced(_of_kind(function, Name), _of_kind(arguments, tuple)))
        elif name == "BUILD":
            (state,) = self._taken(1)
            if not isinstance(
                self.stack[-1], dict
            ):  # of a dictionary, the attributes: what is of use is in it
                _of_kind(self.stack[-1], Record).state = state
        elif name == "BINPERSID" and self.references:
            self.stack.append(Kept(self._taken(1)[0]))
        else:
            asked = str(argument).replace(" ", ".", 1) if name == "INST" else f"the instruction {name}"
            raise _RefusedError(asked)

    def _named(self, text: str) -> Name:
        if text not in self.names:
            raise _RefusedError(text)
        return Name(text)

    def _taken(self, count: int) -> list[Any]:
        taken = self.stack[-count:]
        if len(taken) < count:
            raise IndexError("it takes what is not there")
        del self.stack[-count:]
        return taken

    def _marked(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def _since_mark(self, make: Callable[[list[Any]], Any]) -> None:
        items = self._marked()
        self.stack.append(make(items))


def _of_kind(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"a {type(value).__name__} where a {kind.__name__} should be")
    return value


def _text(value: Any) -> str:
    return str(_of_kind(value, str))


def _filled(target: dict[Any, Any], items: list[Any]) -> dict[Any, Any]:
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Keys are compared and hashed, which of nested tuples takes for ever.
        if type(key) not in (str, bytes, int):
            raise TypeError(f"a {type(key).__name__} as a key")
        target[key] = value
    return target


def _reduced(function: Name, arguments: tuple[object, ...]) -> object:
    """Return what is made of a name: the two plain values that are written so, or else a record."""
    match function.text, arguments:
        case "_codecs.encode", (str(text), "latin1"):  # bytes, as Python 3 writes them into an old pickle
            return text.encode("latin1")
        case "_codecs.encode", _:
            raise TypeError("bytes in an encoding other than latin1")
        case _, () if function.text == _ORDERED:
            return {}
    return Record(function.text, arguments)


def read_pickle(
    content: bytes | io.BytesIO,
    where: str,
    kind: str,
    names: Collection[str] = (),
    *,
    references: bool = False,
) -> object:
    """Read a pickle of plain values and records, running nothing.

    Parameters
    ----------
    content
        The whole pickle, of any protocol; or a stream, which is read up to the pickle's end. It is in memory, since
        a length claimed in a pickle is asked for at once of a file, whatever there is.
    where
        The file's name, for the error.
    kind
        What the file should be, for the error.
    names
        Every ``module.name`` that the pickle may ask for; it is not looked up.
    references
        Whether it may refer to what is kept outside it.

    Returns
    -------
    object
        None, numbers, strings (those of Python 2 as bytes), lists, tuples, dictionaries, `Name`, `Record`, `Kept`.
        It may hold itself, or one part very many times: it is not for walking through.

    Raises
    ------
    UserError
        If the pickle asks for another name or for an instruction that no such file has, or is cut off or damaged.

    Examples
    --------
    >>> import pickle
    >>> read_pickle(pickle.dumps({"labels": [3, 5]}), "batch", "batch of CIFAR-10")
    {'labels': [3, 5]}
    >>> read_pickle(pickle.dumps({"labels": print}), "batch", "batch of CIFAR-10")
    Traceback (most recent call last):
    dreaming.errors.UserError: batch is a pickle that asks for builtins.print, which no batch of CIFAR-10 does;
    nothing of it was run, and it is better deleted
    """
    stream = io.BytesIO(content) if isinstance(content, bytes) else content
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # of escapes in names, which are refused anyway
            return _Machine(names, references).run(stream)
    except _RefusedError as error:
        raise UserError(
            f"{where} is a pickle that asks for {str(error)[:200]}, which no {kind} does;"
            " nothing of it was run, and it is better deleted"
        ) from None
    except _BROKEN as error:
        said = (str(error) or type(error).__name__)[:200]
        raise UserError(f"{where} is damaged or cut off ({said}), or no {kind}") from None
