"""The statistics of what takes turns, and the arithmetic of the tables, on times that are known."""

import math

import pytest

from benchmarks import cycle, layers, measure, memory, population, record, scaling
from dreaming.errors import UserError

KNOWN = {"slow": [[2.0, 4.0], [20.0, 20.0], [3.0, 3.0]], "fast": [[1.0, 1.0], [10.0, 10.0], [2.0, 2.0]]}


def test_statistics_of_known_numbers():
    assert measure.statistics([4.0, 1.0, 2.0, 3.0, 5.0]) == {
        "n": 5,
        "median": 3.0,
        "q1": 2.0,
        "q3": 4.0,
        "min": 1.0,
    }


def test_the_ratio_in_turn_is_of_each_rounds_pair_and_has_a_spread():
    found = measure.ratio(KNOWN, "slow", "fast")
    assert found["of medians"] == 3.5 / 2.0
    assert found["in turn"] == {"n": 3, "median": 2.0, "q1": 1.75, "q3": 2.5, "min": 1.5, "max": 3.0}


def test_ratios_in_turn_do_not_see_a_slowdown_that_falls_on_both():
    slowed = {name: [[9 * time for time in times[0]], *times[1:]] for name, times in KNOWN.items()}
    assert measure.ratio(slowed, "slow", "fast")["in turn"] == measure.ratio(KNOWN, "slow", "fast")["in turn"]
    assert measure.ratio(slowed, "slow", "fast")["of medians"] != 3.5 / 2.0


def test_ways_take_turns_and_each_begins_a_round():
    order = []

    def way(name):
        def work(count):
            order.append(name)
            return [float(i) for i in range(count)]

        return work

    times = measure.in_turn({"a": way("a"), "b": way("b")}, 3, block=2, drop=1, warm=1)
    assert order == ["b", "a", "a", "b", "b", "a", "a", "b"]
    assert times == {"a": [[1.0, 2.0]] * 3, "b": [[1.0, 2.0]] * 3}


@pytest.mark.parametrize(("rounds", "block"), [(0, 1), (1, 0)])
def test_a_comparison_of_nothing_is_refused(rounds, block):
    with pytest.raises(UserError, match="nothing to compare"):
        measure.in_turn({"a": lambda count: [1.0] * count}, rounds, block=block)


def test_a_headline_names_its_base_as_it_is_told():
    found = measure.headline("what", KNOWN, "slow", "fast", "the other")
    assert found == {
        "": "what",
        "median": 3.5,
        "unit": "ms",
        "n": 6,
        "beside": "the other",
        "in turn": measure.ratio(KNOWN, "slow", "fast")["in turn"],
    }


def test_the_floor_is_the_cycles_work_at_the_rate_of_the_fastest_product():
    floors = {
        ("float32", (10, 10, 10)): "small",
        ("float32", (20, 10, 10)): "large",
        ("bfloat16", (1, 1, 1)): "other",
    }
    times = {
        "float32": [[30.0], [60.0]],
        "small": [[1.0], [2.0]],
        "large": [[1.0], [2.0]],
        "other": [[9.0], [9.0]],
    }
    scaled = cycle.as_cycles(times, floors, work=40_000)
    assert scaled["small"] == [[40.0], [80.0]]
    assert scaled["large"] == [[20.0], [40.0]]
    row = cycle.floor_row(times, scaled, "float32", floors)
    assert (row["product"], row["floor ms"]) == ("large", 30.0)
    assert row["in turn"]["median"] == 1.5
    assert cycle.lowest(scaled, "float32 captured", floors) == "large"
    assert cycle.product_row(times, ("float32", (20, 10, 10)), "large")["GFLOP/s"] == 4000 / 1.5e-3 / 1e9


def test_exponents_are_those_of_powers():
    times = {"1": [[5.0]], "2": [[10.0]], "4": [[80.0]]}
    assert [row.get("exponent") for row in scaling.exponents(times, ["1", "2", "4"], [1, 2, 4])] == [
        None,
        1.0,
        2.0,
    ]


def test_cortices_share_the_time_of_their_program():
    rows = scaling.shared(
        {"1 cortices": [[8.0], [8.0]], "4 cortices": [[16.0], [16.0]]}, "{} cortices", [1, 4]
    )
    assert [row["ms each"] for row in rows] == [8.0, 4.0]
    assert rows[1]["in turn"]["median"] == 0.5
    assert rows[1]["exponent"] == 0.5


def test_all_layers_are_summed_round_by_round():
    def times(ours, default, other):
        return {"dreaming": ours, "conv2d (NCHW)": default, "conv2d": other}

    found = layers.total(
        {
            "a, forward and gradients, float32": times([[1.0], [3.0]], [[4.0], [4.0]], [[2.0], [4.0]]),
            "b, forward and gradients, float32": times([[1.0], [3.0]], [[4.0], [8.0]], [[0.5], [1.0]]),
            "b, forward, float32": times([[99.0], [99.0]], [[99.0], [99.0]], [[99.0], [99.0]]),
            "b, forward and gradients, bfloat16": times([[99.0], [99.0]], [[99.0], [99.0]], [[99.0], [99.0]]),
        },
        "float32",
    )
    assert [line["median"] for line in found] == [4.0, 4.0]  # of 2 and 6
    assert found[0]["in turn"]["median"] == (2 / 8 + 6 / 12) / 2
    assert found[1]["in turn"]["median"] == pytest.approx((2 / 1.5 + 6 / 4) / 2)


def test_memory_is_compared_process_by_process():
    peaks = {
        "float32": [{"cycles": 100.0}, {"cycles": 200.0}],
        "bfloat16": [{"cycles": 50.0}, {"cycles": 150.0}],
    }
    assert "in turn" not in memory.headline(peaks, "float32")
    found = memory.headline(peaks, "bfloat16")
    assert (found["median"], found["unit"], found["in turn"]["median"]) == (100.0, "MiB", 0.625)


def test_population_divides_seconds_after_the_first_epoch_by_the_cycles_of_all_runs(tmp_path):
    folders = []
    for number, seconds in enumerate([2.0, 4.0]):
        folder = tmp_path / f"{number}"
        run = population.RunFolder(folder)
        run.write_table(
            run.losses,
            population.pd.DataFrame(
                {"epoch": [1, 2, 3], "cycles": [5, 5, 5], "seconds": [100.0, seconds, seconds]}
            ),
        )
        run.config.write_bytes(b"seed: 0")
        folders.append(folder)
    assert population.finished(folders, sum) == (12.0 / 20, 30)
    assert population.finished(folders, max) == (8.0 / 20, 30)


def test_json_keeps_lists_of_numbers_on_one_line():
    found = {"measured": {"ms": {"a": [[1.5, 2.0], [3.0]]}}, "names": ["x", "y"], "none": []}
    text = record.as_json(found)
    assert record.json.loads(text) == found
    assert "[1.5, 2.0]" in text


def test_cells_show_four_digits_and_spreads():
    assert record.cell(1234.5) == "1234"
    assert record.cell(0.123456) == "0.1235"
    assert record.cell(None) == ""
    assert record.cell({"median": 2.0, "q1": 1.754, "q3": 2.5}) == "2 (1.75–2.5)"
    assert math.isclose(float(record.cell(math.pi)), math.pi, rel_tol=1e-3)
