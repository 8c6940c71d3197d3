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

from dreaming.data.sources import RemoteFile, checksum, locate
from dreaming.data.weights import INCEPTION
from dreaming.errors import UserError
from dreaming.system.disk import cache_dir

WEIGHTS = INCEPTION.files[0]
LAYER = "2048"
"""torch-fidelity's name of pool3, after its width."""


class Inception:
    """Inception v3 up to pool3.

    Parameters
    ----------
    device
        Where to compute.
    path
        Where the weights lie; without it they are looked for as `find_weights` does.
    file
        What is published about the weights (SHA-256); by default the standard ones. With others, the name says so.
    data_dir
        The folder of data, where ``dreaming data fetch inception`` puts them.

    Attributes
    ----------
    name
        ``inception``, or ``inception-`` and the first eight digits of the checksum of other weights.

    Raises
    ------
    UserError
        If torch-fidelity or its torchvision cannot be imported, or the weights are not there or are others.
    """

    def __init__(
        self,
        device: torch.device,
        path: Path | None = None,
        file: RemoteFile | None = None,
        data_dir: Path | None = None,
    ) -> None:
        extractor, file = _extractor(), file or WEIGHTS
        found = find_weights(path, file, data_dir)
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


def unavailable(data_dir: Path | None = None) -> str:
    """Say why these features cannot be had here, in a sentence that tells what to do; empty if they can.

    Examples
    --------
    >>> "data fetch inception" in unavailable(Path("nowhere")) or "dreaming[fid]" in unavailable(Path("nowhere"))
    True
    """
    try:
        _extractor()
        find_weights(None, WEIGHTS, data_dir)
    except UserError as refusal:
        return str(refusal)
    return ""


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


def find_weights(path: Path | None, file: RemoteFile, data_dir: Path | None = None) -> Path:
    """Find the weights, and make sure that they are the ones; nothing is fetched.

    Parameters
    ----------
    path
        Where they lie; without it ``$DREAMING_INCEPTION``, and without that they are looked for under their name in
        the folder of data and in the cache.
    file
        What is published about them.
    data_dir
        The folder of data; without it ``$DREAMING_DATA``.

    Raises
    ------
    UserError
        If they are not there, or are others.
    """
    chosen = path or os.environ.get("DREAMING_INCEPTION")
    found = (
        Path(chosen).expanduser() if chosen else _fetched(file, data_dir or os.environ.get("DREAMING_DATA"))
    )
    # The file is a pickle, and loading one executes it: only the one that is expected is opened.
    actual = checksum(found, "sha256")
    if actual != file.checksum:
        raise UserError(f"{found} has checksum {actual}, where {file.checksum} is wanted; {_HOW}")
    return found


_HOW = (
    "get the right one with `dreaming data fetch inception --data-dir DIR` and name that folder with --data-dir or"
    " DREAMING_DATA, or say where the file lies with DREAMING_INCEPTION=FILE"
)


def _fetched(file: RemoteFile, data_dir: str | Path | None) -> Path:
    folders = [*([Path(data_dir).expanduser()] if data_dir else []), cache_dir() / "inception"]
    for folder in folders:
        found = locate(file, folder)
        if found is not None:
            return found
    raise UserError(
        f"the features 'inception' need a file of weights, {file.name}, which is not in"
        f" {' or '.join(map(str, folders))}; {_HOW.replace('the right one', 'it')}"
    )
