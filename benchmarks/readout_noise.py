"""How much the readout by the paper's protocol depends on its own seed: the table in docs/reproduction.md.

python benchmarks/readout_noise.py RUN... --data-dir data --trust-data
"""

from pathlib import Path

import pandas as pd
import tyro

import dreaming
from dreaming.data import load_dataset
from dreaming.evaluation.readout import Protocol, accuracy, train_readout
from dreaming.runs.folder import RunFolder


def main(
    runs: tyro.conf.Positional[tuple[Path, ...]],
    data_dir: Path = Path("data"),
    trust_data: bool = False,
    epoch: int | None = None,
    seeds: int = 4,
    learning_rates: tuple[float, ...] = (0.2, 0.02),
) -> None:
    """Read out the last (or another) snapshot of each run with several seeds and learning rates."""
    rows = []
    for run in runs:
        config = RunFolder.existing(run).read_config()
        images = load_dataset(config.dataset.name, data_dir, limit=config.dataset.limit, trust=trust_data)
        cortex = dreaming.load(run, epoch)
        train, test = (cortex.infer(split.images)[None] for split in (images.train, images.test))
        for rate in learning_rates:
            for seed in range(seeds):
                protocol = Protocol(learning_rate=rate)
                weights = train_readout(train, images.train.labels, len(images.classes), seed, protocol)
                value = 100 * float(accuracy(weights, test, images.test.labels)[0])
                rows.append((config.condition, rate, value))
    table = pd.DataFrame(rows, columns=["condition", "learning rate", "accuracy"])
    grouped = table.groupby(["condition", "learning rate"], sort=False)["accuracy"]
    print(grouped.agg(["count", "mean", "std", "min", "max"]).round(2))


if __name__ == "__main__":
    tyro.cli(main)
