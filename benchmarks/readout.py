"""The linear readout of several snapshots together, beside the loop that anybody would write, and inference."""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import dreaming
from benchmarks.measure import (
    Row,
    Times,
    Way,
    cifar10,
    headline,
    in_turn,
    repeated,
    row,
    some_images,
    statistics,
)
from benchmarks.record import RECORDS, Record
from dreaming.data import epoch_order, to_activity
from dreaming.errors import UserError
from dreaming.evaluation.readout import Protocol, accuracy, train_readout
from dreaming.model.cortex import Cortex
from dreaming.model.networks import LEAK
from dreaming.rng import generator
from dreaming.runs.folder import RunFolder

CLASSES, LATENTS = 10, 256
SEPARATION = 1.3
SCALED = "plain, scaled"

NOTES = """*together* is `train_readout` on all snapshots; *plain* is torch's Linear, CrossEntropyLoss and
SGD over a DataLoader, on one snapshot. Both train by the paper's protocol (learning rate 0.2,
batches of 64). Where the plain loop ran fewer epochs or snapshots, its time is scaled in proportion to what
*together* did, and only then compared. Accuracies are of the same features after the same number of epochs,
from the same initial weights and mini-batches, one seed each round: they differ by rounding."""

Features = tuple[Tensor, Tensor, Tensor, Tensor]
"""Train features [k, n, f] and labels [n], test features [k, m, f] and labels [m]."""


