"""The README says in which files the algorithm is: a training step is followed, and enters no other."""

import re
import sys
from pathlib import Path

import pytest
import torch

import dreaming

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "dreaming"


def named_files():
    section = (
        (ROOT / "README.md").read_text().partition("## Where is the algorithm?")[2].partition("\n\nThe")[0]
    )
    return {ROOT / path for path in re.findall(r"\]\((src/[^)]+)\)", section)}


def entered_files(step):
    """The files of this package in which functions are called while a step is made."""
    found = set()

    def follow(frame, event, argument):
        if event == "call":
            found.add(Path(frame.f_code.co_filename))

    sys.setprofile(follow)
    try:
        step()
    finally:
        sys.setprofile(None)
    return {file for file in found if file.is_relative_to(SOURCE)}


@pytest.mark.parametrize("channels", [4, 32], ids=["narrow", "wide enough for tiles"])
def test_a_training_step_enters_the_files_that_the_readme_names(channels):
    seeded = torch.Generator().manual_seed(0)
    cortex = dreaming.Cortex(latent_dim=8, base_channels=channels, random=seeded)
    synapses = dreaming.Synapses(cortex, dreaming.Optimizer())
    images = torch.rand(16, 3, 32, 32, generator=seeded) * 2 - 1
    phases = dreaming.condition("pad")

    def step():
        hippocampus = dreaming.Hippocampus()
        for cycle in range(2):
            hippocampus, _ = dreaming.sleep_wake_cycle(
                cortex, synapses, images, hippocampus, phases, dreaming.Random(0, (cycle,))
            )

    entered = entered_files(step)
    assert entered <= named_files()
    if channels == 32:
        assert entered == named_files()
