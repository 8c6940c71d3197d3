"""What `reproduce --dry-run` says of the load under which it measured."""

import pytest
import torch

from dreaming.paper import cost
from dreaming.paper.cost import Cost, Load, watched
from dreaming.paper.foresight import load_in_words

HOURS = 3600.0


def clocks(monkeypatch, own, wall):
    """Make clocks of the thread and of the wall that go on by so much between two looks."""
    for name, seconds in (("thread_time", own), ("perf_counter", wall)):
        times = iter([0.0, seconds])
        monkeypatch.setattr(cost.time, name, lambda times=times: next(times))


@pytest.mark.parametrize(
    ("device", "own", "share", "quiet"),
    [("cpu", 0.5, 0.25, False), ("cpu", 1.9, 0.95, True), ("cpu", 2.1, 1.0, True), ("cuda", 0.1, 1.0, True)],
)
def test_the_share_is_that_of_the_measuring_thread(device, own, share, quiet, monkeypatch):
    clocks(monkeypatch, own, 2.0)
    with watched(torch.device(device)) as load:
        pass
    assert (load().share, load().quiet) == (pytest.approx(share), quiet)


def said(share, average=7.25):
    return load_in_words(
        Cost({"a run": 200 * HOURS}, {"a run": 94 * HOURS}, 0.0, 100.0, Load(average, 2, share))
    )


def test_a_promise_made_under_load_says_so_and_what_is_true_alone():
    assert said(0.25) == (
        "Others took cores while this was measured: the measuring thread had one for 25 % of the time, with a load"
        " of 7.2 on 2 cores before. By what it computed, all would take about 73 h 30 min on a machine left alone;"
        " measure again there."
    )


def test_what_runs_recorded_of_themselves_is_not_scaled():
    cost = Cost({"a run": 200.0}, {"a run": 100.0}, 0.0, 100.0, Load(None, 2, 0.25), recorded=180.0)
    assert cost.alone == 180 + 0.25 * 120


def test_a_quiet_machine_is_told_of_in_a_line():
    assert said(0.97, 0.31) == (
        "Measured with 97 % of a core for the measuring thread, with a load of 0.3 on 2 cores before."
    )
    assert said(0.97, None) == "Measured with 97 % of a core for the measuring thread."
