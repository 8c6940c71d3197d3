"""Data that are not what they should be: one sentence that names the place, status 2, nothing written."""

import json
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image
from tests.cli.tiny_runs import SMALL

TRAIN = ("train", *SMALL, "--epochs", "1", "--out", "runs")


@pytest.fixture
def folder(tmp_path):
    """Two classes with ten training and two test images each."""
    random = np.random.default_rng(0)
    root = tmp_path / "mine"
    for split, n in {"train": 10, "test": 2}.items():
        for name in ("ant", "cat"):
            (root / split / name).mkdir(parents=True)
            for i in range(n):
                pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{i}.png")
    return root


@pytest.fixture
def archive(tmp_path):
    """An archive laid out as CIFAR-10's, of random images: four a batch."""
    random = np.random.default_rng(0)
    data = tmp_path / "data"
    batches = data / "cifar-10-batches-py"
    batches.mkdir(parents=True)
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        pixels = random.integers(0, 256, (4, 3072), dtype=np.uint8)
        content = {b"data": pixels, b"labels": [0, 1, 2, 3]}
        (batches / name).write_bytes(pickle.dumps(content, protocol=2))
    names = [f"class {i}".encode() for i in range(10)]
    (batches / "batches.meta").write_bytes(pickle.dumps({b"label_names": names}, protocol=2))
    path = data / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        file.add(batches, "cifar-10-batches-py")
    for file in batches.iterdir():
        file.unlink()
    batches.rmdir()
    return path


def empty(path):
    for file in path.iterdir():
        file.unlink()


@pytest.mark.parametrize(
    ("damage", "because"),
    [
        (lambda root: root.rename(root.with_name("gone")), "there is no folder .*/mine"),
        (lambda root: (root / "test").rename(root / "tset"), "there is no folder .*/mine/test"),
        (
            lambda root: empty(root / "train/cat"),
            "mine/test has a class 'cat', of which .*mine/train has no pictures",
        ),
        (lambda root: [(root / s / "cat").rename(root / f"{s}-cat") for s in ("train", "test")], "one class"),
        (lambda root: (root / "test/cat").rename(root / "test/dog"), "has a class 'cat'"),
        (lambda root: (root / "train/cat/3.png").write_text("no image"), "train/cat/3.png is no .*image"),
        (lambda root: (root / "test/ant/1.png").write_bytes(b""), "test/ant/1.png is no .*image"),
        (
            lambda root: (root / "train/ant/0.png").write_bytes(
                (root / "train/ant/0.png").read_bytes()[:900]
            ),
            "train/ant/0.png is .*cut off",
        ),
    ],
    ids=["missing", "no test", "class empty", "one class", "classes differ", "no image", "empty", "cut off"],
)
def test_a_folder_of_images_that_cannot_be_used_is_refused_with_the_place(
    folder, damage, because, dreaming_refuses
):
    damage(folder)
    dreaming_refuses(*TRAIN, "--dataset", f"folder:{folder}", because=because)


def test_an_empty_folder_of_images_is_refused(tmp_path, dreaming_refuses):
    (tmp_path / "void").mkdir()
    dreaming_refuses(*TRAIN, "--dataset", f"folder:{tmp_path / 'void'}", because="void is empty")
    (tmp_path / "void/train").mkdir()
    dreaming_refuses(*TRAIN, "--dataset", f"folder:{tmp_path / 'void'}", because="no folder .*void/test")


def test_the_same_folder_whole_is_trained_on(folder, dreaming_does):
    dreaming_does(*TRAIN, "--dataset", f"folder:{folder}")


@pytest.mark.parametrize("name", ["cifar10", "svhn"])
def test_a_data_set_of_files_without_a_folder_of_data_says_how_to_name_one(name, dreaming_refuses):
    because = ("--data-dir", "DREAMING_DATA", f"dreaming data fetch {name}")
    dreaming_refuses(*TRAIN, "--dataset", name, because=because)


@pytest.mark.parametrize("name", ["cifar10", "svhn"])
def test_a_data_folder_that_is_missing_or_holds_no_archive_is_named(name, tmp_path, dreaming_refuses):
    data = tmp_path / "data"
    words = (*TRAIN, "--dataset", name, "--data-dir", data)
    dreaming_refuses(*words, because=f"{data}, which is no directory")
    data.mkdir()
    dreaming_refuses(*words, because=f"{name} is not in {data}")


def test_the_data_folder_may_come_from_the_environment(tmp_path, monkeypatch, dreaming_refuses):
    monkeypatch.setenv("DREAMING_DATA", str(tmp_path / "elsewhere"))
    dreaming_refuses(*TRAIN, "--dataset", "cifar10", because=str(tmp_path / "elsewhere"))