def clusters(snapshots: int, images: int, seed: int = 0) -> Features:
    """Gaussian clusters around ten random means, which a linear classifier can tell apart in some 45 % of cases."""
    random = torch.Generator().manual_seed(seed)
    means = torch.randn(snapshots, CLASSES, LATENTS, generator=random) * SEPARATION / LATENTS**0.5
    tests = max(images // 5, 1000)
    labels = torch.randint(CLASSES, (images + tests,), generator=random)
    features = means[:, labels] + torch.randn(snapshots, images + tests, LATENTS, generator=random)
    return (
        features[:, :images].contiguous(),
        labels[:images],
        features[:, images:].contiguous(),
        labels[images:],
    )


def of_run(run: Path, data_dir: Path | None, trust: bool, snapshots: int, images: int) -> Features:
    """Latents of the last snapshots of a run on CIFAR-10; of fewer snapshots, the last again."""
    if data_dir is None:
        raise UserError("the latents of a run are inferred from CIFAR-10; say where it is with --data-dir")
    seen = cifar10(data_dir, trust)
    epochs = sorted(RunFolder.existing(run).snapshots())[-snapshots:]
    cortices = [dreaming.load(run, epoch) for epoch in epochs]
    cortices += cortices[-1:] * (snapshots - len(cortices))
    train, test = seen.train.images[:images], seen.test.images
    features = [torch.stack([cortex.infer(split) for cortex in cortices]) for split in (train, test)]
    return features[0], seen.train.labels[:images], features[1], seen.test.labels


def plain(features: Tensor, labels: Tensor, epochs: int, seed: int) -> nn.Linear:
    """Train one readout as a user would, from the start and on the batches of `train_readout`."""
    readout = nn.Linear(features.shape[1], CLASSES)
    weight, bias = train_readout(features[None], labels, CLASSES, seed, Protocol(epochs=0))
    readout.load_state_dict({"weight": weight[0].T, "bias": bias[0, 0]})
    criterion, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(readout.parameters(), lr=0.2)
    images = TensorDataset(features, labels)
    for epoch in range(epochs):
        order = epoch_order(len(labels), 64, generator(seed, "evaluation", "readout", epoch))
        for x, y in DataLoader(images, batch_sampler=order.tolist()):
            optimizer.zero_grad()
            criterion(readout(x), y).backward()
            optimizer.step()
    return readout


def main(
    images: int = 50_000,
    snapshots: int = 8,
    epochs: int = 20,
    plain_epochs: int | None = None,
    rounds: int = 5,
    infer_images: int = 10_000,
    run: Path | None = None,
    data_dir: Path | None = None,
    trust_data: bool = False,
    threads: int | None = None,
    out: Path = RECORDS,
) -> Path:
    """Time the readouts of several snapshots together against a plain loop, and the inference of latents.

    Parameters
    ----------
    images, snapshots, epochs
        Training features of each readout, readouts trained together, and epochs.
    plain_epochs
        Epochs of the plain loop, which is scaled to all; by default all of them.
    rounds
        How often each has its turn.
    infer_images
        How many images the timed inference is of; 0 leaves it out.
    run, data_dir, trust_data
        Folder of a run whose snapshots' latents on CIFAR-10 are read out; without it, features are drawn.
    threads, out
        Threads of torch, and the folder of records.
    """
    settings = dict(locals())
    record = Record("readout", out, threads)
    fewer = plain_epochs or epochs
    drawn = run is None
    features = clusters(snapshots, images) if drawn else of_run(run, data_dir, trust_data, snapshots, images)
    found: dict[str, list[float]] = {"together": [], "plain": []}
    times = in_turn(readout_ways(features, epochs, fewer, found), rounds, warm=0)
    scale = snapshots * epochs / fewer
    times[SCALED] = [[scale * time for time in block] for block in times["plain"]]
    title = f"{snapshots} readouts of {images} features, {epochs} epochs"
    tables = [
        (title, time_rows(times, snapshots, epochs, fewer)),
        (f"Accuracy of the first snapshot after {fewer} epochs, in %", accuracy_rows(found)),
    ]
    headlines = [
        headline(title, times, "together"),
        headline(f"{title}, by a plain loop", times, SCALED, "together"),
    ]
    if infer_images:
        inference = in_turn(inference_ways(infer_images), rounds)
        tables.append((f"Inference of {infer_images} images", inference_rows(inference)))
        times |= inference
        first, *others = inference
        what = f"latents of {infer_images} images"
        headlines.append(headline(f"{what}, {first}", inference, first))
        headlines += [headline(f"{what}, {name}", inference, name, first) for name in others]
    return record.write(
        tables,
        {"ms": times, "percent": found},
        settings,
        NOTES,
        baseline="a plain loop of torch's Linear, CrossEntropyLoss and SGD over a DataLoader; torch's own layers",
        headlines=headlines,
    )


def time_rows(times: Times, snapshots: int, epochs: int, fewer: int) -> list[Row]:
    """Together and plain, and plain scaled to the same work."""
    whole, part = {"epochs": epochs, "snapshots": snapshots}, {"epochs": fewer, "snapshots": 1}
    return [
        row(times, "together", **whole),
        row(times, "plain", **part),
        row(times, SCALED, "together", **whole),
    ]


def readout_ways(
    features: Features, epochs: int, fewer: int, found: dict[str, list[float]]
) -> dict[str, Way]:
    """Both ways of a readout; each turn has the next seed, and leaves its accuracy in `found`."""
    train, labels, test, truth = features
    plain(train[0, :640], labels[:640], 1, seed=0)  # what happens once in a process is not timed
    train_readout(train[:, :640], labels[:640], CLASSES, 0, Protocol(epochs=1))

    def together(seed: int) -> Callable[[], float]:
        weights = train_readout(train, labels, CLASSES, seed, Protocol(epochs=epochs))

        def score() -> float:
            nonlocal weights
            if fewer != epochs:
                weights = train_readout(train[:1], labels, CLASSES, seed, Protocol(epochs=fewer))
            first = (weights[0][:1], weights[1][:1])
            return 100 * float(accuracy(first, test[:1], truth)[0])

        return score

    def one(seed: int) -> Callable[[], float]:
        readout = plain(train[0], labels, fewer, seed)
        return lambda: 100 * float((readout(test[0]).argmax(1) == truth).double().mean())

    def scored(name: str, work: Callable[[int], Callable[[], float]]) -> Way:
        def way(count: int) -> list[float]:
            taken = []
            for _ in range(count):
                begin = time.perf_counter()
                score = work(len(found[name]))
                taken.append(1e3 * (time.perf_counter() - begin))
                found[name].append(score())
            return taken

        return way

    return {"together": scored("together", together), "plain": scored("plain", one)}


def accuracy_rows(found: dict[str, list[float]]) -> list[Row]:
    """Each way's accuracy over seeds, and their differences seed by seed."""
    pairs = zip(found["together"], found["plain"], strict=True)
    values = found | {"together - plain": [a - b for a, b in pairs]}
    return [{"": name, **statistics(each)} for name, each in values.items()]


def unrolled(cortex: Cortex) -> nn.Sequential:
    """The way to the latents, of torch's own layers in its default layout."""
    parts: list[nn.Module] = []
    for layer in cortex.encoder.trunk:
        parts += [layer, nn.LeakyReLU(LEAK)]
    layers = [*parts, cortex.encoder.latent_head]
    return nn.Sequential(*layers, nn.Flatten()).to(memory_format=torch.contiguous_format)


def inference_ways(images: int) -> dict[str, Way]:
    """The library's inference in both precisions, and plain torch's in batches of 500."""
    seen = some_images(None, False, images)
    quick, short, usual = (Cortex(random=torch.Generator().manual_seed(0)) for _ in range(3))
    short.precision = torch.bfloat16
    network = unrolled(usual)

    def by_torch() -> Tensor:
        with torch.no_grad():
            return torch.cat([network(to_activity(part)) for part in seen.split(500)])

    return {
        "infer float32": repeated(lambda: quick.infer(seen)),
        "infer bfloat16": repeated(lambda: short.infer(seen)),
        "torch float32": repeated(by_torch),
    }


def inference_rows(times: Times) -> list[Row]:
    """One row for each way, beside the library's in float32."""
    first, *others = times
    return [row(times, first), *(row(times, name, first) for name in others)]
