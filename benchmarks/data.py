"""How long a data set takes to load, and a mini-batch to be made of it, beside the usual loader."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import torch
import tyro
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.measure import Way, headline, in_turn, repeated, row
from benchmarks.record import RECORDS, Record
from benchmarks.standin import Compose, Normalize, ToTensor, pictures
from dreaming.data import epoch_order, load_dataset, to_activity

NOTES = """*dreaming* indexes the images, which lie in memory, and makes activity of them. *loader* is
torch's DataLoader without workers over PIL images with torchvision's ToTensor and Normalize (a stand-in
that does the same work); it needs no process beside it, as workers would. The first load also imports what
reads the data."""


def main(
    dataset: Annotated[str, tyro.conf.Positional] = "digits",
    data_dir: Path | None = None,
    trust_data: bool = False,
    rounds: int = 20,
    loads: int = 3,
    batch: int = 64,
    threads: int | None = None,
    out: Path = RECORDS,
) -> Path:
    """Time the loading of a data set, and mini-batches of it against a plain DataLoader, in turn.

    Parameters
    ----------
    dataset, data_dir, trust_data
        As for training.
    rounds
        Blocks of ten mini-batches.
    loads
        How often the data set is loaded.
    batch
        Images of a mini-batch.
    threads
        Of torch.
    out
        Folder of records.
    """
    settings = dict(locals())
    record = Record("data", out, threads)
    opening = {"load": repeated(lambda: load_dataset(dataset, data_dir, trust=trust_data))}
    loading = in_turn(opening, loads, warm=0)
    images = load_dataset(dataset, data_dir, trust=trust_data).train.images
    times = in_turn(batch_ways(images, batch), rounds, block=10, drop=1)
    tables = [
        (f"Loading {dataset}, {len(images)} training images", [row(loading, "load")]),
        (f"A mini-batch of {batch}", [row(times, "dreaming"), row(times, "loader", "dreaming")]),
    ]
    return record.write(
        tables,
        {"ms": loading | times},
        settings,
        NOTES,
        baseline="torch's DataLoader, PIL images and torchvision's transforms",
        headlines=[
            headline(f"loading {dataset}", loading, "load"),
            headline(f"mini-batch of {batch} images", times, "dreaming"),
            headline(f"mini-batch of {batch} images, by DataLoader", times, "loader", "dreaming"),
        ],
    )


def batch_ways(images: Tensor, batch: int) -> dict[str, Way]:
    """Both ways to a mini-batch, each with an order drawn anew when all images were seen."""
    usual = pictures(images.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).contiguous().numpy())
    seen = usual(Compose([ToTensor(), Normalize((0.5,) * 3, (0.5,) * 3)]))

    def orders() -> Iterator[Tensor]:
        while True:
            yield from epoch_order(len(images), batch, chance)

    def loaded() -> Iterator[list[Tensor]]:
        while True:
            yield from DataLoader(seen, batch_size=batch, shuffle=True, drop_last=True, generator=chance)

    chance, order, batches = torch.Generator().manual_seed(0), orders(), loaded()
    return {
        "dreaming": repeated(lambda: to_activity(images[next(order)])),
        "loader": repeated(lambda: next(batches)),
    }
