"""What is said on a terminal before the library is imported, and what is not imported before a first cycle."""

import os
import subprocess
import sys
from contextlib import suppress

import pytest
from tests.cli.tiny_runs import TINY

from dreaming.__main__ import _say_what_starts

TELLS_OF_TORCH = """
import sys
class Tells:
    def find_spec(self, name, path=None, target=None):
        if name in ("tyro", "torch"):
            print(f"{name} is imported", file=sys.stderr, flush=True)
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
def test_on_a_terminal_it_is_said_what_starts_before_any_library_is_imported():
    end, terminal = os.openpty()
    program = [sys.executable, "-c", TELLS_OF_TORCH]
    with subprocess.Popen(program, stderr=terminal, stdout=subprocess.PIPE) as running:
        os.close(terminal)
        said = b""
        with suppress(OSError):  # so Linux says that nobody writes there any more
            while part := os.read(end, 4096):
                said += part
        os.close(end)
        lines = said.decode().splitlines()
        assert lines[:3] == [
            "dreaming train: loading its libraries",
            "tyro is imported",
            "torch is imported",
        ]
        assert "nonsense" in lines[3]
        assert running.communicate() == (b"", None)
    assert running.returncode == 2


def test_without_a_terminal_nothing_is_said_but_the_mistake():
    found = done(TELLS_OF_TORCH)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("tyro is imported\ntorch is imported\ndreaming: ")
    assert found.stderr.count("\n") == 3


def test_a_first_training_and_one_that_goes_on_import_no_library_that_they_do_not_need(tmp_path):
    found = done(TRAINS, *TINY, "--out", str(tmp_path))
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1] == "imported: []"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data", "check", "digits"], "dreaming data: loading its libraries\n"),
        (["data", "check", "--help"], ""),
        (["--version"], ""),
        ([], ""),
    ],
)
@pytest.mark.parametrize("terminal", [True, False])
def test_on_a_terminal_alone_it_is_said_what_starts_but_not_before_help(
    words, said, terminal, monkeypatch, capsys
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    _say_what_starts(words)
    assert capsys.readouterr() == ("", said if terminal else "")
