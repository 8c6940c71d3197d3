"""Seconds of stages: each its own alone, and all together the whole."""

from contextlib import suppress

import pytest

from dreaming.evaluation import stopwatch
from dreaming.evaluation.stopwatch import Stopwatch
from dreaming.system.progress import TerminalProgress


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on when it is told to."""
    now = [0.0]
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: now[0])

    def spend(seconds):
        now[0] += seconds

    return spend


def test_a_stage_within_another_counts_as_its_own_alone(clock):
    watch = Stopwatch()
    with watch.stage("robustness"):
        clock(1)
        with watch.stage("training"):
            clock(2)
            with watch.stage("inference"):
                clock(4)
        with watch.stage("inference"):
            clock(8)
        clock(16)
    with watch.stage("robustness"):
        clock(32)
    assert watch.seconds == {"inference": 12, "training": 2, "robustness": 49}


def test_a_stage_that_fails_is_counted_too(clock):
    watch = Stopwatch()
    with watch.stage("outer"), suppress(OSError):
        clock(2)
        with watch.stage("inner"):
            clock(1)
            raise OSError("full")
    assert watch.seconds == {"inner": 1, "outer": 2}


def test_stages_are_told_in_one_line(capsys):
    TerminalProgress().measured("digits/pad/seed-0", {"inference": 75.0, "readout": 0.5}, 12_345)
    said = "measured in 1 min 16 s (inference 1 min 15 s, readout 0.5 s); 12,345 images inferred"
    assert capsys.readouterr().out == f"digits/pad/seed-0: {said}\n"
