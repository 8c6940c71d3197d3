"""`dreaming data fetch` as a process that is stopped, killed, or has no room: the same command goes on."""

import errno
import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from tests.data.download.faulty_server import CONTENT, FILE, Server, then

from dreaming.cli.main import main
from dreaming.data import known
from dreaming.data.download import mirror
from dreaming.data.sources import Layout, Source

HALF = 100_000
LONG = 300.0  # seconds, for what a process does in five that has a core for itself
FETCH = """
import sys
from dreaming.__main__ import main
from dreaming.data import known
from dreaming.data.sources import Layout, RemoteFile, Source

*words, file, checksum, size, url = sys.argv[1:]
remote = RemoteFile(file, checksum, int(size), (url,))
known.SOURCES["svhn"] = Source("svhn", "", 0, 0, "", "", (Layout(list, (remote,)),))
print("begun", flush=True)
sys.argv[1:] = words
sys.exit(main())
"""

STOPPED = "dreaming: interrupted; what was finished is kept, and the same command goes on\n"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server():
    """Gives half, waits to be let go on, and gives the other half; of a part, it gives the rest at once."""

    def half(answer, rest):
        if answer.asked == 0:
            until = time.monotonic() + LONG
            while not (answer.server.over.wait(0.05) or answer.server.go_on) and time.monotonic() < until:
                pass
        answer.send(rest)

    with Server(half=then(HALF, half)) as running:
        running.go_on = False
        yield running


@pytest.fixture
def begun(server, tmp_path):
    """Starts the command in a process, which is killed at the end if it is still there."""
    processes = []

    def start(**options):
        remote = server.file("half")
        words = ["data", "fetch", "svhn", "--data-dir", str(tmp_path)]
        about = [remote.name, remote.checksum, str(remote.size), remote.mirrors[0]]
        process = subprocess.Popen(
            [sys.executable, "-c", FETCH, *words, *about],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options},
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def again(server, tmp_path, monkeypatch):
    """Gives the same command again, in this process."""

    def fetch():
        layout = Layout(list, (server.file("half"),))
        monkeypatch.setitem(known.SOURCES, "svhn", Source("svhn", "", 0, 0, "", "", (layout,)))
        return main(["data", "fetch", "svhn", "--data-dir", str(tmp_path)])

    return fetch


def half_is_there(folder):
    part, until = folder / f"{FILE}.part", time.monotonic() + LONG
    while not (part.exists() and part.stat().st_size == HALF):
        assert time.monotonic() < until, "the download did not begin"
        time.sleep(0.02)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [(signal.SIGINT, 3, STOPPED), (signal.SIGTERM, 3, STOPPED), (signal.SIGKILL, -signal.SIGKILL, "")],
    ids=["SIGINT", "SIGTERM", "SIGKILL"],
)
def test_stopped_in_the_middle_it_goes_on_from_the_part(server, begun, again, tmp_path, number, status, said):
    process = begun()
    half_is_there(tmp_path)
    process.send_signal(number)
    error = process.communicate(timeout=LONG)[1]
    assert (process.returncode, error) == (status, said)
    assert names_in(tmp_path) == [
        f".{FILE}.part.lock",
        f"{FILE}.part",
    ]  # a lock that nobody holds is no obstacle
    assert again() == 0
    assert server.asked == [("half", None), ("half", HALF)]
    assert (tmp_path / FILE).read_bytes() == CONTENT
    assert names_in(tmp_path) == [FILE]


def test_when_the_first_of_two_is_killed_the_second_goes_on_from_its_part(server, begun, tmp_path):
    first = begun()
    half_is_there(tmp_path)
    second = begun()
    assert second.stdout.readline() == "begun\n"
    time.sleep(0.5)
    assert server.asked == [("half", None)]  # it waits
    first.kill()
    assert second.communicate(timeout=LONG)[1] == ""
    assert second.returncode == 0
    assert server.asked == [("half", None), ("half", HALF)]
    assert (tmp_path / FILE).read_bytes() == CONTENT
    assert names_in(tmp_path) == [FILE]


def test_a_file_that_may_not_grow_is_a_sentence_and_gone_on_with(server, begun, again, tmp_path):
    """As where a quota is used up: the system refuses a write in the middle."""
    limit = 70_000
    process = begun(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    error = process.communicate(timeout=LONG)[1]
    assert process.returncode == 2
    assert error == f"dreaming: {tmp_path / FILE} cannot be written: File too large\n"
    assert names_in(tmp_path) == [f"{FILE}.part"]
    assert (tmp_path / f"{FILE}.part").stat().st_size == limit
    assert again() == 0
    assert server.asked[-1] == ("half", limit)
    assert (tmp_path / FILE).read_bytes() == CONTENT


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_in_the_middle_is_a_sentence_and_gone_on_with(
    server, again, tmp_path, monkeypatch, capsys, code
):
    server.go_on = True
    whole = mirror._append

    def append(kept, piece):
        if kept.tell() + len(piece) > HALF:
            raise OSError(code, os.strerror(code))
        whole(kept, piece)

    with monkeypatch.context() as patch:
        patch.setattr(mirror, "_append", append)
        assert again() == 2
    error = capsys.readouterr().err
    assert error.startswith(f"dreaming: the disk of {tmp_path} is too full for {FILE}, which needs ")
    assert error.count("\n") == 1
    assert names_in(tmp_path) == [f"{FILE}.part"]
    kept = (tmp_path / f"{FILE}.part").stat().st_size
    assert 0 < kept <= HALF
    assert again() == 0
    assert server.asked == [("half", None), ("half", kept)]
    assert (tmp_path / FILE).read_bytes() == CONTENT
