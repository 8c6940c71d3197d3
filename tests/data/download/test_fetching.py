"""Downloads from a server on this machine: progress, what is there already, slow mirrors, and full disks."""

from collections import namedtuple

import pytest
from tests.data.download.faulty_server import CONTENT, FILE, SIZE, Server

from dreaming.data import fetch
from dreaming.data.download import fetching as fetching_module
from dreaming.data.download.fetching import Patience, download
from dreaming.errors import UserError


def slowly(answer):
    """Give some 150 kB a second."""
    body = answer.begin()
    for piece in range(0, len(body), 16384):
        answer.send(body[piece : piece + 16384])
        answer.server.over.wait(0.1)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(slowly=slowly) as running:
        yield running


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_fetched_with_progress_and_left_alone_the_next_time(server, tmp_path):
    seen = []
    folder = tmp_path / "new/folder"
    path = download(server.file("right"), folder, progress=lambda *now: seen.append(now))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (FILE, SIZE, SIZE)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert download(server.file("right"), folder) == path
    assert server.asked == [("right", None)]
    assert names_in(folder) == [FILE]


def test_what_was_wholly_fetched_but_not_named_is_not_asked_for_again(server, tmp_path):
    (tmp_path / f"{FILE}.part").write_bytes(CONTENT)
    assert download(server.file("right"), tmp_path).read_bytes() == CONTENT
    assert server.asked == []


def test_a_part_longer_than_the_file_is_dropped(server, tmp_path):
    (tmp_path / f"{FILE}.part").write_bytes(CONTENT + b"more")
    assert download(server.file("right"), tmp_path).read_bytes() == CONTENT


def test_when_all_fail_each_is_quoted_and_nothing_stands_under_the_good_name(server, tmp_path):
    with pytest.raises(UserError) as caught:
        download(server.file("other_bytes", "not_found"), tmp_path)
    assert "other_bytes gave a file with another checksum; http" in str(caught.value)
    assert "not_found answered 404 Not Found" in str(caught.value)
    assert names_in(tmp_path) == []


def test_a_file_with_another_checksum_is_replaced_but_only_by_the_right_one(server, tmp_path):
    path = tmp_path / FILE
    path.write_bytes(b"mine")
    with pytest.raises(UserError):
        download(server.file("not_found"), tmp_path)
    assert path.read_bytes() == b"mine"
    download(server.file("right"), tmp_path)
    assert path.read_bytes() == CONTENT


def test_a_slow_mirror_is_left_for_another_and_taken_if_there_is_none(server, tmp_path):
    haste = Patience(grace=0.4, slowest=300_000.0)  # the slow one gives half of that
    assert download(server.file("slowly", "right"), tmp_path / "a", patience=haste).read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["slowly", "right"]
    assert server.asked[1][1] is not None  # the other goes on from what the slow one gave
    file = server.file("slowly", "not_found")
    assert download(file, tmp_path / "b", patience=haste).read_bytes() == CONTENT
    assert [path for path, _ in server.asked[2:]] == ["slowly", "not_found", "slowly"]


def test_a_full_disk_and_a_folder_that_is_none_are_sentences(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        download(server.file("right"), tmp_path / "file")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(fetching_module.shutil, "disk_usage", lambda _: usage(9, 9, 0))
    with pytest.raises(UserError, match=r"too full for set.bin, which needs 0 MB more"):
        download(server.file("right"), tmp_path)
    assert names_in(tmp_path) == ["file"]


def test_digits_need_no_fetching_and_unknown_names_are_refused(tmp_path):
    with pytest.raises(UserError, match="digits needs no fetching: it comes with scikit-learn"):
        fetch("digits", tmp_path)
    with pytest.raises(UserError, match="did you mean 'svhn'"):
        fetch("svnh", tmp_path)
