"""Epochs as a program over tensors that stay where they are: on a GPU, one cycle captured and replayed.

At batch 64 a GPU waits longer for its orders than it computes. So a cycle becomes a fixed program: which images,
which random numbers and which memories it takes is read from tensors on the device, where a counter says which
cycle it is. The random numbers of an epoch are those that the plain path draws, drawn ahead. Within an epoch the
host waits for nothing. The same program holds one cortex or a ensemble of them.

On a CPU nothing is captured, and a single cortex goes through the very steps of the plain path.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from dreaming.config.config import Config
from dreaming.data import epoch_order, to_activity
from dreaming.model.cycle import active_phases, compute, draw, live
from dreaming.model.hippocampus import Hippocampus
from dreaming.model.phases import Draws, Phase
from dreaming.model.plasticity import Synapses
from dreaming.rng import Random, generator
from dreaming.training import ensemble
from dreaming.training.state import TrainingState

EAGER = (
    3  # cycles before one is captured: libraries choose their ways and optimisers make their state in them
)
Chance = tuple[Tensor, dict[str, Draws]]


class CapturedCycle:
    """The training of one cortex, or of several side by side, as a program over tensors that stay in place.

    Parameters
    ----------
    lives
        Whose cortices learn, all at the same cycle; brought up to date where `run` returns.
    configs
        The config of each; they differ in their seeds alone.
    images
        Pixels, 0 to 255, shape [n, c, 32, 32], on the cortices' device.

    Raises
    ------
    ValueError
        If the lives do not stand at one cycle.
    """

    def __init__(self, lives: Sequence[TrainingState], configs: Sequence[Config], images: Tensor) -> None:
        self.lives, self.configs, self.images = lives, configs, images
        if len({(life.epochs_done, life.cycles_done) for life in lives}) > 1:
            raise ValueError("these lives stand at different cycles, and a program lives them in step")
        self.many = len(lives) > 1
        self.config, self.device = configs[0], images.device
        self.cycles = len(images) // self.config.training.batch_size
        self.cortex = ensemble.stack([life.cortex for life in lives]) if self.many else lives[0].cortex
        self.synapses = Synapses(self.cortex, self.config.optimizer) if self.many else lives[0].synapses
        if self.many:
            self.synapses.stack([life.synapses for life in lives])
        self.position = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.hippocampus = Hippocampus()
        self.places: dict[str, Tensor] = {}
        self.totals: dict[str, Tensor] = {}
        self.captures = self.device.type == "cuda"
        self.phases: tuple[Phase, ...] = ()
        self.done = 0
        self.lived: Counter[tuple[str, ...]] = Counter()  # cycles of each kind: which phases happen in it
        self.graphs: dict[tuple[str, ...], torch.cuda.CUDAGraph] = {}
        self.order: Tensor = torch.empty(0)
        self.draws: dict[str, Draws] = {}
        self._ahead: tuple[int, Future[Chance]] | None = None
        self._drawer = ThreadPoolExecutor(1, thread_name_prefix="draws")

    def run(self, wanted: Callable[[], bool], lived: Callable[[], None]) -> None:
        """Live through the rest of the epoch, or for as long as it is wanted.

        Parameters
        ----------
        wanted
            Asked before each cycle whether to go on.
        lived
            Called after each.
        """
        self.open()
        while self.done < self.cycles and wanted():
            self.cycle()
            lived()
        self.close(self.done)

    def open(self) -> None:
        """Take over where the lives stand, and put the epoch's order and random numbers in place."""
        life = self.lives[0]
        if life.cycles_done == 0 and not self.config.training.memories_across_epochs:
            for each in self.lives:
                each.hippocampus = Hippocampus()
        days = [(each.hippocampus.today, each.hippocampus.yesterday) for each in self.lives]
        today, yesterday = (
            self._joined([day for day in values if day is not None]) for values in zip(*days, strict=True)
        )
        self._remember(Hippocampus(today, yesterday))
        epoch = life.epochs_done + 1
        if self.phases != (phases := self.config.phases_in(epoch)):
            self.phases = phases
            self.graphs.clear()
            self.totals.clear()
        for total in self.totals.values():
            total.zero_()
        for name in life.totals:
            total = self._total(name)
            total.add_(torch.stack([each.totals[name] for each in self.lives]).view_as(total))
        order, draws = self._drawn(epoch)
        if not self.graphs:
            self.order, self.draws = order, draws
        else:  # what was captured reads from where these were
            self.order.copy_(order)
            for phase, named in draws.items():
                for name, values in named.items():
                    self.draws[phase][name].copy_(values)
        self.position.fill_(life.cycles_done)
        self.done = life.cycles_done
        if self.device.type == "cuda" and epoch < self.config.training.epochs:
            self._ahead = (epoch + 1, self._drawer.submit(self._draw, epoch + 1))

    def close(self, done: int) -> None:
        """Bring the lives up to date."""
        if self.many:
            ensemble.unstack(self.cortex, [life.cortex for life in self.lives])
            self.synapses.unstack([life.synapses for life in self.lives])
        for number, life in enumerate(self.lives):
            today, yesterday = (
                None if day is None else (day[number] if self.many else day).clone()
                for day in (self.hippocampus.today, self.hippocampus.yesterday)
            )
            life.hippocampus = Hippocampus(today, yesterday)
            life.totals = {
                name: (total[number] if self.many else total).clone() for name, total in self.totals.items()
            }
            life.cycles_done = done

    def cycle(self) -> None:
        """Live through one cycle: on a GPU the captured one, as soon as all it needs is in place."""
        phases = active_phases(self.phases, self.done % self.cycles)
        self.done += 1
        kind = tuple(phase.name for phase in phases)
        complete = self.hippocampus.yesterday is not None and self.lived[kind] >= EAGER
        if not self.captures or not complete:
            self._step(phases)
            self.lived[kind] += 1
            return
        if kind not in self.graphs:
            torch.cuda.synchronize(self.device)
            self.graphs[kind] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graphs[kind]):
                self._step(phases)
        self.graphs[kind].replay()

    def _step(self, phases: Sequence[Phase]) -> None:
        """Do what the plain path does in a cycle, with everything read from its place and put back there."""
        order = self.order.index_select(0, self.position)[0]
        draws = {
            phase: {name: values.index_select(0, self.position)[0] for name, values in named.items()}
            for phase, named in self.draws.items()
        }
        seen = to_activity(self.images[order.flatten()], self.config.networks.image_channels)
        seen = seen.unflatten(0, order.shape)
        way = ensemble.objective if self.many else compute
        hippocampus, terms = live(self.cortex, self.synapses, seen, self.hippocampus, phases, draws, way)
        self._remember(hippocampus)
        for name, value in terms.items():
            self._total(name).add_(value)
        self.position.add_(1)

    def _remember(self, found: Hippocampus) -> None:
        """Put memories where the next cycle reads them; yesterday's first, since today's place may hold them."""
        yesterday = self._placed("yesterday", found.yesterday)
        self.hippocampus = Hippocampus(self._placed("today", found.today), yesterday)

    def _placed(self, name: str, value: Tensor | None) -> Tensor | None:
        """Copy a value into its place; the first of its name becomes the place."""
        if value is None:
            return None
        if name not in self.places:
            self.places[name] = value.clone()
        return self.places[name].copy_(value)

    def _total(self, name: str) -> Tensor:
        if name not in self.totals:
            shape = (len(self.lives),) if self.many else ()
            self.totals[name] = torch.zeros(shape, dtype=torch.float64, device=self.device)
        return self.totals[name]

    def _joined(self, values: Sequence[Tensor]) -> Tensor | None:
        """Stack what belongs to several lives; leave alone what belongs to one; None where there is nothing."""
        if not values:
            return None
        return torch.stack(list(values)) if self.many else values[0]

    def _drawn(self, epoch: int) -> Chance:
        ahead, self._ahead = self._ahead, None
        order, draws = ahead[1].result() if ahead is not None and ahead[0] == epoch else self._draw(epoch)
        return order.to(self.device), {
            phase: {name: values.to(self.device) for name, values in named.items()}
            for phase, named in draws.items()
        }

    def _draw(self, epoch: int) -> Chance:
        """Draw what an epoch needs of chance, on the CPU: the order of the images, and each cycle's numbers."""
        batch, latent_dim = self.config.training.batch_size, self.config.networks.latent_dim
        orders, epochs = [], []
        for config in self.configs:
            orders.append(epoch_order(len(self.images), batch, generator(config.seed, "order", epoch)))
            cycles = [
                draw(config.phases_in(epoch), Random(config.seed, (epoch, cycle)), batch, latent_dim)
                for cycle in range(self.cycles)
            ]
            epochs.append(_stacked(cycles, torch.stack))
        join = (lambda values: torch.stack(values, dim=1)) if self.many else (lambda values: values[0])
        return join(orders), _stacked(epochs, join)


def _stacked(many: Sequence[Mapping[str, Draws]], join: Callable[[list[Tensor]], Tensor]) -> dict[str, Draws]:
    """Join the draws of the same name."""
    return {
        phase: {name: join([draws[phase][name] for draws in many]) for name in named}
        for phase, named in many[0].items()
    }
