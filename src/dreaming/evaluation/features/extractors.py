"""The features in which dreams are compared with images, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dreaming.data import Dataset
from dreaming.errors import UserError, nearest
from dreaming.evaluation.features.classifier import Protocol, classifier
from dreaming.evaluation.features.frechet import Moments
from dreaming.evaluation.features.inception import Inception
from dreaming.system.progress import NoProgress

FEATURES = ("classifier", "inception")


@dataclass(frozen=True)
class Extractor:
    """A network that turns images into features.

    Attributes
    ----------
    name
        As it stands in tables.
    extract
        From pixels, uint8 [b, 3, 32, 32], 0 to 255, to features, [b, f], on any device.
    batch
        Images at once; it changes memory and speed, not the result beyond rounding.

    Examples
    --------
    >>> grey = Extractor("grey", lambda images: images.float().mean(dim=(1, 2, 3))[:, None], batch=2)
    >>> grey.moments(torch.full((3, 3, 32, 32), 7, dtype=torch.uint8), torch.device("cpu")).mean
    tensor([7.], dtype=torch.float64)
    """

    name: str
    extract: Callable[[Tensor], Tensor]
    batch: int

    @torch.no_grad()
    def moments(self, images: Tensor, device: torch.device) -> Moments:
        """Return the moments of the features of images, uint8 [n, 3, 32, 32], computed on a device in float32."""
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            return Moments.of(self.extract(part.to(device)) for part in images.split(self.batch))


def extractor(
    name: str,
    dataset: Dataset,
    device: torch.device,
    *,
    protocol: Protocol | None = None,
    weights: Path | None = None,
    data_dir: Path | None = None,
    progress: NoProgress | None = None,
) -> Extractor:
    """Return an extractor by its name.

    Parameters
    ----------
    name
        ``classifier`` (needs no download, is trained once on the data set's labels) or ``inception`` (the standard
        of the Fréchet inception distance; needs the extra ``fid``).
    dataset
        The data set of the run.
    device
        Where to compute features.
    protocol
        How the classifier is trained.
    weights
        Where Inception's weights lie; without it they are looked for, also in ``data_dir``.
    data_dir
        The folder of data.
    progress
        Who is told.

    Raises
    ------
    UserError
        If there is no such extractor, or Inception cannot be had.
    """
    if name == "classifier":
        network = classifier(dataset, protocol, progress).to(device)
        return Extractor(name, network.features, batch=500)
    if name == "inception":
        inception = Inception(device, weights, data_dir=data_dir)
        return Extractor(inception.name, inception, batch=50)
    raise UserError(f"there are no features '{name}'; {nearest(name, FEATURES)}")
