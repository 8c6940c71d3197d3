"""The features of the Fréchet inception distance: Inception v3, pool3, with the weights that are the standard.

Network and weights are torch-fidelity's (extra ``fid``), which agrees with the original TensorFlow graph. It takes
pixels of 0 to 255 and scales them itself, once; the published program scaled them twice.
"""

import importlib
import os
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from dreaming.data.fetching import download
from dreaming.data.folder import cache_dir
from dreaming.data.sources import RemoteFile, checksum
from dreaming.errors import UserError
from dreaming.progress import Silence

# SHA-256 and size as several projects record them; its first eight digits are in the file's name. Both addresses
# give the same bytes.
WEIGHTS = RemoteFile(
    "weights-inception-2015-12-05-6726825d.pth",
    "sha256:6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    95_628_359,
    (
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    ),
)
LAYER = "2048"
"""torch-fidelity's name of pool3, after its width."""


class Inception:
    """Inception v3 up to pool3.

    Parameters
    ----------
    device
        Where to compute.
    path
        Where the weights lie; without it ``$DREAMING_INCEPTION``, and without that they are fetched into the cache.
    file
        What is published about the weights (SHA-256); by default the standard ones. With others, the name says so.
    progress
        Who is told that they are fetched.

    Attributes
    ----------
    name
        ``inception``, or ``inception-`` and the first eight digits of the checksum of other weights.

    Raises
    ------
    UserError
        If torch-fidelity or its torchvision cannot be imported, or the weights cannot be had or are others.
    """

    def __init__(
        self,
        device: torch.device,
        path: Path | None = None,
        file: RemoteFile | None = None,
        progress: Silence | None = None,
    ) -> None:
        extractor, file = _extractor(), file or WEIGHTS
        found = _weights(path, file, progress or Silence())
        digits = (file.checksum or "").rpartition(":")[2]
        self.name = "inception" if file.checksum == WEIGHTS.checksum else f"inception-{digits[:8]}"
        with torch.random.fork_rng(devices=[]):  # it draws initial weights before it reads these
            network = extractor(self.name, [LAYER], feature_extractor_weights_path=str(found))
        self._network = network.to(device).eval()

    @torch.no_grad()
    def __call__(self, images: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 2048"]:
        """Return the activations of pool3, shape [b, 2048], of images in 0..255."""
        features: Tensor = self._network(images)[0]
        return features


def _extractor() -> Any:
    """Import torch-fidelity's network, the package of which imports torchvision."""
    try:
        module = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    except (ImportError, RuntimeError, OSError) as error:  # torchvision built for another torch: RuntimeError
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"the features 'inception' need torch-fidelity and a torchvision that fits this torch ({reason});"
            " install them with pip install 'dreaming[fid]', or take the features 'classifier'"
        ) from error
    return module.FeatureExtractorInceptionV3


def _weights(path: Path | None, file: RemoteFile, progress: Silence) -> Path:
    chosen = os.environ.get("DREAMING_INCEPTION") if path is None else str(path)
    if not chosen:
        folder = cache_dir() / "inception"
        if not (folder / file.name).exists():
            progress.say(f"fetching {file.name} ({file.size / 1e6:.0f} MB) into {folder}, once")
        try:
            return download(file, folder)
        except UserError as refusal:
            raise UserError(f"{refusal}; or say where it lies with DREAMING_INCEPTION=FILE") from refusal
    given = Path(chosen).expanduser()
    # The file is a pickle, and loading one executes it: only the one that is expected is opened.
    found = checksum(given, "sha256")
    if found != file.checksum:
        raise UserError(
            f"{given} has checksum {found}, where {file.checksum} is wanted; get {file.name} from {file.mirrors[0]}"
            if file.mirrors
            else f"{given} has checksum {found}, where {file.checksum} is wanted; name the right file"
        )
    return given
