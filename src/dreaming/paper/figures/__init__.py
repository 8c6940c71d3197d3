"""The figures, of the paper and of the user's own conditions: `prepare` makes a table, `plot` draws it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from dreaming.paper.figures import (
    appendix_figure_1,
    appendix_figure_2,
    appendix_figure_3,
    appendix_figure_4,
    appendix_figure_5,
    appendix_figure_6,
    doses,
    figure_3,
    figure_4,
    figure_5,
    figure_6,
    figure_9,
    schedules,
)
from dreaming.paper.tables import Tables


class Drawing(NamedTuple):
    """The two steps of a figure."""

    prepare: Callable[[Tables], pd.DataFrame]
    plot: Callable[[pd.DataFrame], Figure]


DRAWINGS: Mapping[str, Drawing] = {
    "figure-3": Drawing(figure_3.prepare, figure_3.plot),
    "figure-4": Drawing(figure_4.prepare, figure_4.plot),
    "figure-5": Drawing(figure_5.prepare, figure_5.plot),
    "figure-6": Drawing(figure_6.prepare, figure_6.plot),
    "figure-9": Drawing(figure_9.prepare, figure_9.plot),
    "appendix-figure-1": Drawing(appendix_figure_1.prepare, appendix_figure_1.plot),
    "appendix-figure-2": Drawing(appendix_figure_2.prepare, appendix_figure_2.plot),
    "appendix-figure-3": Drawing(appendix_figure_3.prepare, appendix_figure_3.plot),
    "appendix-figure-4": Drawing(appendix_figure_4.prepare, appendix_figure_4.plot),
    "appendix-figure-5": Drawing(appendix_figure_5.prepare, appendix_figure_5.plot),
    "appendix-figure-6": Drawing(appendix_figure_6.prepare, appendix_figure_6.plot),
    "schedules": Drawing(schedules.prepare, schedules.plot),
    "doses": Drawing(doses.prepare, doses.plot),
}
