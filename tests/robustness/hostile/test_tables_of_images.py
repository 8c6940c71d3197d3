"""Parquet and .mat files with absurd shapes or content: each is refused in a sentence, with little memory taken."""

import struct
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.io import savemat

READ = """
import resource, sys
from pathlib import Path
import scipy.io, torch, pyarrow.parquet, PIL.Image
from dreaming.data.readers import cifar10, svhn
from dreaming.errors import UserError
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


def array(name, shape, content=b"", claimed=None):
    """A matrix of uint8 in a .mat file."""
    head = element(6, struct.pack("<II", 9, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    claimed = len(content) if claimed is None else claimed
    body = head + element(1, name) + struct.pack("<II", 2, claimed) + content
    return struct.pack("<II", 14, len(body)) + body


def write_mats(folder):
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    absurd = array(b"X", (32, 32, 3, 2**31 - 1)) + array(b"y", (2**31 - 1, 1))
    claiming = array(b"X", (32, 32, 3, 12), claimed=2**32 - 1)
    labels = np.array([[{}], ["a"]], object)
    (folder / "absurd.mat").write_bytes(head + absurd)
    (folder / "claims.mat").write_bytes(head + claiming)
    (folder / "hdf5.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<H", 0x0200) + b"IM")
    savemat(folder / "objects.mat", {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": labels})


def write_parquets(folder):
    png = {"bytes": b"\x89PNG", "path": ""}

    def write(name, rows, labels):
        pq.write_table(pa.table({"img": rows, "label": labels}), folder / name)

    nested = pa.int64()
    for _ in range(50):
        nested = pa.list_(nested)
    write("nested.parquet", pa.array([{"bytes": None}], pa.struct([("bytes", nested)])), pa.array([0]))
    write("numbers.parquet", pa.array([{"bytes": 3}]), pa.array([0]))
    write("labels.parquet", pa.array([png]), pa.array([[0]]))
    whole = (folder / "labels.parquet").read_bytes()
    (folder / "footer.parquet").write_bytes(whole[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1")


@pytest.mark.parametrize("write", [write_mats, write_parquets], ids=["mat", "parquet"])
def test_absurd_files_are_refused_with_little_memory_taken(write, tmp_path):
    write(tmp_path)
    paths = sorted(tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READ, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:] or f"signal {-done.returncode}: {done.stdout}"
    assert done.stdout.splitlines() == [f"refused {path.name}" for path in paths]
