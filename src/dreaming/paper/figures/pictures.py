"""Pictures of figures 3 and 9, as tables: an image a row, its pixels as PNG in base64.

Figures read these tables, not the checkpoints and data sets that the pictures come from.
"""

import base64
import io

import numpy as np
import pandas as pd
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from dreaming.config.config import Config
from dreaming.data import Dataset, to_activity
from dreaming.model.dreams import dream, remember, sleep_of
from dreaming.model.networks import IMAGE_SIZE
from dreaming.model.occlusion import occlusion_mask
from dreaming.model.phases import NREM, REM
from dreaming.model.pixels import to_pixels
from dreaming.rng import Random, generator
from dreaming.runs.folder import MEASURE_COLUMNS, RunFolder
from dreaming.runs.snapshots import load

IMAGES_SHOWN = 8
PROBABILITIES = tuple(tenth / 10 for tenth in range(0, 11, 2))
TILE_SIZES = (1, 2, 4, 8)
PICTURE_COLUMNS = (
    "figure",
    *MEASURE_COLUMNS[:4],
    "strip",
    "row",
    "column",
    "probability",
    "tile_size",
    "png",
)


def seen_and_dreamt(
    folder: RunFolder, config: Config, images: Dataset, epochs: tuple[int, ...]
) -> pd.DataFrame:
    """Show what a cortex sees on two days, and dreams of it in NREM and REM after some epochs (figure 3 a to c).

    The images are test images, drawn by the run's seed; the noise is the same after each epoch.

    Raises
    ------
    UserError
        If a snapshot is missing or damaged.
    """
    count = min(IMAGES_SHOWN, len(images.test) // 2)
    order = torch.randperm(len(images.test), generator=generator(config.seed, "evaluation", "figure-3"))
    seen = to_activity(images.test.images.cpu()[order[: 2 * count]], config.networks.image_channels)
    yesterday, today = seen[:count], seen[count:]
    strips = [("a  seen, day before", 0, yesterday), ("a  seen, last day", 0, today)]
    random = Random(config.seed, ("figure-3",))
    for letter, epoch in zip("bcdefgh", epochs, strict=False):
        cortex = load(folder.path, epoch)
        memories = remember(cortex, yesterday, today)
        phases = config.phases_in(epoch)
        for phase in (sleep_of(phases, NREM())[0], sleep_of(phases, REM())[0]):
            night = type(phase).__name__
            dreamt = dream(cortex, phase, memories, random.at(night.lower()))
            strips.append((f"{letter}  {night}, epoch {epoch}", epoch, dreamt))
    about: dict[str, str | int] = {"dataset": config.dataset.name, "condition": config.condition}
    about |= {"figure": "figure-3", "seed": config.seed}
    rows = [
        {**about, "epoch": epoch, "strip": strip, "row": row, "column": column, "png": png(image)}
        for row, (strip, epoch, shown) in enumerate(strips)
        for column, image in enumerate(to_pixels(shown))
    ]
    return pd.DataFrame(rows, columns=list(PICTURE_COLUMNS))


def occluded(images: Dataset) -> pd.DataFrame:
    """Show the first test image of a data set under occlusions of every strength (figure 9)."""
    image = to_activity(images.test.images[:1].cpu(), 3)
    uniform = Random(0, ("figure-9",)).uniform("occlusion", (1, IMAGE_SIZE, IMAGE_SIZE))
    rows = []
    for row, size in enumerate(TILE_SIZES):
        about = {"figure": "figure-9", "dataset": images.name, "strip": f"tiles of {size}", "tile_size": size}
        for column, probability in enumerate(PROBABILITIES):
            mask = occlusion_mask(torch.tensor([probability]), torch.tensor([size]), uniform)
            picture = png(to_pixels(image * mask)[0])
            rows.append({**about, "row": row, "column": column, "probability": probability, "png": picture})
    return pd.DataFrame(rows, columns=list(PICTURE_COLUMNS))


def png(image: UInt8[Tensor, "h w 3"]) -> str:
    """Write an image as PNG in base64, which a table can hold.

    Examples
    --------
    >>> image_of(png(torch.zeros(2, 2, 3, dtype=torch.uint8))).shape
    (2, 2, 3)
    """
    buffer = io.BytesIO()
    Image.fromarray(image.numpy()).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def image_of(text: str) -> UInt8[np.ndarray, "h w 3"]:
    """Read an image that `png` wrote, shape [h, w, 3], uint8."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))
