"""Named random streams, all grown from one seed.

A draw depends only on the seed, the stream's name and its address (epoch, cycle, phase), never on what was
drawn before. So a run resumes from any cycle without a saved generator, and leaving out one phase does not
shift the random numbers of another: conditions of one seed share their noise.
"""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

Stream = Literal["init", "order", "occlusion", "noise", "memory", "evaluation", "images"]
STREAMS: tuple[str, ...] = get_args(Stream)


def derived_seed(seed: int, stream: Stream, *address: int | str) -> int:
    """Return the 63-bit seed of one stream at one address.

    Parameters
    ----------
    seed
        The run's seed, not negative.
    stream
        One of ``init``, ``order``, ``occlusion``, ``noise``, ``memory``, ``evaluation``, ``images`` (those that are
        drawn).
    *address
        Where in the run: epoch, cycle, name of the phase.

    Examples
    --------
    >>> derived_seed(0, "noise", 1, 2, "rem") == derived_seed(0, "noise", 1, 2, "rem")
    True
    >>> derived_seed(0, "noise", 1, 2, "rem") == derived_seed(0, "noise", 1, 2, "nrem")
    False
    """
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in (stream, *address)]
    entropy = np.random.SeedSequence([seed, len(words), *words]).generate_state(1, np.uint64)[0]
    return int(entropy >> np.uint64(1))


def short_seed(seed: int) -> int:
    """Return a seed of 32 bits, for libraries that take no more: a seed itself, or one derived from a larger.

    Examples
    --------
    >>> short_seed(7), short_seed(2**32) < 2**32
    (7, True)
    """
    return seed if seed < 2**32 else derived_seed(seed, "evaluation") % 2**32


def generator(seed: int, stream: Stream, *address: int | str) -> torch.Generator:
    """Return a fresh CPU generator for one stream at one address (see `derived_seed`).

    Examples
    --------
    >>> torch.randperm(5, generator=generator(0, "order", 1)).tolist()
    [0, 4, 2, 3, 1]
    """
    return torch.Generator().manual_seed(derived_seed(seed, stream, *address))


@contextmanager
def seeded(seed: int, stream: Stream, *address: int | str) -> Iterator[None]:
    """Draw within the block from torch's global CPU generator as from one stream at one address.

    What it would have drawn elsewhere stays what it was.

    Examples
    --------
    >>> with seeded(0, "init"):
    ...     first = torch.rand(2)
    >>> bool((first == torch.rand(2, generator=generator(0, "init"))).all())
    True
    """
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(derived_seed(seed, stream, *address))
    try:
        yield
    finally:
        torch.set_rng_state(state)


class Random:
    """The random numbers of one place in a run: a seed and an address.

    Draws are made on the CPU, so that they are the same numbers on every device, and moved to ``device``.

    Examples
    --------
    >>> here = Random(0, (1, 7))
    >>> here.at("rem").normal("noise", (2, 3)).shape
    torch.Size([2, 3])
    >>> bool((here.at("rem").uniform("noise", (4,)) == here.at("rem").uniform("noise", (4,))).all())
    True
    """

    def __init__(
        self, seed: int, address: tuple[int | str, ...] = (), device: torch.device | str = "cpu"
    ) -> None:
        self.seed, self.address, self.device = seed, address, torch.device(device)
        self._generators: dict[Stream, torch.Generator] = {}

    def at(self, *place: int | str) -> "Random":
        """Return the random numbers one step further down the address."""
        return Random(self.seed, (*self.address, *place), self.device)

    def _generator(self, stream: Stream) -> torch.Generator:
        if stream not in self._generators:
            self._generators[stream] = generator(self.seed, stream, *self.address)
        return self._generators[stream]

    def normal(self, stream: Stream, shape: Sequence[int]) -> Tensor:
        """Draw from N(0, 1)."""
        return torch.randn(tuple(shape), generator=self._generator(stream)).to(self.device)

    def uniform(self, stream: Stream, shape: Sequence[int]) -> Tensor:
        """Draw from U[0, 1)."""
        return torch.rand(tuple(shape), generator=self._generator(stream)).to(self.device)

    def integers(self, stream: Stream, low: int, high: int, shape: Sequence[int]) -> Tensor:
        """Draw whole numbers from low to high, both included."""
        return torch.randint(low, high + 1, tuple(shape), generator=self._generator(stream)).to(self.device)
