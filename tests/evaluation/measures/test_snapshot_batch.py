"""Seconds of stages, each its own alone; and masks: whose they are, and what they depend on."""

import itertools
from contextlib import suppress

import pytest
import torch

from dreaming.evaluation.measures import snapshot_batch
from dreaming.evaluation.measures.snapshot_batch import Stopwatch
from dreaming.system.progress import TerminalProgress


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on when it is told to."""
    now = [0.0]
    monkeypatch.setattr(snapshot_batch.time, "perf_counter", lambda: now[0])

    def spend(seconds):
        now[0] += seconds

    return spend


def test_a_stage_within_another_counts_as_its_own_alone_also_if_it_fails(clock):
    watch = Stopwatch()
    with watch.stage("robustness"):
        clock(1)
        with watch.stage("training"):
            clock(2)
            with watch.stage("inference"):
                clock(4)
        with suppress(OSError), watch.stage("inference"):
            clock(8)
            raise OSError("full")
        clock(16)
    with watch.stage("robustness"):
        clock(32)
    assert watch.seconds == {"inference": 12, "training": 2, "robustness": 49}


def test_stages_are_told_in_one_line(capsys):
    TerminalProgress().measured("digits/pad/seed-0", {"inference": 75.0, "readout": 0.5}, 12_345)
    said = "measured in 1 min 16 s (inference 1 min 15 s, readout 0.5 s); 12,345 images inferred"
    assert capsys.readouterr().out == f"digits/pad/seed-0: {said}\n"


def test_each_image_has_a_mask_of_its_own_in_tiles_of_4(snapshots):
    masks = snapshots.masks("robustness", 100, 0.4, 4)
    assert masks.shape == (100, 1, 32, 32)
    tiles = masks[:, 0].reshape(100, 8, 4, 8, 4).permute(0, 1, 3, 2, 4).flatten(3)
    assert (tiles == tiles[..., :1]).all()
    assert len({mask.numpy().tobytes() for mask in masks}) == 100
    assert masks.mean().item() == pytest.approx(0.6, abs=0.03)  # of 6,400 tiles: a standard error of 0.006
    assert set(masks.unique().tolist()) == {0.0, 1.0}


def test_what_is_dark_stays_dark_at_higher_probabilities(snapshots):
    masks = [snapshots.masks("robustness", 100, tenth / 10, 4) for tenth in range(11)]
    assert all((more <= less).all() for less, more in itertools.pairwise(masks))
    assert masks[0].min() == 1
    assert masks[10].max() == 0


def test_masks_depend_on_the_seed_and_the_measure_and_on_nothing_else(snapshots, lively_snapshots):
    masks = snapshots.masks("robustness", 100, 0.3, 4)
    assert torch.equal(masks, lively_snapshots(condition="pad").masks("robustness", 100, 0.3, 4))
    assert not torch.equal(masks, lively_snapshots(seed=5).masks("robustness", 100, 0.3, 4))
    assert not torch.equal(masks, snapshots.masks("organisation", 100, 0.3, 4))
