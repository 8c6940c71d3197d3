"""The state of a training, which can be put on disk at any cycle and go on exactly from there."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from dreaming.config.config import Config, validated
from dreaming.errors import UserError, brief
from dreaming.model.cortex import Cortex
from dreaming.model.hippocampus import Hippocampus
from dreaming.model.plasticity import Synapses
from dreaming.runs.folder import RunFolder
from dreaming.runs.tensors import read_tensors, write_tensors
from dreaming.system.disk import keep


@dataclass
class TrainingState:
    """A cortex in training: what it is, what it remembers, and how far it has come."""

    cortex: Cortex
    synapses: Synapses
    hippocampus: Hippocampus = field(default_factory=Hippocampus)
    epochs_done: int = 0
    cycles_done: int = 0
    """Cycles done in the epoch that is under way."""
    seconds: float = 0.0
    """Seconds that training alone took in the epoch that is under way."""
    totals: dict[str, Tensor] = field(default_factory=dict)
    """Sums of each term over the cycles done in the epoch that is under way."""

    @classmethod
    def initial(cls, config: Config, device: torch.device) -> "TrainingState":
        """Return the state before the first cycle: initial weights, no memories."""
        cortex = config.cortex().to(device)
        cortex.precision = config.training.number_type
        return cls(cortex, Synapses(cortex, config.optimizer), Hippocampus(config=config.hippocampus))

    def save(self, folder: RunFolder, config: Config) -> None:
        """Write everything that is needed to go on exactly from here; the state before this one is kept."""
        groups = {
            "cortex": self.cortex.state_dict(),
            "adam": self.synapses.state(),
            "hippocampus": self.hippocampus.tensors,
            "totals": self.totals,
        }
        tensors = {
            f"{group}.{name}": value for group, named in groups.items() for name, value in named.items()
        }
        position = {
            "epochs": self.epochs_done,
            "cycles": self.cycles_done,
            "seconds": self.seconds,
            "terms": list(self.totals),  # in the order in which losses.csv has them
        }
        if folder.state.is_file():
            keep(folder.state, folder.state_before)
        write_tensors(folder.state, tensors, {"position": position, "run": config.identity()})

    def restore(self, folder: RunFolder, config: Config) -> list[str]:
        """Restore what `save` kept last; if that state is damaged, from the one before it.

        Returns
        -------
        list of str
            What was repaired, in a sentence; empty if nothing had to be.

        Raises
        ------
        UserError
            If both are missing, damaged, or another run's: what is wrong with the first.
        """
        try:
            self._load(folder.state, config)
        except UserError as mistake:
            try:
                self._load(folder.state_before, config)
            except UserError:
                raise mistake from None
            keep(folder.state_before, folder.state)
            at = f"epoch {self.epochs_done}" + (f", cycle {self.cycles_done}" * bool(self.cycles_done))
            return [f"{mistake}; repaired from {folder.state_before.name}, which is of {at}"]
        return []

    def _load(self, path: Path, config: Config) -> None:
        tensors, about = read_tensors(path)
        # Made a config again, so that a field which came later has its default; metadata are written sorted.
        other = validated(about.get("run"), str(path)).difference(config, in_order=False)
        if other:
            name, old, new = other
            raise UserError(
                f"{path} is not the state of this run: its {name} is {brief(old)}, not {brief(new)}"
            )
        device = self.cortex.device

        def group(name: str) -> dict[str, Tensor]:
            found = {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}
            return {key: value.to(device) for key, value in found.items()}

        try:
            self.cortex.load_state_dict(group("cortex"))
            self.synapses.restore(group("adam"))
            position, totals = about["position"], group("totals")
            self.epochs_done, self.cycles_done = int(position["epochs"]), int(position["cycles"])
            self.seconds = float(position["seconds"])
            self.totals = {name: totals[name] for name in position["terms"]}
            self.hippocampus = Hippocampus(**group("hippocampus"), config=config.hippocampus)
        except (RuntimeError, KeyError, ValueError, TypeError, OverflowError):
            raise UserError(f"{path} is not the state of this run") from None
