"""STL-10's two layouts, built here as they come: columns first, labels from 1, most images without labels."""

import io
import tarfile

import numpy as np
import pytest
import torch

from dreaming.data import dataset_info, load_dataset
from dreaming.data.readers import stl10
from dreaming.data.resizing import resized
from dreaming.errors import UserError

N = {"train": 5, "test": 4}


def content(split):
    """Images as one sees them, [n, 3, 96, 96], and labels from 0."""
    random, n = np.random.default_rng(len(split)), N[split]
    return random.integers(0, 256, (n, 3, 96, 96), dtype=np.uint8), np.arange(n) * 2


def files():
    made = {"class_names.txt": "\n".join(stl10.CLASSES).encode(), "unlabeled_X.bin": bytes(27_648 * 3)}
    for split in N:
        images, labels = content(split)
        made[f"{split}_X.bin"] = np.ascontiguousarray(images.transpose(0, 1, 3, 2)).tobytes()
        made[f"{split}_y.bin"] = (labels + 1).astype(np.uint8).tobytes()
    return made


def write_archive(data_dir, found):
    with tarfile.open(data_dir / "stl10_binary.tar.gz", "w:gz") as archive:
        for name, held in found.items():
            info = tarfile.TarInfo(f"stl10_binary/{name}")
            info.size = len(held)
            archive.addfile(info, io.BytesIO(held))


def write_folder(data_dir, found):
    (data_dir / "stl10_binary").mkdir()
    for name, held in found.items():
        (data_dir / "stl10_binary" / name).write_bytes(held)


@pytest.mark.parametrize("write", [write_archive, write_folder])
@pytest.mark.parametrize("size", [16, 32, 64, 96])
def test_either_layout_holds_the_labelled_images_brought_to_the_size(write, size, tmp_path):
    write(tmp_path, files())
    found = load_dataset("stl10", tmp_path, trust=True, image_size=size)
    assert (found.classes, found.image_size) == (stl10.CLASSES, size)
    for split in N:
        images, labels = content(split)
        own = getattr(found, split)
        assert torch.equal(own.images, resized(torch.from_numpy(images), size))
        assert own.labels.tolist() == labels.tolist()


def test_what_is_published_of_it():
    about = dataset_info("stl10")
    assert (about.n_train, about.n_test, about.size) == (5_000, 8_000, 2_640_397_119)
    (archive,) = stl10.SOURCE.layouts[0].files
    assert (archive.name, archive.checksum) == ("stl10_binary.tar.gz", "md5:91f7769df0f17e558f3565bffb0c7dfb")


def test_images_without_labels_are_passed_over_and_not_kept(tmp_path, monkeypatch):
    """They are larger than any file that is wanted; with less allowed, they are still no reason to stop."""
    monkeypatch.setattr(stl10, "_LARGEST", 27_648 * 5)
    write_archive(tmp_path, {"unlabeled_X.bin": bytes(27_648 * 6), **files(), "last": b""})
    assert len(load_dataset("stl10", tmp_path, trust=True).train) == 5


@pytest.mark.parametrize(
    ("name", "held", "sentence"),
    [
        (
            "train_X.bin",
            bytes(27_648 * 4),
            r"train_X.bin has 110592 bytes, not 27648 for each of the 5 labels",
        ),
        ("test_y.bin", b"", r"not 27648 for each of the 0 labels of .*test_y.bin"),
        ("test_y.bin", bytes([1, 2, 3, 11]), "labels other than 1 to 10"),
        ("train_y.bin", bytes(5), "labels other than 1 to 10"),
    ],
)
def test_files_that_do_not_fit_are_refused(name, held, sentence, tmp_path):
    write_folder(tmp_path, files() | {name: held})
    with pytest.raises(UserError, match=sentence):
        load_dataset("stl10", tmp_path, trust=True)


def test_a_cut_or_incomplete_archive_is_named(tmp_path):
    write_archive(tmp_path, {name: held for name, held in files().items() if name != "test_y.bin"})
    with pytest.raises(UserError, match=r"stl10_binary.tar.gz lacks stl10_binary/test_y.bin"):
        load_dataset("stl10", tmp_path, trust=True)
    path = tmp_path / "stl10_binary.tar.gz"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UserError, match="damaged or cut off"):
        load_dataset("stl10", tmp_path, trust=True)
