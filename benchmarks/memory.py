"""The most memory a training holds, in a process of its own for each precision, and for the published program."""

import json
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.alternation import Published, identified
from benchmarks.cortices import cycles_of, pad
from benchmarks.measure import Row, some_images, statistics
from benchmarks.record import RECORDS, Record
from benchmarks.residence import peak
from dreaming.system.threads import keep_memory

IMAGES = 50_000
NOTES = """Peak resident memory of a process that imports the library, loads the images (all stay resident),
and runs some cycles as training does; each value is of a new process. What stands after a stage is the
highest it ever held until then, as the system counts it for the process itself; what a GPU held stands apart.
The *published program* is handed the same images as one array, which spares it their reading; its loader's
workers, which share most of their memory with it, are not counted."""


def child(asked: dict) -> dict[str, float]:
    """Run some cycles, and note the peak after each stage."""
    keep_memory()
    torch.set_num_threads(asked["threads"])
    found = {"imports": peak()}
    data_dir = None if asked["data_dir"] is None else Path(asked["data_dir"])
    images = some_images(data_dir, asked["trust_data"], asked["images"])
    found["data"] = peak()
    shape = {key: asked[key] for key in ("base_channels", "latent_dim", "batch", "precision", "device")}
    cycles_of(pad(**shape), images)(asked["cycles"])
    found["cycles"] = peak()
    if asked["device"].startswith("cuda"):
        found["cycles, on the GPU"] = torch.cuda.max_memory_allocated() / 2**20
    return found


def main(
    cycles: int = 30,
    rounds: int = 3,
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
    """Measure the peak resident memory of a training, per precision.

    Parameters
    ----------
    cycles
        How many it runs.
    rounds
        Processes of each precision.
    published
        Folder with main_PAD.py, network.py and utils.py of github.com/NicoZenith/PAD.
    data_dir, trust_data
        Where CIFAR-10 is; without it, as many random images.
    base_channels, latent_dim, batch, precisions
        Of the cortex.
    device, threads, out
        Where, how many threads of torch, and the folder of records.
    """
    settings = dict(locals())
    record = Record("memory", out, threads, device)
    asked = {key: settings[key] for key in ("cycles", "trust_data", "base_channels", "latent_dim", "batch")}
    asked |= {
        "threads": torch.get_num_threads(),
        "data_dir": None if data_dir is None else str(data_dir.resolve()),
        "device": str(record.where),
        "images": IMAGES,
    }
    images = some_images(data_dir, trust_data, IMAGES) if published else None
    names = [*precisions, *(["published"] if published else [])]
    peaks: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for precision in precisions:
            peaks[precision].append(in_a_process(asked | {"precision": precision}))
        if published:
            with Published(published, images, batch, base_channels, latent_dim, record.where) as theirs:
                theirs(cycles)
                peaks["published"].append({"cycles": theirs.peak()})
    rows = [line(name, stage, found) for name, found in peaks.items() for stage in found[0]]
    return record.write(
        [("Peak resident memory, MiB", rows)],
        {"MiB": peaks},
        settings,
        NOTES,
        baseline="float32" + (f"; {identified(published)}" if published else ""),
        headlines=[headline(peaks, name) for name in names],
    )


def in_a_process(asked: dict) -> dict[str, float]:
    """Return the peaks of a new process."""
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", json.dumps(asked)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[1],
        check=True,
        text=True,
    )
    return json.loads(answer.stdout)


def line(name: str, stage: str, found: list[dict[str, float]]) -> Row:
    """Statistics of one way after one stage."""
    values = [each[stage] for each in found]
    return {"": name, "after": stage, **statistics(values), "max": max(values)}


def headline(peaks: dict[str, list[dict[str, float]]], name: str) -> Row:
    """The highest of one way, beside float32, process by process."""
    base = next(iter(peaks))
    mine, other = ([each["cycles"] for each in peaks[way]] for way in (name, base))
    each = statistics(mine)
    found: Row = {"": f"memory, {name}", "median": each["median"], "unit": "MiB", "n": each["n"]}
    if name == base:
        return found
    pairs = [a / b for a, b in zip(mine, other, strict=True)]
    return found | {"beside": base, "in turn": {**statistics(pairs), "max": max(pairs)}}


if __name__ == "__main__":
    print(json.dumps(child(json.loads(sys.argv[1]))))
