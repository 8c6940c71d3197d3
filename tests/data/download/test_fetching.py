"""Downloads from a server on this machine: resumed, from the next mirror, never half under the good name."""

import hashlib
import threading
import time
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dreaming.data import fetch
from dreaming.data.download import fetching as fetching_module
from dreaming.data.download.fetching import Patience, download
from dreaming.data.sources import RemoteFile
from dreaming.errors import UserError

CONTENT = bytes(range(256)) * 1000
SIZE = len(CONTENT)
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Answers /right, /wrong, /short, /norange, /html, /slow and 404 else; remembers what was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        path, asked = self.path.strip("/"), self.headers.get("Range")
        self.server.asked.append((path, asked))
        start = int(asked[6:-1]) if asked and path != "norange" else 0
        if path == "html":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>please log in</html>")
            return
        if path not in ("right", "wrong", "short", "norange", "slow"):
            self.send_error(404)
            return
        body = (CONTENT if path != "wrong" else bytes(len(CONTENT)))[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if path == "short":
            self.wfile.write(body[: len(body) // 2])
        elif path == "slow":
            for piece in range(0, len(body), 16384):
                self.wfile.write(body[piece : piece + 16384])
                time.sleep(0.1)
        else:
            self.wfile.write(body)


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def remote(server):
    def make(*paths, checksum=MD5, size=SIZE):
        return RemoteFile("set.bin", checksum, size, tuple(server.url(path) for path in paths))

    return make


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_fetched_with_progress_and_left_alone_the_next_time(server, remote, tmp_path):
    seen = []
    folder = tmp_path / "new/folder"
    path = download(remote("right"), folder, progress=lambda *now: seen.append(now))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == ("set.bin", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert download(remote("right"), folder) == path
    assert server.asked == [("right", None)]
    assert names_in(folder) == ["set.bin"]


def test_a_broken_download_goes_on_where_it_broke_off(server, remote, tmp_path):
    with pytest.raises(UserError, match=r"short broke off .*goes on from what is there"):
        download(remote("short"), tmp_path)
    assert names_in(tmp_path) == ["set.bin.part"]
    half = (tmp_path / "set.bin.part").stat().st_size
    assert 0 < half < len(CONTENT)
    assert download(remote("right"), tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == ("right", f"bytes={half}-")
    assert names_in(tmp_path) == ["set.bin"]


def test_a_mirror_without_ranges_starts_from_the_beginning(server, remote, tmp_path):
    (tmp_path / "set.bin.part").write_bytes(CONTENT[:1000])
    assert download(remote("norange"), tmp_path).read_bytes() == CONTENT
    assert server.asked == [("norange", "bytes=1000-")]


@pytest.mark.parametrize("first", ["missing", "wrong", "short", "html"])
def test_the_next_mirror_is_asked_after_any_failure(server, remote, tmp_path, first):
    assert download(remote(first, "right"), tmp_path).read_bytes() == CONTENT
    assert names_in(tmp_path) == ["set.bin"]


def test_an_address_where_nobody_listens_is_passed_over(remote, server, tmp_path):
    file = RemoteFile("set.bin", MD5, len(CONTENT), ("http://127.0.0.1:9/x", server.url("right")))
    assert download(file, tmp_path).read_bytes() == CONTENT


def test_wrong_bytes_left_by_another_do_not_spoil_a_good_mirror(remote, tmp_path):
    (tmp_path / "set.bin.part").write_bytes(b"x" * 1000)
    assert download(remote("right"), tmp_path).read_bytes() == CONTENT


def test_what_was_wholly_fetched_but_not_named_is_not_asked_for_again(server, remote, tmp_path):
    (tmp_path / "set.bin.part").write_bytes(CONTENT)
    assert download(remote("right"), tmp_path).read_bytes() == CONTENT
    assert server.asked == []


def test_a_part_longer_than_the_file_is_dropped(remote, tmp_path):
    (tmp_path / "set.bin.part").write_bytes(CONTENT + b"more")
    assert download(remote("right"), tmp_path).read_bytes() == CONTENT


def test_when_all_fail_each_is_quoted_and_nothing_stands_under_the_good_name(remote, tmp_path):
    with pytest.raises(UserError) as caught:
        download(remote("wrong", "missing"), tmp_path)
    assert "wrong gave a file with another checksum; http" in str(caught.value)
    assert "missing answered 404 Not Found" in str(caught.value)
    assert names_in(tmp_path) == []


def test_a_mirror_with_a_file_of_another_size_is_passed_over(remote, tmp_path):
    with pytest.raises(UserError, match="has 256000 bytes instead of 999"):
        download(remote("right", size=999), tmp_path)
    assert names_in(tmp_path) == []


def test_a_file_with_another_checksum_is_replaced_but_only_by_the_right_one(remote, tmp_path):
    path = tmp_path / "set.bin"
    path.write_bytes(b"mine")
    with pytest.raises(UserError):
        download(remote("missing"), tmp_path)
    assert path.read_bytes() == b"mine"
    download(remote("right"), tmp_path)
    assert path.read_bytes() == CONTENT


def test_a_slow_mirror_is_left_for_another_and_taken_if_there_is_none(server, remote, tmp_path):
    haste = Patience(grace=0.4, slowest=300_000.0)  # the slow one gives half of that
    assert download(remote("slow", "right"), tmp_path / "a", patience=haste).read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["slow", "right"]
    assert server.asked[1][1] is not None  # the other goes on from what the slow one gave
    assert download(remote("slow", "missing"), tmp_path / "b", patience=haste).read_bytes() == CONTENT
    assert [path for path, _ in server.asked[2:]] == ["slow", "missing", "slow"]


def test_a_full_disk_and_a_folder_that_is_none_are_sentences(remote, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        download(remote("right"), tmp_path / "file")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(fetching_module.shutil, "disk_usage", lambda _: usage(9, 9, 0))
    with pytest.raises(UserError, match=r"too full for set.bin, which needs 0 MB more"):
        download(remote("right"), tmp_path)


def test_digits_need_no_fetching_and_unknown_names_are_refused(tmp_path):
    with pytest.raises(UserError, match="digits needs no fetching: it comes with scikit-learn"):
        fetch("digits", tmp_path)
    with pytest.raises(UserError, match="did you mean 'svhn'"):
        fetch("svnh", tmp_path)
