"""The figures, of the paper and of the user's own conditions and measures, by name in the order of the report.

A figure is a file of this folder with what it shows, what it needs and how it is drawn, and a line here.
"""

from collections.abc import Mapping

from dreaming.errors import UserError, nearest, spelled
from dreaming.paper.figures import accuracy, doses, figure_3, figure_6, figure_9, losses, own_measures
from dreaming.paper.figures.figure import DOSES, OWN_MEASURES, SCHEDULES, Figure

FIGURES: Mapping[str, Figure] = {
    "table-1": accuracy.TABLE_1,
    "figure-3": figure_3.FIGURE,
    "figure-4": accuracy.FIGURE_4,
    "figure-5": accuracy.FIGURE_5,
    "figure-6": figure_6.FIGURE,
    "figure-9": figure_9.FIGURE,
    "appendix-figure-1": losses.APPENDIX_1,
    "appendix-figure-2": losses.APPENDIX_2,
    "appendix-figure-3": accuracy.APPENDIX_3,
    "appendix-figure-4": accuracy.APPENDIX_4,
    "appendix-figure-5": accuracy.APPENDIX_5,
    "appendix-figure-6": accuracy.APPENDIX_6,
    SCHEDULES: accuracy.DEPRIVATION,
    DOSES: doses.FIGURE,
    OWN_MEASURES: own_measures.FIGURE,
}
OF_THE_PAPER = tuple(name for name in FIGURES if name not in (SCHEDULES, DOSES, OWN_MEASURES))


def named(figure: str) -> Figure:
    """Return a figure or table by its name.

    Raises
    ------
    UserError
        If there is none; the nearest is suggested.

    Examples
    --------
    >>> named("figure-5").needs[0].conditions
    ('pad', 'without_nrem')
    >>> named("figure-55")
    Traceback (most recent call last):
    dreaming.errors.UserError: there is no 'figure-55' to be drawn; did you mean 'figure-5'?
    """
    if (known := spelled(figure, FIGURES)) not in FIGURES:
        raise UserError(f"there is no '{figure}' to be drawn; {nearest(figure, FIGURES)}")
    return FIGURES[known]
