"""Trajectories to compare with: 20 cycles of each condition, written to ``trajectories.json`` beside this file.

    python tests/evidence/golden/regenerate.py

A refactoring leaves the file as it is. Who regenerates it says in the commit which number changed, and why the
new one is right: a golden number proves that nothing changed, not that it is true (tests/oracle_agreement does).
"""

import json
from pathlib import Path

import torch

from dreaming.model.conditions import condition, conditions
from dreaming.model.cortex import Cortex
from dreaming.model.cycle import sleep_wake_cycle
from dreaming.model.hippocampus import Hippocampus
from dreaming.model.phases import Phase
from dreaming.model.plasticity import Optimizer, Synapses
from dreaming.rng import Random, generator

FILE = Path(__file__).with_name("trajectories.json")
CYCLES, BATCH = 20, 8
RATE = 1e-3
# Initial weights of the paper's size make the latents of a tiny cortex so small that rounding alone decides about
# the first steps of Adam; larger ones, and float64, keep the trajectories of all machines together.
SCALE = 6


def seen_on(day: int) -> torch.Tensor:
    """Images of one day, in [-1, 1], from arithmetic alone: blobs whose place and colour go with the index."""
    index = torch.arange(day * BATCH, (day + 1) * BATCH, dtype=torch.float64)
    grid = torch.arange(32, dtype=torch.float64)
    row, column = 16 + 10 * torch.sin(index), 16 + 10 * torch.cos(2.3 * index)
    distance = (grid[:, None] - row[:, None, None]) ** 2 + (grid - column[:, None, None]) ** 2
    colour = torch.stack([torch.sin(index), torch.cos(index), torch.sin(0.7 * index + 1)], dim=1)
    return torch.exp(-distance / 40)[:, None] * colour[:, :, None, None]


def trajectory(phases: tuple[Phase, ...], cycles: int = CYCLES) -> dict:
    """Live through some days: each term of each cycle, and sum and absolute sum of each weight at the end."""
    cortex = Cortex(latent_dim=8, base_channels=4, random=generator(0, "init"))
    with torch.no_grad():
        for weight in cortex.parameters():
            weight.mul_(SCALE)
    cortex.double()
    synapses, hippocampus, terms = Synapses(cortex, Optimizer(learning_rate=RATE)), Hippocampus(), {}
    for cycle in range(cycles):
        hippocampus, found = sleep_wake_cycle(
            cortex, synapses, seen_on(cycle), hippocampus, phases, Random(0, (1, cycle))
        )
        for name, value in found.items():
            terms.setdefault(name, []).append(value.item())
    weights = {
        name: [weight.double().sum().item(), weight.double().abs().sum().item()]
        for name, weight in cortex.state_dict().items()
    }
    return {"terms": terms, "weights": weights}


def main() -> None:
    """Write all of them."""
    torch.set_num_threads(1)
    found = {name: trajectory(condition(name)) for name in conditions()}
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
