"""Progress: one live line on a terminal, lines for a log, and no line wider than the terminal."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from dreaming.system import progress
from dreaming.system.progress import TerminalProgress


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets forward; of the time left, nothing depends on the machine."""
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture
def terminal(clock):
    """A terminal of 100 columns, with what it shows at the moment, and all that was written to it."""
    out = io.StringIO()
    with TerminalProgress(Console(file=out, force_terminal=True, width=100, color_system=None)) as display:
        yield SimpleNamespace(
            out=out, display=display, live=lambda: [task.description for task in display._live.tasks]
        )


def ran(part, cycles, clock=None, seconds=0.0):
    """Let a run go on for some cycles of some seconds."""
    for _ in range(cycles):
        if clock:
            clock.now += seconds
        part.cycle()


def test_progress_off_a_terminal_is_a_line_an_epoch_without_control_codes():
    out = io.StringIO()
    with TerminalProgress(Console(file=out, width=40, soft_wrap=True)) as display:
        display.start("digits/pad/seed-0", epochs=2, cycles=3, done=3)
        for _ in range(3):
            display.cycle()
        display.epoch(2, 75.0, {"reconstruction": 0.25, "NREM": 1.5})
    first, second = out.getvalue().splitlines()
    assert first == "digits/pad/seed-0: 2 epochs of 3 cycles, 3 cycles done"
    assert second == "epoch 2/2  reconstruction 0.25  NREM 1.5  1 min 15 s"


def test_several_runs_share_one_live_line_that_says_which_how_far_and_how_long(terminal, clock):
    display = terminal.display
    display.several(
        {"digits/pad/seed-0": 3.0, "digits/without_rem/seed-0": 2.0, "digits/wake_only/seed-0": 1.0}
    )
    first, second = (display.part(title) for title in list(display._costs)[:2])
    first.start("digits/pad/seed-0", epochs=2, cycles=5, done=0)
    assert terminal.live() == ["run 1 of 3, epoch 1 of 2"]
    second.start("digits/without_rem/seed-0", epochs=2, cycles=5, done=0)
    clock.now = 60.0
    ran(first, 5)
    ran(second, 5)
    # Half of 3 and of 2 was done in a minute: of 6 there are 3.5 left, at 2.5 a minute.
    assert terminal.live() == ["runs 1 and 2 of 3, epoch 2 of 2, 84 s left"]
    clock.now = 120.0
    ran(first, 5)
    first.over()
    third = display.part("digits/wake_only/seed-0")
    third.start("digits/wake_only/seed-0", epochs=2, cycles=5, done=0)
    assert terminal.live() == ["runs 2 and 3 of 3, epoch 1 of 2, 60 s left"]
    ran(second, 5)
    second.over()
    ran(third, 6)
    assert terminal.live() == ["run 3 of 3, epoch 2 of 2, 9 s left"]


def test_many_runs_at_once_are_said_from_the_first_to_the_last(terminal):
    titles = [f"digits/pad/seed-{seed}" for seed in range(20)]
    terminal.display.several(dict.fromkeys(titles, 1.0))
    for title in titles[2:18]:
        terminal.display.part(title).start(title, epochs=12, cycles=44, done=0)
    assert terminal.live() == ["runs 3 to 18 of 20, epoch 1 of 12"]


def test_runs_one_after_another_are_counted(terminal, clock):
    titles = [f"digits/pad/seed-{seed}" for seed in range(4)]
    terminal.display.several(dict.fromkeys(titles, 1.0))
    for title in titles[:3]:
        terminal.display.start(title, epochs=12, cycles=10, done=0)
        ran(terminal.display, 30 if title is titles[2] else 120, clock, seconds=1.0)
    assert terminal.live() == ["run 3 of 4, epoch 4 of 12, 4 min left"]


def test_what_was_done_before_does_not_make_it_look_fast(terminal, clock):
    terminal.display.start("digits/pad/seed-0", epochs=4, cycles=10, done=30)
    ran(terminal.display, 5, clock, seconds=2.0)
    assert terminal.live() == ["digits/pad/seed-0, epoch 4 of 4, 10 s left"]


