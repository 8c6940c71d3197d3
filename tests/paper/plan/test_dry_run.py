"""What `reproduce --dry-run` says of the load under which it measured."""

import pytest

from dreaming.paper.plan import dry_run
from dreaming.paper.plan.dry_run import Cost, Load, load_in_words, watched

HOURS = 3600.0
HAD = "the measuring thread had a core for"


@pytest.mark.parametrize(
    ("computed", "told", "share", "quiet"),
    [
        (0.5, ("100 1000000000 3", "100 2500000000 9"), 0.25, False),
        (
            1.9,
            ("100 0 3", "100 100000000 9"),
            0.95,
            True,
        ),  # what it slept, waiting for a thread, is no matter
        (0.0, ("100 0 3", "100 0 9"), 1.0, True),
        (0.5, ("", ""), 1.0, True),  # a system that does not tell
    ],
)
def test_the_share_is_of_the_time_that_the_measuring_thread_wanted_a_core(
    computed, told, share, quiet, monkeypatch, tmp_path
):
    times = iter([0.0, computed])
    monkeypatch.setattr(dry_run.time, "thread_time", lambda: next(times))
    monkeypatch.setattr(dry_run, "SCHEDULE", tmp_path / "schedstat")
    dry_run.SCHEDULE.write_text(told[0])
    with watched() as load:
        dry_run.SCHEDULE.write_text(told[1])
    assert (load().share, load().quiet) == (pytest.approx(share), quiet)


def said(share, average=7.25):
    load = Load(average, 2, share)
    return load_in_words(Cost({"a run": 200 * HOURS}, {"a run": 94 * HOURS}, 0.0, 100.0, load))


def test_a_promise_made_under_load_says_so_and_what_is_true_alone():
    assert said(0.25) == (
        f"Others took cores while this was measured: {HAD} 25 % of the time that it wanted one, with a load of 7.2 "
        "on 2 cores before. By what it computed, all would take about 73 h 30 min on a machine left alone; measure "
        "again there."
    )


def test_what_runs_recorded_of_themselves_is_not_scaled():
    cost = Cost({"a run": 200.0}, {"a run": 100.0}, 0.0, 100.0, Load(None, 2, 0.25), recorded=180.0)
    assert cost.alone == 180 + 0.25 * 120


def test_a_quiet_machine_is_told_of_in_a_line():
    had = f"While this was measured, {HAD} 97 % of the time that it wanted one"
    assert said(0.97, 0.31) == f"{had}, with a load of 0.3 on 2 cores before."
    assert said(0.97, None) == f"{had}."
