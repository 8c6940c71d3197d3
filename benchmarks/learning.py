"""Whether a cortex learns as well on a fast path as on the plain one: linear readout, seed by seed.

python benchmarks/learning.py --data-dir data --limit 20000 --epochs 4 --seeds 4

Both paths of one seed begin with the same weights and meet the same images and noise, so that their accuracies are
compared in pairs. Learning is chaotic: after some hundred cycles two paths that differ in rounding are two samples.
The question is whether the mean of the differences lies below zero by more than chance.
"""

import json
from pathlib import Path

import numpy as np
import torch
import tyro
from scipy import stats

import dreaming
from dreaming.data import Dataset, load_dataset
from dreaming.evaluation.readout import accuracy, train_readout
from dreaming.system.hardware import record

READOUT_SEEDS = 3


def accuracies(run: Path, epochs: list[int], images: Dataset) -> dict[str, float]:
    """Accuracy in percent at each snapshot, the mean over several readouts, latents inferred in float32."""
    cortices = [dreaming.load(run, epoch) for epoch in epochs]
    train, test = (
        torch.stack([cortex.infer(split.images) for cortex in cortices])
        for split in (images.train, images.test)
    )
    found = []
    for seed in range(READOUT_SEEDS):
        weights = train_readout(train, images.train.labels, len(images.classes), seed)
        found.append(100 * accuracy(weights, test, images.test.labels))
    return dict(zip(map(str, epochs), torch.stack(found).mean(0).tolist(), strict=True))


def main(
    data_dir: Path = Path("data"),
    trust_data: bool = False,
    out: Path = Path("learning"),
    dataset: str = "cifar10",
    condition: str = "pad",
    limit: int | None = None,
    epochs: int = 4,
    seeds: int = 4,
    paths: tuple[str, ...] = ("float32", "bfloat16"),
    beside: Path | None = None,
) -> None:
    """Train each seed on each path, read out its snapshots, and compare the last path with the first.

    With --beside, the first path is the first one of an older record of the same images and epochs.
    """
    images = load_dataset(dataset, data_dir, limit=limit, trust=trust_data)
    kept = list(range(epochs + 1))
    result: dict = {"commands": [], "accuracy": {path: {} for path in paths}}
    if beside is not None:
        older = json.loads(beside.read_text(encoding="utf-8"))
        name = f"{next(iter(older['accuracy']))} at {older['environment']['commit'][:7]}"
        result["accuracy"] = {name: next(iter(older["accuracy"].values())), **result["accuracy"]}
    compared = tuple(result["accuracy"])
    for seed in range(seeds):
        for path in paths:
            config = dreaming.configure(
                condition,
                dataset={"name": dataset, "limit": limit},
                training={"epochs": epochs, "precision": path, "snapshots": ",".join(map(str, kept))},
                seed=seed,
            )
            run = dreaming.train(config, out=out / path, data_dir=data_dir, dataset=images)
            result["accuracy"][path][str(seed)] = accuracies(run, kept, images)
            print(path, seed, result["accuracy"][path][str(seed)], flush=True)
        result["difference"] = {
            str(epoch): difference(result["accuracy"], compared, str(epoch)) for epoch in kept
        }
        result["environment"] = record(torch.device("cpu"))
        out.mkdir(parents=True, exist_ok=True)
        (out / "record.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def difference(found: dict, paths: tuple[str, ...], epoch: str) -> dict[str, float]:
    """The last path minus the first, in points: mean over seeds with its 95 % interval (Student's t)."""
    seeds = found[paths[-1]]
    values = np.array([found[paths[-1]][seed][epoch] - found[paths[0]][seed][epoch] for seed in seeds])
    if len(values) < 2:
        return {"mean": float(values.mean()), "n": 1}
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    mean = float(values.mean())
    return {"mean": mean, "low": mean - half, "high": mean + half, "n": len(values)}


if __name__ == "__main__":
    tyro.cli(main)
