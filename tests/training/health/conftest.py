"""Tiny runs that are watched."""

import pytest

import dreaming
from dreaming.runs.folder import RunFolder


@pytest.fixture(scope="module")
def small_dataset(dataset_of):
    """Three cycles of eight an epoch."""
    return dataset_of(train=24, test=10)


@pytest.fixture
def trained(tiny_config, small_dataset, tmp_path):
    """Trains, or goes on, in one folder: (condition, settings, epochs, out, progress)."""

    def run(name="pad", settings=(), epochs=2, out=tmp_path, progress=None):
        named = [*settings, f"condition={name}"]
        config = tiny_config(name, named, training={"epochs": epochs, "snapshots": "all"})
        return RunFolder(dreaming.train(config, out=out, dataset=small_dataset, progress=progress))

    return run
