"""A run under way: its training state, the folder that keeps it, and the config it follows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from dreaming.config.config import Config
from dreaming.data import Dataset, epoch_order, to_activity
from dreaming.errors import Stopped, UserError
from dreaming.rng import generator
from dreaming.runs import findings, snapshots
from dreaming.runs.findings import NOT_FINITE, Finding
from dreaming.runs.folder import RunFolder, run_path
from dreaming.runs.sheets import sheet
from dreaming.system.disk import write
from dreaming.training import health
from dreaming.training.state import TrainingState


@dataclass(eq=False)
class Run:
    """A run under way.

    Attributes
    ----------
    state
        What learns, and where it stands.
    folder
        Where all is kept.
    config
        What the run is, device and precision resolved.
    dataset
        What is seen, on the device of the cortex.
    repairs
        What was damaged and had to be put right before the run could go on, a sentence each.
    news
        What the last epoch that was closed found wrong that was not so the epoch before, and the reverse.
    """

    state: TrainingState
    folder: RunFolder
    config: Config
    dataset: Dataset
    repairs: list[str] = field(default_factory=list)
    news: list[str] = field(default_factory=list)

    @property
    def images(self) -> Tensor:
        """What is learned from: pixels, 0 to 255, shape [n, c, h, w]."""
        return self.dataset.train.images

    @property
    def labels(self) -> Tensor | None:
        """The class of each of these images, int64 [n], where a phase sees labels."""
        seen = any(phase.sees_labels for cycle in self.config.cycles() for phase in cycle)
        return self.dataset.train.labels if seen else None

    @property
    def cycles(self) -> int:
        """Cycles of an epoch."""
        return len(self.dataset.train) // self.config.training.batch_size

    @property
    def cycles_done(self) -> int:
        """Cycles done since the beginning."""
        return self.state.epochs_done * self.cycles + self.state.cycles_done

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done."""
        return self.state.epochs_done >= self.config.training.epochs

    def stopped(self) -> Stopped:
        """Save all in the middle of an epoch, unless a number is lost, and say where the run stands."""
        epoch, totals = self.state.epochs_done + 1, self.state.totals
        lost = health.of_losses(epoch, {name: total.item() for name, total in totals.items()}, ())
        lost += health.of_weights(epoch, _weights(self.state))
        said = f"all is saved in {self.folder.path}"
        if lost:
            said = f"{lost[0].name} became {lost[0].value}, so {self.folder.path} keeps what was last saved"
        else:
            self.state.save(self.folder, self.config)
        return Stopped(
            f"stopped in epoch {epoch} of {self.config.training.epochs}, after {self.state.cycles_done} of "
            f"{self.cycles} cycles; {said}, and the same command goes on from there"
        )

    def close_epoch(self) -> dict[str, Any]:
        """Write what an epoch that is done has come to, and return its row of losses.csv.

        Raises
        ------
        UserError
            If a loss, a weight or a latent has left the numbers; but for findings.csv, which says so, all stays as
            it was after the epoch before.
        """
        row = _next_epoch(self.state, self.cycles, self.config)
        epoch = self.state.epochs_done
        found = _found(row, self.state, self.config, self.dataset)
        before = findings.so_far(self.folder, epoch - 1)
        findings.write_all(self.folder, [*before, *found])
        if lost := _lost(found):
            raise self._diverged(lost[0])
        last = [finding for finding in before if finding.epoch == epoch - 1]
        self.news = findings.news(last, found, self.config.networks.latent_dim)
        if self.config.training.keeps(epoch):
            keep_epoch(self.state, self.folder, self.config, self.dataset)
        losses = [] if epoch == 1 else [losses_so_far(self.folder, epoch - 1)]
        table = pd.concat([*losses, pd.DataFrame([row])], ignore_index=True)
        self.folder.write_table(self.folder.losses, table)
        self.state.save(self.folder, self.config)
        return row

    def _diverged(self, lost: Finding) -> UserError:
        """Return the sentence with which a run stops where a number is lost."""
        good = [epoch for epoch in self.folder.snapshots() if epoch < lost.epoch]
        last = f", {self.folder.snapshot(good[-1])} is the last good snapshot" if good else ""
        remedy = "train into another --out with, for example, a lower optimizer.learning_rate"
        if self._latents_were_constant(lost.epoch):
            batch, precision = self.config.training.batch_size, self.config.training.precision
            remedy = (
                f"a latent is the same for all {batch} images of a batch, and L_KL infinite; train into another "
                "--out with a larger training.batch_size or wider networks.base_channels"
                + ", or with --precision float32"
                * (precision != "float32")
            )
        return UserError(
            f"{lost.name} became {lost.value} in epoch {lost.epoch}, so training stops; {self.folder.path} keeps "
            f"all as it was after the epoch before{last}, and to go on would meet the same: {remedy}"
        )

    def _latents_were_constant(self, epoch: int) -> bool:
        """Return whether L_KL was infinite for one of the first mini-batches of an epoch, as it was begun."""
        config = self.config
        before = TrainingState.initial(config, self.images.device)
        before.restore(self.folder, config)
        random = generator(config.seed, "order", epoch)
        order = epoch_order(len(self.images), config.training.batch_size, random)[:LOOKED_AT]
        return health.has_constant_latents(before.cortex, self.images, order, config.networks.image_channels)


