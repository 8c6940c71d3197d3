"""What commands show on a terminal of 100 columns: no line is wider, no name is cut, one line is live."""

import os
import re
import subprocess
import sys

import pytest
from tests.cli.tiny_runs import TINY

from dreaming.system.terminal import folded, tell

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
MOVES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_a_terminal(*words, status=0):
    """The lines that a command writes to a terminal of 100 columns, each as it was at any time."""
    end, terminal = os.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "dreaming", *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "COLUMNS": "100", "LINES": "50", "TERM": "xterm", "OMP_NUM_THREADS": "1"},
    )
    os.close(terminal)
    said = b""
    try:
        while part := os.read(end, 65536):
            said += part
    except OSError:  # so Linux says that nobody writes there any more
        pass
    os.close(end)
    assert program.wait() == status, said.decode()
    return re.split(r"[\r\n]+", MOVES.sub("", said.decode()))


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["data", "list"], 0),
        (["describe", "--condition", "without_memory_mix"], 0),
        (["reproduce", "--dry-run", "--set=limit=64", "--device=cpu"], 0),
        (["train", "--condition", "nonsense"], 2),
    ],
)
def test_no_line_is_wider_than_the_terminal_and_nothing_is_cut_off(words, status):
    lines = on_a_terminal(*words, status=status)
    assert max(map(len, lines)) <= 100
    assert "…" not in "".join(lines)


def test_a_training_and_its_measuring_fit_too_and_show_one_live_line(tmp_path):
    out = tmp_path / "runs"
    lines = on_a_terminal("train", *TINY, "--epochs", "2", "--out", out)
    assert any(line.strip().startswith("digits/pad/seed-0, epoch 2 of 2") for line in lines)
    assert any(line.startswith("epoch 2/2  reconstruction 0.") for line in lines)
    lines += on_a_terminal("evaluate", out / "digits/pad/seed-0")
    assert max(map(len, lines)) <= max(100, len(str(tmp_path)) + 100)  # a folder's name stays whole


def test_several_runs_show_the_live_line_alone(tmp_path):
    lines = on_a_terminal(
        "train", *TINY, "--epochs", "2", "--seeds", "3", "--workers", "1", "--out", tmp_path / "runs"
    )
    assert not [line for line in lines if line.startswith(("epoch", "digits/pad"))]
    shown = {line.strip(" ⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏━╸╺") for line in lines}
    assert any(line.startswith("run 3 of 3, epoch 2 of 2") for line in shown)


def test_off_a_terminal_a_line_stays_one_line(capsys):
    tell("its dreams are in " + "x" * 300 + " y" * 50)
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize("columns", [20, 40, 100])
def test_a_folded_line_breaks_between_words_and_loses_none(columns):
    line = "runs/digits/pad/seed-0: its dreams are in runs/digits/pad/seed-0/dreams, 3  of  them"
    found = folded(line, columns).split("\n")
    assert all(len(part) <= columns or len(part.split()) == 1 for part in found)
    assert " ".join(found).split() == line.split()
    assert all(part.startswith("    ") for part in found[1:])