def test_a_run_that_ended_before_its_time_is_not_waited_for(terminal, clock):
    terminal.display.several({"a": 1.0, "b": 1.0})
    first, second = terminal.display.part("a"), terminal.display.part("b")
    first.start("a", epochs=2, cycles=5, done=0)
    second.start("b", epochs=2, cycles=5, done=0)
    first.over()
    clock.now = 30.0
    ran(second, 5)
    assert terminal.live() == ["run 2 of 2, epoch 2 of 2, 10 s left"]


def test_pieces_of_work_take_the_live_line_one_after_another(terminal, clock):
    terminal.display.start("digits/pad/seed-0", epochs=1, cycles=1, done=0)
    ran(terminal.display, 1)
    for number, at, said in ((1, 0.0, ""), (2, 20.0, ", 60 s left"), (4, 60.0, ", 20 s left")):
        clock.now = at
        terminal.display.step("measuring run", number, 4)
        assert terminal.live() == [f"measuring run {number} of 4{said}"]
    clock.now = 100.0
    terminal.display.step("drawing figure", 1, 8)
    assert terminal.live() == ["drawing figure 1 of 8"]


def test_of_several_runs_and_pieces_of_work_a_terminal_keeps_no_lines_and_a_log_keeps_all(clock):
    kept = []
    for terminal in (True, False):
        out = io.StringIO()
        with TerminalProgress(Console(file=out, force_terminal=terminal, width=100)) as display:
            display.several({"a": 1.0, "b": 1.0})
            for name in ("a", "b"):
                part = display.part(name)
                part.start(name, epochs=1, cycles=2, done=0)
                ran(part, 2)
                part.epoch(1, 2.0, {"reconstruction": 0.32})
                part.over()
            for number in (1, 2):
                display.step("measuring run", number, 2)
            display.measured("a", {"readout": 1.0}, 80)
        kept.append(
            [said in out.getvalue() for said in ("epoch 1/1", "measured in", "measuring run 1 of 2\n")]
        )
    assert kept == [[False] * 3, [True] * 3]


def test_the_live_line_goes_when_the_work_is_done(clock):
    out = io.StringIO()
    with TerminalProgress(Console(file=out, force_terminal=True, width=100)) as display:
        display.start("digits/pad/seed-0", epochs=1, cycles=1, done=0)
        ran(display, 1)
    assert out.getvalue().endswith("\x1b[1A\x1b[2K")  # up one line, and that is wiped


def test_no_line_is_wider_than_the_terminal(terminal, clock):
    terms = {"reconstruction": 0.3212, "KL": 0.0764, "real": 0.6466, "NREM": 0.2915, "REM": 0.7665}
    terminal.display.start("digits/pad/seed-0", epochs=50, cycles=44, done=0)
    ran(terminal.display, 44, clock, seconds=70.0)
    terminal.display.epoch(1, 4000.0, {**terms, "lucid waking": 0.25, "spindle latent": 1.5})
    terminal.display.say("runs/digits/pad/seed-0: its dreams are in " + "runs/digits/pad/seed-0/dreams; " * 5)
    lines = [line for line in terminal.out.getvalue().replace("\r", "\n").split("\n") if "\x1b" not in line]
    assert max(map(len, lines)) <= 100
    assert sum(line.startswith("    ") for line in lines) == 3


def test_losses_are_said_by_name_and_an_epoch_of_pad_fits_into_a_line(terminal, clock):
    terminal.display.start("digits/pad/seed-0", epochs=50, cycles=44, done=0)
    ran(terminal.display, 44, clock, seconds=70.0)
    terms = {"reconstruction": 0.3212, "KL": 0.0764, "real": 0.6466, "NREM": 0.2915, "REM": 0.7665}
    terminal.display.epoch(1, 3080.0, terms)
    said = "epoch 1/50  reconstruction 0.321  KL 0.0764  real 0.647  NREM 0.291  REM 0.766  51 min 20 s"
    assert f"{said}, 41 h 55 min" in terminal.out.getvalue().replace("\n    ", " ")
