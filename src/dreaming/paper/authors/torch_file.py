"""Files that `torch.save` wrote, in the format of today and in that before PyTorch 1.6; nothing in them is run.

`torch.load` would not do: it has no bound on memory (its list of allowed names has `bytearray` and every class of
tensors, each to be called with any number), and to let numpy's scalars pass is to let any type of numpy pass.
"""

import io
import re
import struct
import zipfile
from collections.abc import Callable, Collection, Sequence
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dreaming.errors import UserError
from dreaming.system.pickles import Kept, Name, Record, read_pickle

LARGEST = 512 * 1024**2
"""Bytes of a file; the published program's have 41 million."""
KIND = "file of torch.save with weights in it"
SCALAR = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")  # numpy 1's name and numpy 2's
REBUILT = "torch._utils._rebuild_tensor_v2"
FLOAT = "torch.FloatStorage"
NAMES = frozenset({*SCALAR, REBUILT, FLOAT, "numpy.dtype", "_codecs.encode", "collections.OrderedDict"})
_MOST_ENTRIES = 10_000
_UNREADABLE = (
    *(zipfile.BadZipFile, LookupError, OSError, ValueError, RuntimeError, EOFError, ArithmeticError),
    struct.error,
)
"""What `zipfile` raises at archives that are damaged, encrypted, or packed in ways that it does not know."""
_MAGIC = 0x1950A86A20F9469CFC6C  # the first of the old format's pickles
_FLOATS = {"f8": "d", "f4": "f"}

Storages = Callable[[str, int], bytes]
"""Gives the bytes of a storage by its key and number of floats."""


class TorchFile:
    """What a file holds: plain values, and tensors that are made when they are asked for.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    content
        The value that was saved; tensors and numpy's scalars in it are records, for `tensor` and `number`.

    Raises
    ------
    UserError
        If the file is missing, cut off or damaged, larger than such a file is, or asks for anything but tensors of
        float32 and numpy's scalars.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if not path.is_file():
                raise UserError(f"there is no file {path}")
            if path.stat().st_size > LARGEST:
                raise UserError(f"{path} has more than {LARGEST} bytes, too many for a checkpoint")
            self.bytes = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror})") from None
        self._storages: Storages
        zipped = self.bytes.startswith(b"PK")
        self.content, self._storages = self._zipped() if zipped else self._legacy()

    def _pickled(self, content: bytes | io.BytesIO, names: Collection[str] = NAMES) -> object:
        return read_pickle(content, str(self.path), KIND, names, references=True)

    def _damaged(self, why: str) -> UserError:
        return UserError(f"{self.path} is damaged or cut off ({why}), or no {KIND}")

    def _zipped(self) -> tuple[object, Storages]:
        try:
            archive = zipfile.ZipFile(io.BytesIO(self.bytes))
        except _UNREADABLE as error:
            raise self._damaged(str(error)) from None
        root = self._sound(archive.infolist())

        def entry(name: str) -> bytes:
            try:
                return archive.read(f"{root}/{name}")
            except _UNREADABLE as error:
                raise self._damaged(str(error)) from None

        if f"{root}/byteorder" in archive.namelist() and entry("byteorder") != b"little":
            raise self._damaged("its bytes are in another order than here")
        return self._pickled(entry("data.pkl")), lambda key, count: entry(f"data/{key}")

    def _sound(self, entries: Sequence[zipfile.ZipInfo]) -> str:
        """Refuse entries that torch does not write, before one is read; return the folder that all lie in."""
        names = [entry.filename for entry in entries]
        if not 1 <= len(names) <= _MOST_ENTRIES or len(set(names)) < len(names):
            raise self._damaged(f"{len(names)} entries, or two of one name")
        root = names[0].partition("/")[0]
        for entry in entries:
            if not re.fullmatch(r"[\w.-]+(/[\w-][\w.-]*|/\.[\w-][\w.-]*)+", entry.filename, re.ASCII):
                raise self._damaged(f"an entry is called {entry.filename[:80]!r}")
            if not entry.filename.startswith(f"{root}/"):
                raise self._damaged("its entries lie in more than one folder")
            stored = entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size
            if not stored or entry.flag_bits & 1:
                raise self._damaged(f"{entry.filename} is compressed or encrypted, which torch does not do")
        if sum(entry.file_size for entry in entries) > len(self.bytes):
            raise self._damaged("its entries claim more bytes than it has")
        return root

    def _legacy(self) -> tuple[object, Storages]:
        stream = io.BytesIO(self.bytes)
        magic, version = (self._pickled(stream, ()) for _ in range(2))
        if (magic, version) != (_MAGIC, 1001):
            raise self._damaged("it does not begin as such files do")
        system = self._pickled(stream, ())
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise self._damaged("its bytes are in another order than here")
        content, keys = self._pickled(stream), self._pickled(stream, ())
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise self._damaged("it does not list what it holds")
        places: dict[str, tuple[int, int]] = {}
        for key in keys:
            header = stream.read(8)
            count = int.from_bytes(header, "little") if len(header) == 8 else -1
            # Floats alone can be passed over, since a storage does not say how large its numbers are.
            places[key] = (stream.tell(), count)
            if count < 0 or stream.tell() + 4 * count > len(self.bytes):
                raise self._damaged("a tensor is longer than the file")
            stream.seek(4 * count, io.SEEK_CUR)

        def storage(key: str, count: int) -> bytes:
            begin, there = places.get(key, (0, -1))
            if there != count:
                raise self._damaged("a tensor is not as long as it says")
            return self.bytes[begin : begin + 4 * count]

        return content, storage

    def tensor(self, value: object, shape: Sequence[int], name: str) -> Tensor:
        """Make the tensor that a record describes, on the CPU.

        Parameters
        ----------
        value
            The record.
        shape
            Which it must have.
        name
            What it is called, for the error.

        Returns
        -------
        Tensor
            float32, contiguous.

        Raises
        ------
        UserError
            If this is no tensor of that shape, or it reaches beyond what is stored.
        """
        match value:
            case Record(
                of=of,
                arguments=(
                    Kept(("storage", Name(kind), str(key), _, int(count), *_)),
                    int(offset),
                    tuple(size),
                    tuple(stride),
                    *_,
                ),
            ) if of == REBUILT and kind == FLOAT and size == tuple(shape):
                pass
            case _:
                raise UserError(f"{self.path} holds no float32 {name} of shape {list(shape)}")
        content = self._storages(key, count)
        steps = [step for step in stride if type(step) is int and step >= 0]
        last = offset + sum((n - 1) * step for n, step in zip(size, steps, strict=False))
        fits = 4 * count == len(content) and len(steps) == len(size) and prod(size) <= count
        if not fits or not 0 <= offset <= last < count:
            raise self._damaged(f"{name} reaches beyond what is stored")
        stored = torch.from_numpy(np.frombuffer(content, dtype="<f4").copy())
        return stored.as_strided(size, steps, offset).clone(memory_format=torch.contiguous_format)

    def number(self, value: object, name: str) -> float:
        """Read a float, also where numpy wrote it.

        Raises
        ------
        UserError
            If it is none.
        """
        if isinstance(value, float):
            return value
        match value:
            case Record(
                of=of,
                arguments=(
                    Record(of="numpy.dtype", arguments=(str(kind), *_), state=(_, str(order), *_)),
                    bytes(content),
                ),
            ) if of in SCALAR and kind in _FLOATS and order in "<>":
                letter = _FLOATS[kind]
                if len(content) == struct.calcsize(letter):
                    return float(struct.unpack(order + letter, content)[0])
        raise UserError(f"{self.path} holds something else than numbers in {name}")
