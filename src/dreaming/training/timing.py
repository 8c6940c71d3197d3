"""How long a cycle takes on each path, measured in turn on the user's own machine."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

import torch

from dreaming.config.config import Config
from dreaming.config.configure import configure
from dreaming.data import load
from dreaming.system import hardware
from dreaming.system.threads import keep_memory
from dreaming.training.captured import CapturedCycle
from dreaming.training.precision import exactly
from dreaming.training.processes import in_processes
from dreaming.training.state import TrainingState

CYCLES = 20
SETTLING = 5  # cycles of each path that are not counted


@dataclass(frozen=True)
class Timing:
    """How long one cycle of one cortex takes."""

    path: str
    milliseconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one, in ms."""
        return median(self.milliseconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The lower and the upper quartile, in ms."""
        low, _, high = quantiles(self.milliseconds, n=4)
        return low, high


Maker = Callable[..., Config]


def maker(device: str, base_channels: int, batch_size: int) -> Maker:
    """Return what makes the config of a measurement from a precision and a seed."""

    def make(precision: str = "float32", seed: int = 0) -> Config:
        return configure(
            "pad",
            networks={"base_channels": base_channels},
            dataset={"limit": CYCLES * batch_size},
            training={"batch_size": batch_size, "epochs": 1, "device": device, "precision": precision},
            seed=seed,
        )

    return make


def begin(configs: Sequence[Config]) -> tuple[CapturedCycle, list[TrainingState]]:
    """Begin lives, and the program that lives them, on the digits that come with the package."""
    config = configs[0]
    device = torch.device(config.training.device)
    seen = load("digits", limit=config.dataset.limit).to(device).train.images
    while len(seen) < CYCLES * config.training.batch_size:
        seen = torch.cat([seen, seen])
    lives = [TrainingState.initial(each, device) for each in configs]
    return CapturedCycle(lives, configs, seen[: CYCLES * config.training.batch_size]), lives


def timed(make: Maker, paths: Mapping[str, tuple[str, int]], rounds: int) -> tuple[Timing, ...]:
    """Time a cycle of each path, one after another in each round, after some that are not counted."""
    programs = {
        path: (begin([make(precision, seed) for seed in range(count)])[0], make(precision), count)
        for path, (precision, count) in paths.items()
    }
    for program, _, _ in programs.values():
        program.open()
    times: dict[str, list[float]] = {path: [] for path in paths}
    for number in range(SETTLING + rounds):
        for path, (program, config, count) in programs.items():
            with exactly(config):
                spent = _one_cycle(program) / count
            if number >= SETTLING:
                times[path].append(spent)
    return tuple(Timing(path, tuple(spent)) for path, spent in times.items())


def _one_cycle(program: CapturedCycle) -> float:
    """Live one more cycle, from the beginning again when the epoch is over; return its milliseconds."""
    program.position.remainder_(program.cycles)
    synchronize(program.device)
    start = time.perf_counter()
    program.cycle()
    synchronize(program.device)
    return 1000 * (time.perf_counter() - start)


def synchronize(where: torch.device) -> None:
    """Wait until a device has done what it was told."""
    if where.type == "cuda":
        torch.cuda.synchronize(where)


def at_once(config: Config, workers: int, rounds: int) -> tuple[Timing, Timing]:
    """Time cycles of runs side by side in processes of one thread, and of one run on all threads."""
    precision = "bfloat16" if hardware.fast_bfloat16() else "float32"
    auto = config.but([f"training.precision={precision}"])
    (apart,) = timed(lambda precision, seed=0: auto, {"all threads": ("", 1)}, rounds)
    found = in_processes(_on_one_thread, [(auto, rounds)] * workers)
    shares = tuple(sum(spent) / workers**2 for spent in zip(*found, strict=True))
    return Timing(f"{workers} runs at once", shares), apart


def _on_one_thread(task: tuple[Config, int]) -> tuple[float, ...]:
    config, rounds = task
    torch.set_num_threads(1)
    keep_memory()
    (timing,) = timed(lambda precision, seed=0: config, {"one thread": ("", 1)}, rounds)
    return timing.milliseconds
