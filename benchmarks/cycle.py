"""How long a sleep-wake cycle takes, beside the machine's floor and beside the published program.

The floor of a precision is the time that the cycle's multiply-accumulates would take at the rate of the machine's
matrix products, of the shape that is fastest. No way of computing a cycle by convolutions of the same count is
faster, so cycle / floor says how much is left to gain.
"""

from pathlib import Path

import torch

from benchmarks.alternation import Published
from benchmarks.cycles import Cycles, pad
from benchmarks.measure import (
    PRECISIONS,
    RECORDS,
    Row,
    Session,
    Table,
    Times,
    Way,
    flat,
    in_turn,
    ratio,
    repeated,
    row,
    shortened,
    some_images,
    statistics,
)
from dreaming.description import describe

SHAPES = ((1024, 1024, 1024), (4096, 1024, 256), (1024, 4096, 512))
GPU_SHAPES = ((4096, 4096, 4096), (8192, 8192, 8192))

NOTES = """Times are of whole cycles, from the choice of the images to the sum of the losses, in rounds:
each way works a block in each round, and the first cycle of a block is left out. *In turn* is the median
over rounds of the ratio of two blocks' medians, with its quartiles. The *floor* is the time of the cycle's
multiply-accumulates at the rate of matrix products measured in the same rounds, of the fastest of several
shapes."""
PUBLISHED = """ The *published program* is the authors' own training loop, unchanged, in a process of its
own with two loader workers; it sleeps while ours works, and ours sleeps while it works. torchvision is
replaced by a stand-in that does the same work on the same images; pictures are not written. After each
pause its workers have batches ready, which is in its favour."""


def products(precision: str, shape: tuple[int, int, int], device: torch.device) -> Way:
    """A matrix product, [m, k] times [k, n], into memory that is there."""
    m, k, n = shape
    random = torch.Generator().manual_seed(0)
    a, b = (torch.randn(s, generator=random).to(device, PRECISIONS[precision]) for s in ((m, k), (k, n)))
    into = a @ b
    return repeated(lambda: torch.mm(a, b, out=into), device)


def main(
    rounds: int = 20,
    block: int = 10,
    published: Path | None = None,
    data_dir: Path | None = None,
    trust_data: bool = False,
    base_channels: int = 64,
    latent_dim: int = 256,
    batch: int = 64,
    precisions: tuple[str, ...] = ("float32", "bfloat16"),
    device: str = "auto",
    threads: int | None = None,
    out: Path = RECORDS,
) -> Path:
    """Time a PAD cycle in each precision, the machine's floor, and the published program, in turn.

    Parameters
    ----------
    rounds, block
        Each way works so many cycles in each of so many rounds, and one more that is left out.
    published
        Folder with main_PAD.py, network.py and utils.py of github.com/NicoZenith/PAD.
    data_dir, trust_data
        Where CIFAR-10 is; without it, random images of the same form.
    base_channels, latent_dim, batch, precisions
        Of the cortices.
    device, threads, out
        Where, how many threads of torch, and the folder of records.
    """
    settings = dict(locals())
    session = Session("cycle", out, threads, device)
    images = some_images(data_dir, trust_data)
    ways: dict[str, Way] = {}
    for precision in precisions:
        config = pad(base_channels, latent_dim, batch, precision)
        ways[precision] = repeated(Cycles(config, images, session.where), session.where)
    work = sum(describe(config).multiply_accumulates.values())
    shapes = GPU_SHAPES if session.where.type == "cuda" else SHAPES
    floors = {(p, shape): f"floor {p} {'×'.join(map(str, shape))}" for p in precisions for shape in shapes}
    ways |= {name: products(*floor, session.where) for floor, name in floors.items()}
    if published is None:
        times = in_turn(ways, rounds, block=block, drop=1)
    else:
        with Published(published, images, batch, base_channels, latent_dim, session.where) as program:
            times = in_turn(ways | {"published": program}, rounds, block=block, drop=1)
    scaled = {name: as_cycles(times[name], work, shape) for (_, shape), name in floors.items()}
    tables = [*cycle_tables(times, precisions), *floor_tables(times, scaled, precisions, floors)]
    settings |= {"multiply_accumulates": work}
    return session.write(tables, times, settings, NOTES + (PUBLISHED if published else ""))


def as_cycles(rounds: list[list[float]], work: int, shape: tuple[int, int, int]) -> list[list[float]]:
    """Times of a product, as times of the cycle at its rate."""
    m, k, n = shape
    return [[time * work / (m * k * n) for time in block] for block in rounds]


def cycle_tables(times: Times, precisions: tuple[str, ...]) -> list[Table]:
    """The cycles, and the ratio of each to every one before it."""
    names = [*precisions, *(["published"] if "published" in times else [])]
    pairs = [(way, base) for i, base in enumerate(names) for way in names[i + 1 :]]
    ratios = [{"": f"{way} / {base}", **shortened(ratio(times, way, base))} for way, base in pairs]
    cycles = ("Cycles", [row(times, name) for name in names])
    return [cycles, ("Ratios", ratios)] if ratios else [cycles]


def floor_tables(times: Times, scaled: Times, precisions: tuple[str, ...], floors: dict) -> list[Table]:
    """Each precision beside the fastest of its floors, and the products which these are made of."""
    rows = floor_rows(times | scaled, precisions, floors)
    return [("Cycle / floor", rows), ("Matrix products", product_rows(times, floors))]


def floor_rows(times: Times, precisions: tuple[str, ...], floors: dict) -> list[Row]:
    """One row for each precision, beside the fastest of its floors."""
    rows = []
    for precision in precisions:
        names = [name for (p, _), name in floors.items() if p == precision]
        best = min(names, key=lambda name: statistics(flat(times[name]))["median"])
        found = {"": precision, "floor": best, "floor ms": statistics(flat(times[best]))["median"]}
        rows.append(found | shortened(ratio(times, precision, best)))
    return rows


def product_rows(times: Times, floors: dict) -> list[Row]:
    """One row for each shape and precision."""
    rows = []
    for (_, (m, k, n)), name in floors.items():
        found = row(times, name)
        rows.append(found | {"GFLOP/s": 2e-6 * m * k * n / found["median ms"]})
    return rows
