"""The short part of the faults; `make faults` makes the long one."""

import signal

import pytest
from tests.robustness.faults import faults
from tests.robustness.faults.victims import Victims


@pytest.fixture(scope="module")
def victims(tmp_path_factory):
    with Victims(tmp_path_factory.mktemp("victims")) as made:
        yield made


@pytest.fixture(scope="module")
def undisturbed(victims, tmp_path_factory):
    return faults.undisturbed(victims, tmp_path_factory.mktemp("undisturbed"))


def test_runs_that_are_killed_at_random_come_to_the_same(victims, undisturbed, tmp_path):
    wanted, seconds = undisturbed
    row = faults.struck_at_random(victims, tmp_path, wanted, seconds, 3, signal.SIGKILL, seed=1)
    assert row["strikes"] >= 3


def test_runs_that_are_told_to_stop_at_random_come_to_the_same(victims, undisturbed, tmp_path):
    wanted, seconds = undisturbed
    row = faults.struck_at_random(victims, tmp_path, wanted, seconds, 2, signal.SIGTERM, seed=2)
    assert row["strikes"] >= 2


def test_a_death_in_the_middle_of_work_on_the_disk_costs_nothing(victims, undisturbed, tmp_path):
    points = faults.points_of(victims, tmp_path / "counted")
    assert points > 100
    chosen = [2, points // 2, points - 3]
    faults.struck_at_points(victims, tmp_path, undisturbed[0], "KILL", chosen)


def test_a_write_that_fails_is_said_and_costs_nothing(victims, undisturbed, tmp_path):
    assert (
        faults.struck_at_points(victims, tmp_path, undisturbed[0], "EIO", [60])["refused in a sentence"] == 1
    )
    assert (
        faults.struck_at_points(victims, tmp_path, undisturbed[0], "ENOSPC", [33])["refused in a sentence"]
        == 1
    )


def test_a_clock_that_jumps_changes_nothing(victims, undisturbed, tmp_path):
    faults.clock_that_jumps(victims, tmp_path, undisturbed[0], 1, seed=3)


def test_a_second_process_is_told_who_holds_the_run_and_a_dead_one_holds_nothing(
    victims, undisturbed, tmp_path
):
    faults.two_at_once(victims, tmp_path / "out", undisturbed[0])


def test_a_power_cut_costs_nothing(undisturbed, tmp_path):
    row = faults.power_cuts(tmp_path, undisturbed[0], share=0.02, seed=4)
    assert row["strikes"] >= 4


def test_damage_is_repaired_or_named(victims, undisturbed, tmp_path):
    faults.damaged_files(victims, tmp_path, undisturbed[0], 3, seed=5)
