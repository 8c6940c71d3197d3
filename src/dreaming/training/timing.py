"""How long a cycle takes on this machine."""

import time
from collections.abc import Sequence
from statistics import median

import torch

from dreaming.config.config import Config
from dreaming.data.loading import load_dataset
from dreaming.training.captured import CapturedCycle
from dreaming.training.precision import exactly
from dreaming.training.state import TrainingState

CYCLES = 20
SETTLING = 5  # cycles that are not counted


def begin(configs: Sequence[Config], cycles: int = CYCLES) -> tuple[CapturedCycle, list[TrainingState]]:
    """Begin cortices, and an epoch of so many cycles, on the digits that come with the package."""
    config = configs[0]
    device, count = torch.device(config.training.device), cycles * config.training.batch_size
    digits = load_dataset("digits", limit=config.dataset.limit, image_size=config.networks.image_size)
    images = digits.to(device).train.images
    while len(images) < count:
        images = torch.cat([images, images])
    states = [TrainingState.initial(each, device) for each in configs]
    return CapturedCycle(states, configs, images[:count]), states


def cycle_milliseconds(config: Config, rounds: int) -> float:
    """Return the median time of a cycle of a config whose device and precision are resolved."""
    cycles, _ = begin([config])
    cycles.open()
    with exactly(config):
        return median([one_cycle(cycles) for _ in range(SETTLING + rounds)][SETTLING:])


def one_cycle(cycles: CapturedCycle) -> float:
    """Run one more cycle, from the first again when the epoch is over; return its milliseconds."""
    cycles.position.remainder_(cycles.cycles)
    synchronize(cycles.device)
    start = time.perf_counter()
    cycles.cycle()
    synchronize(cycles.device)
    return 1000 * (time.perf_counter() - start)


def synchronize(device: torch.device) -> None:
    """Wait until a device has done what was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
