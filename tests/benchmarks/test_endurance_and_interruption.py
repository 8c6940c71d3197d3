"""What is called growth, and what is called a kept promise; one path at the smallest size."""

import json
import math
import signal
import sys

import pytest
from benchmarks.residence import Held

from benchmarks import endurance, growth, interruption, record
from dreaming.errors import UserError
from dreaming.system.signals import INTERRUPTED


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


def test_epochs_of_one_cycle_are_judged_by_as_many_as_a_day_has():
    looked = samples(1.0)
    assert growth.verdict("plain", looked) == "grows"
    assert growth.verdict("epochs of one cycle", looked) == "flat"


def test_processes_are_judged_by_their_mean(monkeypatch):
    monkeypatch.setattr(
        endurance, "held", lambda process: Held(rss=2.0 * process, own=process, files=3, threads=1)
    )
    watch = endurance.Watch(1, lambda: [100, 200])
    watch.cycle()
    (seen,) = watch.samples
    assert (seen["own"], seen["rss"], seen["files"], seen["threads"]) == (150, 300, 6, 2)


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
        (5.1, 0, "", True, "broken"),  # it heard nothing, and finished
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


HEARS = """
import signal, sys, time
def end(*signal):
    sys.stderr.write({said!r})
    sys.exit({status})
signal.signal(signal.SIGTERM, end)
print("working", flush=True)
time.sleep({seconds})
"""


@pytest.mark.parametrize(
    ("said", "status", "seconds", "verdict"),
    [(SENTENCE, 3, 600, "kept"), ("Traceback\n", 1, 600, "broken"), (SENTENCE, 3, 0, "done")],
)
def test_a_command_is_interrupted_at_its_moment(said, status, seconds, verdict, tmp_path, monkeypatch):
    code = HEARS.format(said=said, status=status, seconds=seconds)
    monkeypatch.setattr(interruption, "command", lambda words: [sys.executable, "-c", code])
    moment = interruption.Moment("work", ("dream",), "working", soon_over=True)
    # The verdicts above know of the promise; here it may be a busy machine.
    monkeypatch.setattr(interruption, "PROMISE", 60.0)
    row = interruption.interrupted(moment, signal.SIGTERM, 0.0 if seconds else 2.0, tmp_path)
    assert (row[""], row["verdict"]) == ("work", verdict)
    assert interruption.left(moment, tmp_path) < 60 if not seconds else row["seconds"] < 60
    assert not list(tmp_path.iterdir()), "what was made for it is gone"


def test_each_measuring_that_is_interrupted_has_all_to_measure(tmp_path, monkeypatch):
    """A run that one of them had measured would leave the next nothing to do."""
    (tmp_path / "runs").mkdir()
    monkeypatch.setattr(
        interruption,
        "command",
        lambda words: [sys.executable, "-c", f"open({words[1]!r} + '/measures.csv', 'w')"],
    )
    moment = interruption.Moment("evaluate", ("evaluate", str(tmp_path / "runs")))
    with interruption.given(moment, tmp_path) as (program, here):
        assert program.wait() == 0
        assert (here / "run/measures.csv").exists()
    assert not list((tmp_path / "runs").iterdir())


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
