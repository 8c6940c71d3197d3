"""CIFAR-10's three layouts, built here byte for byte as they come; and what must not be believed or run."""

import dataclasses
import hashlib
import io
import pickle
import struct
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from dreaming.data import check, load_dataset
from dreaming.data.loading import load_source
from dreaming.data.readers.cifar10 import BATCHES, CLASSES, SOURCE
from dreaming.errors import UserError

N = 4  # images a batch


def python2_pickle(entries):
    """Protocol 2 as Python 2 and its numpy wrote it, which is what the real archive holds."""

    def string(s):
        return b"U" + bytes([len(s)]) + s if len(s) < 256 else b"T" + struct.pack("<I", len(s)) + s

    def number(n):
        return b"K" + bytes([n]) if n < 256 else b"M" + struct.pack("<H", n)

    def value(v):
        if isinstance(v, bytes):
            return string(v)
        if isinstance(v, int):
            return number(v)
        if isinstance(v, list):
            return b"](" + b"".join(map(value, v)) + b"e"
        rows, columns = v.shape
        return (
            b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + number(0) + b"\x85" + string(b"b")
            + b"\x87R(" + number(1) + number(rows) + number(columns) + b"\x86cnumpy\ndtype\n" + string(b"u1")
            + number(0) + number(1) + b"\x87R(" + number(3) + string(b"|") + b"NNN" + b"J\xff\xff\xff\xff" * 2
            + number(0) + b"tb\x89" + string(v.tobytes()) + b"tb"
        )  # fmt: skip

    return b"\x80\x02}(" + b"".join(string(k) + value(v) for k, v in entries.items()) + b"u."


def some_images():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (6 * N, 3, 32, 32), dtype=np.uint8)
    return images, np.arange(6 * N) % 10


def batch_files(dump=python2_pickle):
    images, labels = some_images()
    files = {}
    for k, name in enumerate(BATCHES.members[:-1]):
        part = slice(k * N, (k + 1) * N)
        data = images[part].reshape(N, 3072)
        files[name] = dump({b"batch_label": name.encode(), b"labels": labels[part].tolist(), b"data": data})
    files["batches.meta"] = dump({b"label_names": [c.encode() for c in CLASSES], b"num_vis": 3072})
    return files


def write_folder(data_dir, files):
    folder = data_dir / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def write_archive(data_dir, files):
    data_dir.mkdir(exist_ok=True)
    path = data_dir / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_parquet(path, images, labels, column="img"):
    rows = []
    for image in images:
        png = io.BytesIO()
        Image.fromarray(image.transpose(1, 2, 0)).save(png, "PNG")
        rows.append({"bytes": png.getvalue(), "path": "0.png"})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({column: rows, "label": pa.array(labels)}), path)


def assert_is_some_images(dataset):
    images, labels = some_images()
    assert torch.equal(torch.cat([dataset.train.images, dataset.test.images]), torch.from_numpy(images))
    assert torch.equal(torch.cat([dataset.train.labels, dataset.test.labels]), torch.from_numpy(labels))
    assert len(dataset.test) == N
    assert dataset.classes == CLASSES


def test_all_layouts_hold_the_same_pixels_in_the_same_order(tmp_path):
    images, labels = some_images()
    write_archive(tmp_path / "a", batch_files())
    write_folder(tmp_path / "b", batch_files())
    write_folder(tmp_path / "c", batch_files(lambda entries: pickle.dumps(entries, protocol=2)))
    write_parquet(tmp_path / "d/plain_text/train-00000-of-00001.parquet", images[: 5 * N], labels[: 5 * N])
    write_parquet(tmp_path / "d/plain_text/test-00000-of-00001.parquet", images[5 * N :], labels[5 * N :])
    places = [tmp_path / name for name in "abcd"]
    places += [tmp_path / "b/cifar-10-batches-py", tmp_path / "d/plain_text"]  # the folder itself; flat
    found = [load_dataset("cifar10", place, trust=True) for place in places]
    for dataset in found:
        assert_is_some_images(dataset)
        assert not dataset.official
    assert len({dataset.fingerprint for dataset in found}) == 1


def test_another_checksum_is_refused_unless_trusted_and_the_right_one_is_official(tmp_path):
    path = write_archive(tmp_path, batch_files())
    with pytest.raises(
        UserError, match=r"not the official md5:c58f30108f718f92721af3b95e74349a.*--trust-data"
    ):
        load_dataset("cifar10", tmp_path)
    md5 = "md5:" + hashlib.md5(path.read_bytes()).hexdigest()
    trusted = load_dataset("cifar10", tmp_path, trust=True)
    assert (trusted.official, trusted.source) == (False, {path.name: md5})
    (found,) = check("cifar10", tmp_path)
    assert found.state == f"other checksum (found {md5}, expected md5:c58f30108f718f92721af3b95e74349a)"

    layout = SOURCE.layouts[0]
    file = dataclasses.replace(layout.files[0], checksum=md5)
    known = dataclasses.replace(SOURCE, layouts=(dataclasses.replace(layout, files=(file,)),))
    official = load_source(known, tmp_path)
    assert (official.official, official.source) == (True, {path.name: md5})
    assert_is_some_images(official)


