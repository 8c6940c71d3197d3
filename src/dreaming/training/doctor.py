"""Whether the fast paths are right on this machine, how fast they are, and what ``auto`` should choose."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dreaming.config.config import Config
from dreaming.errors import UserError
from dreaming.runs.folder import RunFolder
from dreaming.system import hardware
from dreaming.system.progress import NoProgress
from dreaming.training.precision import Advice, by_rule, exactly
from dreaming.training.processes import in_processes
from dreaming.training.state import TrainingState
from dreaming.training.timing import CYCLES, Maker, Timing, at_once, begin, maker, timed

SCALE = 0.1  # losses below it are compared as if they were of this size
# A difference in rounding grows from cycle to cycle, at full width to 1 % of a loss after 20 of float32 and 5 % of
# bfloat16; a mistake in an equation makes more in the first.
ROUNDING = 0.05
GAIN = 0.95  # a path is advised if it takes less than this share of the other's time
Records = list[dict[str, Tensor]]


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


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found."""

    checks: tuple[Check, ...]
    timings: tuple[Timing, ...]
    advice: Advice

    @property
    def sound(self) -> bool:
        """Whether every path is right."""
        return all(check.passed for check in self.checks)


def examine(
    device: str = "auto",
    *,
    base_channels: int = 64,
    batch_size: int = 64,
    rounds: int = 15,
    seeds: int = 3,
    progress: NoProgress | None = None,
) -> Diagnosis:
    """Check the fast paths against the plain one on this machine, time them in turn, and advise.

    Parameters
    ----------
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    base_channels, batch_size
        Size of the networks and of the mini-batch; the paper's by default.
    rounds
        Cycles timed of each path, taken in turn; at least 2.
    seeds
        Cortices in the ensemble, and about the number of cortices for which time is to be saved.
    progress
        Who is told how it goes.

    Returns
    -------
    Diagnosis
        Its advice is not written down; `Advice.save` does that.

    Raises
    ------
    UserError
        If there is no such device, or a number is too small.

    Examples
    --------
    >>> found = examine("cpu", base_channels=8, batch_size=8, rounds=2, seeds=2)
    >>> [check.path for check in found.checks]
    ['repeated', 'resumed', 'program', 'process', 'ensemble of 2', 'bfloat16', 'bfloat16 again']
    >>> found.sound
    True
    """
    if rounds < 2 or seeds < 1:
        raise UserError(f"the doctor wants at least 2 rounds and 1 seed, and got {rounds} and {seeds}")
    progress = progress or NoProgress()
    where = hardware.device(device)
    make = maker(str(where), base_channels, batch_size)
    progress.say(f"{CYCLES} cycles on every path, {base_channels} channels, batch {batch_size}, on {where}")
    checks = []
    for check in _checked(make, seeds, where):
        progress.say(f"{check.path}: {'right' if check.passed else 'WRONG'}")
        checks.append(check)
    progress.say(f"{rounds} cycles on every path, in turn")
    timings = timed(make, _paths(where, seeds), rounds)
    right = {check.path: check.passed for check in checks}
    rule = by_rule(where)
    least = (
        _bfloat16_from(where, batch_size, rounds) if right["bfloat16"] and right["bfloat16 again"] else None
    )
    workers = 1
    if where.type == "cpu" and rule.workers > 1:
        progress.say(f"{rule.workers} runs at once, each on a thread of its own")
        together, apart = at_once(make(), rule.workers, rounds)
        timings = (*timings, together)
        workers = rule.workers if together.median < GAIN * apart.median else 1
    advice = rule.model_copy(
        update={"bfloat16_from": least, "workers": workers, "measured": all(right.values())}
    )
    return Diagnosis(tuple(checks), timings, advice)


def _paths(where: torch.device, seeds: int) -> dict[str, tuple[str, int]]:
    """Precision and number of cortices of each path."""
    gpu = {"tf32": ("tf32", 1)} if where.type == "cuda" else {}
    return {
        "float32": ("float32", 1),
        **gpu,
        "bfloat16": ("bfloat16", 1),
        f"ensemble of {seeds}": ("float32", seeds),
    }


def _lived(configs: Sequence[Config], plain: bool = False) -> tuple[Records, list[TrainingState]]:
    """Live through some cycles; return the terms of each cycle and the lives."""
    program, lives = begin(configs)
    program.captures = program.captures and not plain
    records: Records = []
    past: dict[str, Tensor] = {}

    def lived() -> None:
        now = {name: total.clone() for name, total in program.totals.items()}
        records.append({name: total - past.get(name, 0) for name, total in now.items()})
        past.update(now)

    with exactly(configs[0]):
        program.run(lambda: True, lived)
    return records, lives


