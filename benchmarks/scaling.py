"""How the time of a cycle grows with the width of the networks and with the batch."""

from pathlib import Path

from benchmarks.cycles import Cycles, pad
from benchmarks.measure import (
    RECORDS,
    Row,
    Session,
    Times,
    Way,
    in_turn,
    ratio,
    repeated,
    row,
    shortened,
    some_images,
)
from dreaming.description import describe

NOTES = """All widths, batches and precisions take turns in each round; the first cycle of a block is left
out. The ratio is of a precision to the first one, of the same width and batch."""


def main(
    rounds: int = 10,
    block: int = 3,
    widths: tuple[int, ...] = (16, 32, 64, 128),
    batches: tuple[int, ...] = (16, 32, 64, 128, 256),
    base_channels: int = 64,
    latent_dim: int = 256,
    batch: int = 64,
    precisions: tuple[str, ...] = ("float32", "bfloat16"),
    device: str = "auto",
    threads: int | None = None,
    out: Path = RECORDS,
) -> Path:
    """Time cycles of several base_channels at one batch, and of several batches at one base_channels.

    Parameters
    ----------
    rounds, block
        Each point works so many cycles in each of so many rounds, and one more that is left out.
    widths, batches
        The points; the others have `base_channels` and `batch`.
    base_channels, latent_dim, batch, precisions
        As of the default networks.
    device, threads, out
        Where, how many threads of torch, and the folder of records.
    """
    settings = dict(locals())
    session = Session("scaling", out, threads, device)
    points = list(dict.fromkeys([*((w, batch) for w in widths), *((base_channels, b) for b in batches)]))
    images = some_images(None, False, max(4096, 2 * max(batches)))
    ways: dict[str, Way] = {}
    work: dict[str, int] = {}
    for width, size in points:
        for precision in precisions:
            config = pad(width, latent_dim, size, precision)
            name = named(width, size, precision)
            ways[name] = repeated(Cycles(config, images, session.where), session.where)
            work[name] = sum(describe(config).multiply_accumulates.values())
    times = in_turn(ways, rounds, block=block, drop=1)

    def rows(width: int, size: int) -> list[Row]:
        names = [named(width, size, precision) for precision in precisions]
        return [point(times, name, names[0], size, work[name]) for name in names]

    tables = [
        ("Width", [found for width in widths for found in rows(width, batch)]),
        ("Batch", [found for size in batches for found in rows(base_channels, size)]),
    ]
    return session.write(tables, times, settings, NOTES)


def point(times: Times, name: str, base: str, batch: int, work: int) -> Row:
    """The row of one point, beside the same in the first precision."""
    found = row(times, name)
    found |= {"images/s": 1e3 * batch / found["median ms"], "GFLOP/s": 2e-6 * work / found["median ms"]}
    return found if name == base else found | shortened(ratio(times, name, base))


def named(width: int, batch: int, precision: str) -> str:
    """Name a point."""
    return f"width {width}, batch {batch}, {precision}"
