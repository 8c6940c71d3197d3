"""Linear separability: how well a linear classifier reads classes out of frozen features (paper, figure 4).

The paper's protocol: cross-entropy, plain stochastic gradient descent with learning rate 0.2, mini-batches of 64,
20 epochs, accuracy on the whole test set. Cost: 15,620 steps on the 50,000 images of CIFAR-10; any number of
feature sets (snapshots) take each step together.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from dreaming.data import epoch_order
from dreaming.errors import UserError
from dreaming.model.parameters import Parameters
from dreaming.rng import Random, generator


class Protocol(Parameters):
    """How the readout is trained. The defaults are the paper's."""

    learning_rate: float = 0.2
    """Step size of stochastic gradient descent."""
    batch_size: int = 64
    """Features of one step."""
    epochs: int = 20
    """Passes over the training features."""


Weights = tuple[Float[Tensor, "k f c"], Float[Tensor, "k 1 c"]]


@torch.no_grad()
def train_readout(
    features: Float[Tensor, "k n f"],
    labels: Int64[Tensor, " n"],
    classes: int,
    seed: int,
    protocol: Protocol | None = None,
) -> Weights:
    """Train a linear classifier on each of k sets of features of the same images.

    Parameters
    ----------
    features
        Latents (or a control), shape [k, n, f].
    labels
        Classes of the n images, 0 to classes-1.
    classes
        Number of classes.
    seed
        Of the initial weights and the order of the mini-batches, which all k share.
    protocol
        Learning rate, batch and epochs; the paper's by default.

    Returns
    -------
    weight
        Shape [k, f, classes].
    bias
        Shape [k, 1, classes]. Paper: no bias. Published program: a bias, as here.

    Raises
    ------
    UserError
        If there are fewer features than one batch.

    Notes
    -----
    Paper: eq. 9 and 10. The gradient of the cross-entropy is written out: softmax(y) minus the target.
    Features run along the fastest axis of every product, [k, classes, f] by [k, f, batch]: a quarter of the time
    of the other way round.
    """
    protocol = protocol or Protocol()
    k, n, f = features.shape
    if n < protocol.batch_size:
        raise UserError(
            f"a readout takes batches of {protocol.batch_size}, and there are only {n} images; use --set "
            f"readout.protocol.batch_size={n}"
        )
    bound = f**-0.5
    initial = 2 * Random(seed, ("readout",)).uniform("evaluation", (f + 1, classes)) - 1
    initial = (bound * initial).T.to(features.device)
    weight, bias = initial[:, :f].repeat(k, 1, 1), initial[:, f:].repeat(k, 1, 1)
    targets = torch.eye(classes, device=features.device)[:, labels.to(features.device)]
    rows = features.reshape(k * n, f)
    first = n * torch.arange(k, device=features.device)[:, None]
    step = -protocol.learning_rate / protocol.batch_size
    for epoch in range(protocol.epochs):
        order = epoch_order(n, protocol.batch_size, generator(seed, "evaluation", "readout", epoch))
        for batch in order.to(features.device):
            x = rows.index_select(0, (first + batch).flatten()).view(k, -1, f)
            error = torch.softmax(torch.baddbmm(bias, weight, x.mT), dim=1) - targets[:, batch]
            weight.baddbmm_(error, x, alpha=step)
            bias.add_(error.sum(dim=2, keepdim=True), alpha=step)
    return weight.mT, bias.mT


@torch.no_grad()
def accuracy(
    weights: Weights, features: Float[Tensor, "k m f"], labels: Int64[Tensor, " m"]
) -> Float[Tensor, " k"]:
    """Return the share of test images, in [0, 1], whose class each readout finds.

    Parameters
    ----------
    weights
        What `train_readout` returned.
    features
        Test features, shape [k, m, f].
    labels
        Their classes, shape [m].
    """
    weight, bias = weights
    chosen = torch.baddbmm(bias, features, weight).argmax(dim=2)
    return (chosen == labels.to(features.device)).double().mean(dim=1)
