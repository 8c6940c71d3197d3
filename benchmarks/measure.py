"""Timing in turn, its statistics, and the record folder: what all benchmarks share.

Ways to be compared are measured in rounds, each way a block in each round, so that whatever else the machine does
falls on all of them. A comparison is the ratio of the medians over all times, and, what noise disturbs less, the
median over rounds of the ratio of the medians of two blocks that ran one after the other.
"""

import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreaming import hardware
from dreaming.data import Dataset, load

RECORDS = Path(__file__).parent / "records"
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Way = Callable[[int], list[float]]
"""Works so many times and returns the milliseconds of each."""
Times = dict[str, list[list[float]]]
"""The milliseconds of each way in each round."""
Row = dict[str, Any]
Table = tuple[str, list[Row]]


def repeated(work: Callable[[], Any], device: torch.device | str = "cpu") -> Way:
    """Make a way of a piece of work: each time begins and ends with an idle device."""
    idle = torch.cuda.synchronize if torch.device(device).type == "cuda" else lambda: None

    def way(count: int) -> list[float]:
        times = []
        for _ in range(count):
            idle()
            begin = time.perf_counter()
            work()
            idle()
            times.append(1e3 * (time.perf_counter() - begin))
        return times

    return way


def in_turn(ways: Mapping[str, Way], rounds: int, *, block: int = 1, drop: int = 0, warm: int = 1) -> Times:
    """Measure ways in rounds; each round begins with another way.

    Parameters
    ----------
    ways
        What is compared, by name.
    rounds
        How often each way has its turn.
    block
        How often a way works in its turn.
    drop
        How many of a block's first times are left out.
    warm
        Rounds before those that count.
    """
    names, times = list(ways), {name: [] for name in ways}
    for turn in range(-warm, rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            found = ways[name](block + drop)[drop:]
            if turn >= 0:
                times[name].append(found)
    return times


def statistics(values: Sequence[float]) -> dict[str, float]:
    """Count, median, quartiles and minimum."""
    q1, median, q3 = np.percentile(values, [25, 50, 75])
    return {
        "n": len(values),
        "median": float(median),
        "q1": float(q1),
        "q3": float(q3),
        "min": float(min(values)),
    }


def flat(rounds: list[list[float]]) -> list[float]:
    """All times of a way."""
    return [value for block in rounds for value in block]


def ratio(times: Times, way: str, base: str) -> dict[str, float]:
    """How many times as long one way takes as another."""
    over, under = times[way], times[base]
    pairs = [float(np.median(a) / np.median(b)) for a, b in zip(over, under, strict=True)]
    each = statistics(pairs)
    return {
        "of_medians": float(np.median(flat(over)) / np.median(flat(under))),
        "in_turn": each["median"],
        "q1": each["q1"],
        "q3": each["q3"],
    }


def row(times: Times, way: str, base: str | None = None, **more: Any) -> Row:
    """The row of a table: the way's statistics in ms, and beside a base its ratios."""
    found: Row = {
        "": way,
        **{k if k == "n" else f"{k} ms": v for k, v in statistics(flat(times[way])).items()},
    }
    if base is not None:
        found |= {"ratio to": base, **shortened(ratio(times, way, base))}
    return found | more


def shortened(found: dict[str, float]) -> dict[str, Any]:
    """Ratios as they stand in a table, the quartiles in one cell."""
    return {
        "of medians": found["of_medians"],
        "in turn": found["in_turn"],
        "quartiles": f"{found['q1']:.3g}–{found['q3']:.3g}",
    }


@dataclass
class Session:
    """One benchmark on its way: it settles the process, notes the load before, and writes the record.

    Attributes
    ----------
    name
        Of the record folder, ``OUT/DATE_NAME``.
    out
        The folder of records.
    threads
        torch's threads; None leaves them.
    device
        As in a config.
    """

    name: str
    out: Path = RECORDS
    threads: int | None = None
    device: str = "cpu"
    load: tuple[float, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        self.load = os.getloadavg()
        hardware.keep_memory()
        if self.threads:
            torch.set_num_threads(self.threads)
        self.where = hardware.device(self.device)

    def write(
        self, tables: Sequence[Table], times: Mapping[str, Any], settings: Mapping[str, Any], notes: str
    ) -> Path:
        """Write record.json and its README.md into a new folder, and print the tables."""
        environment = hardware.record(self.where)
        record = {
            "benchmark": self.name,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": ["python", "-m", "benchmarks", *environment["command"][1:]],
            "settings": {key: str(v) if isinstance(v, Path) else v for key, v in settings.items()},
            "threads": torch.get_num_threads(),
            "cores_allowed": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
            "load_before": [round(value, 2) for value in self.load],
            "environment": environment,
            "results": [{"title": title, "rows": rows} for title, rows in tables],
            "notes": notes,
            "times_ms": rounded(times),
        }
        folder = self._new_folder(record["date"][:10])
        (folder / "record.json").write_text(as_json(record), encoding="utf-8")
        page = rendered(record)
        (folder / "README.md").write_text(page, encoding="utf-8")
        print(f"{page}\n{folder}")
        return folder

    def _new_folder(self, date: str) -> Path:
        names = [f"{date}_{self.name}", *(f"{date}_{self.name}_{i}" for i in range(2, 1000))]
        folder = next(self.out / name for name in names if not (self.out / name).exists())
        folder.mkdir(parents=True)
        return folder


def rounded(value: Any) -> Any:
    """Times with four decimals, at any depth."""
    if isinstance(value, Mapping):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value


def as_json(record: Mapping[str, Any]) -> str:
    """JSON with each list of numbers on one line."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    return re.sub(r"\[[-+.\de,\s]*\]", _on_one_line, text) + "\n"


def _on_one_line(found: re.Match[str]) -> str:
    return f"[{' '.join(found[0][1:-1].split())}]"


def rendered(record: Mapping[str, Any]) -> str:
    """The record as a page of tables; nothing on it that is not in the record."""
    machine, versions = record["environment"]["machine"], record["environment"]["versions"]
    load = ", ".join(str(value) for value in record["load_before"])
    parts = [
        f"# {record['benchmark']}, {record['date'][:10]}",
        f"    {' '.join(record['command'])}",
        f"Commit {record['environment']['commit']}; {machine['processor']}, {record['threads']} threads on "
        f"{record['cores_allowed']} of {machine['cores']} cores, device {machine['device']}; "
        f"torch {versions['torch']}, Python {versions['python']}; load before: {load}.",
    ]
    for table in record["results"]:
        parts += [f"## {table['title']}", markdown(table["rows"])]
    return "\n\n".join([*parts, record["notes"]]) + "\n"


def markdown(rows: Sequence[Row]) -> str:
    """A table; a column is there if any row has it."""
    columns = list(dict.fromkeys(key for found in rows for key in found))
    lines = [columns, ["---"] * len(columns), *([cell(found.get(c)) for c in columns] for found in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: Any) -> str:
    """A number with four digits, at most."""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return "" if value is None else str(value)


def some_images(data_dir: Path | None, trust_data: bool, n: int = 20_000) -> Tensor:
    """CIFAR-10's training images, uint8 [n, 3, 32, 32], or as many random ones where there is no data."""
    if data_dir is not None:
        return cifar10(data_dir, trust_data).train.images
    return torch.randint(256, (n, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def cifar10(data_dir: Path, trust_data: bool) -> Dataset:
    """CIFAR-10 from a folder."""
    return load("cifar10", data_dir, trust=trust_data)
