"""Run the published program's own training loop, block by block, and time its cycles.

python benchmarks/published.py DIR --threads 2 [--images IMAGES.npy] [-- OPTIONS OF main_PAD.py]

DIR is your copy of main_PAD.py, network.py and utils.py from github.com/NicoZenith/PAD; nothing of it is here.
Each line N on standard input lets it run N cycles; the milliseconds of each come back as one line of JSON on
standard output, and what the program prints goes to standard error. Between blocks it sleeps, and its
loader's workers with it as soon as their queue is full. The end of the input is its end.

Two things are put in its way: a stand-in for torchvision (`standin.py`), and a mend without which it stops at its
200th cycle on PyTorch 2, where it changes a view made by a custom gradient in place: UnNormalize works on a copy.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import runpy
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from standin import install


def paced(loader: type, answers: int) -> type:
    """Make a data loader that waits for its turn, and reports the time from one request for a batch to the next."""
    left, took = 0, []

    class Paced(loader):
        def __iter__(self) -> Iterator:
            nonlocal left
            batches = super().__iter__()
            while True:
                if not left:
                    left = turn(took, answers)
                begin = time.perf_counter()
                try:
                    batch = next(batches)
                except StopIteration:
                    return
                yield batch
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                took.append(1e3 * (time.perf_counter() - begin))
                left -= 1

    return Paced


def turn(took: list[float], answers: int) -> int:
    """Report the last block, if any, and wait for the next."""
    if took:
        os.write(answers, (json.dumps(took) + "\n").encode())
        took.clear()
    line = sys.stdin.readline()
    if not line.strip():
        raise SystemExit
    return int(line)


def mend() -> None:
    """Let UnNormalize work on a copy."""
    normalise = importlib.import_module("utils").UnNormalize
    original = normalise.__call__
    normalise.__call__ = lambda self, images: original(self, images.detach().clone())


def main() -> None:
    """Put everything in its place, and run the program as it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--cpu", action="store_true", help="stay on the CPU, also where there is a GPU")
    parser.add_argument("--images", type=Path, help="uint8 [n, 32, 32, 3]; random ones by default")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    asked, options = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]
    torch.set_num_threads(asked.threads)
    if asked.cpu:
        torch.cuda.is_available = lambda: False
    multiprocessing.set_start_method("fork")
    answers = os.dup(1)
    os.dup2(2, 1)
    if asked.images is not None:
        images = np.load(asked.images)
    else:
        images = np.random.default_rng(0).integers(256, size=(20_000, 32, 32, 3), dtype=np.uint8)
    install(images)
    sys.path[0] = str(asked.folder)
    mend()
    torch.utils.data.DataLoader = paced(torch.utils.data.DataLoader, answers)
    sys.argv = ["main_PAD.py", *options]
    runpy.run_path(str(asked.folder / "main_PAD.py"), run_name="__main__")


if __name__ == "__main__":
    main()
