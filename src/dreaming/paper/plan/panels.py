"""What each figure and table of the paper needs: conditions, measures and epochs, as data.

``when`` names epochs by what they are for; `dreaming.paper.plan.profile.Profile` says which ones these are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dreaming.errors import UserError, nearest
from dreaming.paper.published import TABLE_1_CONDITIONS

When = Literal["curve", "long curve", "end", "start and end", "early and end", "trained"]
"""``curve``: from the untrained cortex to the end, every so many epochs; ``long curve``: on to twice as many;
``trained``: all epochs of training, of which no snapshot is needed."""


@dataclass(frozen=True)
class Need:
    """Values of some conditions after some epochs.

    Attributes
    ----------
    conditions
        By name; `SCHEDULES` and `DOSES` stand for those of a profile.
    measure
        A measure of `dreaming.evaluation`, ``losses`` or ``pictures``.
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
class Panels:
    """A figure or table of the paper.

    Attributes
    ----------
    title
        As people read it.
    shows
        What is to be seen, in a sentence or two: the caption.
    needs
        The values it is drawn from.
    only, but
        Data sets it is about, or not about; none for all of the profile.
    """

    title: str
    shows: str
    needs: tuple[Need, ...]
    only: tuple[str, ...] = ()
    but: tuple[str, ...] = ()

    def datasets(self, of_profile: tuple[str, ...]) -> tuple[str, ...]:
        """Pick the data sets that the figure is about."""
        return tuple(d for d in of_profile if (not self.only or d in self.only) and d not in self.but)


PATHOLOGIES = TABLE_1_CONDITIONS
SCHEDULES, DOSES = "schedules", "doses"
"""Figures of the user's own conditions; in a need, these conditions themselves, which a profile names."""
ACCURACY_OF_TEST = "Accuracy of a linear readout of the latents on test images"

FIGURES: Mapping[str, Panels] = {
    "table-1": Panels(
        "Appendix 1, table 1",
        f"{ACCURACY_OF_TEST} at the end of training: the full model and each pathology.",
        (Need(PATHOLOGIES, "readout", "end"),),
    ),
    "figure-3": Panels(
        "Figure 3",
        "a: what is seen on two days. b, c: what is dreamt in NREM and REM sleep, early and late in training. d: "
        "the Fréchet distance between dreams and what was seen; lower is more alike.",
        (
            Need(("pad",), "pictures", "early and end", first_seed=True),
            Need(("pad",), "realism", "early and end"),
        ),
    ),
    "figure-4": Panels(
        "Figure 4",
        f"{ACCURACY_OF_TEST} over epochs of training: the full model, without REM, and with REM from one memory.",
        (Need(("pad", "without_rem", "without_memory_mix"), "readout", "curve"),),
    ),
    "figure-5": Panels(
        "Figure 5",
        "Accuracy of the same readout on occluded test images, over the share of tiles that are occluded: the full "
        "model and without NREM.",
        (Need(("pad", "without_nrem"), "robustness", "end"),),
    ),
    "figure-6": Panels(
        "Figure 6",
        "b to d: latents of clean (filled) and 30 % occluded (open) images of four classes on their first two "
        "principal components. e: distance within classes over distance between classes. f: distance between an "
        "image and its occluded version over distance between classes. Lower is better organised.",
        (
            Need(("pad", "without_rem", "without_nrem"), "organisation", "end"),
            Need(("pad",), "organisation", "start and end"),
            Need(("pad", "without_rem", "without_nrem"), "projection", "end", first_seed=True),
        ),
    ),
    "figure-9": Panels(
        "Figure 9",
        "Occlusion of example images: its probability grows to the right, the side of its tiles downwards.",
        (),
    ),
    "appendix-figure-1": Panels(
        "Appendix 1, figure 1",
        "Every loss over epochs of training, the full model and each pathology. A loss is drawn where a phase of "
        "the condition computes it.",
        (Need(PATHOLOGIES, "losses", "trained"),),
        but=("svhn",),
    ),
    "appendix-figure-2": Panels(
        "Appendix 1, figure 2",
        "As appendix 1, figure 1, on SVHN.",
        (Need(PATHOLOGIES, "losses", "trained"),),
        only=("svhn",),
    ),
    "appendix-figure-3": Panels(
        "Appendix 1, figure 3",
        f"{ACCURACY_OF_TEST} over twice as many epochs of training: the full model and each pathology.",
        (Need(PATHOLOGIES, "readout", "long curve"),),
    ),
    "appendix-figure-4": Panels(
        "Appendix 1, figure 4",
        f"{ACCURACY_OF_TEST} over epochs of training, by what drives REM: mixed memories and noise, noise alone, "
        "memories alone.",
        (Need(("pad", "rem_noise_only", "rem_memories_only"), "readout", "curve"),),
    ),
    "appendix-figure-5": Panels(
        "Appendix 1, figure 5",
        f"{ACCURACY_OF_TEST} over epochs of training, by the order of the phases of sleep.",
        (Need(("pad", "rem_before_nrem"), "readout", "curve"),),
    ),
    "appendix-figure-6": Panels(
        "Appendix 1, figure 6",
        "Accuracy of the readout on occluded test images, by what NREM replays: single memories, or several mixed.",
        (Need(("pad", "nrem_mixed"), "robustness", "end"),),
    ),
    SCHEDULES: Panels(
        "Deprivation and recovery",
        f"{ACCURACY_OF_TEST} over epochs of training: the full model, and schedules that take phases of sleep away "
        "and give them back. Dotted: where a schedule changes. None of this is in the paper.",
        (Need(("pad", SCHEDULES), "readout", "curve"),),
    ),
    DOSES: Panels(
        "Doses",
        f"{ACCURACY_OF_TEST}, clean and occluded, at the end of training, over what a field of the full model's "
        "config is set to. None of this is in the paper.",
        (Need((DOSES,), "readout", "end"), Need((DOSES,), "robustness", "end")),
    ),
}
"""In the order of the report: the table of numbers first."""
OF_THE_PAPER = tuple(name for name in FIGURES if name not in (SCHEDULES, DOSES))


def named(figure: str) -> Panels:
    """Find a figure or table by its name.

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
    if figure not in FIGURES:
        raise UserError(f"there is no '{figure}' to be drawn; {nearest(figure, FIGURES)}")
    return FIGURES[figure]


Keys = frozenset[tuple[str, str]]
"""Measure and parameter of each row that a snapshot gets."""
