"""A cortex on its way through training, which can be put on disk at any cycle and go on exactly from there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dreaming.config.config import Config
from dreaming.errors import UserError
from dreaming.model.hippocampus import Hippocampus
from dreaming.model.networks import Cortex
from dreaming.model.plasticity import Synapses
from dreaming.runs.folder import RunFolder
from dreaming.runs.tensors import read_tensors, write_tensors
from dreaming.system.disk import keep


@dataclass
class TrainingState:
    """A cortex on its way: what it is, what it remembers, and where in its training it stands."""

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
    def born(cls, config: Config, device: torch.device) -> "TrainingState":
        """Begin a life: initial weights, no memories."""
        cortex = config.networks.build(config.seed).to(device)
        cortex.precision = config.training.number_type
        return cls(cortex, Synapses(cortex, config.optimizer))

    def save(self, folder: RunFolder, config: Config, texts: Mapping[str, str] | None = None) -> None:
        """Write everything that is needed to go on exactly from here; the state before this one is kept.

        Parameters
        ----------
        folder, config
            The run.
        texts
            What the run's text files hold, by name: kept in the state too, so that they can be repaired from it.
        """
        days = {"today": self.hippocampus.today, "yesterday": self.hippocampus.yesterday}
        groups = {
            "cortex": self.cortex.state_dict(),
            "adam": self.synapses.state(),
            "hippocampus": {name: latents for name, latents in days.items() if latents is not None},
            "totals": self.totals,
        }
        tensors = {
            f"{group}.{name}": value for group, named in groups.items() for name, value in named.items()
        }
        position: dict[str, Any] = {
            "epochs": self.epochs_done,
            "cycles": self.cycles_done,
            "seconds": self.seconds,
        }
        position["terms"] = list(self.totals)  # in the order in which losses.csv has them
        about = {"position": position, "run": config.identity(), "texts": dict(texts or {})}
        if folder.state.is_file():
            keep(folder.state, folder.state_before)
        write_tensors(folder.state, tensors, about)

    def restore(self, folder: RunFolder, config: Config) -> tuple[dict[str, str], list[str]]:
        """Go on from where `save` was called; if that state is damaged, from the one before it.

        Returns
        -------
        texts
            As `save` was given them.
        repairs
            What was repaired, in a sentence; empty if nothing had to be.

        Raises
        ------
        UserError
            If both are missing, damaged, or another cortex's: what is wrong with the first.
        """
        try:
            return self._taken_over(folder.state, config), []
        except UserError as mistake:
            try:
                texts = self._taken_over(folder.state_before, config)
            except UserError:
                raise mistake from None
            if folder.state.is_dir():
                raise mistake from None
            keep(folder.state_before, folder.state)
            at = f"epoch {self.epochs_done}" + (f", cycle {self.cycles_done}" * bool(self.cycles_done))
            return texts, [f"{mistake}; repaired from {folder.state_before.name}, which is of {at}"]

    def _taken_over(self, path: Path, config: Config) -> dict[str, str]:
        tensors, about = read_tensors(path)
        if about.get("run") != config.identity():
            raise UserError(f"{path} is not the state of this run")
        device = self.cortex.device

        def group(name: str) -> dict[str, Tensor]:
            found = {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}
            return {key: value.to(device) for key, value in found.items()}

        try:
            self.cortex.load_state_dict(group("cortex"))
            self.synapses.restore(group("adam"))
            position = about["position"]
            self.epochs_done, self.cycles_done = int(position["epochs"]), int(position["cycles"])
            self.seconds = float(position["seconds"])
            totals = group("totals")
            self.totals = {name: totals[name] for name in position["terms"]}
            self.hippocampus = Hippocampus(**group("hippocampus"))
            texts = {str(name): str(text) for name, text in about.get("texts", {}).items()}
        except (RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError):
            raise UserError(f"{path} is not the state of this run") from None
        return texts
