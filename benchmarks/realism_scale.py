"""What a Fréchet distance means, from images made worse by known amounts: the table in docs/measures.md.

python benchmarks/realism_scale.py cifar10 --data-dir data --trust-data

With an empty DREAMING_CACHE, it also says what the classifier cost and how well it reads classes.
"""

from pathlib import Path
from typing import Literal

import torch
import tyro
from torch import Tensor
from torch.nn import functional

from dreaming.data import load_dataset
from dreaming.evaluation.features.extractors import extractor
from dreaming.evaluation.features.frechet import frechet_distance
from dreaming.evaluation.measures.realism import SAMPLES
from dreaming.system import hardware
from dreaming.system.progress import TerminalProgress


def main(
    dataset: tyro.conf.Positional[str],
    data_dir: Path = Path("data"),
    trust_data: bool = False,
    features: Literal["classifier", "inception"] = "classifier",
    device: str = "cpu",
) -> None:
    """Measure training images against others, against themselves averaged over tiles, and against noise."""
    where, images = hardware.device(device), load_dataset(dataset, data_dir, trust=trust_data)
    each = extractor(features, images, where, progress=TerminalProgress())
    count = min(SAMPLES, len(images.train) // 2)
    seen, others = images.train.images[:count], images.train.images[count : 2 * count]
    real = each.moments(seen, where)

    def averaged(by: int) -> Tensor:
        tiles = functional.avg_pool2d(seen.float(), by)
        return functional.interpolate(tiles, scale_factor=by).round().to(torch.uint8)

    noise = torch.randint(0, 256, seen.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    compared = {
        "other training images": others,
        "test images": images.test.images[:count],
        **{f"themselves, averaged over tiles of {by} x {by}": averaged(by) for by in (2, 4, 8, 32)},
        "uniform noise": noise,
    }
    print(f"{count} training images of {dataset}, in features '{each.name}', from")
    for name, other in compared.items():
        value = frechet_distance(*real, *each.moments(other, where))
        print(f"{value:9.3f}  {len(other)} {name}")


if __name__ == "__main__":
    tyro.cli(main)
