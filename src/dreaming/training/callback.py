"""What is called after each epoch of a run, and how it is kept from changing the run."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dreaming.errors import Stopped, UserError, own_lines
from dreaming.model.cortex import Cortex
from dreaming.system.defaults import torch_defaults
from dreaming.training.run import Run


@dataclass(frozen=True)
class EpochDone:
    """An epoch that is done and kept, as ``on_epoch`` is told of it.

    Attributes
    ----------
    run
        The run folder.
    epoch
        Which epoch, counted from 1.
    losses
        What losses.csv has of it: the mean of each term over the cycles, as ``PHASE.TERM``.
    cortex
        The cortex as it is now, a copy to look at: its weights ask for no gradient, and the run has others.
    """

    run: Path
    epoch: int
    losses: Mapping[str, float]
    cortex: Cortex


OnEpoch = Callable[[EpochDone], object]


def call(on_epoch: OnEpoch, run: Run, losses: Mapping[str, float]) -> None:
    """Call a function of the user's after an epoch that is kept; whatever it does to torch is taken back.

    Raises
    ------
    Stopped
        If it raises that: it wishes to stop.
    UserError
        If it raises anything else: what, where, and where the run stands.
    """
    epoch, config = run.state.epochs_done, run.config
    cortex = copy.deepcopy(run.state.cortex).requires_grad_(False)
    try:
        with torch_defaults():
            on_epoch(EpochDone(run.folder.path, epoch, dict(losses), cortex))
    except Stopped:
        raise
    except Exception as fault:
        *_, where = own_lines(fault)
        said = " ".join(f"{type(fault).__name__}: {fault}".split()).rstrip(": ")
        goes_on = "" if run.finished else ", and the same call goes on from there"
        raise UserError(
            f"on_epoch raised {said} ({where}) after epoch {epoch} of "
            f"{config.training.epochs}; all is saved in {run.folder.path}{goes_on}"
        ) from fault
