"""What is called growth, and what is called a kept promise; one path at the smallest size."""

import json
import math
import sys

import pytest

from benchmarks import endurance, growth, interruption, record
from dreaming.errors import UserError
from dreaming.interrupts import INTERRUPTED


def samples(slope, seconds_a_cycle=0.01, every=25, count=40):
    """Memory that grows by so many MiB for 1,000 cycles, on a saw of a quarter of a MiB, after a large step."""
    return [
        {
            **{"cycles": every * i, "seconds": seconds_a_cycle * every * i},
            "own": 100.0 + slope * every * i / 1000 + (i % 2) / 4 + (30 if i > 5 else 0),
        }
        for i in range(1, count + 1)
    ]


@pytest.mark.parametrize(
    ("slope", "seconds", "said"), [(0.0, 0.01, "flat"), (5.0, 0.01, "grows"), (-5.0, 1.0, "flat")]
)
def test_growth_is_a_slope_that_is_not_nought(slope, seconds, said):
    found = growth.grown(samples(slope, seconds))
    assert found["low"] - 1e-6 <= slope <= found["high"] + 1e-6
    assert found["per 1,000"] == pytest.approx(slope, abs=0.5)
    assert found["cycles in 24 h"] == pytest.approx(min(growth.DAY / seconds, growth.FULL_WIDTH))
    assert growth.verdict("plain", samples(slope, seconds)) == said


def test_growth_too_slow_to_matter_in_a_day_is_none():
    found = growth.grown(samples(1.0, seconds_a_cycle=10))  # 8,640 cycles a day
    assert found["low"] > 0
    assert growth.verdict("plain", samples(1.0, seconds_a_cycle=10)) == "flat"


@pytest.mark.parametrize(
    ("step", "asked", "said"), [(0.5, 0.0, "flat, in steps"), (0.5, 5.0, "grows"), (50.0, 0.0, "grows")]
)
def test_a_small_step_of_what_is_resident_is_no_growth_if_no_more_is_asked_for(step, asked, said):
    looked = [
        each | {"own": 300 + step * (i // 8), "asked": 100 + asked * each["cycles"] / 1000}
        for i, each in enumerate(samples(0.0))
    ]
    assert growth.verdict("plain", looked) == said


SENTENCE = INTERRUPTED + "\n"


@pytest.mark.parametrize(
    ("seconds", "status", "said", "alone", "verdict"),
    [
        (1.0, 3, SENTENCE, True, "kept"),
        (5.1, 3, SENTENCE, True, "broken"),
        (1.0, 3, SENTENCE, False, "broken"),
        (1.0, 3, "", True, "broken"),
        (1.0, 3, f"Traceback (most recent call last):\n{SENTENCE}", True, "broken"),
        (1.0, 1, SENTENCE, True, "broken"),
        (0.0, 0, "", True, "done"),
        (0.1, -15, "", True, "too early"),
        (0.1, -2, "Traceback\nKeyboardInterrupt", True, "too early"),
        (0.1, 1, "object address\nTraceback\nKeyboardInterrupt", True, "too early"),
        (0.1, 1, "", True, "broken"),
        (0.1, -2, f'Traceback\n  File "{interruption.OURS}/cli.py", line 1', True, "broken"),
        (0.1, 1, f'Traceback\n  File "{interruption.OURS}/cli.py"\nKeyboardInterrupt', True, "broken"),
    ],
)
def test_a_promise_is_kept_soon_with_the_status_and_the_sentence_alone(seconds, status, said, alone, verdict):
    assert interruption.verdict(seconds, status, said, alone) == verdict


def test_a_path_at_the_smallest_size(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "NAME"])
    sizes = {"cycles": 20, "every": 2, "epoch": 10, "base_channels": 2, "latent_dim": 4, "batch": 8}
    folder = endurance.main(only=("plain, float32",), wide=0, out=tmp_path, **sizes)
    found = json.loads((folder / "record.json").read_text())
    assert (folder / "README.md").read_text() == record.rendered(found)
    (row,) = found["results"][0]["rows"]
    assert (row["cycles"], row["looks"]) == (20, 7)
    assert all(math.isfinite(value) for value in row.values() if isinstance(value, float))
    assert found["measured"]["plain, float32"]["cycles"] == list(range(2, 21, 2))
    with pytest.raises(UserError, match="no path 'plane'"):
        endurance.main(only=("plane",), out=tmp_path)
