"""Whether the fast paths of training are right on this machine: each against the plain one in float32."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dreaming.config.config import Config
from dreaming.config.configure import configure
from dreaming.errors import UserError
from dreaming.runs.folder import RunFolder
from dreaming.system import hardware
from dreaming.system.defaults import torch_defaults
from dreaming.system.disk import require_writable, write
from dreaming.system.progress import NoProgress, told
from dreaming.system.threads import one_thread
from dreaming.training.health import has_constant_latents
from dreaming.training.precision import exactly, passed
from dreaming.training.processes import in_processes
from dreaming.training.state import TrainingState
from dreaming.training.timing import CYCLES, begin

LEAST_LOSS = 0.1  # losses below it are compared as if they were of this size
# A difference in rounding grows from cycle to cycle, at full width to 1 % of a loss after 20 of float32 and 5 % of
# bfloat16; a mistake in an equation makes more in the first.
ROUNDING = 0.05
Losses = list[dict[str, Tensor]]
"""The terms of each cycle."""


@dataclass(frozen=True)
class Check:
    """A fast path against the plain one in float32, over 20 cycles from the same start."""

    path: str
    deviation: float
    """The largest difference of any term of any cycle, relative to the term, or to 0.1 where it is smaller."""
    tolerance: float
    """How large it may be; 0 means bit for bit, weights and momenta included."""

    @property
    def passed(self) -> bool:
        """Whether the path is right; a deviation that is no number is not."""
        return self.deviation <= self.tolerance


@torch_defaults()
def examine(
    device: str = "auto",
    *,
    base_channels: int = 64,
    batch_size: int = 64,
    seeds: int = 3,
    progress: NoProgress | None = None,
) -> list[Check]:
    """Check the fast paths against the plain one on this machine.

    Parameters
    ----------
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    base_channels, batch_size
        Size of the networks and of the mini-batch; the paper's by default.
    seeds
        Cortices in the ensemble, at least 2.
    progress
        Receives each result.

    Returns
    -------
    list of Check
        If all passed on a GPU, that is kept, and ``auto`` captures cycles there from then on. A precision in which
        latents of so few images, or of so narrow networks, round to one number is not tried, which is said.

    Raises
    ------
    UserError
        If there is no such device, or a number is too small.

    Examples
    --------
    >>> [check.path for check in examine("cpu", base_channels=8, batch_size=8, seeds=2)]
    ['repeated', 'resumed', 'captured', 'process', 'ensemble of 2', 'bfloat16', 'bfloat16 again']
    """
    if seeds < 2:
        raise UserError(f"the doctor wants at least 2 seeds, for an ensemble, and got {seeds}")
    progress = told(progress)
    where = hardware.device(device)
    configs = {
        precision: [
            configure(
                "pad",
                networks={"base_channels": base_channels},
                dataset={"limit": max(CYCLES * batch_size, 10)},  # digits has 10 classes
                training={
                    "batch_size": batch_size,
                    "epochs": 1,
                    "device": str(where),
                    "precision": precision,
                },
                seed=seed,
            )
            for seed in range(seeds)
        ]
        for precision in ("float32", "tf32", "bfloat16")
    }
    if where.type == "cuda":
        require_writable(passed(where))
    progress.say(f"{CYCLES} cycles on every path, {base_channels} channels, batch {batch_size}, on {where}")
    checks = []
    for check in _checked(configs, where, progress):
        progress.say(f"{check.path}: {'right' if check.passed else 'WRONG'}")
        checks.append(check)
    if where.type == "cuda":
        passed(where).unlink(missing_ok=True)
        if all(check.passed for check in checks):
            write(passed(where), f"{check_table(checks)}\n".encode())
    return checks


def _checked(configs: dict[str, list[Config]], where: torch.device, progress: NoProgress) -> Iterator[Check]:
    """Run some cycles on each path, and compare."""
    config, on_cpu = configs["float32"][0], where.type == "cpu"
    plain, (state,) = _trained([config], plain=True)
    again, (twin,) = _trained([config], plain=True)
    yield Check("repeated", _apart(again, twin, plain, state), 0.0)
    yield Check("resumed", _difference(_tensors(_resumed(config)), _tensors(state)), 0.0)
    captured, (other,) = _trained([config])
    if on_cpu:
        yield Check("captured", _difference(_tensors(other), _tensors(state)), 0.0)
        (found,) = in_processes(_on_one_thread, [config])
        yield Check("process", _difference(found, _on_one_thread(config)), 0.0)
    else:
        yield Check("captured", _deviation(captured, plain), ROUNDING)
        again, (twin,) = _trained([config])
        yield Check("captured again", _apart(again, twin, captured, other), 0.0)
    many, _ = _trained(configs["float32"])
    first = [{name: value[0] for name, value in losses.items()} for losses in many]
    yield Check(f"ensemble of {len(configs['float32'])}", _deviation(first, plain), ROUNDING)
    for precision, tolerance in (("tf32", 2 * ROUNDING), ("bfloat16", 4 * ROUNDING)):
        if precision == "tf32" and on_cpu:
            continue
        if _has_constant_latents(configs[precision][0]):
            progress.say(f"{precision}: not tried: latents of so few images or narrow networks round to one")
            continue
        fast, (state,) = _trained(configs[precision][:1])
        yield Check(precision, _deviation(fast, plain), tolerance)
        again, (twin,) = _trained(configs[precision][:1])
        yield Check(f"{precision} again", _apart(again, twin, fast, state), 0.0)


def _trained(configs: Sequence[Config], plain: bool = False) -> tuple[Losses, list[TrainingState]]:
    """Run some cycles; return the terms of each cycle and the states at the end."""
    cycles, states = begin(configs, CYCLES)
    cycles.captures = cycles.captures and not plain
    losses: Losses = []
    before: dict[str, Tensor] = {}

    def after_cycle() -> None:
        now = {name: total.clone() for name, total in cycles.totals.items()}
        losses.append({name: total - before.get(name, 0) for name, total in now.items()})
        before.update(now)

    with exactly(configs[0]):
        cycles.run(lambda: True, after_cycle)
    return losses, states


def _has_constant_latents(config: Config) -> bool:
    """Return whether a precision has no number of L_KL for some mini-batch, before any cycle."""
    cycles, (state,) = begin([config], CYCLES)
    cycles.open()
    return has_constant_latents(state.cortex, cycles.images, cycles.order)


def _on_one_thread(config: Config) -> dict[str, Tensor]:
    with one_thread():
        _, (state,) = _trained([config], plain=True)
    return {name: value.detach().clone() for name, value in _tensors(state).items()}


def _resumed(config: Config) -> TrainingState:
    """Run half of the cycles, save the state, and let another restore it and run the rest."""
    half, (state,) = begin([config], CYCLES)
    rest, (other,) = begin([config], CYCLES)
    half.captures = rest.captures = False
    left = iter(range(CYCLES // 2))
    with tempfile.TemporaryDirectory() as folder, exactly(config):
        half.run(lambda: next(left, None) is not None, lambda: None)
        state.save(RunFolder(Path(folder)), config)
        with torch.no_grad():
            for weight in other.cortex.parameters():
                weight.zero_()  # else a state that restores nothing, and runs all cycles again, would pass
        other.restore(RunFolder(Path(folder)), config)
        rest.run(lambda: True, lambda: None)
    return other


def _tensors(state: TrainingState) -> dict[str, Tensor]:
    return {**state.cortex.state_dict(), **state.synapses.state(), **state.totals}


def _apart(again: Losses, twin: TrainingState, losses: Losses, state: TrainingState) -> float:
    """Return the largest difference, by bits, of any term of any cycle and of any tensor at the end."""
    pairs = [(_tensors(twin), _tensors(state)), *zip(again, losses, strict=True)]
    return float(torch.tensor([_difference(*pair) for pair in pairs], dtype=torch.float64).max())


def _difference(mine: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Return the largest difference of any number, or NaN where there is one; 0 means the same bits."""
    apart = [(mine[name].double() - other[name].double()).abs().max() for name in other]
    largest = float(torch.stack([value.cpu() for value in apart]).max())
    same = all(torch.equal(_bits(mine[name]), _bits(other[name])) for name in other)
    return largest if same or largest else sys.float_info.min  # 0 and -0 differ by nothing, and in a bit


def _bits(value: Tensor) -> Tensor:
    return value.detach().contiguous().reshape(-1).view(torch.uint8)


def _deviation(mine: Losses, plain: Losses) -> float:
    """Return the largest relative difference of any term of any cycle, or NaN where there is one."""
    apart = [
        (losses[name] - reference[name]).abs() / reference[name].abs().clamp(min=LEAST_LOSS)
        for losses, reference in zip(mine, plain, strict=True)
        for name in reference
    ]
    return float(torch.stack(apart).max())


def check_table(checks: Sequence[Check]) -> str:
    """Return checks as a table in text."""
    lines = ["path             differs from plain float32 by   allowed"]
    for check in checks:
        verdict = "right" if check.passed else "WRONG"
        lines.append(f"{check.path:16} {check.deviation:<31.2g} {check.tolerance:<9g} {verdict}")
    return "\n".join(lines)