LOOKED_AT = 100
"""Mini-batches in which a cause is looked for."""


def run_folder_path(config: Config, out: Path) -> Path:
    """Return the folder of a run among others."""
    return run_path(out, config.dataset.name, config.condition, config.seed)


def _next_epoch(state: TrainingState, cycles: int, config: Config) -> dict[str, Any]:
    """Begin the next epoch; return the row of losses.csv of the one that is done."""
    state.epochs_done += 1
    phases = {phase.name: phase for phase in config.phases_in(state.epochs_done)}
    means = {}
    for name, total in state.totals.items():
        phase = phases[name.partition(".")[0]]
        means[name] = (total / sum(phase.is_active(cycle) for cycle in range(cycles))).item()
    row = {"epoch": state.epochs_done, "cycles": cycles, "seconds": round(state.seconds, 3), **means}
    state.cycles_done, state.seconds, state.totals = 0, 0.0, {}
    return row


def _found(row: dict[str, Any], state: TrainingState, config: Config, dataset: Dataset) -> list[Finding]:
    """Check losses, weights, latents and organs after an epoch; no further than where a number is lost."""
    epoch, channels = state.epochs_done, config.networks.image_channels
    means = {name: value for name, value in row.items() if "." in name}
    found = health.of_losses(epoch, means, config.phases_in(epoch))
    if not _lost(found):
        found += health.of_weights(epoch, _weights(state))
    if not _lost(found):
        found += health.of_latents(
            epoch, health.watched_latents(state.cortex, dataset.train.images, channels)
        )
        active = [phase for phase in config.phases_in(epoch) if phase.is_active(0)]
        plastic = {name for phase in active for name, sign in phase.plasticity.items() if sign}
        watched = [name for name in state.cortex.organs if name in plastic & state.synapses.optimizers.keys()]
        found += health.of_organs(epoch, watched, state.synapses.state())
    return found


def _weights(state: TrainingState) -> dict[str, Tensor]:
    """Everything that the next cycle goes on from, by name."""
    return {**state.cortex.state_dict(), **state.synapses.state()}


def _lost(found: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.kind == NOT_FINITE]


SHEET_COLUMNS = 12


def losses_so_far(folder: RunFolder, epochs: int) -> pd.DataFrame:
    """Return the losses of the epochs that are done; rows of an epoch that was not saved are left out.

    Raises
    ------
    UserError
        If a row is missing.
    """
    if not epochs:
        return pd.DataFrame()
    table = folder.read_losses()
    table = table[table["epoch"] <= epochs]
    if table["epoch"].tolist() != list(range(1, epochs + 1)):
        raise UserError(
            f"{folder.losses} is damaged: it should have a row for each of the {epochs} epochs done"
        )
    return table


def keep_epoch(state: TrainingState, folder: RunFolder, config: Config, dataset: Dataset) -> None:
    """Write the weights after this epoch, and a sheet of its dreams."""
    snapshots.save(folder, config, state.epochs_done, state.cortex)
    columns = min(SHEET_COLUMNS, len(dataset.train) // 2)
    seen = to_activity(dataset.train.images[: 2 * columns], config.networks.image_channels)
    title = (
        f"{config.condition} on {config.dataset.name}, seed {config.seed}, after epoch {state.epochs_done}"
    )
    phases = config.phases_in(state.epochs_done)
    picture = sheet(state.cortex, phases, seen[:columns], seen[columns:], config.seed, title)
    write(folder.dreams(state.epochs_done), picture)
