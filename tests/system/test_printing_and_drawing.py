"""Nothing that is printed is shortened; figures are drawn under settings of our own, and leave the user's alone."""

import io
import os
import re
import subprocess
import sys

import matplotlib as mpl
import pytest

from dreaming.system.plotting import own_settings
from dreaming.system.progress import Screen, TerminalProgress, print_table

NAMES = ("pad+rem.replay.noise-0.123456789", "without_memory_mix", "wake_only")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_no_cell_of_a_table_is_shortened_on_a_terminal_of_any_width(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys, "stdout", Terminal())
    rows = [(name, "12.3456 ± 0.1234", "") for name in NAMES]
    print_table(("condition", "latent", "missing"), rows, "readout accuracy in %")
    said = sys.stdout.getvalue()
    assert "…" not in said
    flat = said.replace("\n    ", " ")  # a line that is too wide goes on below, set in
    for row in rows:
        (line,) = [line for line in flat.splitlines() if row[0] in line]
        assert row[1] in line
    assert "readout accuracy in %" in flat


def test_a_table_in_a_log_is_one_however_wide(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    print_table(("run", "for"), [("digits/pad/seed-0", "figure, " * 100)])
    assert "figure, " * 100 in sys.stdout.getvalue()


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_neither_names_nor_numbers_beside_a_bar_are_shortened(columns):
    seen = io.StringIO()
    with TerminalProgress(Screen(file=seen, force_terminal=True, width=columns)) as progress:
        part = progress.part("digits")
        part.start(f"house_digits/{NAMES[0]}/seed-4294967296", 300, 1150, 0)
        part.cycle()
    said = seen.getvalue()
    assert "…" not in said
    assert "epoch1of300" in re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]|\s", "", said)


def test_what_a_user_set_does_not_reach_our_figures_and_stays():
    with mpl.rc_context({"text.usetex": True, "font.size": 30, "figure.facecolor": "red"}):
        with own_settings({"font.size": 9}):
            inside = [mpl.rcParams[name] for name in ("text.usetex", "font.size", "figure.facecolor")]
        assert inside == [False, 9, mpl.rcParamsDefault["figure.facecolor"]]
        assert (mpl.rcParams["text.usetex"], mpl.rcParams["font.size"]) == (True, 30)


def fresh(code, folder, **env):
    """Run code in a process that has not imported matplotlib."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **env}
    code = f"import os\nfrom dreaming.system.plotting import own_settings\n{code}"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("backend", "then"), [("svg", "svg"), ("module://not_installed.backend", None), ("nonsense", None)]
)
def test_the_backend_of_a_notebook_need_not_be_there_and_is_kept(backend, then, tmp_path):
    code = """
with own_settings():
    from matplotlib.figure import Figure
    Figure().savefig("figure.png")
import matplotlib
print(os.environ["MPLBACKEND"], dict.__getitem__(matplotlib.rcParams, "backend"))
"""
    done = fresh(code, tmp_path, MPLBACKEND=backend)
    assert done.returncode == 0, done.stderr
    environment, _, kept = done.stdout.strip().partition(" ")
    assert environment == backend
    assert then is None or kept == then
    assert (tmp_path / "figure.png").stat().st_size


def test_a_file_that_matplotlib_cannot_read_is_named_in_a_sentence(tmp_path):
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe")
    done = fresh("with own_settings(): pass", tmp_path)
    assert "UserError: matplotlib cannot be used (" in done.stderr
    assert done.stderr.rstrip().endswith("; mend or move your matplotlibrc")