def test_an_archive_with_another_checksum_is_refused_and_trusted_on_request(
    archive, tmp_path, dreaming_does, dreaming_refuses
):
    words = (*TRAIN, "--dataset", "cifar10", "--data-dir", archive.parent)
    because = ("cifar-10-python.tar.gz has checksum md5:", "not the official md5:c58f", "--trust-data")
    dreaming_refuses(*words, because=because)
    dreaming_does(*words, "--trust-data")
    run = tmp_path / "here/runs/cifar10/pad/seed-0"
    session = json.loads((run / "environment.json").read_text())["sessions"][-1]
    assert session["dataset"]["official"] is False
    assert session["dataset"]["files"]["cifar-10-python.tar.gz"].startswith("md5:")
    dreaming_refuses("evaluate", run, "--data-dir", archive.parent, because="--trust-data")
    dreaming_refuses("dream", run, "--data-dir", archive.parent, because="--trust-data")
    dreaming_does("dream", run, "--data-dir", archive.parent, "--trust-data", "--count", "2")


@pytest.mark.parametrize("kept", [0, 50, 0.5])
def test_a_trusted_archive_that_is_cut_off_is_refused(archive, kept, dreaming_refuses):
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * kept) if kept < 1 else kept])
    words = (*TRAIN, "--dataset", "cifar10", "--data-dir", archive.parent, "--trust-data")
    dreaming_refuses(*words, because=r"cifar-10-python\.tar\.gz is damaged or cut off")


def test_other_images_than_a_run_was_trained_on_are_refused(
    folder, tmp_path, dreaming_does, dreaming_refuses
):
    words = (*TRAIN, "--dataset", f"folder:{folder}")
    dreaming_does(*words)
    Image.new("RGB", (32, 32), "red").save(folder / "train/ant/0.png")
    run = tmp_path / "here/runs/folder-mine/pad/seed-0"
    # The cache of resized images is made anew, and is no part of the run.
    dreaming_refuses(*words, "--epochs", "2", because="other images", may_add=cached(tmp_path, folder))
    dreaming_refuses("evaluate", run, because="other images")


def cached(tmp_path, folder):
    from dreaming.data import load_dataset

    load_dataset(f"folder:{folder}")
    return {path.name for path in (tmp_path / "cache").rglob("*")}


def test_checking_data_says_what_is_there_and_fails_where_it_is_not_as_published(
    archive, folder, tmp_path, dreaming_does, dreaming_refuses
):
    for name in ("digits", "house_digits"):
        assert dreaming_does("data", "check", name) == f"{name} needs no files\n"
    said = dreaming_does("data", "check", f"folder:{folder}")
    assert said == f"{folder / 'train'}: ok\n{folder / 'test'}: ok\n"
    because = "1 of 1 files are not as published; .*dreaming data fetch cifar10"
    dreaming_refuses("data", "check", "cifar10", "--data-dir", archive.parent, because=because)
    dreaming_refuses("data", "check", "svhn", "--data-dir", tmp_path / "none", because="2 of 2 files")
    dreaming_refuses("data", "check", "mnist", because="'mnist'")
    dreaming_refuses("data", "check", "svnh", because="'svnh'; did you mean 'svhn'")


def test_the_check_prints_each_file_with_its_state(archive, capsys):
    from dreaming.cli.main import main

    assert main(["data", "check", "cifar10", "--data-dir", str(archive.parent)]) == 2
    said = capsys.readouterr().out
    assert said.startswith(f"{archive}: other checksum (found md5:")
    assert main(["data", "check", "svhn", "--data-dir", str(archive.parent)]) == 2
    assert capsys.readouterr().out.splitlines() == [
        f"{archive.parent / name}: missing" for name in ("train_32x32.mat", "test_32x32.mat")
    ]


@pytest.mark.parametrize("name", ["digits", "house_digits", "mnist"])
def test_fetching_what_cannot_be_fetched_is_refused(name, tmp_path, dreaming_refuses):
    dreaming_refuses("data", "fetch", name, "--data-dir", tmp_path / "data", because=name)


def test_the_list_of_data_sets_holds_names_sizes_and_where_from_in_full(dreaming_does):
    said = dreaming_does("data", "list")
    for part in ("digits", "1,437", "360", "cifar10", "50,000", "10,000", "svhn", "73,257", "26,032"):
        assert part in said
    for part in ("house_digits", "8,000", "2,000", "folder:PATH", "www.cs.toronto.edu", "ufldl.stanford.edu"):
        assert part in said, f"{part} is cut short"
