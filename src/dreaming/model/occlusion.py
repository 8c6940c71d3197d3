"""Occlusion masks: which early sensory neurons are silenced (paper, "Image occlusion", figure 9)."""

from typing import Annotated

import torch
from annotated_types import Ge, Le
from jaxtyping import Float, Int
from pydantic import model_validator
from torch import Tensor

from dreaming.model.networks import IMAGE_SIZE
from dreaming.model.parameters import Parameters
from dreaming.rng import Random

Probability = Annotated[float, Ge(0), Le(1)]
TileSize = Annotated[int, Ge(1), Le(128)]
"""Side of a tile in pixels, up to that of the largest images; one as large as the image covers all of it."""


class Occlusion(Parameters):
    """How dreams are perturbed in NREM.

    Examples
    --------
    >>> Occlusion(probability=(0.3, 0.3), tile_size=(4, 4)).draw(Random(0), batch_size=64).shape
    torch.Size([1, 1, 32, 32])
    """

    probability: tuple[Probability, Probability] = (0.0, 1.0)
    """Lowest and highest probability that a tile is silenced; drawn uniformly between them."""
    tile_size: tuple[TileSize, TileSize] = (1, 8)
    """Smallest and largest side of a tile, in pixels; drawn uniformly, both included."""
    mask_per_image: bool = False
    """Whether each image gets a probability, a size and a mask of its own, instead of one for the mini-batch."""

    @model_validator(mode="after")
    def _ordered(self) -> "Occlusion":
        for field in ("probability", "tile_size"):
            low, high = getattr(self, field)
            if low > high:
                raise ValueError(f"{field} wants its lowest value first, and is ({low}, {high})")
        return self

    def draw(
        self, random: Random, batch_size: int, image_size: int = IMAGE_SIZE
    ) -> Float[Tensor, "masks 1 {image_size} {image_size}"]:
        """Draw the masks of one mini-batch: one mask, or one for each image."""
        masks = batch_size if self.mask_per_image else 1
        low, high = self.probability
        probability = low + (high - low) * random.uniform("occlusion", (masks,))
        size = random.integers("occlusion", *self.tile_size, (masks,))
        return occlusion_mask(probability, size, random.uniform("occlusion", (masks, image_size, image_size)))


def occlusion_mask(
    probability: Float[Tensor, " m"], size: Int[Tensor, " m"], uniform: Float[Tensor, "m h w"]
) -> Float[Tensor, "m 1 h w"]:
    """Cut an image into tiles from the top left and silence each with a probability.

    Parameters
    ----------
    probability
        Probability that a tile is silenced, in [0, 1], shape [m].
    size
        Side of the square tiles in pixels, at least 1, shape [m]. The last row and column may be cut off.
    uniform
        Draws from U[0, 1), shape [m, h, w]; tile (i, j) is silenced if ``uniform[:, i, j] < probability``.

    Returns
    -------
    Tensor
        ω in {0, 1}, shape [m, 1, h, w]: 0 where neurons are silenced. In images in [-1, 1], 0 is mid-grey.

    Notes
    -----
    Paper: ω of eq. 6. Published program: one mask for all images of the mini-batch (so m = 1).

    Examples
    --------
    >>> uniform = torch.tensor([[[0.9, 0.1, 0.0, 0.0], [0.1, 0.9, 0.0, 0.0], [0.0] * 4, [0.0] * 4]])
    >>> occlusion_mask(torch.tensor([0.5]), torch.tensor([2]), uniform)  # four tiles of 2 x 2 pixels
    tensor([[[[1., 1., 0., 0.],
              [1., 1., 0., 0.],
              [0., 0., 1., 1.],
              [0., 0., 1., 1.]]]])
    """
    masks, height, width = uniform.shape
    row = torch.arange(height, device=uniform.device) // size[:, None]
    column = torch.arange(width, device=uniform.device) // size[:, None]
    which = torch.arange(masks, device=uniform.device)[:, None, None]
    tile = uniform[which, row[:, :, None], column[:, None, :]]
    return (tile >= probability[:, None, None]).to(uniform.dtype)[:, None]
