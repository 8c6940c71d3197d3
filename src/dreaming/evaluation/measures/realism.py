"""Realism: how far dreams are from the images that were seen (paper, figure 3d)."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pandas as pd
import torch
from annotated_types import Ge, MinLen
from jaxtyping import Float, UInt8
from torch import Tensor

from dreaming.data import to_activity
from dreaming.errors import UserError
from dreaming.evaluation.features import inception
from dreaming.evaluation.features.extractors import extractor
from dreaming.evaluation.features.frechet import frechet_distance
from dreaming.evaluation.measures.measure import Measure, Quantity, Row, parameter, tabled
from dreaming.evaluation.measures.snapshot_batch import SnapshotBatch
from dreaming.model import dreams
from dreaming.model.cortex import Cortex
from dreaming.model.hippocampus import Hippocampus
from dreaming.model.phases import NREM, REM
from dreaming.model.pixels import to_pixels
from dreaming.rng import Random, generator
from dreaming.runs.snapshots import load

SAMPLES = 10_000
"""Images, and dreams of each phase (paper: 10,000 pairs)."""
DREAMS_AT_ONCE = 500
"""Dreams dreamt at once."""


class Realism(Measure):
    """Fréchet distances of NREM and REM dreams from training images.

    Rows: ``frechet_nrem`` and ``frechet_rem``, by the features; squared distances, not negative.

    Notes
    -----
    Paper: eq. 11, with 10,000 pairs. Published program: 500 images, other weights, inputs scaled twice. The
    distance of finite samples is biased upwards, the more the fewer they are: compare values of equal ``samples``.

    The same images (drawn by the run's seed) are the ones that dreams are compared with and the ones that are
    remembered: NREM dreams are G(z), REM dreams G(z_mix), by the recipes of the phases that the run had in that
    epoch. A cycle without a phase dreams as PAD would in it. The noise is the same after each epoch. Cortices dream
    in float32.

    Examples
    --------
    >>> sorted(Realism(samples=500).keys())
    [('frechet_nrem', 'classifier;samples=500'), ('frechet_rem', 'classifier;samples=500')]
    """

    quantities: ClassVar = {
        "frechet_nrem": Quantity("Fréchet distance of NREM dreams from training images"),
        "frechet_rem": Quantity("Fréchet distance of REM dreams from training images"),
    }

    features: Annotated[tuple[Literal["classifier", "inception"], ...], MinLen(1)] = ("classifier",)
    """In which features; the weights of Inception have to be there."""
    samples: Annotated[int, Ge(2)] = SAMPLES
    """How many images, and dreams of each phase; all training images, if there are fewer."""

    @property
    def needs_labels(self) -> bool:
        """Whether it asks to which class images belong: the classifier does that it gets features from."""
        return "classifier" in self.features

    def keys(self) -> frozenset[tuple[str, str]]:
        """Return the measure and the parameter of every row that one snapshot gets."""
        return frozenset(
            (night, self.name(feature)) for night in self.quantities for feature in self.features
        )

    def name(self, feature: str) -> str:
        """Return the parameter of the rows of some features."""
        return parameter(feature, self, ["samples"])

    def unavailable(self, data_dir: str | Path | None) -> str:
        """Return what features lack here."""
        return inception.unavailable(data_dir) if "inception" in self.features else ""

    def measure(self, snapshots: SnapshotBatch) -> pd.DataFrame:
        """Measure the dreams of each snapshot.

        Raises
        ------
        UserError
            If features cannot be had, or there is a single image only.
        """
        images, config, device = snapshots.images, snapshots.config, snapshots.device
        channels = config.networks.image_channels
        count = min(self.samples, len(images.train))
        if count < 2:
            raise UserError(f"a distance between distributions needs two images or more, and got {count}")
        order = torch.randperm(len(images.train), generator=generator(config.seed, "evaluation", "realism"))
        seen = images.train.images.cpu()[order[:count]]
        extractors = [
            extractor(name, images, device, data_dir=snapshots.data_dir, progress=snapshots.progress)
            for name in self.features
        ]
        waking = torch.cat([_rgb(to_activity(part, channels)) for part in seen.split(DREAMS_AT_ONCE)])
        references = [each.moments(waking, device) for each in extractors]
        random = Random(config.seed, ("realism",), device)
        rows: list[Row] = []
        for epoch in snapshots.epochs:
            cortex = load(snapshots.folder.path, epoch).to(device)
            latents = cortex.infer(seen)
            phases = config.phases_in(epoch)
            nights: dict[str, NREM | REM] = {
                "nrem": dreams.sleep_of(phases, NREM())[0],
                "rem": dreams.sleep_of(phases, REM())[0],
            }
            for kind, phase in nights.items():
                dreamt = dream_of(cortex, phase, latents, random.at(kind), config.training.batch_size)
                for each, real in zip(extractors, references, strict=True):
                    value = frechet_distance(*real, *each.moments(dreamt, device))
                    rows.append((epoch, f"frechet_{kind}", self.name(each.name), value))
        return tabled(rows)


def dream_of(
    cortex: Cortex, phase: NREM | REM, latents: Float[Tensor, "n z"], random: Random, batch_size: int
) -> UInt8[Tensor, "n 3 h w"]:
    """Dream once of each memory, as a phase does.

    Parameters
    ----------
    cortex
        Who dreams.
    phase
        Whose replay drives the dreams.
    latents
        What was inferred of n images, in the order of the days, shape [n, n_z]; n at least 2.
    random
        The noise.
    batch_size
        Images of a day: yesterday's memory is the one so many places before, for the first day that of the last.

    Returns
    -------
    Tensor
        Dreams in 0..255, shape [n, 3, h, w], on the CPU.
    """
    yesterday = latents.roll(min(batch_size, len(latents) // 2), dims=0)
    nights = zip(latents.split(DREAMS_AT_ONCE), yesterday.split(DREAMS_AT_ONCE), strict=True)
    return torch.cat(
        [
            _rgb(dreams.dream(cortex, phase, Hippocampus(z, z_old), random.at(night)))
            for night, (z, z_old) in enumerate(nights)
        ]
    )


def _rgb(activity: Tensor) -> Tensor:
    """Convert activity in [-1, 1], [n, c, h, w], into pixels in 0..255, [n, 3, h, w], on the CPU."""
    return to_pixels(activity).permute(0, 3, 1, 2)
