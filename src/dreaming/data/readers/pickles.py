"""The pickled dictionaries that CIFAR-10 comes as, and the arrays in them."""

from math import prod

import numpy as np
import numpy.typing as npt

from dreaming.errors import UserError
from dreaming.system.pickles import Record, read_pickle

KIND = "batch of CIFAR-10"
ARRAY = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
NAMES = frozenset({*ARRAY, "numpy.ndarray", "numpy.dtype", "_codecs.encode"})
_MOST_AXES = 8


def read_batch(content: bytes, where: str) -> dict[bytes, object]:
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
    >>> import pickle
    >>> read_batch(pickle.dumps({b"labels": [3, 5]}), "batch")
    {b'labels': [3, 5]}
    """
    value = read_pickle(content, where, KIND, NAMES)
    if not isinstance(value, dict):
        raise UserError(f"{where} holds a {type(value).__name__}, not a batch of CIFAR-10; fetch it again")
    return {key.encode() if isinstance(key, str) else key: item for key, item in value.items()}


def array_of(value: object, where: str) -> npt.NDArray[np.uint8]:
    """Build the uint8 array that a pickle describes.

    Parameters
    ----------
    value
        A record out of `read_batch`.
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
        case Record(
            of,
            state=(
                int(),
                tuple(shape),
                Record("numpy.dtype", arguments=("u1" | b"u1", *_)),
                bool() | 0 | 1 as fortran,
                bytes(content),
            ),
        ) if of in ARRAY and _holds(shape, len(content)):
            flat = np.frombuffer(content, dtype=np.uint8)
            return flat.reshape(shape, order="F" if fortran else "C")
    raise UserError(f"{where} holds no array of bytes where the images should be; fetch it again")


def _holds(shape: tuple[object, ...], size: int) -> bool:
    axes = [n for n in shape if type(n) is int and 0 <= n <= size]
    return len(axes) == len(shape) <= _MOST_AXES and prod(axes) == size
