"""Each layer by itself: every way in which it can be computed, alone and with the gradients of input and weight.

A layer of the generator mirrors one of the encoder, with the same maps and weights, taken the other way round.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.cortices import pad
from benchmarks.measure import (
    PRECISIONS,
    Row,
    Times,
    Way,
    headline,
    in_turn,
    middle,
    ratio,
    repeated,
    row,
)
from benchmarks.record import RECORDS, Record
from dreaming.model import layers as convolution
from dreaming.model import tiling
from dreaming.training.precision import exactly

Layer = Callable[[Tensor, Tensor], Tensor]
"""From a map and a weight to a map."""
OURS, DEFAULT = "dreaming", " (NCHW)"
FORWARD, LEARNING = "forward", "forward and gradients"
BLOCK = 5

NOTES = """*dreaming* is what the library takes; *by tiles* and *by product* and *by blocks* are its own ways, some
of which it takes for other shapes, number types or devices; *untiled* is what it would take without tiles; the
others are torch's, with maps and weights channels-last as in the library, or (NCHW) as torch has them by default.
*Forward* is without gradients; *forward and gradients* are the layer and the gradients of its input and its weight.
Ratios are to *dreaming*. GFLOP count the multiply-accumulates of the plain convolution, twice; tiles need fewer.
For the layers between the 4 × 4 map and the latents, *dreaming* is the matrix product as which the networks compute
them."""


def main(
    rounds: int = 10,
    base_channels: int = 64,
    latent_dim: int = 256,
    batch: int = 64,
    precisions: tuple[str, ...] = ("float32", "bfloat16"),
    device: str = "auto",
    threads: int | None = None,
    out: Path = RECORDS,
) -> Path:
    """Time each layer of encoder and generator, alone and with its gradients, each way, in turn.

    Parameters
    ----------
    rounds
        How often each way has its turn, of five times and one more that is left out.
    base_channels, latent_dim, batch, precisions
        Of the layers.
    device, threads
        Where, and how many threads of torch.
    out
        Folder of records.
    """
    settings = dict(locals())
    record = Record("layers", out, threads, device)
    c, tables, all_times = base_channels, [], {}
    for i, o, side in [(3, c, 32), (c, 2 * c, 16), (2 * c, 4 * c, 8), (4 * c, latent_dim, 4), (4 * c, 1, 4)]:
        coarse = side // 2 if side > 4 else 1
        fine_map, coarse_map = f"{i}×{side}×{side}", f"{o}×{coarse}×{coarse}"
        work = batch * coarse * coarse * o * i * 16
        for precision in precisions:
            x, y, w = (
                drawn(shape, PRECISIONS[precision], record.where)
                for shape in ((batch, i, side, side), (batch, o, coarse, coarse), (o, i, 4, 4))
            )
            up, down = ascending(side), descending(side)
            for title, ways, ends in (
                (f"encoder {fine_map} → {coarse_map}", up, (x, y)),
                (f"generator {coarse_map} → {fine_map}", down, (y, x)),
            ):
                for measure, passes in ((FORWARD, 1), (LEARNING, 3)):
                    name = f"{title}, {measure}, {precision}"
                    timed = {way: timing(layer, way, *ends, w, measure) for way, layer in ways.items()}
                    with exactly(pad(precision=precision)):
                        times = in_turn(timed, rounds, block=BLOCK, drop=1)
                    tables.append((name, rows(times, passes * work)))
                    all_times[name] = times
    return record.write(
        [("What the library takes, beside the fastest way", summary(all_times)), *tables],
        {"ms": all_times},
        settings,
        NOTES,
        baseline="torch's own convolutions and their gradients, channels-last and NCHW",
        headlines=[line for precision in precisions for line in total(all_times, precision)],
    )


def ascending(side: int) -> dict[str, Layer]:
    """Every way for a layer of the encoder, from a fine map of this side."""
    if side == 4:
        ours = {OURS: lambda x, w: functional.linear(by_pixel(x), by_pixel(w))}
        return ours | dict.fromkeys(("conv2d", f"conv2d{DEFAULT}"), functional.conv2d)
    ours = {OURS: convolution.conv, "untiled": lambda x, w: convolution._Conv.apply(x, w, None)}
    ours |= ({"by tiles": tiling.conv} if side % 8 == 0 else {}) | own_ways("_conv_")
    torchs = {
        name: lambda x, w: functional.conv2d(x, w, None, 2, 1) for name in ("conv2d", f"conv2d{DEFAULT}")
    }
    return ours | torchs


def descending(side: int) -> dict[str, Layer]:
    """Every way for a layer of the generator, to a fine map of this side."""
    names = ("conv_transpose2d", f"conv_transpose2d{DEFAULT}")
    if side == 4:
        ours = {OURS: lambda y, w: y.flatten(1) @ by_pixel(w)}
        return ours | dict.fromkeys(names, functional.conv_transpose2d)
    ours = {
        OURS: convolution.conv_transpose,
        "untiled": lambda y, w: convolution._ConvTranspose.apply(y, w, None),
    }
    ours |= ({"by tiles": tiling.conv_transpose} if side % 8 == 0 else {}) | own_ways("_conv_transpose_")
    return ours | {name: lambda y, w: functional.conv_transpose2d(y, w, None, 2, 1) for name in names}


def own_ways(stem: str) -> dict[str, Layer]:
    """Every private way of `dreaming.model.layers` for one layer."""
    found = {name: way for name, way in vars(convolution).items() if name.startswith(f"{stem}by_")}
    return {
        name.removeprefix(stem).replace("_", " "): (lambda map_, w, way=way: way(map_, w, None))
        for name, way in found.items()
    }


def by_pixel(maps: Tensor) -> Tensor:
    """Flatten maps as channels-last has them in memory."""
    return maps.permute(0, 2, 3, 1).flatten(1)


def timing(layer: Layer, name: str, before: Tensor, after: Tensor, w: Tensor, measure: str) -> Way:
    """Make a way of a layer, on maps and weights of the layout that its name says."""
    if name.endswith(DEFAULT):
        before, after, w = before.contiguous(), after.contiguous(), w.contiguous()
    if measure == FORWARD:

        def work() -> None:
            with torch.no_grad():
                layer(before, w)

        return repeated(work, w.device)
    seen, weight = (each.detach().clone().requires_grad_() for each in (before, w))

    def learn() -> None:
        found = layer(seen, weight)
        torch.autograd.grad(found, (seen, weight), gradient_like(after, found))

    return repeated(learn, w.device)


def gradient_like(after: Tensor, found: Tensor) -> Tensor:
    """The gradient of what a layer made, in the form in which it made it."""
    return after if found.shape == after.shape else by_pixel(after)


def drawn(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Random numbers, channels-last."""
    random = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=random).to(device, dtype).to(memory_format=torch.channels_last)


