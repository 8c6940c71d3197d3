"""Files of a run: whole or not there, checked when read, and named when something is wrong with them."""

import errno
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dreaming.config.config import Config
from dreaming.errors import UserError
from dreaming.runs.folder import RunFolder, run_path
from dreaming.runs.tensors import read_tensors, write_tensors
from dreaming.system.disk import write

TENSORS = {
    "a.weight": torch.arange(12, dtype=torch.float32).reshape(3, 4) / 7,
    "b": torch.tensor(float("nan"), dtype=torch.float64),
    "c": torch.tensor([1, -2], dtype=torch.int64),
    "d": torch.tensor([1.5], dtype=torch.bfloat16),
    "e": torch.zeros(0, 3),
}
ABOUT = {"epoch": 3, "condition": "pad", "networks": {"latent_dim": 8}, "share": 0.1}


def everything_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def full(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FullDisk:
    """What `Path.open` gives on a disk that fills up in the middle of a write."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.file.close()

    def write(self, content):
        self.file.write(content[: len(content) // 2])
        full()


FAILURES = {
    "fsync": lambda patch: patch.setattr(os, "fsync", full),
    "rename": lambda patch: patch.setattr(Path, "replace", full),
    "write": lambda patch: patch.setattr(
        Path, "open", lambda path, mode, original=Path.open: FullDisk(original(path, mode))
    ),
}


@pytest.mark.parametrize("failing", FAILURES)
class TestFailingWrite:
    def test_the_old_content_stays_and_nothing_is_left_beside_it(self, tmp_path, monkeypatch, failing):
        path = tmp_path / "state.safetensors"
        write(path, b"old")
        with monkeypatch.context() as patch:
            FAILURES[failing](patch)
            with pytest.raises(
                UserError, match=r"cannot write .*state\.safetensors \(No space left on device\)"
            ):
                write(path, b"new and longer")
        assert path.read_bytes() == b"old"
        assert everything_in(tmp_path) == ["state.safetensors"]

    def test_a_file_that_was_not_there_is_still_not_there(self, tmp_path, monkeypatch, failing):
        with monkeypatch.context() as patch:
            FAILURES[failing](patch)
            with pytest.raises(UserError):
                write(tmp_path / "deep" / "losses.csv", b"new")
        assert everything_in(tmp_path) == []


def test_a_write_replaces_the_whole_content_and_leaves_no_part(tmp_path):
    path = tmp_path / "run" / "snapshots" / "0001.safetensors"
    for content in (b"a long first content", b"short"):
        write(path, content)
        assert path.read_bytes() == content
    assert everything_in(tmp_path) == ["0001.safetensors"]


def test_a_reader_never_sees_half_a_file(tmp_path, monkeypatch):
    """Until the new content is on the disk, the name leads to the old one."""
    path, seen = tmp_path / "losses.csv", []
    write(path, b"old")
    original = os.fsync

    def looking(descriptor):
        seen.append(path.read_bytes())
        original(descriptor)

    monkeypatch.setattr(os, "fsync", looking)
    write(path, b"new")
    assert seen == [b"old", b"new"]  # the file before it is moved, then the folder


def test_where_a_folder_should_be_made_and_a_file_stands_the_user_is_told(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match="cannot write"):
        write(tmp_path / "runs" / "config.yaml", b"")


def test_tensors_and_metadata_go_round_bit_for_bit(tmp_path):
    path = tmp_path / "t.safetensors"
    write_tensors(path, TENSORS, ABOUT)
    tensors, about = read_tensors(path)
    assert about == ABOUT
    assert set(tensors) == set(TENSORS)
    for name, value in TENSORS.items():
        assert tensors[name].dtype == value.dtype
        assert tensors[name].shape == value.shape
        same = tensors[name].reshape(-1).view(torch.uint8), value.reshape(-1).view(torch.uint8)
        assert torch.equal(*same)


def test_tensors_that_are_views_or_carry_gradients_can_be_written(tmp_path):
    base = torch.arange(6.0).reshape(2, 3).requires_grad_()
    write_tensors(tmp_path / "t", {"transposed": base.T, "row": base[1]}, {})
    tensors, _ = read_tensors(tmp_path / "t")
    assert torch.equal(tensors["transposed"], base.detach().T)
    assert torch.equal(tensors["row"], base.detach()[1])


def test_the_file_is_plain_safetensors(tmp_path):
    write_tensors(tmp_path / "t.safetensors", TENSORS, ABOUT)
    assert torch.equal(load_file(tmp_path / "t.safetensors")["a.weight"], TENSORS["a.weight"])


def test_a_flipped_bit_anywhere_is_found(tmp_path):
    path = tmp_path / "t.safetensors"
    write_tensors(path, {"a": TENSORS["a.weight"]}, {"epoch": 3})
    good = path.read_bytes()
    header = 8 + int.from_bytes(good[:8], "little")
    blank = header - len(good[8:header].rstrip(b" "))
    for position in [*range(blank), *range(header, len(good))]:  # padding blanks mean nothing
        damaged = bytearray(good)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"t\.safetensors is damaged"):
            read_tensors(path)


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_a_truncated_file_is_found(tmp_path, kept):
    path = tmp_path / "t.safetensors"
    write_tensors(path, TENSORS, ABOUT)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"t\.safetensors is damaged"):
        read_tensors(path)


@pytest.mark.parametrize("content", [b"\x00" * 500, b"\xff" * 500, b"<html>", b"PK\x03\x04garbage"])
def test_garbage_is_found(tmp_path, content):
    (tmp_path / "t.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=r"t\.safetensors is damaged"):
        read_tensors(tmp_path / "t.safetensors")


@pytest.mark.parametrize("metadata", [None, {"epoch": "3"}, {"epoch": "3", "sha256": "0" * 64}])
def test_tensors_without_the_right_checksum_are_refused(tmp_path, metadata):
    save_file({"a": torch.zeros(3)}, tmp_path / "t.safetensors", metadata)
    with pytest.raises(UserError, match=r"t\.safetensors is damaged"):
        read_tensors(tmp_path / "t.safetensors")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere is missing"):
        read_tensors(tmp_path / "nowhere")
    folder = RunFolder(tmp_path)
    for reading, name in ((folder.read_losses, "losses.csv"), (folder.read_environment, "environment.json")):
        with pytest.raises(UserError, match=f"{name} is missing"):
            reading()


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("cifar10", "runs/cifar10/pad/seed-7"),
        ("folder:/data/cats", "runs/folder-cats/pad/seed-7"),
        ("folder:/data/my cats & dogs/", "runs/folder-my-cats-dogs/pad/seed-7"),
        ("folder:/", "runs/folder-images/pad/seed-7"),
    ],
)
def test_where_a_run_lies(dataset, expected):
    assert run_path(Path("runs"), dataset, "pad", 7).as_posix() == expected


def test_a_run_of_a_relative_folder_lies_inside_the_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = run_path(Path("runs"), "folder:..", "pad", 0)
    assert found.as_posix() == f"runs/folder-{tmp_path.parent.name}/pad/seed-0"


def test_file_names_of_a_run_are_designs(tmp_path):
    folder = RunFolder(tmp_path)
    names = [folder.config, folder.environment, folder.losses, folder.measures, folder.state]
    assert [path.name for path in names] == [
        "config.yaml",
        "environment.json",
        "losses.csv",
        "measures.csv",
        "state.safetensors",
    ]
    assert folder.snapshot(0).relative_to(tmp_path).as_posix() == "snapshots/0000.safetensors"
    assert folder.dreams(50).relative_to(tmp_path).as_posix() == "dreams/0050.png"


def test_snapshots_are_listed_in_order_and_strangers_left_out(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.snapshots() == []
    for epoch in (10, 2, 0, 12345):
        write(folder.snapshot(epoch), b"")
    write(tmp_path / "snapshots" / "notes.safetensors", b"")
    write(tmp_path / "snapshots" / ".0003.safetensors.1.part", b"")
    assert folder.snapshots() == [0, 2, 10, 12345]


def test_a_folder_that_holds_no_run_is_refused_and_one_inside_suggested(tmp_path):
    with pytest.raises(UserError, match="there is no run folder"):
        RunFolder.existing(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"config\.yaml is missing$"):
        RunFolder.existing(tmp_path)
    write(tmp_path / "pad" / "seed-0" / "config.yaml", b"")
    with pytest.raises(UserError, match=r"did you mean .*pad/seed-0\?"):
        RunFolder.existing(tmp_path)


def test_measures_that_were_never_made_are_an_empty_table(tmp_path):
    measures = RunFolder(tmp_path).read_measures()
    assert list(measures) == ["dataset", "condition", "seed", "epoch", "measure", "parameter", "value"]
    assert len(measures) == 0


NO_SESSIONS = [
    "{}",
    '{"sessions": 3}',
    '{"sessions": []}',
    '{"sessions": [3]}',
    '{"sessions": [{"dataset": 3}]}',
]


@pytest.mark.parametrize("content", ["", "no json", "[]", '{"sessions": []', "\x00", *NO_SESSIONS], ids=repr)
def test_a_damaged_environment_is_named(tmp_path, content):
    folder = RunFolder(tmp_path)
    folder.environment.write_text(content)
    with pytest.raises(UserError, match=r"environment\.json is damaged"):
        folder.read_environment()


def test_an_environment_goes_round(tmp_path):
    RunFolder(tmp_path).write_environment({"sessions": [{"command": ["é"]}]})
    assert RunFolder(tmp_path).read_environment() == {"sessions": [{"command": ["é"]}]}
    assert json.loads((tmp_path / "environment.json").read_text())


def test_a_config_goes_round_and_one_that_somebody_corrected_is_read(tmp_path):
    folder, config = RunFolder(tmp_path), Config(seed=3)
    folder.write_config(config)
    assert folder.read_config() == config
    folder.config.write_text(folder.config.read_text().replace("seed: 3", "seed: 4  # was 3"))
    assert folder.read_config() == Config(seed=4)


@pytest.mark.parametrize("lines", [0, 1, 5, 30, -1])
def test_a_config_that_is_cut_short_is_named(tmp_path, lines):
    folder = RunFolder(tmp_path)
    folder.write_config(Config())
    folder.config.write_text("".join(folder.config.read_text().splitlines(keepends=True)[:lines]))
    with pytest.raises(UserError, match=r"config\.yaml"):
        folder.read_config()
