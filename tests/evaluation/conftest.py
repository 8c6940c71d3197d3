"""What the tests of measures share: cortices to be measured, without a training."""

import pytest
import torch

import dreaming
from dreaming.evaluation.measures.snapshot_batch import SnapshotBatch
from dreaming.runs.folder import RunFolder


@pytest.fixture(scope="session")
def lively_snapshots(dataset_of, tmp_path_factory):
    """Makes snapshots: an untrained cortex for each strength, whose weights are so many times as strong.

    At five times, its latents tell the classes of the structured images apart.
    """

    def make(train=200, test=100, seed=4, strengths=(5.0,), condition="untrained"):
        images = dataset_of(train=train, test=test)
        config = dreaming.configure(
            condition,
            networks={"base_channels": 4, "latent_dim": 32},
            training={"batch_size": 16, "epochs": 0, "device": "cpu", "precision": "float32"},
            seed=seed,
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("dreaming.training.run.sheet", lambda *args: b"no picture")
            folder = RunFolder(dreaming.train(config, out=tmp_path_factory.mktemp("lively"), dataset=images))
        epochs = [0] * len(strengths)
        snapshots = SnapshotBatch(folder, folder.read_config(), images, epochs, torch.device("cpu"))
        with torch.no_grad():
            for cortex, strength in zip(snapshots.cortices, strengths, strict=True):
                for weight in cortex.parameters():
                    weight.mul_(strength)
        snapshots.epochs = tuple(range(len(strengths)))
        return snapshots

    return make


@pytest.fixture(scope="session")
def snapshots(lively_snapshots):
    """Two cortices of one run, a weak one and a lively one; 200 training and 100 test images of ten classes."""
    return lively_snapshots(strengths=(1.0, 5.0))
