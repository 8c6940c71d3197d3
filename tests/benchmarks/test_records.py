"""Each benchmark at the smallest size: what its record holds, and that its tables are made of what was measured."""

import contextlib
import json
import math
import subprocess
import sys
from statistics import median

import pytest
import torch

import dreaming
from benchmarks import (
    cycle,
    data,
    evaluation,
    every,
    layers,
    memory,
    population,
    readout,
    record,
    scaling,
    waiting,
)
from dreaming.data import load_dataset
from dreaming.errors import UserError

SMALL = {"base_channels": 2, "latent_dim": 4, "batch": 4}


@pytest.fixture(autouse=True)
def _called(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "NAME"])


def read(folder):
    found = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    assert (folder / "README.md").read_text(encoding="utf-8") == record.rendered(found)
    return found


def whole(found):
    """Make sure of what every record has to hold, and that no number in it is none."""
    assert found["command"] == ["python", "-m", "benchmarks", "NAME"]
    assert found["threads"] == torch.get_num_threads()
    assert len(found["load_before"]) == 3
    assert set(found["environment"]) >= {"versions", "commit", "machine"}
    assert found["baseline"]
    assert found["headlines"]
    for line in found["headlines"]:
        assert set(line) >= {"", "median", "unit", "n"}
        assert ("beside" in line) == ("in turn" in line)
    for table in found["results"]:
        assert table["rows"], table["title"]
        for row in table["rows"]:
            assert all(math.isfinite(value) for value in row.values() if isinstance(value, float))


def table(found, title):
    return {row[""]: row for row in next(t["rows"] for t in found["results"] if t["title"] == title)}


def flat(times):
    return [time for block in times for time in block]


def test_waiting(tmp_path, monkeypatch):
    loops = []
    monkeypatch.setattr(waiting, "busy", lambda count: contextlib.nullcontext(loops.append(count)))
    found = read(waiting.main(rounds=2, block=1, out=tmp_path, **SMALL))
    whole(found)
    assert loops == [found["settings"]["loops"]]
    assert len(table(found, "Cycles")) == len(table(found, "Ratios")) == 4
    assert all(row["n"] == 2 for row in table(found, "Cycles").values())


def test_busy_loops_end_with_their_block(monkeypatch):
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(
        waiting.subprocess, "Popen", lambda *words: started.append(popen(*words)) or started[-1]
    )
    with waiting.busy(1):
        assert started[0].poll() is None
    assert started[0].poll() is not None


def test_cycle(tmp_path, monkeypatch):
    monkeypatch.setattr(cycle, "SHAPES", ((8, 8, 8), (16, 8, 4)))
    found = read(cycle.main(rounds=3, block=2, device="cpu", out=tmp_path, **SMALL))
    whole(found)
    times = found["measured"]["ms"]
    assert [len(block) for block in times["float32"]] == [2, 2, 2]
    assert table(found, "Cycles")["float32"]["n"] == 6
    assert table(found, "Cycles")["float32"]["median ms"] == pytest.approx(
        median(flat(times["float32"])), rel=1e-5
    )
    pairs = [median(a) / median(b) for a, b in zip(times["bfloat16"], times["float32"], strict=True)]
    told = table(found, "Ratios")["bfloat16 / float32"]["in turn"]
    assert told["median"] == pytest.approx(median(pairs), rel=1e-4)
    assert (told["n"], told["min"], told["max"]) == (
        3,
        pytest.approx(min(pairs), rel=1e-4),
        pytest.approx(max(pairs), rel=1e-4),
    )
    floor = table(found, "Cycle / floor")["float32"]
    rate = table(found, "Matrix products")[floor["product"]]["GFLOP/s"]
    assert floor["floor ms"] == pytest.approx(
        2e-6 * found["settings"]["multiply_accumulates"] / rate, rel=1e-6
    )
    assert found["settings"]["auto"] == "float32"