def rows(times: Times, work: int) -> list[Row]:
    """One row for each way, with its rate."""
    found = []
    for way in times:
        line = row(times, way, None if way == OURS else OURS)
        found.append(line | {"GFLOP/s": 2e-6 * work / line["median ms"]})
    return found


def summary(all_times: dict[str, Times]) -> list[Row]:
    """For each layer, what the library takes beside the fastest of all ways."""
    lines = []
    for title, times in all_times.items():
        best = min(times, key=lambda way: middle(times, way))
        line = {"": title, "dreaming ms": middle(times, OURS), "fastest": best}
        lines.append(line | {"ms": middle(times, best), **ratio(times, OURS, best)})
    return lines


def total(all_times: dict[str, Times], precision: str) -> list[Row]:
    """All layers once with their gradients: what the library takes, beside torch's default and the fastest ways."""
    chosen: list[tuple[Times, dict[str, str]]] = []
    for title, times in all_times.items():
        if title.endswith(f", {LEARNING}, {precision}"):
            default = next(way for way in times if way.endswith(DEFAULT))
            best = min(times, key=lambda way: middle(times, way))
            chosen.append((times, {OURS: OURS, "torch": default, "fastest": best}))
    sums = {
        name: [
            [sum(float(np.median(block)) for block in blocks)]
            for blocks in zip(*(times[way[name]] for times, way in chosen), strict=True)
        ]
        for name in (OURS, "torch", "fastest")
    }
    what = f"all layers once with gradients, {precision}"
    return [
        headline(what, sums, OURS, "torch", "torch's own, NCHW"),
        headline(what, sums, OURS, "fastest", "the fastest way of each"),
    ]
