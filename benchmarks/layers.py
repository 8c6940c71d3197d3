"""Each layer by itself: every way in which its forward pass and its two gradients can be computed.

A layer of the generator mirrors one of the encoder: what is the forward pass of one is the gradient of the input
of the other, and both have the same gradient of the weight. So each pair of layers has three operations.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.cortices import pad
from benchmarks.measure import PRECISIONS, Row, Times, headline, in_turn, middle, ratio, repeated, row
from benchmarks.record import RECORDS, Record
from dreaming import convolution
from dreaming.training import exactly

Operation = dict[str, Callable[[], Tensor]]
FIRST, DEFAULT = "dreaming", " (NCHW)"
ROLES = {
    "coarsen": "encoder's forward, generator's gradient of the input",
    "refine": "generator's forward, encoder's gradient of the input",
    "correlate": "gradient of the weight of both",
}

NOTES = """*dreaming* is what the library takes; *by_…* are its own ways, some of which it takes for other
shapes, number types or devices; the others are torch's, with maps and weights channels-last as in the
library, or (NCHW) as torch has them by default. Ratios are to *dreaming*. For the layers between the 4 × 4
map and the latents, *dreaming* is the matrix product as which the networks compute them."""


def backward(y: Tensor, x: Tensor, w: Tensor, stride: int, padding: int, wanted: int) -> Tensor:
    """Compute one gradient of torch's convolution: 0 of the input, 1 of the weight."""
    wants = [index == wanted for index in range(3)]
    sizes = [stride] * 2, [padding] * 2, [1, 1]
    return torch.ops.aten.convolution_backward(y, x, w, None, *sizes, False, [0, 0], 1, wants)[wanted]


def library(x: Tensor, y: Tensor, w: Tensor, stride: int, padding: int, suffix: str) -> dict[str, Operation]:
    """The ways of torch for the three operations, x fine, y coarse."""
    return {
        "coarsen": {f"conv2d{suffix}": lambda: functional.conv2d(x, w, None, stride, padding)},
        "refine": {
            f"conv_transpose2d{suffix}": lambda: functional.conv_transpose2d(y, w, None, stride, padding),
            f"convolution_backward{suffix}": lambda: backward(y, x, w, stride, padding, 0),
        },
        "correlate": {f"convolution_backward{suffix}": lambda: backward(y, x, w, stride, padding, 1)},
    }


def own_ways(stem: str, *tensors: Tensor | None) -> Operation:
    """Every private way of `dreaming.convolution` for one operation."""
    found = {name: way for name, way in vars(convolution).items() if name.startswith(stem)}
    return {name.removeprefix(stem): (lambda way=way: way(*tensors)) for name, way in found.items()}


def of_maps(x: Tensor, y: Tensor, w: Tensor) -> dict[str, Operation]:
    """Every way for a map-to-map layer, x fine, y coarse, all channels-last."""
    plain = library(*(each.contiguous() for each in (x, y, w)), 2, 1, DEFAULT)
    theirs = library(x, y, w, 2, 1, "")
    ours = {
        "coarsen": {FIRST: lambda: convolution.coarsen(x, w)} | own_ways("_coarsened_", x, w, None),
        "refine": {FIRST: lambda: convolution.refine(y, w)} | own_ways("_refined_", y, w, None),
        "correlate": {FIRST: lambda: convolution.correlate(x, y)} | own_ways("_correlated_", x, y),
    }
    return {name: ours[name] | theirs[name] | plain[name] for name in ours}


def of_latents(x: Tensor, y: Tensor, w: Tensor) -> dict[str, Operation]:
    """Every way for a layer between the 4 x 4 map and the latents, x [b, c, 4, 4], y [b, n, 1, 1]."""
    plain = library(*(each.contiguous() for each in (x, y, w)), 1, 0, DEFAULT)
    theirs = library(x, y, w, 1, 0, "")
    maps, latents = x.permute(0, 2, 3, 1).flatten(1), y.flatten(1)
    weight = w.permute(0, 2, 3, 1).flatten(1)
    ours = {
        "coarsen": {FIRST: lambda: functional.linear(maps, weight)},
        "refine": {FIRST: lambda: latents @ weight},
        "correlate": {FIRST: lambda: latents.t() @ maps},
    }
    return {name: ours[name] | theirs[name] | plain[name] for name in ours}


def drawn(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Random numbers, channels-last."""
    return torch.randn(shape).to(device, dtype).to(memory_format=torch.channels_last)


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
    """Time the forward pass and both gradients of each layer, each way, in turn.

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
    shapes = [(3, c, 32), (c, 2 * c, 16), (2 * c, 4 * c, 8), (4 * c, latent_dim, 4), (4 * c, 1, 4)]
    for i, o, side in shapes:
        coarse = side // 2 if side > 4 else 1
        for precision in precisions:
            x, y, w = (
                drawn(shape, PRECISIONS[precision], record.where)
                for shape in ((batch, i, side, side), (batch, o, coarse, coarse), (o, i, 4, 4))
            )
            operations = (of_maps if side > 4 else of_latents)(x, y, w)
            for name, ways in operations.items():
                title = f"{i}×{side}×{side} ↔ {o}×{coarse}×{coarse}, {name}, {precision} ({ROLES[name]})"
                timed = {way: repeated(work, record.where) for way, work in ways.items()}
                with torch.no_grad(), exactly(pad(precision=precision)):
                    times = in_turn(timed, rounds, block=5, drop=1)
                tables.append((title, rows(times, batch * coarse * coarse * o * i * 16)))
                all_times[title] = times
    lines = summary(all_times)
    return record.write(
        [("What the library takes, beside the fastest way", lines), *tables],
        {"ms": all_times},
        settings,
        NOTES,
        baseline="torch's own convolutions and their gradients, channels-last and NCHW",
        headlines=[line for precision in precisions for line in total(all_times, precision)],
    )


def rows(times: Times, work: int) -> list[Row]:
    """One row for each way, with its rate."""
    found = []
    for way in times:
        base = None if way == FIRST else FIRST
        line = row(times, way, base)
        found.append(line | {"GFLOP/s": 2e-6 * work / line["median ms"]})
    return found


def summary(all_times: dict[str, Times]) -> list[Row]:
    """For each operation, what the library takes beside the fastest of all ways."""
    lines = []
    for title, times in all_times.items():
        best = min(times, key=lambda way: middle(times, way))
        line = {"": title.split(" (")[0], "dreaming ms": middle(times, FIRST), "fastest": best}
        lines.append(line | {"ms": middle(times, best), **ratio(times, FIRST, best)})
    return lines


def total(all_times: dict[str, Times], precision: str) -> list[Row]:
    """All operations of one precision once: what the library takes, beside torch's default and the fastest ways."""
    chosen: list[dict[str, str]] = []
    of_precision = [times for title, times in all_times.items() if f", {precision} (" in title]
    for times in of_precision:
        default = next(way for way in times if way.endswith(DEFAULT))
        best = min(times, key=lambda way: middle(times, way))
        chosen.append({FIRST: FIRST, "torch, NCHW": default, "fastest": best})
    sums = {
        name: [
            [sum(float(np.median(block)) for block in blocks)]
            for blocks in zip(*(t[c[name]] for t, c in zip(of_precision, chosen, strict=True)), strict=True)
        ]
        for name in chosen[0]
    }
    what = f"all layers and gradients once, {precision}"
    return [
        headline(what, sums, FIRST, "torch, NCHW", "torch's own, NCHW"),
        headline(what, sums, FIRST, "fastest", "the fastest way of each"),
    ]
