"""No command but `data fetch` opens a connection: each is run with the network taken away, and watched."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.paper.authors.published_checkpoint import Published, save

from dreaming.cli import main as cli

HERE = Path(__file__).parent
SMALL = (
    "--set=networks.base_channels=2",
    "--set=networks.latent_dim=8",
    "--set=networks.image_channels=1",
    "--set=training.batch_size=16",
    "--device=cpu",
)
RUN = "runs/digits/pad/seed-0"
WORDS = {
    "train": ("--limit=64", *SMALL, "--epochs=1", "--seeds=2", "--workers=2"),
    "evaluate": (RUN, "--measures=all", "--epochs=last", "--device=cpu"),
    "dream": (RUN, "--count=4"),
    "latents": (RUN, "--out=latents.npz", "--count=4"),
    "compare": ("runs",),
    "trust": (RUN,),
    "import": ("trained.pth", "--dataset=digits", "--limit=64", "--name=published"),
    "describe": ("--condition=without_rem",),
    "doctor": ("--device=cpu", "--base-channels=8", "--batch-size=8", "--seeds=2"),
    "reproduce": (
        "--profile=quick",
        "--only=figure-3",
        "--set=datasets=digits",
        "--set=limit=64",
        "--set=seeds=1",
        "--set=epochs=2",
        "--set=long_epochs=2",
        "--set=samples=8",
        *("--set=features=inception", "--workers=1", *SMALL),
    ),
    "data list": (),
    "data check": ("svhn",),
    "data fetch": ("svhn", "--data-dir=data"),
}
"""Words for each verb. `reproduce` is to measure with weights that are not there."""
REFUSED = {
    "reproduce": "need",
    "trust": "there is nothing to trust",
    "data check": "2 of 2 files are not as published",
    "data fetch": "could not be fetched",
}
"""Verbs that cannot do what they are told here, and what they say; the others end with 0."""


def verbs(tree, path=()):
    for name, verb in tree.items():
        if isinstance(verb, dict):
            yield from verbs(verb, (*path, name))
        else:
            yield " ".join((*path, name))


def without_network():
    """Words that start a command in a network of its own, an empty one; none where that is not allowed."""
    words = ("unshare", "--user", "--map-root-user", "--net")
    if (
        shutil.which("unshare") is None
        or subprocess.run([*words, "true"], capture_output=True, check=False).returncode
    ):
        return ()
    return words


def watched(program, folder, *, alone=True):
    """Run a Python program, watched, and without a network where that can be; return it and what was noted."""
    (folder / "site").mkdir()
    shutil.copy(HERE / "watch.py", folder / "site/sitecustomize.py")
    log = folder / "watched.jsonl"
    path = os.pathsep.join([str(folder / "site"), str(Path(cli.__file__).parents[2])])
    for_tests = {"PYTHONPATH": path, "DREAMING_WATCH": str(log), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*(without_network() if alone else ()), sys.executable, *program],
        env={**os.environ, **for_tests, "DREAMING_CACHE": str(folder / "cache"), "DREAMING_DATA": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    return done, [json.loads(line) for line in log.read_text().splitlines()]


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """What each verb came to, and what was noted meanwhile."""
    folder = tmp_path_factory.mktemp("without network")
    save(Published().content(), folder / "trained.pth")
    words = json.dumps([(verb, WORDS[verb]) for verb in WORDS])
    done, noted = watched([str(HERE / "every_verb.py"), str(folder), words], folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), noted


def attempts(noted, verb):
    return [note["event"] for note in noted if note["verb"] == verb and note["event"] != "watched"]


def test_every_verb_has_words_here():
    assert set(WORDS) == set(verbs(cli.VERBS))


@pytest.mark.parametrize("verb", WORDS)
def test_a_verb_does_its_work_without_a_network(lived, verb):
    status, error, _ = lived[0][verb]
    assert (status, REFUSED.get(verb, "") in error) == (2 if verb in REFUSED else 0, True), error
    assert "Traceback" not in error


@pytest.mark.parametrize("verb", [verb for verb in WORDS if verb != "data fetch"])
def test_a_verb_tries_no_connection(lived, verb):
    assert attempts(lived[1], verb) == []


def test_nor_does_the_import(lived):
    assert attempts(lived[1], "(import)") == []


def test_fetching_tries_one_for_each_mirror_and_says_that_there_is_no_network(lived):
    assert "socket.getaddrinfo" in attempts(lived[1], "data fetch")
    assert lived[0]["data fetch"][1].count("broke off (") == 2


def test_the_processes_of_workers_are_watched_too(lived):
    watched_ones = [note for note in lived[1] if (note["verb"], note["event"]) == ("train", "watched")]
    assert len([note for note in watched_ones if "popen_loky" in note["about"]]) == 2


CONNECTS = """
import multiprocessing, socket, sys, urllib.request

def connect():
    for work in (
        lambda: socket.create_connection(("127.0.0.1", 9)),
        lambda: socket.socket(socket.AF_INET6).connect(("::1", 9)),
        lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
        lambda: urllib.request.urlopen("http://127.0.0.1:9"),
        lambda: socket.gethostbyname("localhost"),
    ):
        try:
            work()
        except OSError as error:
            assert "unreachable" in str(error), error
        else:
            sys.exit("it was let through")
    here, there = socket.socketpair(socket.AF_UNIX)
    here.send(b"x")
    assert there.recv(1) == b"x"

if __name__ == "__main__":
    connect()
    child = multiprocessing.get_context("spawn").Process(target=connect)
    child.start()
    child.join()
    sys.exit(child.exitcode)
"""


@pytest.mark.parametrize("alone", [False, True])
def test_the_watch_sees_connections_of_a_process_and_of_its_children(tmp_path, alone):
    (tmp_path / "connects.py").write_text(CONNECTS)
    done, noted = watched(["-W", "ignore", str(tmp_path / "connects.py")], tmp_path, alone=alone)
    assert (done.returncode, done.stderr) == (0, "")
    by_process = {}
    for note in noted:
        by_process.setdefault(note["process"], []).append(note["event"])
    seen = [events for events in by_process.values() if len(events) > 1]
    expected = [
        "socket.getaddrinfo",
        "socket.connect",
        "socket.sendto",
        "urllib.Request",
        "socket.gethostbyname",
    ]
    assert seen == [["watched", *expected]] * 2