def test_a_pickle_that_runs_a_command_is_refused_and_does_not_run(tmp_path):
    ran = tmp_path / "ran"

    class Hostile:
        def __reduce__(self):
            import os

            return os.system, (f"touch {ran}",)

    files = batch_files()
    files["data_batch_3"] = pickle.dumps({b"data": Hostile()}, protocol=2)
    write_folder(tmp_path, files)
    with pytest.raises(UserError, match=r"data_batch_3 is a pickle that asks for \w+\.system"):
        load_dataset("cifar10", tmp_path, trust=True)
    assert not ran.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n.",
        b"cnumpy.core.multiarray\nscalar\n.",
        b"\x80\x02c_codecs\ndecode\n.",
        b"\x80\x02}(cnumpy\ndtype\nK\x01b.",  # a state for a name
        b"\x80\x02}(U\x04datac_codecs\nencode\n(X\x01\x00\x00\x00aX\x05\x00\x00\x00rot13tRu.",
        b"\x80\x02]q\x00.",
        b"\x80\x02\x82\x01.",
        b"",
        b"no pickle",
    ],
)
def test_what_else_is_no_batch_is_refused_in_a_sentence(tmp_path, content):
    write_folder(tmp_path, batch_files() | {"data_batch_1": content})
    with pytest.raises(UserError, match=r"data_batch_1"):
        load_dataset("cifar10", tmp_path, trust=True)


def pickled(**changes):
    images, labels = some_images()
    entries = {b"data": images[:N].reshape(N, 3072), b"labels": labels[:N].tolist()}
    return python2_pickle(entries | {k.encode(): v for k, v in changes.items()})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (pickled(data=np.zeros((N, 3071), np.uint8)), r"shape \[4, 3071\]"),
        (pickled(data=b"bytes"), "no array of bytes"),
        (pickled(labels=[1, 2, 3]), "a label from 0 to 9 for each of its 4 images"),
        (pickled(labels=[1, 2, 3, 10]), "a label from 0 to 9"),
        (pickled(labels=[1, 2, 3, b"x"]), "a label from 0 to 9"),
        (pickled().replace(b"K\x01K\x04M\x00\x0c", b"K\x01K\x05M\x00\x0c"), "damaged or cut off"),
        (pickled().replace(b"U\x02u1", b"U\x02f4"), "no array of bytes"),
        (pickled()[:-2000], "damaged or cut off"),
    ],
)
def test_arrays_and_labels_are_checked_before_they_are_used(tmp_path, content, sentence):
    write_folder(tmp_path, batch_files() | {"data_batch_2": content})
    with pytest.raises(UserError, match=sentence):
        load_dataset("cifar10", tmp_path, trust=True)


def test_a_cut_or_incomplete_archive_is_named(tmp_path):
    path = write_archive(tmp_path, batch_files())
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:10], b"no archive", b""):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"cifar-10-python.tar.gz is (damaged or )?cut off"):
            load_dataset("cifar10", tmp_path, trust=True)
    files = batch_files()
    del files["test_batch"]
    write_archive(tmp_path, files)
    with pytest.raises(UserError, match=r"lacks cifar-10-batches-py/test_batch"):
        load_dataset("cifar10", tmp_path, trust=True)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "kind", [lambda labels: labels, np.array, tuple, lambda labels: list(np.array(labels, np.uint8))]
)
def test_batches_that_people_pickled_anew_are_read(protocol, kind, tmp_path):
    def dump(entries):
        text = {key.decode(): value for key, value in entries.items()}
        labels = {"labels": kind(text["labels"])} if "labels" in text else {}
        return pickle.dumps(text | labels, protocol)

    write_archive(tmp_path, batch_files(dump))
    assert_is_some_images(load_dataset("cifar10", tmp_path, trust=True))


def test_arrays_in_the_order_of_columns_are_read_as_they_are():
    files = batch_files(lambda entries: pickle.dumps({k: ordered(v) for k, v in entries.items()}, 5))

    def read(content):
        return BATCHES._split([(content, "there")], 10)

    found = [read(files["data_batch_1"]), read(batch_files()["data_batch_1"])]
    assert torch.equal(found[0].images, found[1].images)


def ordered(value):
    return np.asfortranarray(value) if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("above", ["./", "./cifar-10-batches-py/", "cifar10/cifar-10-batches-py/", ""])
