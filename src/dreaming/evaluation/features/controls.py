"""Controls: features that no cortex learned, read out by the same classifier as its latents.

Both are brought to the scale that L_KL gives to latents, so that the readout's learning rate means the same for
them; at their own scale, the classifier does not settle and they would read out worse than they are.
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from sklearn.decomposition import PCA
from torch import Tensor

from dreaming.data import to_activity

COMPONENTS = 256
PORTION = 1000
"""Images whose squared pixels are in memory at once."""

Features = tuple[str, Float[Tensor, "n f"], Float[Tensor, "m f"]]


def pixels(
    train: UInt8[Tensor, "n c 32 32"], test: UInt8[Tensor, "m c 32 32"], image_channels: int, seed: int
) -> Features:
    """Return the name ``pixels``, and the pixels of both splits as features.

    Each pixel is centred on its mean over the training images; all are scaled by one factor, such that a
    training image has a mean squared norm of 256, as 256 latents of unit variance have.
    """
    x, y = (to_activity(images, image_channels).flatten(1) for images in (train, test))
    mean = x.mean(dim=0)
    norms = torch.cat([part.sub_(mean).square().sum(dim=1) for part in x.split(PORTION)])
    scale = (COMPONENTS / norms.mean()).sqrt()
    return "pixels", x.mul_(scale), y.sub_(mean).mul_(scale)


def pca(
    train: UInt8[Tensor, "n c 32 32"], test: UInt8[Tensor, "m c 32 32"], image_channels: int, seed: int
) -> Features:
    """Return the name ``pca-256``, and the first principal components of both splits, whitened.

    Of n training images, there are at most n-1 components, and the name says how many. Of fewer images than pixels,
    their own singular value decomposition is quicker than the eigendecomposition of the pixels' covariance.
    """
    x, y = (to_activity(images, image_channels).flatten(1).numpy() for images in (train, test))
    components = min(COMPONENTS, len(x) - 1)
    solver = "full" if len(x) < x.shape[1] else "covariance_eigh"
    found = PCA(components, whiten=True, svd_solver=solver, random_state=seed).fit(x)
    features = [torch.from_numpy(found.transform(split).astype(np.float32)) for split in (x, y)]
    return f"pca-{components}", features[0], features[1]
