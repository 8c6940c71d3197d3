"""The features in which dreams are compared with images, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from dreaming.data import Dataset
from dreaming.evaluation.features.classifier import ClassifierProtocol, classifier
from dreaming.evaluation.features.frechet import Moments, moments
from dreaming.evaluation.features.inception import Inception
from dreaming.system.progress import NoProgress


@dataclass(frozen=True)
class Extractor:
    """A network that turns images into features.

    Attributes
    ----------
    name
        As it stands in tables.
    extract
        From pixels, uint8 [b, 3, h, w], 0 to 255, to features, [b, f], on any device.
    batch
        Images at once; it changes memory and speed, not the result beyond rounding.

    Examples
    --------
    >>> grey = Extractor("grey", lambda images: images.float().mean(dim=(1, 2, 3))[:, None], batch=2)
    >>> grey.moments(torch.full((3, 3, 32, 32), 7, dtype=torch.uint8), torch.device("cpu"))[0]
    tensor([7.], dtype=torch.float64)
    """

    name: str
    extract: Callable[[Tensor], Tensor]
    batch: int

    @torch.no_grad()
    def moments(self, images: Tensor, device: torch.device) -> Moments:
        """Return the moments of the features of images, uint8 [n, 3, h, w], computed on a device in float32."""
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            return moments(torch.cat([self.extract(part.to(device)) for part in images.split(self.batch)]))


def extractor(
    name: Literal["classifier", "inception"],
    dataset: Dataset,
    device: torch.device,
    *,
    protocol: ClassifierProtocol | None = None,
    data_dir: str | Path | None = None,
    progress: NoProgress | None = None,
) -> Extractor:
    """Return the extractor of the classifier, which is trained once on the data set's labels, or of Inception.

    The protocol is that of the classifier's training; the weights of Inception lie in the folder of data.

    Raises
    ------
    UserError
        If Inception cannot be had.
    """
    if name == "inception":
        return Extractor(name, Inception(device, data_dir), batch=50)
    return Extractor(name, classifier(dataset, protocol, progress).to(device).features, batch=500)
