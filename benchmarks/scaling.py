"""How cost grows: of a cycle with width, batch, images and cortices, and of a readout with images and cortices."""

from collections.abc import Callable, Sequence
from math import log
from pathlib import Path

import torch

from benchmarks.cortices import cycles_of, pad
from benchmarks.measure import (
    Row,
    Table,
    Times,
    Way,
    headline,
    in_turn,
    middle,
    ratio,
    repeated,
    row,
    some_images,
)
from benchmarks.readout import CLASSES, clusters
from benchmarks.record import RECORDS, Record
from dreaming.config.config import Config
from dreaming.config.description import describe
from dreaming.data import epoch_order
from dreaming.evaluation.readout import Protocol, train_readout

FEW = 10_000
NOTES = """All points of all tables take turns in each round; the first cycle of a block is left out. *Exponent* is
of the growth from the smallest point of the same kind: 1 where twice as much takes twice as long, 0 where it takes
no longer. *In turn* is the ratio to the first precision at the same width and batch, and for cortices the time of
each to that of one alone. *Images* are those of the data set, and the cycle takes a mini-batch of them; the order
of an epoch is drawn once in an epoch. *Cortices* are side by side in one program on one device. Readouts are of
one epoch, of several snapshots' latents together."""


def main(
    rounds: int = 6,
    block: int = 3,
    widths: tuple[int, ...] = (16, 32, 64, 128),
    batches: tuple[int, ...] = (16, 32, 64, 128, 256),
    images: tuple[int, ...] = (1_000, 10_000, 50_000),
    cortices: tuple[int, ...] = (1, 2, 4, 8),
    base_channels: int = 64,
    latent_dim: int = 256,
    batch: int = 64,
    precisions: tuple[str, ...] = ("float32", "bfloat16"),
    device: str = "auto",
    threads: int | None = None,
    out: Path = RECORDS,
) -> Path:
    """Time cycles and readouts of several sizes, one size changed at a time.

    Parameters
    ----------
    rounds, block
        Each point works so many times in each of so many rounds, and one more that is left out.
    widths, batches, images, cortices
        The points; else a cycle has `base_channels`, `batch` and 4096 images, one cortex, and a readout has 10,000
        images and one snapshot.
    base_channels, latent_dim, batch, precisions
        As of the default networks; images and cortices are measured in the first precision.
    device, threads, out
        Where, how many threads of torch, and the folder of records.
    """
    settings = dict(locals())
    record = Record("scaling", out, threads, device)
    where = record.where

    def config(width: int, size: int, precision: str = precisions[0]) -> Config:
        return pad(width, latent_dim, size, precision, str(where))

    points = list(dict.fromkeys([*((w, batch) for w in widths), *((base_channels, b) for b in batches)]))
    seen = some_images(None, False, max(4096, 2 * max(batches), *images))
    shown = seen[: max(4096, 2 * max(batches))]
    ways: dict[str, Way] = {
        named(*point, precision): cycles_of(config(*point, precision), shown)
        for point in points
        for precision in precisions
    }
    usual = config(base_channels, batch)
    ways |= {f"{n} images": cycles_of(usual, seen[:n]) for n in images}
    ways |= {f"order of {n}": repeated(ordering(n, batch)) for n in images}
    ways |= {f"{n} cortices": cycles_of(usual, shown, n) for n in cortices}
    ways |= {f"readout of {n} images": readout(n, 1, where) for n in images}
    ways |= {f"{n} readouts of {FEW} images": readout(FEW, n, where) for n in cortices}
    times = in_turn(ways, rounds, block=block, drop=1)
    tables = [
        ("Width", by_width(times, widths, batch, precisions, config)),
        ("Batch", by_batch(times, base_channels, batches, precisions, config)),
        ("Images of the data set, a cycle", grown(times, "{} images", images)),
        ("Images of the data set, the order of an epoch", grown(times, "order of {}", images)),
        ("Cortices in one program, a cycle of all", shared(times, "{} cortices", cortices)),
        ("Images of a readout, an epoch", grown(times, "readout of {} images", images)),
        (
            "Cortices read out together, an epoch of all",
            shared(times, f"{{}} readouts of {FEW} images", cortices),
        ),
    ]
    return record.write(
        tables,
        {"ms": times},
        settings,
        NOTES,
        baseline=f"{precisions[0]} at the same size, and one cortex",
        headlines=headlines(times, tables, base_channels, widths, batch, precisions[0]),
    )


