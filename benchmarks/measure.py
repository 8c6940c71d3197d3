"""Timing in turn and its statistics: what all benchmarks share.

Ways to be compared are measured in rounds, each way a block in each round, so that whatever else the machine does
falls on all of them. A comparison is the ratio of the medians over all times, and, what noise disturbs less, the
ratios round by round of the medians of two blocks, with their own median and spread.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreaming.data import Dataset, load_dataset
from dreaming.errors import UserError
from dreaming.training.timing import synchronize

PRECISIONS = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}
"""The number type in which a precision holds its products' factors."""

Way = Callable[[int], list[float]]
"""Works so many times and returns the milliseconds of each."""
Times = dict[str, list[list[float]]]
"""The milliseconds of each way in each round."""
Row = dict[str, Any]
Table = tuple[str, list[Row]]


def repeated(work: Callable[[], Any], device: torch.device | str = "cpu") -> Way:
    """Make a way of a piece of work: each time begins and ends with an idle device."""
    where = torch.device(device)

    def way(count: int) -> list[float]:
        times = []
        for _ in range(count):
            synchronize(where)
            begin = time.perf_counter()
            work()
            synchronize(where)
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

    Raises
    ------
    UserError
        If there would be no times.
    """
    if rounds < 1 or block < 1:
        raise UserError(f"{rounds} rounds of {block} times leave nothing to compare; ask for at least 1 of 1")
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


def flat(rounds: Sequence[Sequence[float]]) -> list[float]:
    """All times of a way."""
    return [value for block in rounds for value in block]


def middle(times: Times, way: str) -> float:
    """The median over all times of a way."""
    return statistics(flat(times[way]))["median"]


def ratio(times: Times, way: str, base: str) -> Row:
    """How many times as long one way takes as another: of all times, and in turn, with the spread over rounds."""
    pairs = [
        float(np.median(over) / np.median(under)) for over, under in zip(times[way], times[base], strict=True)
    ]
    return {
        "of medians": middle(times, way) / middle(times, base),
        "in turn": {**statistics(pairs), "max": max(pairs)},
    }


def row(times: Times, way: str, base: str | None = None, **more: Any) -> Row:
    """The row of a table: the way's statistics in ms, and beside a base its ratios."""
    found: Row = {
        "": way,
        **{k if k == "n" else f"{k} ms": v for k, v in statistics(flat(times[way])).items()},
    }
    if base is not None:
        found |= {"ratio to": base, **ratio(times, way, base)}
    return found | more


def headline(what: str, times: Times, way: str, base: str | None = None, beside: str | None = None) -> Row:
    """What the table of all records says of a way, beside a base that may be called by another name there."""
    each = statistics(flat(times[way]))
    found: Row = {"": what, "median": each["median"], "unit": "ms", "n": each["n"]}
    if base is not None:
        found |= {"beside": beside or base, "in turn": ratio(times, way, base)["in turn"]}
    return found


def some_images(data_dir: Path | None, trust_data: bool, n: int = 20_000) -> Tensor:
    """CIFAR-10's training images, uint8 [n, 3, 32, 32], or as many random ones where there is no data."""
    if data_dir is not None:
        return cifar10(data_dir, trust_data).train.images
    return torch.randint(256, (n, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def cifar10(data_dir: Path, trust_data: bool) -> Dataset:
    """CIFAR-10 from a folder."""
    return load_dataset("cifar10", data_dir, trust=trust_data)
