"""An epoch as cycles over tensors that stay where they are: on a GPU, one cycle captured and replayed.

At batch 64 a GPU waits longer for its orders than it computes. So a cycle becomes a fixed program: which images,
which random numbers and which memories it takes is read from buffers on the device, where a counter says which
cycle it is. The random numbers of an epoch are those that the plain path draws, drawn ahead; but where memories are
images that are completed from noise, a cycle's at a time, for an epoch's would fill the memory. Within an epoch the
host waits for nothing. The same program holds one cortex or an ensemble of them.

On a CPU nothing is captured, and a single cortex goes through the very steps of the plain path.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from dreaming.config.config import Config
from dreaming.data import epoch_order, to_activity
from dreaming.model.cycle import Step, active_phases, draw, phase_objective, run_cycle, steps_of
from dreaming.model.hippocampus import Hippocampus
from dreaming.model.phases import Draws, Phase
from dreaming.model.plasticity import Synapses
from dreaming.rng import Random, generator
from dreaming.training import ensemble
from dreaming.training.state import TrainingState

EAGER = 3
"""Cycles before one is captured: in them libraries choose algorithms, and optimisers make their state."""
Epoch = tuple[Tensor, dict[str, Draws]]


class CapturedCycle:
    """The cycles of one cortex, or of several side by side, over tensors that stay in place.

    Parameters
    ----------
    states
        Whose cortices learn, all at the same cycle; brought up to date where `run` returns.
    configs
        The config of each; they differ in their seeds alone.
    images
        Pixels, 0 to 255, shape [n, c, h, w], on the cortices' device.
    labels
        Their classes, int64 [n], there too, where a phase sees labels.

    Raises
    ------
    ValueError
        If the states are not at one cycle.
    """

    def __init__(
        self,
        states: Sequence[TrainingState],
        configs: Sequence[Config],
        images: Tensor,
        labels: Tensor | None = None,
    ) -> None:
        if len({(state.epochs_done, state.cycles_done) for state in states}) > 1:
            raise ValueError("these cortices are at different cycles, and are trained in step")
        self.states, self.configs, self.images, self.labels = states, configs, images, labels
        self.config, self.device = configs[0], images.device
        self.cycles = len(images) // self.config.training.batch_size
        self.many = len(states) > 1
        if self.many:
            self.cortex = ensemble.stack([state.cortex for state in states])
            self.synapses = Synapses(self.cortex, self.config.optimizer)
            self.synapses.stack([state.synapses for state in states])
        else:
            self.cortex, self.synapses = states[0].cortex, states[0].synapses
        memory = self.config.hippocampus
        self.by_cycle = memory.stores == "images" and memory.retrieval == "hopfield"
        self.captures = self.device.type == "cuda"
        self.done = 0
        self.phases: tuple[Phase, ...] = ()
        self.hippocampus = Hippocampus()
        self.position = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.buffers: dict[str, Tensor] = {}
        self.totals: dict[str, Tensor] = {}
        self.order: Tensor = torch.empty(0)
        self.draws: dict[str, Draws] = {}
        self.graphs: dict[tuple[str, ...], torch.cuda.CUDAGraph] = {}
        self.counts: Counter[tuple[str, ...]] = Counter()  # cycles run with each tuple of steps
        self._ahead: tuple[int, Future[Epoch]] | None = None
        self._drawer = ThreadPoolExecutor(1, thread_name_prefix="draws")

    def run(self, wanted: Callable[[], bool], after_cycle: Callable[[], None]) -> None:
        """Run the rest of the epoch, or as much of it as is wanted.

        Parameters
        ----------
        wanted
            Asked before each cycle whether to go on.
        after_cycle
            Called after each.
        """
        self.open()
        while self.done < self.cycles and wanted():
            self.cycle()
            after_cycle()
        self.close()

    def open(self) -> None:
        """Begin where the states are, with the epoch's order and random numbers in their buffers."""
        first = self.states[0]
        if first.cycles_done == 0 and not self.config.training.memories_across_epochs:
            for state in self.states:
                state.hippocampus = Hippocampus(config=self.config.hippocampus)
        days = [state.hippocampus.tensors for state in self.states]
        joined = {name: self._joined([each[name] for each in days]) for name in days[0]}
        self._remember(first.hippocampus.holding(joined))
        epoch = first.epochs_done + 1
        if self.phases != (phases := self.config.phases_in(epoch)):
            self.phases = phases
            self.graphs.clear()
            self.totals.clear()
        for total in self.totals.values():
            total.zero_()
        for name in first.totals:
            total = self._total(name)
            total.add_(torch.stack([state.totals[name] for state in self.states]).view_as(total))
        order, draws = self._drawn(epoch)
        if self.graphs:  # what was captured reads from where these were
            self.order.copy_(order)
            self._redraw(draws)
        else:
            self.order, self.draws = order, draws
        self.position.fill_(first.cycles_done)
        self.done = first.cycles_done
        if self.captures and epoch < self.config.training.epochs:
            self._ahead = (epoch + 1, self._drawer.submit(self._draw, epoch + 1))

    def close(self) -> None:
        """Update the states with what the cycles have changed."""
        if self.many:
            ensemble.unstack(self.cortex, [state.cortex for state in self.states])
            self.synapses.unstack([state.synapses for state in self.states])
        for number, state in enumerate(self.states):
            days = {
                name: (day[number] if self.many else day).clone()
                for name, day in self.hippocampus.tensors.items()
            }
            state.hippocampus = self.hippocampus.holding(days)
            state.totals = {
                name: (total[number] if self.many else total).clone() for name, total in self.totals.items()
            }
            state.cycles_done = self.done

    def _redraw(self, draws: Mapping[str, Draws]) -> None:
        """Put other random numbers where a cycle reads them."""
        for step, named in draws.items():
            for name, values in named.items():
                self.draws[step][name].copy_(values)

    def cycle(self) -> None:
        """Run one cycle: on a GPU the captured one, as soon as all it needs is in place."""
        if self.by_cycle:
            self._redraw(self._draws_of(self.states[0].epochs_done + 1, range(self.done, self.done + 1)))
        steps = steps_of(active_phases(self.phases, self.done % self.cycles), self.synapses.coasts)
        self.done += 1
        names = tuple(step.name for step in steps)
        full = self.hippocampus.days == self.config.hippocampus.capacity
        settled = full and self.counts[names] >= EAGER
        if not (self.captures and settled):
            self._cycle(steps)
            self.counts[names] += 1
            return
        if names not in self.graphs:
            torch.cuda.synchronize(self.device)
            self.graphs[names] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graphs[names]):
                self._cycle(steps)
        self.graphs[names].replay()

    def _cycle(self, steps: Sequence[Step]) -> None:
        """Run a cycle with everything read from its buffer and put back there."""
        order = self.order.index_select(0, self.position)[0]
        place = torch.zeros_like(self.position) if self.by_cycle else self.position
        draws = {
            step.name: {
                name: values.index_select(0, place)[0]
                for name, values in self.draws.get(step.name, {}).items()
            }
            for step in steps
        }
        images = to_activity(self.images[order.flatten()], self.config.networks.image_channels)
        hippocampus, terms = run_cycle(
            self.cortex,
            self.synapses,
            images.unflatten(0, order.shape),
            self.hippocampus,
            steps,
            draws,
            ensemble.phase_objective if self.many else phase_objective,
            None if self.labels is None else self.labels[order],
        )
        self._remember(hippocampus)
        for name, value in terms.items():
            self._total(name).add_(value)
        self.position.add_(1)

    def _remember(self, found: Hippocampus) -> None:
        """Write memories where the next cycle reads them; the oldest first, for they may lie in a later buffer."""
        days = list(found.tensors.items())
        axis = found.day_axis
        self.hippocampus = found.holding({name: self._buffered(name, day, axis) for name, day in days[::-1]})

    def _buffered(self, name: str, value: Tensor, axis: int) -> Tensor:
        """Copy memories into their buffer, which has room for all days that will be stored."""
        if name not in self.buffers:
            room = list(value.shape)
            if name == "earlier":
                room[axis] = self.config.hippocampus.capacity - 2
            self.buffers[name] = value.new_empty(room)
        buffer = self.buffers[name]
        return (buffer.narrow(axis, 0, value.shape[axis]) if name == "earlier" else buffer).copy_(value)

    def _total(self, name: str) -> Tensor:
        if name not in self.totals:
            shape = (len(self.states),) if self.many else ()
            self.totals[name] = torch.zeros(shape, dtype=torch.float64, device=self.device)
        return self.totals[name]

    def _joined(self, values: Sequence[Tensor]) -> Tensor:
        """Stack what belongs to several cortices."""
        return torch.stack(list(values)) if self.many else values[0]

    def _drawn(self, epoch: int) -> Epoch:
        ahead, self._ahead = self._ahead, None
        order, draws = ahead[1].result() if ahead is not None and ahead[0] == epoch else self._draw(epoch)
        return order.to(self.device), {
            step: {name: values.to(self.device) for name, values in named.items()}
            for step, named in draws.items()
        }

    def _draw(self, epoch: int) -> Epoch:
        """Draw an epoch's random numbers on the CPU: the order of the images, and those of each cycle."""
        batch = self.config.training.batch_size
        orders = [
            epoch_order(len(self.images), batch, generator(config.seed, "order", epoch))
            for config in self.configs
        ]
        ahead = range(1 if self.by_cycle else self.cycles)
        return self._side_by_side(orders), self._draws_of(epoch, ahead)

    def _side_by_side(self, values: Sequence[Tensor]) -> Tensor:
        """Join what each cortex has for each cycle."""
        return torch.stack(list(values), dim=1) if self.many else values[0]

    def _draws_of(self, epoch: int, cycles: range) -> dict[str, Draws]:
        """Draw the random numbers of these cycles of an epoch."""
        batch, networks = self.config.training.batch_size, self.config.networks
        steps = steps_of(self.config.phases_in(epoch))
        image = (self.config.networks.image_channels, *self.images.shape[2:])
        epochs = []
        for config in self.configs:
            drawn = [
                draw(
                    steps,
                    Random(config.seed, (epoch, cycle)),
                    batch,
                    networks.latent_dim,
                    config.hippocampus,
                    image,
                )
                for cycle in cycles
            ]
            epochs.append(_stacked(drawn, torch.stack))
        return _stacked(epochs, self._side_by_side)


def _stacked(many: Sequence[Mapping[str, Draws]], join: Callable[[list[Tensor]], Tensor]) -> dict[str, Draws]:
    """Join the draws of the same name."""
    return {
        step: {name: join([draws[step][name] for draws in many]) for name in named}
        for step, named in many[0].items()
    }
