"""Mirrors that are wrong in every way: the next one, what was lacking, the right file or none, and a sentence."""

import errno
import os
import random
import re
import socket
import threading
import time
from dataclasses import replace

import pytest
from tests.data.download.faulty_server import (
    CERTIFICATE,
    CONTENT,
    DRIPS,
    FILE,
    LONGEST,
    RIGHT,
    SIZE,
    WRONG,
    Server,
    cut,
    then,
    to,
)

from dreaming.data import check, load_dataset
from dreaming.data.download.fetching import download
from dreaming.data.download.mirror import Patience
from dreaming.data.sources import RemoteFile
from dreaming.errors import UserError

CALM = Patience(connect=LONGEST, read=LONGEST, grace=0.3, slowest=2_000.0, least=1_000.0)
HASTE = replace(CALM, read=1.0)
"""For silent answers, which are waited for; the others are given all the time that a busy machine takes."""
BEFORE = {"nothing there": b"", "a part there": CONTENT[:1000], "a wrong part there": b"x" * 1000}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server():
    with Server() as running:
        yield running


def fetched(file, folder):
    """Download, and see at each piece that under the good name there is nothing, or the right file."""
    target = folder / FILE
    patience = HASTE if any("stalled" in url for url in file.mirrors) else CALM

    def look(*_):
        assert not target.exists() or target.read_bytes() == CONTENT

    try:
        return download(file, folder, progress=look, patience=patience).read_bytes()
    finally:
        look()


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def leave(folder, part):
    if part:
        (folder / f"{FILE}.part").write_bytes(part)


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("name", RIGHT)
def test_an_unusual_answer_that_is_right_is_taken(server, tmp_path, name, before):
    leave(tmp_path, BEFORE[before])
    assert fetched(server.file(name), tmp_path) == CONTENT
    assert names_in(tmp_path) == [FILE]


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("name", WRONG)
def test_after_a_wrong_answer_the_next_mirror_is_asked(server, tmp_path, name, before):
    leave(tmp_path, BEFORE[before])
    assert fetched(server.file(name, "right"), tmp_path) == CONTENT
    assert "right" in [asked for asked, _ in server.asked]
    assert names_in(tmp_path) == [FILE]


@pytest.mark.parametrize("before", ["nothing there", "a part there"])
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_alone_is_a_sentence_and_the_file_can_be_had_later(server, tmp_path, name, before):
    leave(tmp_path, BEFORE[before])
    with pytest.raises(UserError) as caught:
        fetched(server.file(name), tmp_path)
    said = str(caught.value)
    assert re.search(
        f"^{FILE} could not be fetched: http://127.0.0.1:[0-9]+/{name} .*({WRONG[name][1]})", said
    )
    assert "the same command tries again" in said
    assert said.isprintable()
    assert set(names_in(tmp_path)) <= {f"{FILE}.part"}
    assert fetched(server.file("right"), tmp_path) == CONTENT
    assert names_in(tmp_path) == [FILE]


def test_no_wrong_answer_touches_a_file_that_the_user_put_there(server, tmp_path):
    (tmp_path / FILE).write_bytes(b"mine")
    # None that breaks off, for several of those add up to the file.
    names = (
        "not_found",
        "fault",
        "nothing",
        "other_bytes",
        "longer_unsaid",
        "page",
        "loop",
        "to_file",
        "stalled",
    )
    with pytest.raises(UserError):
        download(server.file(*names), tmp_path, patience=HASTE)
    assert [name for name, _ in server.asked if name != "loop"] == [name for name in names if name != "loop"]
    assert (tmp_path / FILE).read_bytes() == b"mine"


@pytest.mark.parametrize("seed", range(5))
def test_cut_off_again_and_again_only_what_is_lacking_is_asked_for(tmp_path, seed):
    draw = random.Random(seed)
    lengths = [draw.randrange(1, 30_000) for _ in range(6)]
    cuts = {f"cut_{i}": cut(length) for i, length in enumerate(lengths)}
    with Server(**cuts) as server:
        assert fetched(server.file(*cuts, "right"), tmp_path) == CONTENT
        assert server.asked == [
            *((name, sum(lengths[:i]) or None) for i, name in enumerate(cuts)),
            ("right", sum(lengths)),
        ]


def test_a_mirror_that_has_gone_slow_is_left_and_the_next_goes_on(server, tmp_path):
    assert fetched(server.file("gone_slow", "right"), tmp_path) == CONTENT
    (first, _), (second, start) = server.asked
    assert (first, second) == ("gone_slow", "right")
    assert 150_001 < start < 151_000


