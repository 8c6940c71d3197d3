"""A small classifier of a data set's images, trained once, whose last layer but one serves as features.

It stands in where Inception's weights cannot be had: a distance between dreams and images in these features is
comparable between conditions, seeds and epochs on one data set, and with nothing else.

On the 50,000 images of CIFAR-10 it takes two and a half minutes on one thread, and finds the class of 80 % of the
test images (`docs/measures.md` has the run).
"""

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from dreaming.data import Dataset, Split, epoch_order, to_activity
from dreaming.errors import UserError
from dreaming.model.networks import IMAGE_SIZE
from dreaming.model.parameters import Count, Parameters
from dreaming.rng import generator
from dreaming.runs.tensors import read_tensors, write_tensors
from dreaming.system.disk import cache_dir
from dreaming.system.progress import NoProgress, duration
from dreaming.system.threads import one_thread


class ClassifierProtocol(Parameters):
    """How the classifier is made and trained: cross-entropy, Adam, one cycle of the learning rate."""

    version: ClassVar[int] = 1
    """To be raised with every change of this file that can change a weight."""

    channels: Count = 32
    """Channels of the first layer; the next have twice and four times as many."""
    features: Count = 128
    """Width of the last layer but one."""
    epochs: Count = 4
    """Passes over the labelled training images."""
    least_steps: Count = 100
    """Steps that are taken in any case; a small data set is passed over more often."""
    batch_size: Count = 128
    """Images of one step, or all images if there are fewer."""
    learning_rate: Annotated[float, Gt(0)] = 0.003
    """The highest learning rate of the cycle."""
    seed: Annotated[int, Ge(0)] = 0
    """Of the initial weights and the order of the images."""

    @property
    def checksum(self) -> str:
        """SHA-256 (hexadecimal) of the protocol."""
        content = json.dumps({"version": self.version, **self.model_dump()}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


class Classifier(nn.Module):
    """Three times convolution (3 x 3), maximum over 2 x 2, normalisation over the batch, rectification; two layers.

    Parameters
    ----------
    classes
        Number of classes.
    protocol
        Sizes, and the seed of the initial weights.

    Examples
    --------
    >>> network = Classifier(10, ClassifierProtocol(channels=4, features=16)).eval()
    >>> images = torch.zeros(5, 3, 32, 32, dtype=torch.uint8)
    >>> network(images).shape, network.features(images).shape
    (torch.Size([5, 10]), torch.Size([5, 16]))
    """

    def __init__(self, classes: int, protocol: ClassifierProtocol) -> None:
        super().__init__()
        c, f = protocol.channels, protocol.features
        widths = [(3, c), (c, 2 * c), (2 * c, 4 * c)]
        with torch.random.fork_rng(devices=[]):  # layers draw weights, in whose place others are drawn below
            self.trunk = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1, bias=False) for i, o in widths)
            self.norms = nn.ModuleList(nn.BatchNorm2d(o) for _, o in widths)
            self.hidden = nn.Linear(4 * c * 16, f, bias=False)
            self.norm = nn.BatchNorm1d(f)
            self.output = nn.Linear(f, classes)
        random = generator(protocol.seed, "init", "classifier")
        with torch.no_grad():
            for layer in (*self.trunk, self.hidden, self.output):
                bound = layer.weight[0].numel() ** -0.5
                layer.weight.uniform_(-bound, bound, generator=random)
            self.output.bias.zero_()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def features(self, images: UInt8[Tensor, "b c h w"]) -> Float[Tensor, "b f"]:
        """Return the last layer but one, shape [b, f], not negative, of images in 0..255, seen at 32 x 32."""
        maps = to_activity(images)
        if images.shape[-1] != IMAGE_SIZE:
            maps = functional.interpolate(maps, size=(IMAGE_SIZE,) * 2, mode="bilinear", antialias=True)
        maps = maps.contiguous(memory_format=torch.channels_last)
        for layer, norm in zip(self.trunk, self.norms, strict=True):
            maps = functional.relu(norm(functional.max_pool2d(layer(maps), 2)))
        return functional.relu(self.norm(self.hidden(maps.flatten(1))))

    def forward(self, images: UInt8[Tensor, "b c h w"]) -> Float[Tensor, "b classes"]:
        """Return a logit for each class, shape [b, classes], of images in 0..255."""
        logits: Tensor = self.output(self.features(images))
        return logits


