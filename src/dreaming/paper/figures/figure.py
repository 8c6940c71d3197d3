"""A figure or table of the paper: what it shows, what it needs, and how it is drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from dreaming.evaluation.statistics.drawing import Picture
from dreaming.paper.tables import Tables

When = Literal["curve", "long curve", "end", "start and end", "early and end", "trained"]
"""Epochs by what they are for; a profile has the numbers. ``curve``: from the untrained cortex to the end, every so
many epochs; ``long curve``: on to twice as many; ``trained``: all of training, of which no snapshot is needed."""
SCHEDULES, DOSES = "schedules", "doses"
"""Figures of the user's own conditions; in a need, these conditions themselves, which a profile names."""
OWN_MEASURES = "measures"
"""The figure of measures that are not the paper's; in a need, these measures, which a profile names."""
EVERY = "every"
"""In a need, all conditions of a profile: those of its figures, its schedules and its doses."""


@dataclass(frozen=True)
class Need:
    """Values of some conditions after some epochs.

    Attributes
    ----------
    conditions
        By name; `SCHEDULES`, `DOSES` and `EVERY` stand for those of a profile.
    measure
        A measure of `dreaming.evaluation`, ``losses``, ``pictures``, or `OWN_MEASURES` for those of a profile.
    when
        After which epochs.
    first_seed
        Whether one seed is enough, since a picture is shown and no mean.
    """

    conditions: tuple[str, ...]
    measure: str
    when: When
    first_seed: bool = False


@dataclass(frozen=True)
class Figure:
    """A figure or table of the paper.

    Attributes
    ----------
    title
        As people read it.
    shows
        What is to be seen, in a sentence or two: the caption.
    needs
        The values it is drawn from.
    plot
        Draws it from its table; None for a table.
    add
        Adds what it shows beside the values it needs to their table.
    only, but
        Data sets it is about, or not about; none for all of the profile.
    """

    title: str
    shows: str
    needs: tuple[Need, ...]
    plot: Callable[[pd.DataFrame], Picture] | None = None
    add: Callable[[pd.DataFrame, Tables], pd.DataFrame] = lambda table, tables: table
    only: tuple[str, ...] = ()
    but: tuple[str, ...] = ()

    def datasets(self, of_profile: Sequence[str]) -> tuple[str, ...]:
        """Return the data sets that the figure is about."""
        return tuple(d for d in of_profile if (not self.only or d in self.only) and d not in self.but)
