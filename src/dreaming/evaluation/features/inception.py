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

from dreaming.data.sources import checksum, locate
from dreaming.data.weights import INCEPTION
from dreaming.errors import UserError
from dreaming.system.disk import cache_dir, expanded

WEIGHTS = INCEPTION.files[0]
LAYER = "2048"
"""torch-fidelity's name of pool3, after its width."""
_HOW = (
    "get the right one with `dreaming data fetch inception --data-dir DIR` and name that folder with --data-dir or"
    " DREAMING_DATA, or say where the file lies with DREAMING_INCEPTION=FILE"
)


class Inception:
    """Inception v3 up to pool3.

    Parameters
    ----------
    device
        Where to compute.
    data_dir
        The folder of data, where ``dreaming data fetch inception`` puts the weights.

    Raises
    ------
    UserError
        If torch-fidelity or its torchvision cannot be imported, or the weights are not there or are others.
    """

    def __init__(self, device: torch.device, data_dir: str | Path | None = None) -> None:
        extractor, weights = _extractor(), find_weights(data_dir)
        with torch.random.fork_rng(devices=[]):  # it draws initial weights before it reads these
            network = extractor("inception", [LAYER], feature_extractor_weights_path=str(weights))
        self._network = network.to(device).eval()

    @torch.no_grad()
    def __call__(self, images: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 2048"]:
        """Return the activations of pool3, shape [b, 2048], of images in 0..255."""
        features: Tensor = self._network(images)[0]
        return features


def unavailable(data_dir: str | Path | None = None) -> str:
    """Return why these features cannot be had here, in a sentence that says what to do; empty if they can.

    Examples
    --------
    >>> "data fetch inception" in unavailable(Path("nowhere")) or "dreaming[fid]" in unavailable(Path("nowhere"))
    True
    """
    try:
        _extractor()
        find_weights(data_dir)
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


def find_weights(data_dir: str | Path | None = None) -> Path:
    """Return where the weights lie, and make sure that they are the ones; nothing is fetched.

    Parameters
    ----------
    data_dir
        The folder of data; without it ``$DREAMING_DATA``. ``$DREAMING_INCEPTION``, which names the file itself,
        goes before both, and the cache comes last.

    Raises
    ------
    UserError
        If they are not there, or are others.
    """
    data_dir = data_dir or os.environ.get("DREAMING_DATA")
    folders = [*([expanded(data_dir)] if data_dir else []), cache_dir() / "inception"]
    if chosen := os.environ.get("DREAMING_INCEPTION"):
        there = [expanded(chosen)]
    else:
        there = [file for folder in folders if (file := locate(WEIGHTS, folder)) is not None]
    if not there:
        raise UserError(
            f"the features 'inception' need a file of weights, {WEIGHTS.name}, which is not in"
            f" {' or '.join(map(str, folders))}; {_HOW.replace('the right one', 'it')}"
        )
    # The file is a pickle, and loading one executes it: only the one that is expected is opened.
    found, actual = there[0], checksum(there[0], "sha256")
    if actual != WEIGHTS.checksum:
        raise UserError(f"{found} has checksum {actual}, where {WEIGHTS.checksum} is wanted; {_HOW}")
    return found
