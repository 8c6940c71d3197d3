"""Parquet and .mat files with absurd shapes: refused, in a process that may take little memory."""

import resource
import struct
import subprocess
import sys
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.io import savemat

from dreaming.data.readers.parquet import read_parquet
from dreaming.errors import UserError

READ = """
import resource, sys
from pathlib import Path
import scipy.io, torch, pyarrow.parquet, PIL.Image
from dreaming.data.readers import cifar10, parquet, svhn
from dreaming.errors import UserError
parquet._LARGEST = 2**26  # so that the file that unpacks to more is soon written
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 600 * 2**20,) * 2)
for path in map(Path, sys.argv[1:]):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        (svhn.read_mats if path.suffix == ".mat" else cifar10.read_parquets)([path, path])
        print("read", path.name)
    except UserError as error:
        taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
        print("refused" if "\\n" not in str(error) and taken < 200 else f"{taken} MB", path.name)
"""


def element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def array(name, shape, kind=9, number=2, content=b"", claimed=None):
    """A matrix of a .mat file; `kind` 9 is uint8, 1 a cell."""
    parts = element(6, struct.pack("<II", kind, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    parts += element(1, name)
    claimed = len(content) if claimed is None else claimed
    body = parts + (content if kind == 1 else struct.pack("<II", number, claimed) + content)
    return struct.pack("<II", 14, len(body)) + body


def mat(path, *arrays, packed=False):
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    if packed:
        arrays = [struct.pack("<II", 15, len(z)) + z for z in map(zlib.compress, arrays)]
    path.write_bytes(head + b"".join(arrays))


def write_mats(folder):
    fine = array(b"y", (12, 1), content=bytes(range(1, 9)) * 1 + bytes(8))
    mat(folder / "absurd.mat", array(b"X", (32, 32, 3, 2**31 - 1)), array(b"y", (2**31 - 1, 1)))
    mat(folder / "claims.mat", array(b"X", (32, 32, 3, 12), claimed=2**32 - 1), fine)
    pixels = array(b"X", (32, 32, 3, 12), content=bytes(32 * 32 * 3 * 12))
    large = array(b"X", (2**10, 2**10, 2**8), content=bytes(2**28))
    mat(folder / "twice.mat", large, pixels, fine, packed=True)
    cell = b""
    for _ in range(3000):
        cell = array(b"", (1, 1), kind=1, content=cell)
    mat(folder / "nested.mat", pixels, array(b"y", (12, 1), kind=1, content=cell * 2))
    savemat(
        folder / "objects.mat",
        {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.array([[{}], ["a"]], object)},
    )
    (folder / "hdf5.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<H", 0x0200) + b"IM")
    (folder / "hdf5-too.mat").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(2000))


def write_parquets(folder):
    png = {"bytes": b"\x89PNG", "path": ""}

    def write(name, rows, labels, **kwargs):
        pq.write_table(pa.table({"img": rows, "label": labels}), folder / name, **kwargs)

    images = pa.array([png] * 300_000)
    write("rows.parquet", images, pa.array(np.zeros(300_000, np.int64)))
    zeros = pa.array([{"bytes": bytes(2**24), "path": ""}])
    pages = pa.concat_arrays([zeros] * 5)
    write("unpacks.parquet", pages, pa.array([0] * 5), compression="zstd", use_dictionary=False)
    nested = pa.int64()
    for _ in range(50):
        nested = pa.list_(nested)
    kind = pa.struct([("bytes", nested)])
    write("nested.parquet", pa.array([{"bytes": None}], kind), pa.array([0]))
    write("numbers.parquet", pa.array([{"bytes": 3}]), pa.array([0]))
    write("labels.parquet", pa.array([png]), pa.array([[0]]))
    whole = (folder / "labels.parquet").read_bytes()
    (folder / "footer.parquet").write_bytes(whole[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1")
    size = struct.unpack("<I", whole[-8:-4])[0]
    (folder / "noise.parquet").write_bytes(whole[: -8 - size] + b"\x19" * size + whole[-8:])


def test_a_value_that_many_rows_share_is_unpacked_once(tmp_path):
    """Kept once in the file, a thousand rows of it would take 16 GB."""
    rows = pa.array([{"bytes": bytes(2**24)}] * 20)
    path = tmp_path / "values.parquet"
    pq.write_table(pa.table({"img": rows, "label": [0] * 20}), path, compression="zstd")
    assert path.stat().st_size < 10_000
    assert pq.read_metadata(path).row_group(0).total_byte_size < 2**25
    with pytest.raises(UserError, match=r"values\.parquet, row 0 holds no image of 32 x 32"):
        read_parquet(path, "img", 10)


@pytest.mark.parametrize("write", [write_mats, write_parquets], ids=["mat", "parquet"])
def test_absurd_files_are_refused_with_little_memory_taken(write, tmp_path):
    write(tmp_path)
    paths = sorted(tmp_path.iterdir())
    assert len(paths) >= 7
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READ, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:] or f"signal {-done.returncode}: {done.stdout}"
    assert done.stdout.splitlines() == [f"refused {path.name}" for path in paths]
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY, (
        "only the other process is bound"
    )