@pytest.mark.parametrize("mode", ["w:gz", "w", "w:gz pax"])
def test_archives_that_people_packed_anew_are_read(above, mode, tmp_path):
    path = tmp_path / "cifar-10-python.tar.gz"
    kind = tarfile.PAX_FORMAT if "pax" in mode else tarfile.GNU_FORMAT
    with tarfile.open(path, mode.split()[0], format=kind) as archive:
        for name, content in batch_files().items():
            for called, size in ((f"{above}{name}", len(content)), (f"{above}._{name}", 0)):  # as macOS adds
                info = tarfile.TarInfo(called)
                info.size = size
                archive.addfile(info, io.BytesIO(content[:size]))
    assert_is_some_images(load_dataset("cifar10", tmp_path, trust=True))


@pytest.mark.parametrize(
    "place",
    [
        "{}-00000-of-00001.parquet",
        "plain_text/{}-00000-of-00001.parquet",
        "plain_text/{}/0000.parquet",
        "data/{}-00000-of-00001-b42737b5ae7a1e6e.parquet",
        "cifar10/plain_text/{}-00000-of-00001.parquet",
        "datasets--uoft-cs--cifar10/snapshots/0b27149/plain_text/{}-00000-of-00001.parquet",
    ],
)
@pytest.mark.parametrize("column", ["img", "image"])
def test_parquet_is_read_where_the_hub_puts_it(place, column, tmp_path):
    images, labels = some_images()
    for split, part in (("train", slice(5 * N)), ("test", slice(5 * N, None))):
        write_parquet(tmp_path / place.format(split), images[part], labels[part], column)
    assert_is_some_images(load_dataset("cifar10", tmp_path, trust=True))


def test_a_split_in_several_files_is_not_half_read(tmp_path):
    images, labels = some_images()
    for name in ("train/0000", "train/0001", "test/0000"):
        write_parquet(tmp_path / f"plain_text/{name}.parquet", images, labels)
    with pytest.raises(UserError, match=r"0000.parquet is a part of a split, as 0001.parquet is"):
        load_dataset("cifar10", tmp_path, trust=True)


def test_parquet_that_is_cut_has_other_columns_or_sizes_is_refused(tmp_path):
    images, labels = some_images()
    train = tmp_path / "train-00000-of-00001.parquet"
    write_parquet(tmp_path / "test-00000-of-00001.parquet", images[:5], labels[:5])
    write_parquet(train, images[:5], labels[:5])
    whole = train.read_bytes()
    for content in (whole[:-100], whole[:100], b""):
        train.write_bytes(content)
        with pytest.raises(UserError, match="damaged or cut off"):
            load_dataset("cifar10", tmp_path, trust=True)
    train.write_bytes(whole.replace(b"label", b"\xa9abel"))
    with pytest.raises(UserError, match=r"damaged or cut off|has not the columns"):
        load_dataset("cifar10", tmp_path, trust=True)
    write_parquet(train, images[:5], labels[:5], column="picture")
    with pytest.raises(UserError, match="has not the columns 'img' or 'image'"):
        load_dataset("cifar10", tmp_path, trust=True)
    write_parquet(train, images[:5, :, :16], labels[:5])
    with pytest.raises(UserError, match="row 0 holds an image of 32 x 16"):
        load_dataset("cifar10", tmp_path, trust=True)
    write_parquet(train, images[:5], [0, 1, 2, 3, 10])
    with pytest.raises(UserError, match="row 4 has label 10"):
        load_dataset("cifar10", tmp_path, trust=True)
    pq.write_table(pa.table({"img": [{"bytes": b"\x89PNG cut", "path": ""}], "label": [1]}), train)
    with pytest.raises(UserError, match=r"row 0 is no PNG image"):
        load_dataset("cifar10", tmp_path, trust=True)


def test_missing_files_are_named_with_the_way_to_get_them(tmp_path, monkeypatch):
    monkeypatch.delenv("DREAMING_DATA", raising=False)
    with pytest.raises(UserError, match=r"dreaming data fetch cifar10 --data-dir DIR"):
        load_dataset("cifar10")
    with pytest.raises(UserError, match=r"no directory"):
        load_dataset("cifar10", tmp_path / "nowhere")
    with pytest.raises(
        UserError, match=r"is not in .*cifar-10-python.tar.gz, or cifar-10-batches-py/data_batch_1"
    ):
        load_dataset("cifar10", tmp_path)
    files = batch_files()
    del files["test_batch"]
    write_folder(tmp_path, files)
    with pytest.raises(UserError, match=r"but not cifar-10-batches-py/test_batch"):
        load_dataset("cifar10", tmp_path)
    assert [found.state for found in check("cifar10", tmp_path)].count("missing") == 1
    monkeypatch.setenv("DREAMING_DATA", str(tmp_path / "b"))
    write_folder(tmp_path / "b", batch_files())
    assert_is_some_images(load_dataset("cifar10", trust=True))
