"""Long work shows itself: a live line with the time left on a terminal, and lines that a log can keep."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column, Table
from rich.text import Text

from dreaming.errors import shown
from dreaming.system.terminal import folded, tell

DRAWN_EVERY = 1.0
"""Seconds after which a notebook's line is drawn anew."""
WIDTH = 32
"""Of its bar, in letters."""
WITH_BAR = 120
"""Columns of a terminal from which there is room for a bar beside a run's name and its numbers."""


IN_A_LOG = 10_000
"""Columns of what is no terminal: as many as a table needs."""


class Screen(Console):
    """Where people read; one whose reader has left is an error like any other that keeps us from writing."""

    def on_broken_pipe(self) -> None:
        """Raise what was caught, rather than end the program."""
        raise  # noqa: PLE0704 - it is called where that was caught


class NoProgress:
    """Progress that nobody sees."""

    def __enter__(self) -> "NoProgress":
        """Begin to show."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End showing."""

    def several(self, costs: Mapping[str, float]) -> None:
        """Begin several runs: titles in the order in which they begin, and what each costs beside the others."""

    def part(self, name: str) -> "NoProgress":
        """Return who is told of one of several runs that go on at once; one for all, if it is all the same."""
        return self

    def start(self, title: str, epochs: int, cycles: int, done: int) -> None:
        """Begin a run of so many epochs of so many cycles, of which so many cycles are done."""

    def stage(self, name: str) -> None:
        """Begin an epoch in a stage of a schedule, of this name."""

    def cycle(self) -> None:
        """Count one cycle."""

    def epoch(self, epoch: int, seconds: float, terms: Mapping[str, float]) -> None:
        """Show what an epoch came to: the mean of each loss, by the name that people read."""

    def over(self) -> None:
        """End the run that was begun, however far it came."""

    def step(self, what: str, number: int, count: int) -> None:
        """Begin one of several pieces of work that are not runs."""

    def measured(self, title: str, seconds: Mapping[str, float], inferred: int) -> None:
        """Report the seconds of each stage of a measuring, and of how many images latents were inferred."""

    def say(self, text: str) -> None:
        """Show a line."""