def test_layers(tmp_path):
    found = read(
        layers.main(
            rounds=1,
            device="cpu",
            out=tmp_path,
            base_channels=4,
            latent_dim=4,
            batch=2,
            precisions=("float32",),
        )
    )
    whole(found)
    titles = [t["title"] for t in found["results"]]
    assert len(titles) == 1 + 5 * 2 * 2  # the summary; layers, pathways, measures
    assert {"dreaming", "untiled", "by tiles", "by product", "conv2d", "conv2d (NCHW)"} == set(
        table(found, titles[1])
    )
    first = table(found, titles[1])["dreaming"]
    assert first["GFLOP/s"] == pytest.approx(2e-6 * 2 * 16 * 16 * 4 * 3 * 16 / first["median ms"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_all_ways_of_a_layer_are_one_layer(dtype):
    w = layers.drawn((8, 4, 4, 4), dtype, torch.device("cpu"))
    fine, coarse = (layers.drawn(shape, dtype, torch.device("cpu")) for shape in ((2, 4, 8, 8), (2, 8, 4, 4)))
    for ways, map_ in ((layers.ascending(8), fine), (layers.descending(8), coarse)):
        results = [way(map_, w).float() for way in ways.values()]
        for other in results[1:]:
            torch.testing.assert_close(
                other, results[0], rtol=0.05, atol=0.2 if dtype == torch.bfloat16 else 1e-4
            )
    fine, coarse = (layers.drawn(shape, dtype, torch.device("cpu")) for shape in ((2, 4, 4, 4), (2, 8, 1, 1)))
    up, down = (
        [way(map_, w).float() for way in ways.values()]
        for ways, map_ in ((layers.ascending(4), fine), (layers.descending(4), coarse))
    )
    torch.testing.assert_close(up[1].flatten(1), up[0], rtol=0.05, atol=0.2)
    torch.testing.assert_close(layers.by_pixel(down[1]), down[0], rtol=0.05, atol=0.2)


def test_data(tmp_path):
    found = read(data.main("digits", rounds=2, loads=2, batch=4, out=tmp_path))
    whole(found)
    rows = table(found, "A mini-batch of 4")
    assert rows["dreaming"]["n"] == rows["loader"]["n"] == 20
    assert rows["loader"]["ratio to"] == "dreaming"


@pytest.mark.changes_global_state  # the plain loop is seeded as anybody would seed it
def test_readout(tmp_path):
    found = read(
        readout.main(
            images=640, snapshots=2, epochs=2, plain_epochs=1, rounds=2, infer_images=8, out=tmp_path
        )
    )
    whole(found)
    times = found["measured"]["ms"]
    assert flat(times["plain, scaled"]) == pytest.approx(
        [4 * time for time in flat(times["plain"])], rel=1e-4
    )
    accuracies = found["measured"]["percent"]
    assert len(accuracies["together"]) == len(accuracies["plain"]) == 2
    assert min(accuracies["together"] + accuracies["plain"]) > 12  # of ten classes


def test_evaluation(tmp_path, monkeypatch, without_drawing):
    few = load_dataset("digits", limit=100)
    monkeypatch.setattr(evaluation, "load_dataset", lambda name: few)
    monkeypatch.setattr("dreaming.runs.images.load_dataset", lambda *args, **options: few)
    found = read(evaluation.main(snapshots=2, figures=3, base_channels=2, latent_dim=4, out=tmp_path))
    whole(found)
    n_train, n_test = len(few.train), len(few.test)
    three = n_train + n_test + (9 * n_test + 1) + n_test
    snapshots, figures = found["measured"]["snapshots"], found["measured"]["figures"]
    assert snapshots["images inferred"] == 2 * three
    assert figures["images inferred"] == three + 2 * (n_train + n_test)
    stages = table(found, "Stages: 2 snapshots of digits, snapshots")
    assert {"images", "controls", "inference", "training of readouts", *evaluation.MEASURES.split(",")} < set(
        stages
    )
    assert snapshots["s"] == pytest.approx(sum(row["s"] for row in stages.values()), rel=1e-4)
    assert evaluation.multiply_accumulates(dreaming.configure("pad").networks.build(0)) == 18_612_224


def test_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "IMAGES", 10_000)
    found = read(
        memory.main(cycles=1, rounds=1, precisions=("float32",), device="cpu", out=tmp_path, **SMALL)
    )
    whole(found)
    (peaks,) = found["measured"]["MiB"]["float32"]
    assert peaks["imports"] + 25 < peaks["data"] <= peaks["cycles"]  # 10,000 images are 29 MiB
    told = {row["after"]: row["median"] for row in found["results"][0]["rows"]}
    assert told == pytest.approx(peaks, rel=1e-5)


def test_scaling(tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "FEW", 100)
    sizes = {"widths": (2, 4), "batches": (4, 8), "images": (64, 128), "cortices": (1, 2)}
    found = read(
        scaling.main(rounds=1, block=1, device="cpu", out=tmp_path, precisions=("float32",), **sizes, **SMALL)
    )
    whole(found)
    assert [len(t["rows"]) for t in found["results"]] == [2] * 7
    rows = table(found, "Cortices in one program, a cycle of all")
    assert rows["2 cortices"]["ms each"] == pytest.approx(rows["2 cortices"]["median ms"] / 2)
    assert found["headlines"][-1]["median"] == rows["2 cortices"]["ms each"]


def test_population(tmp_path, without_drawing):
    small = {"base_channels": 2, "latent_dim": 4, "batch": 4, "epochs": 2, "cycles": 3, "device": "cpu"}
    found = read(population.main(cortices=(1, 2), rounds=1, processes=False, out=tmp_path, **small))
    whole(found)
    alone, around = (table(found, title) for title in ("Training alone", "With start"))
    assert list(alone) == ["1 run", "ensemble of 1", "ensemble of 2"]
    assert all(alone[way]["median ms"] < around[way]["median ms"] for way in alone)
    assert alone["ensemble of 2"]["cycles/s"] == pytest.approx(1e3 / alone["ensemble of 2"]["median ms"])
    assert found["settings"]["precision"] == "float32"


def test_population_asks_for_an_epoch_to_leave_out(tmp_path):
    with pytest.raises(UserError, match="--epochs has to be 2"):
        population.main(epochs=1, out=tmp_path)


def test_a_second_record_of_a_day_has_its_own_folder(tmp_path):
    about = {"baseline": "none", "headlines": [{"": "what", "median": 1.0, "unit": "ms", "n": 1}]}
    taken = record.Record("name", tmp_path)
    first, second = (taken.write([], {}, {}, "", **about) for _ in range(2))
    assert (first.name + "_2", first.parent) == (second.name, second.parent)


def test_the_table_of_all_records_has_the_newest_of_each(tmp_path):
    taken = record.Record("name", tmp_path)
    for value in (1.0, 2.0):
        line = {"": "what", "median": value, "unit": "ms", "n": 3, "beside": "that"}
        spread = {"n": 3, "median": 0.5, "q1": 0.4, "q3": 0.6, "min": 0.1, "max": 0.9}
        folder = taken.write([], {}, {}, "", baseline="that", headlines=[{**line, "in turn": spread}])
    found = record.main(tmp_path).splitlines()
    assert found[0] == "| what | median | n | beside | × as long | record |"
    assert found[2:] == [
        f"| what | 2 ms | 3 | that | 0.5 (0.4–0.6) | [{folder.name}](records/{folder.name}) |"
    ]


def test_every_benchmark_has_smallest_settings_which_it_understands():
    mains = {"cycle": cycle, "layers": layers, "data": data, "readout": readout, "memory": memory}
    mains |= {"scaling": scaling, "population": population}
    assert list(every.SMALLEST) == ["cycle", "layers", "data", "readout", "memory", "scaling", "population"]
    for name, asked in every.SMALLEST.items():
        known = mains[name].main.__code__.co_varnames[: mains[name].main.__code__.co_argcount]
        options = [word.removeprefix("--").replace("-", "_") for word in asked if word.startswith("--")]
        assert set(options) <= set(known), name
        assert (name in every.DEVICES) == ("device" in known), name
        assert (name in every.BESIDE) == ("published" in known), name


def test_each_benchmark_is_told_what_concerns_it(tmp_path):
    asked = {
        "published": tmp_path / "p",
        "data_dir": tmp_path,
        "trust_data": True,
        "device": "cpu",
        "threads": 2,
    }
    device = ["--device", "cpu", "--threads", "2"]
    seen = ["--data-dir", str(tmp_path), "--trust-data"]
    assert every.options("layers", **asked) == device
    assert every.options("data", **asked) == ["cifar10", *seen, "--threads", "2"]
    assert every.options("cycle", **asked) == [*seen, "--published", str(tmp_path / "p"), *device]


def test_an_unknown_benchmark_is_refused():
    with pytest.raises(UserError, match="no benchmark 'cycles'"):
        every.main(only=("cycles",))