def train_classifier(split: Split, classes: int, protocol: ClassifierProtocol) -> Classifier:
    """Train a classifier on labelled images that lie on the CPU.

    On the CPU and on one thread, wherever and by how many threads everything else is computed: so the features
    do not depend on the device that is measured on, and are the same bit for bit on one machine.
    """
    network = Classifier(classes, protocol)
    batch = min(protocol.batch_size, len(split))
    steps = max(protocol.least_steps, protocol.epochs * (len(split) // batch))
    adam = torch.optim.Adam(network.parameters(), lr=protocol.learning_rate)
    cycle = torch.optim.lr_scheduler.OneCycleLR(adam, protocol.learning_rate, total_steps=steps)
    with one_thread(), torch.enable_grad():
        for seen, _ in zip(_batches(len(split), batch, protocol.seed), range(steps), strict=False):
            loss = functional.cross_entropy(network(split.images[seen]), split.labels[seen])
            adam.zero_grad()
            loss.backward()
            adam.step()
            cycle.step()
    return network.eval().requires_grad_(False)


def _batches(n: int, batch: int, seed: int) -> Iterator[Tensor]:
    """Yield batches of indices, epoch after epoch, without end."""
    epoch = 0
    while True:
        yield from epoch_order(n, batch, generator(seed, "order", "classifier", epoch))
        epoch += 1


def classifier_accuracy(network: Classifier, split: Split) -> float:
    """Return the share of images, in [0, 1], whose class the classifier finds."""
    right = 0
    for images, labels in zip(split.images.split(500), split.labels.split(500), strict=True):
        right += int((network(images).argmax(dim=1) == labels).sum())
    return right / len(split)


def classifier(
    dataset: Dataset, protocol: ClassifierProtocol | None = None, progress: NoProgress | None = None
) -> Classifier:
    """Return the classifier of a data set, from the cache, or trained now and put there.

    The cache is ``$DREAMING_CACHE``, else the user's cache directory; a classifier lies there under the
    fingerprint of the images and the checksum of the protocol. One that is damaged is trained again, a cache that
    cannot be written is done without, and both are said.

    Parameters
    ----------
    dataset
        Whose training images and labels are learned.
    protocol
        How; by default as above.
    progress
        Who is told.
    """
    protocol, progress, dataset = (
        protocol or ClassifierProtocol(),
        progress or NoProgress(),
        dataset.to("cpu"),
    )
    kept = cache_dir() / "classifiers" / f"{dataset.fingerprint[:16]}-{protocol.checksum[:16]}.safetensors"
    about = {"fingerprint": dataset.fingerprint, "protocol": protocol.checksum}
    try:
        if kept.exists():
            return _read(kept, about, len(dataset.classes), protocol)
    except UserError as damage:
        progress.say(f"{damage}; the classifier of {dataset.name} is trained again")
    progress.say(f"training the classifier of {dataset.name} whose features dreams are compared in, once")
    began = time.monotonic()
    network = train_classifier(dataset.train, len(dataset.classes), protocol)
    took, share = time.monotonic() - began, classifier_accuracy(network, dataset.test)
    progress.say(
        f"it took {duration(took)}; the classifier finds the class of {share:.1%} of the test images"
    )
    try:
        write_tensors(kept, network.state_dict(), {**about, "accuracy": share})
    except UserError as refusal:
        progress.say(f"the classifier is not kept for the next time: {refusal}")
    return network


def _read(path: Path, about: dict[str, str], classes: int, protocol: ClassifierProtocol) -> Classifier:
    weights, found = read_tensors(path)
    if any(found.get(key) != value for key, value in about.items()):
        raise UserError(f"{path} belongs to another data set or protocol")
    network = Classifier(classes, protocol)
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)
