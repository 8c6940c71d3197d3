"""Whether memory that was looked at again and again grows: its slope, what comes of it in a day, and rows."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import theilslopes

from benchmarks.measure import Row

DAY = 24 * 3600
NO_MATTER = 64.0
"""MiB in 24 hours."""
FULL_WIDTH = 500_000
"""Cycles of a day at full width, of 0.176 s each as they were measured on two cores (record 2026-11-24_cycle_2)."""
SHORT_EPOCHS = {"epochs of one cycle": FULL_WIDTH / 25}
"""Cycles of a day of paths that are no path of a day: epochs of fewer than 25 cycles are none at full width."""
STEPS = 0.01
"""Share by which resident memory may grow in steps, while what was asked for does not."""
SETTLING = 1 / 3
"""Share of the samples at the beginning that is left out: allocators and libraries take what they need."""


def settled(samples: Sequence[dict]) -> Sequence[dict]:
    """Leave out those of the beginning."""
    return samples[int(SETTLING * len(samples)) :]


def grown(samples: Sequence[dict], of: str = "own", most: float = FULL_WIDTH) -> dict[str, float]:
    """The slope of memory in MiB for 1,000 cycles, its interval, and what comes of both in 24 hours."""
    counted = settled(samples)
    cycles, memory = (np.array([each[key] for each in counted]) for key in ("cycles", of))
    slope, _, low, high = (1000 * value for value in theilslopes(memory, cycles, 0.95))
    own = DAY * (cycles[-1] - cycles[0]) / (counted[-1]["seconds"] - counted[0]["seconds"])
    day = min(own, most) / 1000
    found = {
        "per 1,000": slope,
        "low": low,
        "high": high,
        "in 24 h": day * slope,
        "at most in 24 h": day * high,
    }
    return {key: float(value) for key, value in found.items()} | {"cycles in 24 h": float(1000 * day)}


def flat(found: dict[str, float]) -> bool:
    """Whether that is no growth."""
    return found["low"] <= 0 or found["at most in 24 h"] < NO_MATTER


def verdict(name: str, samples: Sequence[dict]) -> str:
    """Whether a path grows: in resident memory or, where that moves in small steps, in what it has asked for."""
    most, counted = SHORT_EPOCHS.get(name, FULL_WIDTH), settled(samples)
    if flat(grown(samples, most=most)):
        return "flat"
    small = counted[-1]["own"] < (1 + STEPS) * counted[0]["own"]
    if small and "asked" in counted[0] and flat(grown(samples, "asked", most)):
        return "flat, in steps"
    return "grows"


def memory(name: str, samples: Sequence[dict]) -> Row:
    """The row of a path in the table of memory."""
    most = SHORT_EPOCHS.get(name, FULL_WIDTH)
    found, counted = grown(samples, most=most), settled(samples)
    about = {"cycles": samples[-1]["cycles"], "looks": len(counted)}
    ends = {"at first": counted[0]["own"], "at last": counted[-1]["own"], "rss at last": counted[-1]["rss"]}
    row: Row = {"": name, **about, **ends, **found, "verdict": verdict(name, samples)}
    if "asked" in counted[0]:
        asked = grown(samples, "asked", most)
        row |= {"asked at last": counted[-1]["asked"], "asked per 1,000": asked["per 1,000"]}
        row |= {"asked in 24 h": asked["in 24 h"]}
    return row


def kept(name: str, samples: Sequence[dict]) -> Row:
    """The row of a path in the table of what stays open: when it has settled, at last, and at most."""
    row: Row = {"": name}
    for key in ("files", "threads"):
        values = [each[key] for each in settled(samples)]
        row |= {f"{key} at first": values[0], f"{key} at last": values[-1], f"{key} at most": max(values)}
    return row


def log(name: str, samples: Sequence[dict]) -> Row:
    """Lines and bytes of log for each epoch, and how long one takes at the beginning and at the end."""
    first, last = samples[0], samples[-1]
    epochs = last["epochs"] - first["epochs"]
    tenth = max(2, len(samples) // 10)
    pace = [
        1000 * (b["seconds"] - a["seconds"]) / (b["epochs"] - a["epochs"]) for a, b in ends(samples, tenth)
    ]
    each = {"lines an epoch": (last["lines"] - first["lines"]) / epochs}
    each |= {"bytes an epoch": (last["bytes"] - first["bytes"]) / epochs}
    return {"": name, "epochs": last["epochs"], **each, "first tenth, ms": pace[0], "last tenth, ms": pace[1]}


def ends(samples: Sequence[dict], count: int) -> list[tuple[dict, dict]]:
    """The first and the last of some samples at the beginning, and of as many at the end."""
    return [(samples[0], samples[count - 1]), (samples[-count], samples[-1])]


def headline(name: str, samples: Sequence[dict]) -> Row:
    """The slope of a path, for the table of all records."""
    found = grown(samples)
    unit = f"MiB for 1,000 cycles ({verdict(name, samples)})"
    return {"": f"growth, {name}", "median": found["per 1,000"], "unit": unit, "n": len(settled(samples))}
