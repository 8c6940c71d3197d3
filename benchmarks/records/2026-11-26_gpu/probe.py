"""Milliseconds of a captured cycle on a GPU: ``python probe.py CONDITION PRECISION CORTICES``."""

import sys
import time

import torch

from dreaming.config.configure import configure
from dreaming.training.captured import CapturedCycle
from dreaming.training.precision import exactly, resolved
from dreaming.training.state import TrainingState

condition, precision, cortices = sys.argv[1], sys.argv[2], int(sys.argv[3])
CYCLES, SETTLING = 120, 20
training = {"device": "cuda", "precision": precision, "path": "captured", "epochs": 50}
configs = [
    resolved(configure(condition, seed=seed, dataset={"name": "cifar10"}, training=training))
    for seed in range(cortices)
]
random = torch.Generator().manual_seed(0)
images = torch.randint(0, 256, (64 * CYCLES, 3, 32, 32), dtype=torch.uint8, generator=random).cuda()
with exactly(configs[0]):
    states = [TrainingState.initial(config, torch.device("cuda")) for config in configs]
    cycles = CapturedCycle(states, configs, images)
    cycles.open()
    for _ in range(SETTLING):
        cycles.cycle()
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(CYCLES - SETTLING):
        cycles.cycle()
    torch.cuda.synchronize()
    took = 1000 * (time.perf_counter() - began) / (CYCLES - SETTLING) / cortices
    print(f"{condition} {precision} {cortices}: {took:.3f} ms a cycle and cortex")
    cycles.close()
