"""Long work shows itself: a bar with the time left on a terminal, and a line for each epoch everywhere."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from dreaming.errors import shown

DRAWN_EVERY = 1.0
"""Seconds after which a notebook's line is drawn anew."""
WIDTH = 32
"""Of its bar, in letters."""


class NoProgress:
    """Progress that nobody sees."""

    def __enter__(self) -> "NoProgress":
        """Begin to show."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End showing."""

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
        """Show what an epoch came to."""

    def measured(self, title: str, seconds: Mapping[str, float], inferred: int) -> None:
        """Report the seconds of each stage of a measuring, and of how many images latents were inferred."""

    def say(self, text: str) -> None:
        """Show a line."""


class TerminalProgress(NoProgress):
    """Progress for people: a bar if the output is a terminal, and a line an epoch, which a log can keep."""

    def __init__(self, target: Console | None = None) -> None:
        self._console = target or Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._name = ""
        self._epochs = self._cycles = 0
        self._count = self._counted_at_start = 0
        self._began = 0.0
        self._stage = ""

    def __enter__(self) -> "TerminalProgress":
        """Begin to show."""
        if self._console.is_terminal:
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("cycles"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """End showing."""
        if self._bar is not None:
            self._bar.stop()

    def part(self, name: str) -> "TerminalProgress":
        """Return who shows one of several runs: with a bar of its own, and its name before each epoch."""
        part = TerminalProgress(self._console)
        part._bar, part._name = self._bar, f"{name}: "
        return part

    def start(self, title: str, epochs: int, cycles: int, done: int) -> None:
        """Begin a run of so many epochs of so many cycles, of which so many cycles are done."""
        self._epochs, self._cycles = epochs, cycles
        self._count = self._counted_at_start = done
        self._began = time.monotonic()
        self.say(
            f"{title}: {epochs} epoch{'s' * (epochs != 1)} of {cycles} cycles"
            + (f", {done} cycles done" if done else "")
        )
        if self._bar is not None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(title, total=epochs * cycles, completed=done)

    def stage(self, name: str) -> None:
        """Begin an epoch in a stage of a schedule, of this name."""
        self._stage = f" {name}"

    def cycle(self) -> None:
        """Count one cycle."""
        self._count += 1
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task)

    def epoch(self, epoch: int, seconds: float, terms: Mapping[str, float]) -> None:
        """Show what an epoch came to, and how long the others will take."""
        shown = "  ".join(f"{name} {value:.4f}" for name, value in terms.items())
        where = f"{self._name}epoch {epoch}/{self._epochs}{self._stage}"
        self.say(f"{where}  {shown}  {duration(seconds)}{self._rest()}")

    def _rest(self) -> str:
        """Return how long the cycles that are left will take, as the end of a line."""
        left = self._epochs * self._cycles - self._count
        pace = (time.monotonic() - self._began) / max(1, self._count - self._counted_at_start)
        return f", about {duration(left * pace)} left" if left > 0 else ""

    def measured(self, title: str, seconds: Mapping[str, float], inferred: int) -> None:
        """Report the seconds of each stage of a measuring, and of how many images latents were inferred."""
        spent = ", ".join(f"{stage} {duration(length)}" for stage, length in seconds.items())
        self.say(
            f"{title}: measured in {duration(sum(seconds.values()))} ({spent}); {inferred:,} images inferred"
        )

    def say(self, text: str) -> None:
        """Show a line."""
        self._console.print(shown(text), markup=False)


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
        cycles = self._epochs * self._cycles
        full = WIDTH * self._count // cycles
        bar = "█" * full + "░" * (WIDTH - full)
        return {"text/plain": f"{self._name}{bar} {self._count:,} of {cycles:,} cycles{self._rest()}"}


def told(progress: NoProgress | None) -> NoProgress:
    """Return who is told how work goes: whom the caller names, else the cell of a notebook, else nobody."""
    return progress or (NotebookProgress() if Console().is_jupyter else NoProgress())


def cells(*values: object) -> tuple[Text, ...]:
    """Return cells of a table that show values as they are, without markup or control characters."""
    return tuple(Text(shown(str(value))) for value in values)


def console() -> Console:
    """Return where tables are printed: as wide as the terminal, or wide enough for all of it in a log."""
    wide = None if sys.stdout.isatty() else 180
    return Console(file=sys.stdout, highlight=False, width=wide)


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
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn()) as bar:
        tasks: dict[str, TaskID] = {}

        def show(file: str, done: int, total: int) -> None:
            if file not in tasks:
                tasks[file] = bar.add_task(file)
            bar.update(tasks[file], completed=done, total=total or None)

        yield show