def named(width: int, batch: int, precision: str) -> str:
    """Name a point."""
    return f"width {width}, batch {batch}, {precision}"


def ordering(n: int, batch: int) -> Callable[[], object]:
    """Draw the order of an epoch."""
    chance = torch.Generator().manual_seed(0)
    return lambda: epoch_order(n, min(n, batch), chance)


def readout(images: int, snapshots: int, where: torch.device) -> Way:
    """An epoch of readouts together."""
    features, labels, _, _ = clusters(snapshots, images)
    features, labels = features.to(where), labels.to(where)
    return repeated(lambda: train_readout(features, labels, CLASSES, 0, Protocol(epochs=1)), where)


def exponents(times: Times, names: Sequence[str], sizes: Sequence[int]) -> list[Row]:
    """With which power of the size the median grew from the smallest size."""
    least = min(range(len(sizes)), key=lambda i: sizes[i])
    base, size = middle(times, names[least]), sizes[least]
    return [
        {} if n == size else {"exponent": log(middle(times, name) / base) / log(n / size)}
        for name, n in zip(names, sizes, strict=True)
    ]


Sized = Callable[[int, int, str], Config]


def by_width(
    times: Times, widths: Sequence[int], batch: int, precisions: Sequence[str], config: Sized
) -> list[Row]:
    """Widths at one batch, all precisions."""
    return sized(times, [(width, batch) for width in widths], widths, precisions, config)


def by_batch(
    times: Times, width: int, batches: Sequence[int], precisions: Sequence[str], config: Sized
) -> list[Row]:
    """Batches at one width, all precisions."""
    return sized(times, [(width, batch) for batch in batches], batches, precisions, config)


def sized(
    times: Times,
    points: Sequence[tuple[int, int]],
    sizes: Sequence[int],
    precisions: Sequence[str],
    config: Sized,
) -> list[Row]:
    """One row for each point and precision, beside the first precision, with images and work a second."""
    found = []
    for precision in precisions:
        names = [named(*point, precision) for point in points]
        for name, point, growth in zip(names, points, exponents(times, names, sizes), strict=True):
            ms, work = (
                middle(times, name),
                sum(describe(config(*point, precision)).multiply_accumulates.values()),
            )
            line = row(times, name) | {"images/s": 1e3 * point[1] / ms, "GFLOP/s": 2e-6 * work / ms} | growth
            base = named(*point, precisions[0])
            found.append(line if name == base else line | ratio(times, name, base))
    return found


def grown(times: Times, name: str, sizes: Sequence[int]) -> list[Row]:
    """One row for each size."""
    names = [name.format(n) for n in sizes]
    return [
        row(times, each) | growth for each, growth in zip(names, exponents(times, names, sizes), strict=True)
    ]


def shared(times: Times, name: str, counts: Sequence[int]) -> list[Row]:
    """One row for each number of cortices, with the time of each cortex beside that of the first number."""
    each = {name.format(n): [[time / n for time in block] for block in times[name.format(n)]] for n in counts}
    rows = grown(times, name, counts)
    base = name.format(counts[0])
    return [
        line | {"ms each": middle(each, line[""])} | ({} if line[""] == base else ratio(each, line[""], base))
        for line in rows
    ]


def headlines(
    times: Times, tables: Sequence[Table], width: int, widths: Sequence[int], batch: int, precision: str
) -> list[Row]:
    """The widest beside the usual width, and the most cortices with the time of each."""
    most = dict(tables)["Cortices in one program, a cycle of all"][-1]
    widest, usual = named(max(widths), batch, precision), named(width, batch, precision)
    found = [headline(f"cycle, {precision}, {max(widths)} channels", times, widest)]
    if usual in times and usual != widest:
        found = [
            headline(f"cycle, {precision}, {max(widths)} channels", times, widest, usual, f"{width} channels")
        ]
    beside = {"beside": "one alone", "in turn": most["in turn"]} if "in turn" in most else {}
    return [
        *found,
        {"": f"cycle, each of {most['']}", "median": most["ms each"], "unit": "ms", "n": most["n"], **beside},
    ]
