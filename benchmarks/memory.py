"""The most memory a training holds, measured in a process of its own for each precision."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.cycles import Cycles, pad
from benchmarks.measure import RECORDS, Row, Session, some_images, statistics
from dreaming import hardware

STAGES = ("imports", "data", "cycles")
NOTES = """Peak resident memory of a process that imports the library, loads the images (all stay resident),
and lives some cycles as training does; each value is of a new process. What stands after a stage is the
highest it ever held until then, as the system counts it for the process itself."""
REST = """ On a GPU its own memory is not in it."""


def peak() -> float:
    """The most this process ever held, in MiB.

    getrusage also counts what the process that started this one held at that moment; where the system says what
    this one held by itself, that is taken.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / (2**20 if sys.platform == "darwin" else 2**10)


def child(asked: dict) -> dict[str, float]:
    """Live some cycles, and note the peak after each stage."""
    hardware.keep_memory()
    torch.set_num_threads(asked["threads"])
    found = {"imports": peak()}
    data_dir = None if asked["data_dir"] is None else Path(asked["data_dir"])
    images = some_images(data_dir, asked["trust_data"], 50_000)
    found["data"] = peak()
    config = pad(asked["base_channels"], asked["latent_dim"], asked["batch"], asked["precision"])
    cycle = Cycles(config, images)
    for _ in range(asked["cycles"]):
        cycle()
    return found | {"cycles": peak()}


def main(
    cycles: int = 30,
    rounds: int = 3,
    data_dir: Path | None = None,
    trust_data: bool = False,
    base_channels: int = 64,
    latent_dim: int = 256,
    batch: int = 64,
    precisions: tuple[str, ...] = ("float32", "bfloat16"),
    threads: int | None = None,
    out: Path = RECORDS,
) -> Path:
    """Measure the peak resident memory of a training, per precision.

    Parameters
    ----------
    cycles
        How many it lives.
    rounds
        Processes of each precision.
    data_dir, trust_data
        Where CIFAR-10 is; without it, as many random images.
    base_channels, latent_dim, batch, precisions
        Of the cortex.
    threads
        Of torch.
    out
        Folder of records.
    """
    settings = dict(locals())
    session = Session("memory", out, threads)
    asked = {key: settings[key] for key in ("cycles", "trust_data", "base_channels", "latent_dim", "batch")}
    asked |= {
        "threads": torch.get_num_threads(),
        "data_dir": None if data_dir is None else str(data_dir.resolve()),
    }
    peaks: dict[str, list[dict[str, float]]] = {precision: [] for precision in precisions}
    for _ in range(rounds):
        for precision in precisions:
            answer = subprocess.run(
                [sys.executable, "-m", "benchmarks.memory", json.dumps(asked | {"precision": precision})],
                stdout=subprocess.PIPE,
                cwd=Path(__file__).resolve().parents[1],
                check=True,
                text=True,
            )
            peaks[precision].append(json.loads(answer.stdout))
    rows = [line(precision, stage, found) for precision, found in peaks.items() for stage in STAGES]
    return session.write([("Peak resident memory, MiB", rows)], {"peaks_MiB": peaks}, settings, NOTES + REST)


def line(precision: str, stage: str, found: list[dict[str, float]]) -> Row:
    """Statistics of one precision after one stage."""
    values = [each[stage] for each in found]
    return {"": precision, "after": stage, **statistics(values), "max": max(values)}


if __name__ == "__main__":
    print(json.dumps(child(json.loads(sys.argv[1]))))
