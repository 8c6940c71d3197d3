"""SVHN's .mat files and parquet files, built here as they come."""

import io
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from dreaming.data import check, load_dataset
from dreaming.errors import UserError


def write_mat(path, n=12, **changes):
    random = np.random.default_rng(n)
    pixels = random.integers(0, 256, (32, 32, 3, n), dtype=np.uint8)
    labels = (np.arange(n) % 10 + 1).astype(np.uint8)[:, None]
    savemat(path, {"X": pixels, "y": labels} | changes, do_compression=True)
    return pixels, labels[:, 0]


def test_mat_files_keep_pixels_and_order_and_label_10_is_digit_0(tmp_path):
    pixels, labels = write_mat(tmp_path / "train_32x32.mat")
    write_mat(tmp_path / "test_32x32.mat", n=11, y=np.arange(1.0, 12.0)[:, None] % 10 + 1)
    dataset = load_dataset("svhn", tmp_path, trust=True)
    assert torch.equal(dataset.train.images, torch.from_numpy(pixels.transpose(3, 2, 0, 1).copy()))
    assert dataset.train.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    assert labels[9] == 10
    assert len(dataset.test) == 11
    assert dataset.classes == tuple("0123456789")
    assert not dataset.official
    assert set(dataset.source) == {"train_32x32.mat", "test_32x32.mat"}
    with pytest.raises(UserError, match="not the official md5:e26dedcc434d2e4c54c9b2d4a06d8373"):
        load_dataset("svhn", tmp_path)


def test_only_one_file_names_the_other(tmp_path):
    write_mat(tmp_path / "train_32x32.mat")
    with pytest.raises(UserError, match=r"holds train_32x32.mat but not test_32x32.mat"):
        load_dataset("svhn", tmp_path)
    assert [found.state.split(" (")[0] for found in check("svhn", tmp_path)] == ["other checksum", "missing"]


def test_parquet_needs_trust_as_no_checksum_is_published(tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
    rows = []
    for image in images:
        png = io.BytesIO()
        Image.fromarray(image.transpose(1, 2, 0)).save(png, "PNG")
        rows.append({"bytes": png.getvalue(), "path": None})
    (tmp_path / "cropped_digits").mkdir()
    for split in ("train", "test"):
        path = tmp_path / f"cropped_digits/{split}-00000-of-00001.parquet"
        pq.write_table(pa.table({"image": rows, "label": pa.array(range(5))}), path)
    with pytest.raises(UserError, match="no official one is published"):
        load_dataset("svhn", tmp_path)
    assert check("svhn", tmp_path)[0].state.startswith("no official checksum (found sha256:")
    dataset = load_dataset("svhn", tmp_path, trust=True)
    assert torch.equal(dataset.train.images, torch.from_numpy(images))
    assert dataset.test.labels.tolist() == [0, 1, 2, 3, 4]
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as where it is not installed
    monkeypatch.delitem(sys.modules, "pyarrow.parquet")
    with pytest.raises(UserError, match=r"needs pyarrow: pip install 'dreaming\[parquet\]'"):
        load_dataset("svhn", tmp_path, trust=True)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"X": np.zeros((32, 32, 3, 5), np.uint8)}, "where SVHN has X"),
        ({"X": np.zeros((32, 32, 3, 12), np.float64)}, "where SVHN has X"),
        ({"y": np.full((12, 1), 11, np.uint8)}, "labels other than 1 to 10"),
        ({"y": np.array(["a"] * 12)[:, None]}, "train_32x32.mat"),
    ],
)
def test_other_arrays_are_refused(tmp_path, changes, sentence):
    write_mat(tmp_path / "train_32x32.mat", **changes)
    write_mat(tmp_path / "test_32x32.mat")
    with pytest.raises(UserError, match=sentence):
        load_dataset("svhn", tmp_path, trust=True)


def test_a_cut_file_is_named(tmp_path):
    train = tmp_path / "train_32x32.mat"
    write_mat(train)
    write_mat(tmp_path / "test_32x32.mat")
    whole = train.read_bytes()
    for content in (whole[:-1000], whole[:300], whole[:200], whole[:100], b"", b"not a mat file" * 20):
        train.write_bytes(content)
        with pytest.raises(
            UserError, match=r"train_32x32.mat (is damaged or cut off|holds .*, where SVHN has X)"
        ):
            load_dataset("svhn", tmp_path, trust=True)
