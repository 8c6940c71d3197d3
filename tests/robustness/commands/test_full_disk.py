"""A disk that is full at any write of a training: told in a sentence, nothing harmed, and gone on from exactly."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from tests.cli.tiny_runs import SMALL, results, tree

import dreaming
from dreaming.cli.main import main

WORDS = ("train", "--limit", "10", *SMALL, "--set=training.batch_size=5", "--snapshots", "ends")
# Who holds the folder; environment, config, untrained snapshot, its sheet and state; losses and state of each
# epoch; and of the last, snapshot and sheet.
WRITES = 12


class FullDisk:
    """Lets the first writes pass; of the next it takes half, or refuses to bring it to the disk."""

    def __init__(self, monkeypatch):
        self.monkeypatch, self.count = monkeypatch, 0

    def half_written(self, n):
        """The nth file takes half its content."""
        whole = Path.open
        disk = self

        def opened(path, mode="r", *args, **kwargs):
            file = whole(path, mode, *args, **kwargs)
            if "w" in mode:
                disk.count += 1
                if disk.count == n:
                    return HalfWritten(file)
            return file

        self.monkeypatch.setattr(Path, "open", opened)

    def not_synced(self, n):
        """The nth synchronisation with the disk fails; each file has one, and its folder another."""
        whole = os.fsync

        def fsync(descriptor):
            self.count += 1
            if self.count == n:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            whole(descriptor)

        self.monkeypatch.setattr(os, "fsync", fsync)


class HalfWritten:
    """A file that the disk has no room for."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.file.close()

    def write(self, content):
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __getattr__(self, name):
        return getattr(self.file, name)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folders of runs after one epoch and after two."""
    out = tmp_path_factory.mktemp("undisturbed")
    assert main([*WORDS, "--epochs", "1", "--out", str(out / "one")]) == 0
    assert main([*WORDS, "--epochs", "2", "--out", str(out / "two")]) == 0
    return out


@pytest.fixture
def full_disk(monkeypatch, capsys):
    """Trains on a disk that fills up, and looks at what the user is told and what is left."""

    def fails(kind, n, out):
        with monkeypatch.context() as patch:
            getattr(FullDisk(patch), kind)(n)
            capsys.readouterr()
            status = main([*WORDS, "--epochs", "2", "--out", str(out)])
            error = capsys.readouterr().err
        assert status == 2
        assert error.startswith("dreaming: cannot write ")
        assert "No space left on device" in error
        assert error.count("\n") == 1
        assert not [path for path in out.rglob("*") if path.suffix == ".part"]

    return fails


@pytest.mark.parametrize("n", range(1, WRITES + 1))
def test_a_disk_that_is_full_at_the_nth_file_costs_nothing_but_the_command_again(
    n, full_disk, undisturbed, dreaming_does, tmp_path
):
    out = tmp_path / "out"
    full_disk("half_written", n, out)
    dreaming_does(*WORDS, "--epochs", "2", "--out", out)
    assert results(out / "digits/pad/seed-0") == results(undisturbed / "two/digits/pad/seed-0")


@pytest.mark.parametrize("n", [2, 9, 2 * WRITES])
def test_a_disk_that_fails_at_the_nth_synchronisation_costs_no_more(
    n, full_disk, undisturbed, dreaming_does, tmp_path
):
    out = tmp_path / "out"
    full_disk("not_synced", n, out)
    dreaming_does(*WORDS, "--epochs", "2", "--out", out)
    assert results(out / "digits/pad/seed-0") == results(undisturbed / "two/digits/pad/seed-0")


def test_a_training_writes_as_many_files_as_these_tests_let_fail(monkeypatch, dreaming_does, tmp_path):
    disk = FullDisk(monkeypatch)
    disk.half_written(None)
    dreaming_does(*WORDS, "--epochs", "2", "--out", tmp_path / "out")
    assert disk.count == WRITES


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_run_that_was_there_before_is_intact_after_a_full_disk(
    n, full_disk, undisturbed, dreaming_does, tmp_path
):
    out = Path(shutil.copytree(undisturbed / "one", tmp_path / "out"))
    run = out / "digits/pad/seed-0"
    before, weights = tree(run), dreaming.load(run, 1).state_dict()
    full_disk("half_written", n, out)
    after = tree(run)
    rewritten = {name for name in before if after.get(name) != before[name]}
    assert rewritten <= {"environment.json", "config.yaml", "losses.csv", "state.safetensors"}
    assert all(kept.equal(weights[name]) for name, kept in dreaming.load(run, 1).state_dict().items())
    dreaming_does(*WORDS, "--epochs", "2", "--out", out)
    found, wanted = results(run), results(undisturbed / "two/digits/pad/seed-0")
    assert {name: found[name] for name in wanted} == wanted


def test_evaluate_dream_and_compare_on_a_full_disk_leave_what_was_there(
    evaluated, monkeypatch, dreaming_refuses
):
    run = evaluated / "digits/pad/seed-0"
    (run / "measures.csv").unlink()
    for words in (("evaluate", run), ("dream", run, "--count", "2"), ("compare", evaluated / "digits/pad")):
        with monkeypatch.context() as patch:
            FullDisk(patch).half_written(1)
            because = ("cannot write", "No space left on device")
            dreaming_refuses(*words, because=because, may_add=("comparison",))