def test_a_byte_now_and_then_does_not_hold_a_download_for_ever(server, tmp_path):
    began = time.monotonic()
    with pytest.raises(UserError, match=f"slow {DRIPS}"):
        fetched(server.file("slow"), tmp_path)
    assert time.monotonic() - began < LONGEST  # as long as it would have dripped


def test_a_server_that_dies_in_the_middle_is_followed_by_another(tmp_path):
    with Server() as heir:
        dying = Server(dies=then(70_001, lambda answer, _: (answer.server.socket.close(), answer.reset())))
        with dying:
            file = dying.file("dies", urls=(dying.url("right"), heir.url("right")))
            assert fetched(file, tmp_path) == CONTENT
        assert [name for name, _ in dying.asked] == ["dies"]
        assert [name for name, _ in heir.asked] == ["right"]


def test_where_nobody_listens_and_no_name_is_known_it_says_so(tmp_path, monkeypatch):
    known = socket.getaddrinfo

    def unknown(host, *rest, **more):
        if host == "mirror.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # a port that is taken, and on which nobody listens
        urls = ("http://mirror.invalid/set.bin", f"http://127.0.0.1:{deaf.getsockname()[1]}/set.bin")
        with pytest.raises(UserError) as caught:
            fetched(RemoteFile(FILE, "md5:0", SIZE, urls), tmp_path)
    assert re.search(r"mirror\.invalid/set\.bin broke off \(.*Name or service not known", str(caught.value))
    assert re.search(r"127\.0\.0\.1:[0-9]+/set\.bin broke off \(.*Connection refused", str(caught.value))
    assert names_in(tmp_path) == []


def test_an_unknown_certificate_is_refused_and_nothing_is_asked(server, tmp_path):
    with Server(secure=True) as stranger:
        with pytest.raises(UserError, match=r"/right broke off \(.*certificate verify failed"):
            fetched(stranger.file("right"), tmp_path)
        assert stranger.asked == []
        assert fetched(stranger.file("right", urls=(server.url("right"),)), tmp_path) == CONTENT


def test_a_server_that_does_not_know_https_is_passed_over(server, tmp_path):
    plain = server.url("right").replace("http:", "https:")
    assert fetched(server.file(urls=(plain, server.url("right"))), tmp_path) == CONTENT


def test_a_redirect_to_https_is_followed(server, tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    with Server(secure=True) as secure:
        server.answers["up"] = to(secure.url("right"))
        assert fetched(server.file("up"), tmp_path) == CONTENT
        assert secure.asked == [("right", None)]


def test_a_part_is_no_file_of_a_data_set(tmp_path):
    for name in ("cifar-10-python.tar.gz", "train_32x32.mat", "test_32x32.mat"):
        (tmp_path / f"{name}.part").write_bytes(b"half")
    for name in ("cifar10", "svhn"):
        assert {found.state for found in check(name, tmp_path)} == {"missing"}
        with pytest.raises(UserError, match=f"{name} is not in "):
            load_dataset(name, tmp_path)


@pytest.mark.parametrize("code", [None, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_many_at_once_ask_for_the_file_once_and_all_have_it(code, tmp_path, monkeypatch):
    """Also on file systems of clusters that know no locks, which fail with one of these codes."""

    def no_locks(*_):
        raise OSError(code, os.strerror(code))

    if code is not None:
        monkeypatch.setattr("fcntl.flock", no_locks)
    slowly = then(100_000, lambda answer, rest: (answer.server.over.wait(0.2), answer.send(rest)))
    found = []
    with Server(slowly=slowly) as server:
        together = [
            threading.Thread(target=lambda: found.append(fetched(server.file("slowly"), tmp_path)))
            for _ in range(4)
        ]
        for thread in together:
            thread.start()
        for thread in together:
            thread.join()
        assert server.asked == [("slowly", None)]
    assert found == [CONTENT] * 4
    assert names_in(tmp_path) == [FILE]


def test_who_waited_for_one_that_fails_goes_on_from_what_it_left(tmp_path):
    cut_later = then(100_000, lambda answer, _: answer.server.over.wait(0.2))
    said = []
    with Server(cut_later=cut_later) as server:

        def fail():
            with pytest.raises(UserError) as caught:
                fetched(server.file("cut_later"), tmp_path)
            said.append(caught.value)

        first = threading.Thread(target=fail)
        first.start()
        while not (tmp_path / f"{FILE}.part").exists():
            time.sleep(0.01)
        assert fetched(server.file("right"), tmp_path) == CONTENT
        first.join()
        assert server.asked == [("cut_later", None), ("right", 100_000)]
    assert len(said) == 1
