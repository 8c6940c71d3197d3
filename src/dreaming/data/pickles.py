"""Pickles, read without running anything in them.

A pickle is a program: loading one can run any command. CIFAR-10 comes as pickles all the same, of plain
values and one numpy array. Here numpy's three names are met by stand-ins that only write down what they were
given, every other name is refused, and the array is built by us from the bytes written down.
"""

import io
import pickle
import pickletools
import warnings
from dataclasses import dataclass, field
from math import prod
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from dreaming.errors import UserError

# What a damaged or hostile pickle makes the machine of pickle stumble over.
_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    OverflowError,
    MemoryError,
)


_MOST_AXES = 8


class _RefusedNameError(pickle.UnpicklingError):
    """The pickle asks for something that is no part of an array."""


@dataclass
class _Record:
    """An array or a type of one, as far as the pickle describes it."""

    of: str
    arguments: tuple[object, ...]
    state: object = field(default=None)

    def __setstate__(self, state: object) -> None:
        self.state = state


class _StandIn:
    """Takes the place of one of numpy's names; called, it makes a record and nothing else."""

    def __init__(self, of: str) -> None:
        self._of = of

    def __call__(self, *arguments: object) -> object:
        if self._of != "bytes":
            return _Record(self._of, arguments)
        # Python 3 writes bytes into an old pickle as _codecs.encode(text, "latin1").
        match arguments:
            case (str(text), "latin1"):
                return text.encode("latin1")
        raise pickle.UnpicklingError("bytes in an encoding other than latin1")

    def __setstate__(self, state: object) -> NoReturn:
        raise pickle.UnpicklingError("a state for a name")


_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): "array",
    ("numpy._core.multiarray", "_reconstruct"): "array",
    ("numpy", "ndarray"): "array",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "bytes",
}


class _HarmlessUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> _StandIn:
        if (module, name) not in _NAMES:
            raise _RefusedNameError(f"{module}.{name}")
        return _StandIn(_NAMES[module, name])


def read_pickle(content: bytes, where: str) -> dict[bytes, object]:
    """Read a pickled dictionary of plain values and uint8 arrays, running nothing.

    Parameters
    ----------
    content
        The whole pickle, of any protocol.
    where
        The file's name, for the error.

    Returns
    -------
    dict
        Keys and strings of Python 2 as bytes; arrays still as records, to be given to `array_of`.

    Raises
    ------
    UserError
        If the pickle asks for a name that is no part of a numpy array, is cut off or damaged, or holds
        something else than a dictionary.

    Examples
    --------
    >>> read_pickle(pickle.dumps({b"labels": [3, 5]}), "batch")
    {b'labels': [3, 5]}
    >>> read_pickle(pickle.dumps({b"labels": print}), "batch")
    Traceback (most recent call last):
    dreaming.errors.UserError: batch is a pickle that asks for builtins.print, which no CIFAR-10 file does;
    nothing of it was run, and it is better deleted
    """
    try:
        _refuse_far_memos(content)
        value = _HarmlessUnpickler(io.BytesIO(content), encoding="bytes").load()
    except _RefusedNameError as error:
        raise UserError(
            f"{where} is a pickle that asks for {error}, which no CIFAR-10 file does;"
            " nothing of it was run, and it is better deleted"
        ) from error
    except _BROKEN as error:
        raise UserError(f"{where} is damaged or cut off ({error}); fetch it again") from error
    if not isinstance(value, dict):
        raise UserError(f"{where} holds a {type(value).__name__}, not a batch of CIFAR-10; fetch it again")
    return {key.encode() if isinstance(key, str) else key: item for key, item in value.items()}


def _refuse_far_memos(content: bytes) -> None:
    """Refuse a place in pickle's memory beyond all that this pickle can fill: room is made up to it at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of escapes in names, which are refused anyway
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name.endswith("PUT") and argument is not None and argument > len(content):
                raise pickle.UnpicklingError(f"a place {argument} in memory")


def array_of(value: object, where: str) -> npt.NDArray[np.uint8]:
    """Build the uint8 array that a pickle describes.

    Parameters
    ----------
    value
        A record out of `read_pickle`.
    where
        The file's name, for the error.

    Returns
    -------
    uint8 array
        Read-only, on the pickle's own bytes, of the shape which the pickle states.

    Raises
    ------
    UserError
        If this is no array, not of bytes, or its shape and its number of bytes disagree.
    """
    match value:
        case _Record(
            "array",
            state=(
                int(),
                tuple(shape),
                _Record("dtype", arguments=("u1" | b"u1", *_)),
                bool() | 0 | 1 as fortran,
                bytes(content),
            ),
        ) if (
            len(shape) <= _MOST_AXES
            and all(type(n) is int and 0 <= n <= len(content) for n in shape)
            and prod(shape) == len(content)
        ):
            flat = np.frombuffer(content, dtype=np.uint8)
            return flat.reshape(shape, order="F" if fortran else "C")
    raise UserError(f"{where} holds no array of bytes where the images should be; fetch it again")
