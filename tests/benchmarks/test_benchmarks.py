import json
import math
import sys
from pathlib import Path

import pytest
import torch
from benchmarks.alternation import Published

from benchmarks import cycle, measure

PROGRAM = {
    "utils": """
class UnNormalize:
    def __call__(self, images):
        images.mul_(0.5)
        return images
""",
    "network": "import torchvision.models",
    "main_PAD": """
import sys
import torch
import torchvision.datasets as dset
import torchvision.transforms as transforms
from utils import UnNormalize

assert sys.argv[1:3] == ["--batchSize", "4"]
steps = [transforms.Resize(32), transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]
images = dset.CIFAR10(root=".", train=True, download=False, transform=transforms.Compose(steps))
loader = torch.utils.data.DataLoader(images, batch_size=4, shuffle=True, drop_last=True)
while True:
    for seen, label in loader:
        assert seen.shape == (4, 3, 32, 32) and seen.min() >= -1 and seen.max() <= 1
        before = seen.clone()
        UnNormalize()(seen)
        assert torch.equal(before, seen)
        print("a cycle")
""",
}


def test_statistics_of_known_numbers():
    assert measure.statistics([4.0, 1.0, 2.0, 3.0, 5.0]) == {
        "n": 5,
        "median": 3.0,
        "q1": 2.0,
        "q3": 4.0,
        "min": 1.0,
    }


def test_ratios_in_turn_do_not_see_a_slowdown_that_falls_on_both():
    times = {"slow": [[2.0, 2.0], [20.0, 20.0], [2.0, 2.0]], "fast": [[1.0, 1.0], [10.0, 10.0], [1.0, 1.0]]}
    found = measure.ratio(times, "slow", "fast")
    assert found == {"of_medians": 2.0, "in_turn": 2.0, "q1": 2.0, "q3": 2.0}


def test_ratio_of_medians_and_ratio_in_turn_differ():
    found = measure.ratio({"a": [[1.0], [6.0], [9.0]], "b": [[1.0], [2.0], [9.0]]}, "a", "b")
    assert found["of_medians"] == 3.0
    assert found["in_turn"] == 1.0


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


def test_json_keeps_lists_of_numbers_on_one_line():
    record = {"times_ms": {"a": [[1.5, 2.0], [3.0]]}, "names": ["x", "y"], "none": []}
    text = measure.as_json(record)
    assert json.loads(text) == record
    assert "[1.5, 2.0]" in text


def test_cycle_writes_a_record_and_its_page(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "cycle"])
    monkeypatch.setattr(cycle, "SHAPES", ((8, 8, 8), (16, 8, 4)))
    folder = cycle.main(rounds=2, block=2, base_channels=2, latent_dim=4, batch=4, device="cpu", out=tmp_path)
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    assert record["benchmark"] == "cycle"
    assert record["command"] == ["python", "-m", "benchmarks", "cycle"]
    assert record["threads"] == torch.get_num_threads()
    assert len(record["load_before"]) == 3
    assert set(record["environment"]) >= {"versions", "commit", "machine"}
    assert record["settings"]["multiply_accumulates"] > 0
    assert [len(block) for block in record["times_ms"]["float32"]] == [2, 2]
    titles = [table["title"] for table in record["results"]]
    assert titles == ["Cycles", "Ratios", "Cycle / floor", "Matrix products"]
    for table in record["results"]:
        for row in table["rows"]:
            assert all(math.isfinite(value) for value in row.values() if isinstance(value, float))
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert page == measure.rendered(record)
    assert "| bfloat16 / float32 |" in page


def test_a_second_record_of_a_day_has_its_own_folder(tmp_path, capsys):
    session = measure.Session("name", tmp_path)
    first, second = (session.write([], {}, {}, "") for _ in range(2))
    assert (first.name + "_2", first.parent) == (second.name, second.parent)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    for name, text in PROGRAM.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_published_program_works_block_by_block_over_the_end_of_its_epoch(program):
    images = torch.arange(12 * 3 * 32 * 32).remainder(256).to(torch.uint8).view(12, 3, 32, 32)
    with Published(program, images, 4, 2, 8, torch.device("cpu")) as published:
        assert [len(published(count)) for count in (2, 4, 1)] == [2, 4, 1]
        assert min(published(3)) > 0


def test_a_published_program_that_fails_says_why(program):
    (program / "main_PAD.py").write_text("raise ValueError('the reason')", encoding="utf-8")
    images = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
    published = Published(program, images, 4, 2, 8, torch.device("cpu"))
    with published, pytest.raises(SystemExit, match="the reason"):
        published(1)


def test_a_folder_without_the_published_program_is_refused(tmp_path):
    with pytest.raises(SystemExit, match=r"holds no main_PAD\.py"):
        Published(tmp_path, torch.zeros(1, 3, 32, 32), 4, 2, 8, torch.device("cpu"))
