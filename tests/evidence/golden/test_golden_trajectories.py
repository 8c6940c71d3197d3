"""Twenty cycles of each condition are what they were: a refactoring proves identity here.

They are run in float64, where another order of summation changes the twelfth digit at most. But torch draws
normal numbers in float32, whose last bit goes with the processor: without AVX2 terms differ by 2e-6, and weights by
6e-8. Where other numbers are drawn than those of the trajectories, the tolerances lie between that and the
alterations below, which make at least 5e-3 and 3e-4.
"""

import hashlib
import json

import pytest
import torch
from tests.evidence.golden import regenerate

from dreaming.model.conditions import condition, conditions
from dreaming.model.hippocampus import Replay
from dreaming.model.occlusion import Occlusion
from dreaming.model.phases import NREM, REM, Wake

pytestmark = pytest.mark.usefixtures("shapes_unchecked")

DRAWN = torch.randn(4096, generator=torch.Generator().manual_seed(0)).numpy().tobytes()
SAME = hashlib.sha256(DRAWN).hexdigest().startswith("a25207107225c7f6")  # as where the trajectories were run
TERMS, WEIGHTS = (1e-8, 1e-8) if SAME else (1e-4, 1e-5)
GOLDEN = json.loads(regenerate.FILE.read_text(encoding="utf-8"))
PAD = Wake(), NREM(), REM()

ALTERATIONS = {
    "more of yesterday": (Wake(), NREM(), REM(replay=Replay(past=0.51, noise=0.5))),
    "more noise": (Wake(), NREM(), REM(replay=Replay(past=0.5, noise=0.51))),
    "the first night alone": (
        Wake(),
        NREM(),
        REM(replay=Replay(past=0.5, noise=0.5, first_night="memory_alone")),
    ),
    "a lighter KL": (Wake(kl_weight=0.99), NREM(), REM()),
    "a lighter NREM": (Wake(), NREM(weight=0.99), REM()),
    "no tiles of size 8": (Wake(), NREM(occlusion=Occlusion(tile_size=(1, 7))), REM()),
    "a mask for each image": (Wake(), NREM(occlusion=Occlusion(mask_per_image=True)), REM()),
    "a little noise awake": (Wake(latent_noise=0.01), NREM(), REM()),
}


def differences(found, golden):
    """Every number that is not within its tolerance."""
    wrong = []
    assert list(found["terms"]) == list(golden["terms"])
    assert list(found["weights"]) == list(golden["weights"])
    for name, values in golden["terms"].items():
        assert len(found["terms"][name]) == len(values)
        for cycle, (mine, theirs) in enumerate(zip(found["terms"][name], values, strict=True)):
            if mine != pytest.approx(theirs, rel=TERMS, abs=1e-12):
                wrong.append(f"{name} of cycle {cycle}: {mine} instead of {theirs}")
    for name, (total, size) in golden["weights"].items():
        mine = found["weights"][name]
        if mine != pytest.approx([total, size], rel=0, abs=WEIGHTS * size):
            wrong.append(f"{name}: {mine} instead of {[total, size]}")
    return wrong


def test_every_condition_has_its_trajectory():
    assert list(GOLDEN) == list(conditions())
    for name, golden in GOLDEN.items():
        assert all(len(values) == regenerate.CYCLES for values in golden["terms"].values())
        assert bool(golden["terms"]) == (name != "untrained")


def test_conditions_have_trajectories_of_their_own():
    ends = [json.dumps(golden["weights"]) for golden in GOLDEN.values()]
    assert len(set(ends)) == len(ends)


@pytest.mark.parametrize("name", conditions())
def test_a_condition_lives_as_it_did(name):
    found = regenerate.trajectory(condition(name))
    assert not differences(found, GOLDEN[name])


@pytest.mark.parametrize("name", ALTERATIONS)
def test_an_altered_algorithm_is_caught(name):
    assert differences(regenerate.trajectory(ALTERATIONS[name]), GOLDEN["pad"])


def test_an_altered_optimiser_or_start_is_caught(monkeypatch):
    for constant, factor in (("RATE", 1.001), ("SCALE", 1.0001)):
        with monkeypatch.context() as patch:
            patch.setattr(regenerate, constant, getattr(regenerate, constant) * factor)
            assert differences(regenerate.trajectory(PAD), GOLDEN["pad"])
