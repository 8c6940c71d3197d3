"""CIFAR-100's two layouts, built here as they come: fine labels, hundred names, and what is refused."""

import io
import tarfile

import numpy as np
import pytest
import torch
from tests.data.readers.test_cifar10 import python2_pickle

from dreaming.data import dataset_info, load_dataset
from dreaming.data.readers.cifar100 import BATCHES, SOURCE
from dreaming.errors import UserError

NAMES = [f"class {i}" for i in range(100)]
N = {"train": 12, "test": 6}


def content(split):
    random = np.random.default_rng(len(split))
    n = N[split]
    return random.integers(0, 256, (n, 3072), dtype=np.uint8), [(7 * i) % 100 for i in range(n)]


def files(**changes):
    made = {}
    for split in N:
        images, labels = content(split)
        coarse = [label // 5 for label in labels]
        made[split] = {b"fine_labels": labels, b"coarse_labels": coarse, b"data": images}
    made["meta"] = {b"fine_label_names": [n.encode() for n in NAMES], b"coarse_label_names": [b"a", b"b"]}
    return {name: python2_pickle({**entries, **changes.get(name, {})}) for name, entries in made.items()}


def write_archive(data_dir, found):
    with tarfile.open(data_dir / "cifar-100-python.tar.gz", "w:gz") as archive:
        for name, pickled in {"file.txt~": b"", **found}.items():
            info = tarfile.TarInfo(f"cifar-100-python/{name}")
            info.size = len(pickled)
            archive.addfile(info, io.BytesIO(pickled))


def write_folder(data_dir, found):
    (data_dir / "cifar-100-python").mkdir()
    for name, pickled in found.items():
        (data_dir / "cifar-100-python" / name).write_bytes(pickled)


@pytest.mark.parametrize("write", [write_archive, write_folder])
def test_either_layout_holds_the_images_with_their_fine_labels(write, tmp_path):
    write(tmp_path, files())
    found = load_dataset("cifar100", tmp_path, trust=True)
    assert (found.classes, found.official) == (tuple(NAMES), False)
    for split in N:
        images, labels = content(split)
        own = getattr(found, split)
        assert torch.equal(own.images, torch.from_numpy(images.reshape(-1, 3, 32, 32)))
        assert own.labels.tolist() == labels


def test_what_is_published_of_it():
    assert dataset_info("cifar100").size == 169_001_437
    (archive,), unpacked = (layout.files for layout in SOURCE.layouts)
    assert archive.mirrors[0] == "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    assert [file.name.partition("/")[2] for file in unpacked] == list(BATCHES.members)


def test_another_checksum_is_refused_unless_trusted(tmp_path):
    write_archive(tmp_path, files())
    with pytest.raises(UserError, match="not the official md5:eb9058c3a382ffc7106e4002c42a8d85"):
        load_dataset("cifar100", tmp_path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"train": {b"fine_labels": [100] * 12}},
            "does not hold a label from 0 to 99 for each of its 12 images",
        ),
        ({"test": {b"data": np.zeros((6, 3071), np.uint8)}}, r"images of shape \[6, 3071\]"),
        ({"meta": {b"fine_label_names": []}}, "holds no list of class names"),
    ],
)
def test_batches_are_checked(changes, sentence, tmp_path):
    write_folder(tmp_path, files(**changes))
    with pytest.raises(UserError, match=sentence):
        load_dataset("cifar100", tmp_path, trust=True)


def test_a_pickle_that_asks_for_more_than_an_array_is_named_as_what_it_is_not(tmp_path):
    write_folder(tmp_path, files() | {"train": b"cos\nsystem\n(S'true'\ntR."})
    with pytest.raises(UserError, match=r"asks for os\.system, which no batch of CIFAR-100 does"):
        load_dataset("cifar100", tmp_path, trust=True)
