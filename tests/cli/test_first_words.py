"""What is said on a terminal before the library is imported, and what is not imported before a first cycle."""

import os
import subprocess
import sys

import pytest
from tests.cli.tiny_runs import TINY

from dreaming.cli.main import main

TELLS_OF_TORCH = """
import sys
class Tells:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("torch is imported", file=sys.stderr, flush=True)
sys.meta_path.insert(0, Tells())
sys.argv = ["dreaming", "train", "--condition", "nonsense"]
from dreaming.__main__ import main
sys.exit(main())
"""
TRAINS = """
import sys
from dreaming.__main__ import main
words = sys.argv[1:]
for epochs in "12":
    sys.argv = ["dreaming", "train", *words, "--epochs", epochs]
    assert main() == 0
needless = {"torch._dynamo", "sklearn", "scipy.stats", "scipy.ndimage", "requests", "matplotlib", "sympy"}
print("imported:", sorted(needless & set(sys.modules)))
"""


def done(script, *words):
    return subprocess.run(
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_on_a_terminal_a_training_says_that_it_begins_before_torch_is_imported():
    end, terminal = os.openpty()
    program = [sys.executable, "-c", TELLS_OF_TORCH]
    with subprocess.Popen(program, stderr=terminal, stdout=subprocess.PIPE) as running:
        os.close(terminal)
        with os.fdopen(end, encoding="utf-8", newline="") as said:
            lines = [said.readline().strip() for _ in range(3)]
        assert lines[:2] == ["dreaming: train begins", "torch is imported"]
        assert "nonsense" in lines[2]
        assert running.communicate() == (b"", None)
    assert running.returncode == 2


def test_without_a_terminal_nothing_is_said_but_the_mistake():
    found = done(TELLS_OF_TORCH)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("torch is imported\ndreaming: ")
    assert found.stderr.count("\n") == 2


def test_a_first_training_and_one_that_goes_on_import_no_library_that_they_do_not_need(tmp_path):
    found = done(TRAINS, *TINY, "--out", str(tmp_path))
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1] == "imported: []"


@pytest.mark.parametrize("terminal", [True, False])
def test_every_verb_says_on_a_terminal_alone_that_it_begins(terminal, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert main(["data", "check", "digits"]) == 0
    said = capsys.readouterr()
    assert said.out == "digits needs no files\n"
    assert said.err == ("dreaming: check data begins\n" if terminal else "")
