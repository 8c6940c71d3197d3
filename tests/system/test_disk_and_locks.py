"""What dead processes left: parts of files, which are swept away, and locks, which hold nobody up."""

import errno
import fcntl
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dreaming.errors import UserError
from dreaming.system import disk, locks
from dreaming.system.locks import locked

HOLD = """
import sys, time
from pathlib import Path
from dreaming.system.locks import locked
with locked(Path(sys.argv[1]), "training"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds a folder for so many seconds."""
    started = []

    def hold(folder, seconds):
        command = [sys.executable, "-c", HOLD, str(folder), str(seconds)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_parts_of_dead_processes_are_swept_away_and_no_other_file(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / "dreams").mkdir()
    gone = [tmp_path / f".losses.csv.{dead.pid}.part", tmp_path / "dreams" / f".0001.png.{dead.pid}.part"]
    stays = [
        tmp_path / f".losses.csv.{os.getpid()}.part",
        tmp_path / f".losses.csv.{10**30}x.part",
        tmp_path / "losses.csv",
        tmp_path / f"notes.{dead.pid}.part",
    ]
    for path in [*gone, *stays]:
        path.write_bytes(b"half")
    disk.sweep(tmp_path)
    assert [path.exists() for path in gone] == [False, False]
    assert all(path.exists() for path in stays)


def test_a_second_process_is_told_who_holds_a_folder(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.2)
    process = holder(tmp_path / "run", 600)
    with pytest.raises(UserError) as told, locked(tmp_path / "run", "measuring"):
        pass
    said = str(told.value)
    assert said.startswith(f"{tmp_path / 'run'} is in use: process {process.pid} on ")
    assert "is training there since 20" in said
    assert said.endswith("wait until it is done or stop it")


def test_those_who_write_different_files_hold_a_folder_at_once(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.0)
    holder(tmp_path, 600)
    with (
        locked(tmp_path, "measuring", ".lock.measuring"),
        pytest.raises(UserError, match="is measuring there"),
        locked(tmp_path, "measuring", ".lock.measuring"),
    ):
        pass


def test_a_lock_that_is_let_go_of_soon_is_waited_for(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 600.0)  # a process of a busy machine takes long to end
    begun = time.monotonic()
    holder(tmp_path / "run", 0.3)
    with locked(tmp_path / "run", "measuring"):
        assert 0.3 < time.monotonic() - begun < locks.PATIENCE


def test_a_lock_left_by_a_dead_process_is_no_obstacle(tmp_path, holder):
    process = holder(tmp_path / "run", 600)
    process.kill()
    process.wait()
    assert (tmp_path / "run" / locks.NAME).exists()
    with locked(tmp_path / "run", "training"):
        assert f"process {os.getpid()} on" in (tmp_path / "run" / locks.NAME).read_text()
    assert not (tmp_path / "run" / locks.NAME).exists()


@pytest.mark.parametrize("content", [b"", b'{"process": 1}', b"\xff"])
def test_whatever_is_in_the_lock_somebody_else_is_told(tmp_path, holder, monkeypatch, content):
    monkeypatch.setattr(locks, "PATIENCE", 0.0)
    holder(tmp_path, 600)
    (tmp_path / locks.NAME).write_bytes(content)
    with pytest.raises(UserError, match="another process is at work there"), locked(tmp_path, "training"):
        pass


class TestWhereAFileSystemHasNoLocks:
    @pytest.fixture(autouse=True, params=[errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
    def _none(self, request, monkeypatch):
        def refused(descriptor, operation):
            raise OSError(request.param, os.strerror(request.param))

        monkeypatch.setattr(fcntl, "flock", refused)
        monkeypatch.setattr(locks, "PATIENCE", 0.2)

    def test_a_second_process_is_told_who_holds_a_folder(self, tmp_path):
        folder = tmp_path / "run"
        with locked(folder, "training"), pytest.raises(UserError) as told, locked(folder, "measuring"):
            pass
        said = str(told.value)
        assert said.startswith(f"{folder} is in use: process {os.getpid()} on ")
        assert "is training there since 20" in said
        assert said.endswith(f"; if it is no more, remove {folder / '.lock.soft'}")
        assert list(tmp_path.iterdir()) == []

    def test_what_a_dead_process_left_is_no_obstacle(self, tmp_path):
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        (tmp_path / ".lock.soft").write_text(f"{dead.pid}\n{socket.gethostname()}\n")
        with locked(tmp_path, "training"):
            assert (tmp_path / ".lock.soft").exists()
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_nothing_came_of_is_taken_away_again(tmp_path):
    folder = tmp_path / "digits" / "pad" / "seed-0"
    with pytest.raises(ZeroDivisionError), locked(folder, "training"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with locked(folder, "training"):
        (folder / "config.yaml").touch()
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]


def test_a_file_where_the_folder_should_be_is_named(tmp_path):
    (tmp_path / "runs").touch()
    with (
        pytest.raises(UserError, match=r"cannot write into .*runs/seed-0"),
        locked(tmp_path / "runs/seed-0", "x"),
    ):
        pass


def test_where_nothing_can_be_written_no_lock_is_needed(tmp_path, monkeypatch):
    def refused(path, *arguments):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refused)
    with locked(tmp_path, "training"):
        assert list(tmp_path.iterdir()) == []


def test_keeping_a_file_under_another_name_works_without_links_too(tmp_path, monkeypatch):
    first, second = tmp_path / "state", tmp_path / "state.before"
    for linkless in (False, True):
        first.write_bytes(b"one")
        if linkless:
            monkeypatch.setattr(
                os, "link", lambda *names: (_ for _ in ()).throw(OSError(95, "not supported"))
            )
        disk.keep(first, second)
        disk.write(first, b"two")
        assert (second.read_bytes(), first.read_bytes()) == (b"one", b"two")
        assert sorted(path.name for path in Path(tmp_path).iterdir()) == ["state", "state.before"]
