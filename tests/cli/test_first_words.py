"""What is said before the library is imported, and what is not imported before a first cycle."""

import os
import subprocess
import sys

import pytest
from tiny_runs import TINY

from dreaming import cli

TELLS_OF_TORCH = """
import sys
class Tells:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("torch is imported", flush=True)
sys.meta_path.insert(0, Tells())
sys.argv = ["dreaming", "train", "--condition", "nonsense"]
from dreaming.__main__ import main
sys.exit(main())
"""
TRAINS = """
import sys
sys.argv = ["dreaming", "train", *sys.argv[1:]]
from dreaming.__main__ import main
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


def test_a_training_says_that_it_begins_before_torch_is_imported():
    found = done(TELLS_OF_TORCH)
    assert found.stdout.splitlines()[:2] == ["dreaming: train begins", "torch is imported"]
    assert (found.returncode, found.stderr.count("\n")) == (2, 1), found.stderr


def test_a_first_training_imports_no_library_that_it_does_not_need(tmp_path):
    found = done(TRAINS, *TINY, "--epochs", "1", "--out", str(tmp_path))
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1] == "imported: []"


@pytest.mark.parametrize("terminal", [True, False])
def test_what_prints_a_result_says_that_it_begins_on_a_terminal_alone(terminal, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["dreaming", "data", "check", "digits"])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert cli.main() == 0
    said = capsys.readouterr()
    assert said.out == "digits needs no files\n"
    assert said.err == ("dreaming: check data begins\n" if terminal else "")
