"""How long measuring takes, stage by stage: snapshots by three measures, and what the paper's figures need."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

import dreaming
from benchmarks.measure import Row, Table, cifar10
from benchmarks.record import RECORDS, Record
from benchmarks.residence import peak
from dreaming.config.config import Config
from dreaming.data import Dataset, load_dataset
from dreaming.evaluation.measuring import evaluate
from dreaming.model.cortex import Cortex
from dreaming.runs.folder import RunFolder
from dreaming.runs.snapshots import save
from dreaming.system.progress import NoProgress

MEASURES = "readout,robustness,organisation"
NOTES = """The snapshots are untrained cortices, each of its own seed, of one run on the whole data set: what
measuring costs does not depend on what they learned. *snapshots* are measured by readout, robustness and
organisation; *figures* are what the paper's figures need of a run: the readout of all, robustness and
organisation of the last. In both the readout's controls are measured too, once, with an empty cache. A stage
within another is not counted in the outer one: of a measure, what stands is what it takes beside inference
and the training of readouts. The rate is that of inference, two operations a multiply-accumulate of the plain
convolution, however it is computed. The peak is of the whole process until then, data set and library with
it."""


class Listening(NoProgress):
    """Adds up what is said of stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.inferred = 0

    def measured(self, title: str, seconds: Mapping[str, float], inferred: int) -> None:
        """Add one measuring."""
        for stage, spent in seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent
        self.inferred += inferred


def main(
    snapshots: int = 5,
    figures: int = 51,
    data_dir: Path | None = None,
    trust_data: bool = False,
    base_channels: int = 64,
    latent_dim: int = 256,
    precision: str = "float32",
    device: str = "cpu",
    threads: int | None = None,
    out: Path = RECORDS,
) -> Path:
    """Time the stages of measuring; about twenty minutes on two cores.

    Parameters
    ----------
    snapshots
        How many are measured by readout, robustness and organisation; 0 leaves this out.
    figures
        Of how many the paper's figures are made; 0 leaves this out.
    data_dir, trust_data
        Where CIFAR-10 is; without it the digits are measured, which says nothing of the time.
    base_channels, latent_dim, precision
        Of the cortices.
    device, threads, out
        Where, how many threads of torch, and the folder of records.
    """
    settings = dict(locals())
    record = Record("evaluation", out, threads, device)
    images = load_dataset("digits") if data_dir is None else cifar10(data_dir, trust_data)
    source = {"data_dir": data_dir, "trust_data": trust_data, "device": str(record.where)}
    config = dreaming.configure(
        "untrained",
        networks={"base_channels": base_channels, "latent_dim": latent_dim},
        dataset={"name": images.name},
        training={"epochs": 0, "device": str(record.where), "precision": precision},
    )
    operations = 2 * multiply_accumulates(config.networks.build(0))
    jobs = {"snapshots": (snapshots, "all"), "figures": (figures, "last")}
    tables: list[Table] = []
    headlines: list[Row] = []
    found: dict[str, dict[str, float]] = {}
    for name, (count, epochs) in jobs.items():
        if count:
            heard = measured(config, images, count, epochs, source)
            whole = sum(heard.seconds.values())
            rows: list[Row] = [
                {"": stage, "s": spent, "share": spent / whole} for stage, spent in heard.seconds.items()
            ]
            found[name] = {
                "s": whole,
                "images inferred": heard.inferred,
                "TFLOP": 1e-12 * operations * heard.inferred,
                "GFLOP/s": 1e-9 * operations * heard.inferred / heard.seconds["inference"],
                "peak MiB": peak(),
            }
            what = f"{count} snapshots of {images.name}, {name}"
            tables += [(f"Stages: {what}", rows), (f"In all: {what}", [{"": name, **found[name]}])]
            headlines.append({"": f"evaluation of {what}", "median": whole, "unit": "s", "n": 1})
    return record.write(
        tables, found, settings, NOTES, baseline="none; the time of each stage", headlines=headlines
    )


def measured(config: Config, images: Dataset, count: int, epochs: str, source: dict[str, Any]) -> Listening:
    """Measure some epochs of a new run by all three measures, and then the others by the readout."""
    heard = Listening()
    with tempfile.TemporaryDirectory() as place, empty_cache(Path(place) / "cache"):
        folder = RunFolder(dreaming.train(config, out=Path(place) / "runs", dataset=images))
        written = folder.read_config()
        for epoch in range(1, count):
            save(folder, written, epoch, written.networks.build(epoch))
        evaluate(folder.path, measures=MEASURES, epochs=epochs, progress=heard, **source)
        if epochs != "all":
            evaluate(folder.path, measures="readout", progress=heard, **source)
    return heard


@contextmanager
def empty_cache(place: Path) -> Iterator[None]:
    """Have nothing in the cache within the block."""
    before = os.environ.get("DREAMING_CACHE")
    os.environ["DREAMING_CACHE"] = str(place)
    try:
        yield
    finally:
        del os.environ["DREAMING_CACHE"]
        if before is not None:
            os.environ["DREAMING_CACHE"] = before


@torch.no_grad()
def multiply_accumulates(cortex: Cortex) -> int:
    """Count those of one image's way to its latents."""
    activity, count = torch.zeros(1, 3, 32, 32), 0
    for layer in (*cortex.encoder.trunk, cortex.encoder.latent_head):
        activity = layer(activity)
        count += layer.weight.numel() * activity.shape[2] * activity.shape[3]
    return count
