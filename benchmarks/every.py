"""Every record, in order: each benchmark in a process of its own, at full size or at the smallest."""

import subprocess
import sys
from pathlib import Path

from benchmarks.record import RECORDS
from dreaming.errors import UserError

SMALL = ["--base-channels", "2", "--latent-dim", "8", "--batch", "4"]
SMALLEST = {
    "cycle": ["--rounds", "2", "--block", "2", *SMALL],
    "layers": ["--rounds", "2", *SMALL],
    "data": ["--rounds", "2", "--loads", "1", "--batch", "4"],
    "readout": [
        *("--images", "640", "--snapshots", "2", "--epochs", "2", "--rounds", "2"),
        *("--infer-images", "100"),
    ],
    "memory": ["--rounds", "1", "--cycles", "2", *SMALL],
    "scaling": [
        *("--rounds", "2", "--block", "1", *SMALL),
        *("--widths", "2", "4", "--batches", "4", "8", "--images", "100", "200", "--cortices", "1", "2"),
    ],
    "population": ["--rounds", "1", "--epochs", "2", "--cycles", "3", "--cortices", "1", "2", *SMALL],
}
"""The benchmarks in the order in which they are taken, and their settings where only their working is asked for."""
SEES = {"cycle", "memory", "data"}
"""Those that look at CIFAR-10 where there is some; the others draw images or bring their own."""
BESIDE = {"cycle", "memory"}
"""Those beside the published program."""
DEVICES = {"cycle", "layers", "memory", "scaling", "population"}
"""Those that can be told where."""


def main(
    published: Path | None = None,
    data_dir: Path | None = None,
    trust_data: bool = False,
    device: str | None = None,
    threads: int | None = None,
    only: tuple[str, ...] = tuple(SMALLEST),
    smallest: bool = False,
    out: Path = RECORDS,
) -> None:
    """Take every record in order, each by a process of its own; about two hours on two cores.

    Parameters
    ----------
    published
        Folder with main_PAD.py, network.py and utils.py of github.com/NicoZenith/PAD.
    data_dir, trust_data
        Where CIFAR-10 is.
    device, threads
        For those benchmarks which have them.
    only
        Names of benchmarks.
    smallest
        Whether the smallest settings are used, to see that everything works; such records say nothing of speed.
    out
        Folder of records.
    """
    unknown = [name for name in only if name not in SMALLEST]
    if unknown:
        raise UserError(f"there is no benchmark '{unknown[0]}'; there are {', '.join(SMALLEST)}")
    for name, small in SMALLEST.items():
        if name in only:
            asked = options(name, published, data_dir, trust_data, device, threads)
            command = [name, *asked, "--out", str(out.resolve()), *(small if smallest else [])]
            done = subprocess.run([sys.executable, "-m", "benchmarks", *command], check=False)
            if done.returncode:
                raise UserError(f"stopped at {name}; take the rest with --only, once that is mended")


def options(
    name: str,
    published: Path | None,
    data_dir: Path | None,
    trust_data: bool,
    device: str | None,
    threads: int | None,
) -> list[str]:
    """What of the options concerns one benchmark."""
    found = ["cifar10"] if name == "data" and data_dir else []
    if data_dir and name in SEES:
        found += ["--data-dir", str(data_dir), *(["--trust-data"] if trust_data else [])]
    if published and name in BESIDE:
        found += ["--published", str(published)]
    if device and name in DEVICES:
        found += ["--device", device]
    return found + (["--threads", str(threads)] if threads else [])
