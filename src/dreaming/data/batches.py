"""From stored images to mini-batches: the order of an epoch."""

import torch
from jaxtyping import Int64
from torch import Tensor

from dreaming.errors import UserError


def epoch_order(n: int, batch_size: int, generator: torch.Generator) -> Int64[Tensor, "cycles {batch_size}"]:
    """Draw the order in which one epoch shows its images: a fresh permutation, cut into batches.

    Parameters
    ----------
    n
        Images in the training split.
    batch_size
        Images a cycle; the last ``n % batch_size`` images of the permutation are not shown in this epoch.
    generator
        The stream to draw from, on the CPU, so that the order is the same on every device.

    Returns
    -------
    int64 [cycles, batch_size]
        Indices into the split, ``cycles = n // batch_size``; no index occurs twice.

    Raises
    ------
    UserError
        If the batch size is below 1 or above ``n``.

    Examples
    --------
    >>> order = epoch_order(10, 4, torch.Generator().manual_seed(0))
    >>> order.shape, order.unique().numel()
    (torch.Size([2, 4]), 8)
    """
    if not 1 <= batch_size <= n:
        raise UserError(
            f"a batch of {batch_size} cannot be taken from {n} training images;"
            f" set training.batch_size to between 1 and {n}"
        )
    cycles = n // batch_size
    return torch.randperm(n, generator=generator)[: cycles * batch_size].view(cycles, batch_size)
