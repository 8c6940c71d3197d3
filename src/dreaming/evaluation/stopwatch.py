"""How long the stages of measuring take, and how many images are inferred for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Stopwatch:
    """Seconds of each stage; those of a stage within another count as its own alone.

    Attributes
    ----------
    seconds
        By the name of the stage, in the order in which stages ended first.
    inferred
        Images whose latents were inferred, each as often as there were cortices.

    Examples
    --------
    >>> watch = Stopwatch()
    >>> with watch.stage("robustness"), watch.stage("inference"):
    ...     time.sleep(0.05)
    >>> list(watch.seconds), watch.seconds["inference"] >= 0.05
    (['inference', 'robustness'], True)
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        self.seconds: dict[str, float] = {}
        self.inferred = 0
        self._within = [0.0]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the block as part of a stage."""
        begin = time.perf_counter()
        self._within.append(0.0)
        try:
            yield
            if self.device.type == "cuda":
                torch.cuda.synchronize(
                    self.device
                )  # what was asked for in this stage is not done in the next
        finally:
            spent = time.perf_counter() - begin
            own = spent - self._within.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + own
            self._within[-1] += spent
