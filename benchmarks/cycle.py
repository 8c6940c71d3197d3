"""How long a sleep-wake cycle takes, beside the machine's floor and beside the published program.

The floor of a precision is the time that the multiply-accumulates of a cycle, as of plain convolutions, would
take at the rate of the machine's matrix products, of the shape that is fastest. What makes do with fewer products,
as tiles do, can fall below it; its own products at the same rate say how much is lost on the way.
"""

import time
from contextlib import ExitStack
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.alternation import Published, checkout, identified
from benchmarks.cortices import cycles_of, pad
from benchmarks.measure import (
    PRECISIONS,
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
from benchmarks.record import RECORDS, Record
from dreaming.config.description import describe
from dreaming.training.precision import auto_precision, exactly
from dreaming.training.timing import synchronize

SHAPES = ((1024, 1024, 1024), (4096, 1024, 256), (1024, 4096, 512))
GPU_SHAPES = ((4096, 4096, 4096), (8192, 8192, 8192))
CAPTURED = " captured"
BEFORE = "float32, before"

NOTES = """Times are of whole cycles, from the choice of the images to the sum of the losses, as `dreaming train`
runs them, in rounds: each way works a block in each round, and the first cycle of a block is left out. *In turn*
is the median over rounds of the ratio of two blocks' medians, with its quartiles. The *floor* is the time of the
cycle's multiply-accumulates, counted as of plain convolutions, at the rate of matrix products measured in the same
rounds, of the fastest of several shapes; layers computed by tiles need fewer, so a cycle may take less than it.
*Own products* are those that the cycle does, at the same rate: what changes the tiles' form is not among them.
Where the time goes was noted operation by operation in further cycles, which that makes a little longer; what is
left of the cycle is Python.
*Captured* cycles go again and again through 20 mini-batches, whose random numbers are drawn ahead."""
PUBLISHED = """
The *published program* is the authors' own training loop, unchanged, in a process of its
own with two loader workers; it sleeps while ours works, and ours sleeps while it works. torchvision is
replaced by a stand-in that does the same work on the same images; pictures are not written. After each
pause its workers have batches ready, which is in its favour."""


def main(
    rounds: int = 20,
    block: int = 10,
    published: Path | None = None,
    before: Path | None = None,
    data_dir: Path | None = None,
    trust_data: bool = False,
    base_channels: int = 64,
    latent_dim: int = 256,
    batch: int = 64,
    precisions: tuple[str, ...] = (),
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
    before
        Root of another checkout of this project, an older one, which runs in turn with this one in float32.
    data_dir, trust_data
        Where CIFAR-10 is; without it, random images of the same form.
    base_channels, latent_dim, batch
        Of the cortices.
    precisions
        By default float32 and bfloat16, and on a GPU tf32 between them.
    device, threads, out
        Where, how many threads of torch, and the folder of records.
    """
    settings = dict(locals())
    record = Record("cycle", out, threads, device)
    gpu = record.where.type == "cuda"
    precisions = precisions or (("float32", "tf32", "bfloat16") if gpu else ("float32", "bfloat16"))
    images = some_images(data_dir, trust_data)
    ways: dict[str, Way] = {}
    for precision in precisions:
        for path in ("plain", "captured") if gpu else ("plain",):
            config = pad(base_channels, latent_dim, batch, precision, str(record.where), path)
            ways[precision + CAPTURED * (path == "captured")] = cycles_of(config, images)
    cycles = list(ways)
    work = sum(describe(config).multiply_accumulates.values())
    with FlopCounterMode(display=False) as counter:
        ways["float32"](1)
    own = counter.get_total_flops() // 2
    floors = {
        (p, shape): f"{p} {'×'.join(map(str, shape))}"
        for p in precisions
        for shape in (GPU_SHAPES if gpu else SHAPES)
    }
    ways |= {name: products(*floor, record.where) for floor, name in floors.items()}
    with ExitStack() as others:
        shape = (images, batch, base_channels, latent_dim)
        if before:
            ways[BEFORE] = others.enter_context(checkout(before, *shape))
            cycles.append(BEFORE)
        if published:
            ways["published"] = others.enter_context(Published(published, *shape, record.where))
        times = in_turn(ways, rounds, block=block, drop=1)
    spent = operations(ways["float32"], block)
    auto = auto_precision(record.where, base_channels)
    settings |= {"precisions": precisions, "auto": auto, "multiply_accumulates": work, "own": own}
    return record.write(
        [*tables(times, cycles, floors, work, own), ("Where the time of a cycle in float32 goes", spent)],
        {"ms": times},
        settings,
        f"{NOTES}{PUBLISHED if published else ''} `auto` is {auto} here.",
        baseline=f"float32, plain; {2e-9 * work:.3g} GFLOP at the rate of matrix products"
        + (f"; {identified(published)}" if published else ""),
        headlines=headlines(times, cycles, floors, work),
    )


def products(precision: str, shape: tuple[int, int, int], device: torch.device) -> Way:
    """A matrix product, [m, k] times [k, n], into memory that is there."""
    m, k, n = shape
    random = torch.Generator().manual_seed(0)
    a, b = (torch.randn(s, generator=random).to(device, PRECISIONS[precision]) for s in ((m, k), (k, n)))
    into, config = a @ b, pad(precision=precision)
    timed = repeated(lambda: torch.mm(a, b, out=into), device)

    def way(count: int) -> list[float]:
        with exactly(config):
            return timed(count)

    return way


class Watched(TorchDispatchMode):
    """Notes how long each operation takes, by its name."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        super().__init__()
        self.seconds: dict[str, list[float]] = {}
        self.device = torch.device(device)

    def __torch_dispatch__(self, operation, types, words=(), named=None):
        """Do the operation, and note the time until it is done."""
        begin = time.perf_counter()
        found = operation(*words, **(named or {}))
        synchronize(self.device)
        self.seconds.setdefault(operation.overloadpacket.__name__, []).append(time.perf_counter() - begin)
        return found


def operations(way: Way, cycles: int, least: float = 0.2) -> list[Row]:
    """What the operations of a cycle take, the longest first; those below some milliseconds together."""
    with Watched() as watched:
        way(cycles)
    rows = [
        {"": name, "calls": len(times) / cycles, "ms": 1e3 * sum(times) / cycles}
        for name, times in watched.seconds.items()
    ]
    rows.sort(key=lambda line: -line["ms"])
    long = [line for line in rows if line["ms"] >= least]
    short = [line for line in rows if line["ms"] < least]
    together = {name: sum(line[name] for line in short) for name in ("calls", "ms")}
    return [*long, {"": f"{len(short)} others", **together}]


Floors = dict[tuple[str, tuple[int, int, int]], str]
"""The name of each matrix product, by precision and shape."""


def as_cycles(times: Times, floors: Floors, work: int) -> Times:
    """Times of the products, as times of the cycle at their rate."""
    return {
        name: [[time * work / (m * k * n) for time in block] for block in times[name]]
        for (_, (m, k, n)), name in floors.items()
    }


def lowest(scaled: Times, cycle: str, floors: Floors) -> str:
    """The fastest product in the precision of a way to run a cycle."""
    used = cycle.removesuffix(CAPTURED).removesuffix(", before")
    names = [name for (precision, _), name in floors.items() if precision == used]
    return min(names, key=lambda name: middle(scaled, name))


def tables(times: Times, cycles: list[str], floors: Floors, work: int, own: int) -> list[Table]:
    """The cycles, the ratio of each to every one before it, each beside its floor, and what that is made of."""
    names = [*cycles, *(["published"] if "published" in times else [])]
    pairs = [(way, base) for i, base in enumerate(names) for way in names[i + 1 :]]
    scaled = as_cycles(times, floors, work)
    return [
        ("Cycles", [row(times, name) for name in names]),
        *(
            [("Ratios", [{"": f"{way} / {base}", **ratio(times, way, base)} for way, base in pairs])]
            * bool(pairs)
        ),
        ("Cycle / floor", [floor_row(times, scaled, name, floors) for name in cycles]),
        ("Cycle / own products", [own_row(times, scaled, "float32", floors, own / work)]),
        ("Matrix products", [product_row(times, *floor) for floor in floors.items()]),
    ]


def floor_row(times: Times, scaled: Times, cycle: str, floors: Floors) -> Row:
    """A way to run a cycle, beside the fastest of its floors."""
    best = lowest(scaled, cycle, floors)
    return {
        "": cycle,
        "product": best,
        "floor ms": middle(scaled, best),
        **ratio(times | scaled, cycle, best),
    }


def own_row(times: Times, scaled: Times, cycle: str, floors: Floors, share: float) -> Row:
    """A way to run a cycle, beside the products that it does itself: a share of those of plain convolutions."""
    best = lowest(scaled, cycle, floors)
    products = {best: [[share * time for time in block] for block in scaled[best]]}
    return {
        "": cycle,
        "product": best,
        "own products ms": middle(products, best),
        **ratio(times | products, cycle, best),
    }


def product_row(times: Times, floor: tuple[str, tuple[int, int, int]], name: str) -> Row:
    """One product with its rate."""
    m, k, n = floor[1]
    return row(times, name) | {"GFLOP/s": 2e-6 * m * k * n / middle(times, name)}


def headlines(times: Times, cycles: list[str], floors: Floors, work: int) -> list[Row]:
    """Each way beside the plain one in float32 and beside its floor, and the published program beside each."""
    scaled = as_cycles(times, floors, work)
    found = []
    for name in cycles:
        best = lowest(scaled, name, floors)
        if name != cycles[0]:
            found.append(headline(f"cycle, {name}", times, name, cycles[0]))
        found.append(headline(f"cycle, {name}", times | scaled, name, best, f"floor of {name}"))
    if "published" in times:
        found += [headline("cycle, published program", times, "published", name) for name in cycles]
    return found