@dataclass
class _Going:
    """A run that goes on: what it is called, its epochs, cycles of an epoch, and cycles that are done."""

    title: str
    epochs: int
    cycles: int
    done: int

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1."""
        return self.done / (self.epochs * self.cycles) if self.epochs * self.cycles else 1.0


class TerminalProgress(NoProgress):
    """Progress for people: one live line if the output is a terminal, and lines that a log can keep.

    A log has a line an epoch and a line a measuring. A terminal has the line an epoch of a single run, and of
    several runs, or pieces of work, the live line alone: which of them goes on, how far it is, and how long all
    will take. The live line goes when the work is done.
    """

    def __init__(self, target: Console | None = None) -> None:
        self._console = target or Screen(file=sys.stdout, highlight=False, soft_wrap=True)
        self._live: Progress | None = None
        self._whole = self
        self._costs: dict[str, float] = {}
        self._parts: dict[TerminalProgress, _Going] = {}
        self._spent = self._at_start = 0.0
        self._began = 0.0
        self._work = ""
        self._name = ""
        self._stage = ""

    def __enter__(self) -> "TerminalProgress":
        """Begin to show."""
        if self._console.is_terminal:
            self._live = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False, table_column=Column(overflow="fold")),
                *([] if self._console.width < WITH_BAR else [BarColumn()]),
                console=self._console,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """End showing."""
        if self._live is not None:
            self._live.stop()

    def several(self, costs: Mapping[str, float]) -> None:
        """Begin several runs: titles in the order in which they begin, and what each costs beside the others."""
        self._costs = dict(costs)
        self._parts.clear()
        self._spent = self._at_start = 0.0
        self._began = time.monotonic()

    def part(self, name: str) -> "TerminalProgress":
        """Return who shows one of several runs, in the live line of all, and with its name before each epoch."""
        part = TerminalProgress(self._console)
        part._whole, part._name = self, f"{name}: "
        return part

    def start(self, title: str, epochs: int, cycles: int, done: int) -> None:
        """Begin a run of so many epochs of so many cycles, of which so many cycles are done."""
        self.over()
        whole, run = self._whole, _Going(title, epochs, cycles, done)
        if title not in whole._costs:
            whole.several({title: 1.0})
        whole._parts[self] = run
        whole._at_start += whole._costs[title] * run.share
        if whole._in_lines:
            self.say(
                f"{title}: {epochs} epoch{'s' * (epochs != 1)} of {cycles} cycles"
                + (f", {done} cycles done" if done else "")
            )
        whole._show_runs()

    def stage(self, name: str) -> None:
        """Begin an epoch in a stage of a schedule, of this name."""
        self._stage = f" {name}"

    def cycle(self) -> None:
        """Count one cycle."""
        self._whole._parts[self].done += 1
        self._whole._show_runs()

    def epoch(self, epoch: int, seconds: float, terms: Mapping[str, float]) -> None:
        """Show what an epoch came to: the mean of each loss, by the name that people read."""
        whole, run = self._whole, self._whole._parts[self]
        if whole._in_lines:
            losses = "  ".join(f"{name} {value:.3g}" for name, value in terms.items())
            left = "" if run.share == 1 else whole._left
            where = f"{self._name}epoch {epoch}/{run.epochs}{self._stage}"
            self.say(f"{where}  {losses}  {duration(seconds)}{left}")

    def over(self) -> None:
        """End the run that was begun, however far it came."""
        if run := self._whole._parts.pop(self, None):
            self._whole._spent += self._whole._costs[run.title]

    def step(self, what: str, number: int, count: int) -> None:
        """Begin one of several pieces of work that are not runs."""
        if what != self._work:
            self._work, self._began = what, time.monotonic()
        if self._live is None:
            self.say(f"{what} {number} of {count}")
        done = (number - 1) / count
        self._show(f"{what} {number} of {count}{_left(time.monotonic() - self._began, done, 0.0)}", done)

    def measured(self, title: str, seconds: Mapping[str, float], inferred: int) -> None:
        """Report the seconds of each stage of a measuring, and of how many images latents were inferred."""
        if self._work and self._live is not None:
            return
        spent = ", ".join(f"{stage} {duration(length)}" for stage, length in seconds.items())
        self.say(
            f"{title}: measured in {duration(sum(seconds.values()))} ({spent}); {inferred:,} images inferred"
        )

    def say(self, text: str) -> None:
        """Show a line; one that is too wide for the terminal goes on below, set in, and breaks between words."""
        line = shown(text)
        self._console.print(
            folded(line, self._console.width) if self._console.is_terminal else line, markup=False
        )

    @property
    def _in_lines(self) -> bool:
        """Whether each epoch has a line of its own."""
        return self._live is None or len(self._costs) == 1

    @property
    def _share(self) -> float:
        """How much of all runs is done."""
        going = sum(self._costs[run.title] * run.share for run in self._parts.values())
        return (self._spent + going) / sum(self._costs.values())

    @property
    def _left(self) -> str:
        before = self._at_start / sum(self._costs.values())
        return _left(time.monotonic() - self._began, self._share, before)

    def _show_runs(self) -> None:
        if self._live is None:
            return
        going, titles = list(self._parts.values()), list(self._costs)
        late = min(going, key=lambda run: run.share)
        epoch = f"epoch {min(late.epochs, late.done // max(1, late.cycles) + 1)} of {late.epochs}"
        if len(titles) == 1:
            which = late.title
        else:
            first, *others = sorted(1 + titles.index(run.title) for run in going)
            between = " and " if len(others) == 1 else " to "
            numbers = f"s {first}{between}{others[-1]}" if others else f" {first}"
            which = f"run{numbers} of {len(titles)}"
        self._show(f"{which}, {epoch}{self._left}", self._share)

    def _show(self, text: str, done: float) -> None:
        """Put the live line in place of the one before."""
        if self._live is None:
            return
        if not self._live.tasks:
            self._live.add_task("", total=1.0)
        self._live.update(self._live.tasks[0].id, description=shown(text), completed=done)


def _left(seconds: float, done: float, before: float) -> str:
    """Return how long work will still take, of which a share is done, some of that before the seconds began."""
    if done <= before or done >= 1:
        return ""
    left = seconds * (1 - done) / (done - before)
    about = duration(left) if left >= 3600 else f"{left / 60:.0f} min" if left >= 90 else f"{left:.0f} s"
    return f", {about} left"


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> None:
    """Print a table; where it is wider than the terminal, a line for each row, so that nothing is shortened."""
    table, rows = Table(*columns, caption=caption or None), list(rows)
    screen = Screen(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else IN_A_LOG)
    for row in rows:
        table.add_row(*(Text(shown(value)) for value in row))
    if screen.measure(table, options=screen.options.update(width=10**6)).maximum <= screen.width:
        screen.print(table)
        return
    if caption:
        tell(f"{caption}:")
    for row in rows:
        tell(", ".join(f"{name} {value}" for name, value in zip(columns, row, strict=True) if value))


class NotebookProgress(TerminalProgress):
    """Progress in a notebook: a line an epoch, and above them one that counts the cycles as they are done."""

    def __init__(self) -> None:
        plain = Console(
            file=sys.stdout, highlight=False, soft_wrap=True, force_jupyter=False, force_terminal=False
        )
        super().__init__(plain)  # lines of text, which a saved notebook keeps
        self._line: Any = None
        self._drawn = 0.0

    def part(self, name: str) -> "NotebookProgress":
        """Return who shows one of several runs."""
        part = NotebookProgress()
        part._name = f"{name}: "
        return part

    def start(self, title: str, epochs: int, cycles: int, done: int) -> None:
        """Begin a run of so many epochs of so many cycles, of which so many cycles are done."""
        from IPython.display import display

        super().start(title, epochs, cycles, done)
        self._line = display(self._counted(), raw=True, display_id=True)

    def cycle(self) -> None:
        """Count one cycle."""
        super().cycle()
        if time.monotonic() - self._drawn >= DRAWN_EVERY:
            self._draw()

    def epoch(self, epoch: int, seconds: float, terms: Mapping[str, float]) -> None:
        """Show what an epoch came to, and how long the others will take."""
        self._draw()
        super().epoch(epoch, seconds, terms)

    def _draw(self) -> None:
        self._line.update(self._counted(), raw=True)
        self._drawn = time.monotonic()

    def _counted(self) -> dict[str, str]:
        run = self._parts[self]
        cycles = run.epochs * run.cycles
        full = WIDTH * run.done // cycles
        bar = "█" * full + "░" * (WIDTH - full)
        return {"text/plain": f"{self._name}{bar} {run.done:,} of {cycles:,} cycles{self._left}"}


def told(progress: NoProgress | None) -> NoProgress:
    """Return who is told how work goes: whom the caller names, else the cell of a notebook, else nobody."""
    return progress or (NotebookProgress() if Console().is_jupyter else NoProgress())


def duration(seconds: float) -> str:
    """Return a duration as people write it.

    Examples
    --------
    >>> duration(4.26), duration(75.0), duration(7300.0)
    ('4.3 s', '1 min 15 s', '2 h 01 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


@contextmanager
def downloading() -> Iterator[Callable[[str, int, int], None]]:
    """Show downloads within the block: the function it gives takes a file's name, bytes done and bytes in all."""
    screen = Screen(file=sys.stdout)
    with Progress(
        TextColumn("{task.description}", table_column=Column(overflow="fold")),
        *([] if screen.width < WITH_BAR else [BarColumn()]),
        DownloadColumn(table_column=Column(no_wrap=True)),
        TransferSpeedColumn(table_column=Column(no_wrap=True)),
        TextColumn("left"),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        console=screen,
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def show(file: str, done: int, total: int) -> None:
            if file not in tasks:
                tasks[file] = bar.add_task(file)
            bar.update(tasks[file], completed=done, total=total or None)

        yield show
