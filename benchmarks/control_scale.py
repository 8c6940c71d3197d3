"""What the scale of features does to the readout by the paper's protocol: the table in docs/deviations.md.

python benchmarks/control_scale.py cifar10 --data-dir data --trust-data --seeds 3
"""

from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import tyro
from sklearn.decomposition import PCA
from torch import Tensor

from dreaming.data import load_dataset, to_activity
from dreaming.evaluation.features.controls import pca, pixel_features
from dreaming.evaluation.readout import accuracy, train_readout


def raw_pca(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Project on 256 principal components at their own scale."""
    found = PCA(256, svd_solver="covariance_eigh").fit(x.numpy())
    train, test = (torch.from_numpy(found.transform(split.numpy())).float() for split in (x, y))
    return train, test


def main(
    dataset: tyro.conf.Positional[str],
    data_dir: Path = Path("data"),
    trust_data: bool = False,
    seeds: Annotated[int, tyro.conf.arg(help="readouts of each, of seeds 0 to N-1")] = 3,
) -> None:
    """Read out pixels and principal components at their own scale and at that of latents."""
    images = load_dataset(dataset, data_dir, trust=trust_data)
    train, test = images.train.images, images.test.images
    x, y = (to_activity(split).flatten(1) for split in (train, test))
    features = {
        "pixels in [-1, 1]": (x, y),
        "pixels, as the control has them": pixel_features(train, test, 3, 0)[1:],
        "256 components": raw_pca(x, y),
        "256 components, as the control has them": pca(train, test, 3, 0)[1:],
    }
    rows = []
    for name, (seen, unseen) in features.items():
        for seed in range(seeds):
            weights = train_readout(seen[None], images.train.labels, len(images.classes), seed)
            rows.append((name, float(accuracy(weights, unseen[None], images.test.labels)[0])))
    table = pd.DataFrame(rows, columns=["features", "accuracy"])
    print(
        (100 * table.groupby("features", sort=False)["accuracy"].agg(["mean", "sem", "min", "max"])).round(2)
    )


if __name__ == "__main__":
    tyro.cli(main)