def _checked(make: Maker, seeds: int, where: torch.device) -> Iterator[Check]:
    """Live some cycles on each path, and compare."""
    plain, (life,) = _lived([make()], plain=True)
    again, (twin,) = _lived([make()], plain=True)
    yield Check("repeated", _apart(again, twin, plain, life), 0.0)
    yield Check("resumed", _difference(_state(_resumed(make())), _state(life)), 0.0)
    program, (other,) = _lived([make()])
    exact = where.type == "cpu"
    apart = _difference(_state(other), _state(life)) if exact else _deviation(program, plain)
    yield Check("program", apart, 0.0 if exact else ROUNDING)
    if not exact:
        again, (twin,) = _lived([make()])
        yield Check("program again", _apart(again, twin, program, other), 0.0)
    if exact:
        yield Check("process", _difference(_in_a_process(make()), _on_one_thread(make())), 0.0)
    many, _ = _lived([make(seed=seed) for seed in range(seeds)])
    first = [{name: value[0] for name, value in record.items()} for record in many]
    yield Check(f"ensemble of {seeds}", _deviation(first, plain), ROUNDING)
    for precision, tolerance in (("tf32", 2 * ROUNDING), ("bfloat16", 4 * ROUNDING)):
        if precision == "bfloat16" or where.type == "cuda":
            fast, (life,) = _lived([make(precision)])
            yield Check(precision, _deviation(fast, plain), tolerance)
            again, (twin,) = _lived([make(precision)])
            yield Check(f"{precision} again", _apart(again, twin, fast, life), 0.0)


def _in_a_process(config: Config) -> dict[str, Tensor]:
    """Live in a process of one thread, as runs at once do; return all that a life is at the end."""
    (found,) = in_processes(_on_one_thread, [config])
    return found


def _on_one_thread(config: Config) -> dict[str, Tensor]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _, (life,) = _lived([config], plain=True)
    finally:
        torch.set_num_threads(before)
    return {name: value.detach().clone() for name, value in _state(life).items()}


def _resumed(config: Config) -> TrainingState:
    """Live half of the cycles, put the life on disk, and let another take it from there and live the rest."""
    (half, (life,)), left = begin([config]), [CYCLES // 2]

    def lived() -> None:
        left[0] -= 1

    with tempfile.TemporaryDirectory() as folder, exactly(config):
        half.captures = False
        half.run(lambda: left[0] > 0, lived)
        life.save(RunFolder(Path(folder)), config)
        rest, (other,) = begin([config])
        rest.captures = False
        with torch.no_grad():
            for weight in other.cortex.parameters():
                weight.zero_()  # else a life that takes nothing up, and lives all cycles again, would pass
        other.restore(RunFolder(Path(folder)), config)
        rest.run(lambda: True, lambda: None)
    return other


def _state(life: TrainingState) -> dict[str, Tensor]:
    return {**life.cortex.state_dict(), **life.synapses.state(), **life.totals}


def _apart(again: Records, twin: TrainingState, records: Records, life: TrainingState) -> float:
    """Return the largest difference, of any term of any cycle and of all that a life is at the end, by bits."""
    pairs = [(_state(twin), _state(life)), *zip(again, records, strict=True)]
    return float(torch.tensor([_difference(*pair) for pair in pairs], dtype=torch.float64).max())


def _difference(mine: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Return the largest difference of any number, or NaN where there is one; 0 means the same bits."""
    apart = [(mine[name].double() - other[name].double()).abs().max() for name in other]
    largest = float(torch.stack([value.cpu() for value in apart]).max())
    same = all(torch.equal(_bits(mine[name]), _bits(other[name])) for name in other)
    return largest if same or largest else sys.float_info.min  # 0 and -0 differ by nothing, and in a bit


def _bits(value: Tensor) -> Tensor:
    return value.detach().contiguous().reshape(-1).view(torch.uint8)


def _deviation(mine: Records, plain: Records) -> float:
    """Return the largest relative difference of any term of any cycle, or NaN where there is one."""
    apart = [
        (record[name] - reference[name]).abs() / reference[name].abs().clamp(min=SCALE)
        for record, reference in zip(mine, plain, strict=True)
        for name in reference
    ]
    return float(torch.stack(apart).max())


def _bfloat16_from(where: torch.device, batch_size: int, rounds: int) -> int | None:
    """Find the fewest channels, of a few, from which bfloat16 is faster than float32."""
    found = None
    for base_channels in (64, 32, 16):
        make = maker(str(where), base_channels, batch_size)
        exact, fast = timed(make, {"float32": ("float32", 1), "bfloat16": ("bfloat16", 1)}, rounds)
        if fast.median >= GAIN * exact.median:
            break
        found = base_channels
    return found


def report(found: Diagnosis) -> str:
    """Write a diagnosis as text."""
    lines = ["path             differs from plain float32 by   allowed"]
    for check in found.checks:
        verdict = "right" if check.passed else "WRONG"
        lines.append(f"{check.path:16} {check.deviation:<31.2g} {check.tolerance:<9g} {verdict}")
    lines += ["", "path             ms a cycle and cortex, median (quartiles)"]
    for timing in found.timings:
        low, high = timing.quartiles
        lines.append(
            f"{timing.path:16} {timing.median:.1f} ({low:.1f} to {high:.1f}), n = {len(timing.milliseconds)}"
        )
    advice = found.advice
    wide = f"bfloat16 from {advice.bfloat16_from} channels" if advice.bfloat16_from else "float32"
    lines += ["", f"auto: {wide}; {advice.workers} run{'s' if advice.workers > 1 else ''} at once"]
    return "\n".join(lines)
