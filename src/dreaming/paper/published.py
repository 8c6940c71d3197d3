"""Every number that the paper prints and that can be measured here, with the place where it stands.

Deperrois, Petrovici, Senn, Jordan: "Learning cortical representations through perturbed and adversarial dreaming",
eLife 11:e76384, 2022. Bars and curves whose values are not printed are not guessed from pictures. Fractions here,
percent in the paper.
"""

from dataclasses import dataclass

from dreaming.evaluation.measures.readout import READOUT_ACCURACY
from dreaming.evaluation.measures.robustness import OCCLUDED_ACCURACY

SEEDS = 4
EPOCHS, LONG_EPOCHS = 50, 100


@dataclass(frozen=True)
class Number:
    """A number that the paper prints.

    Attributes
    ----------
    figure
        Where it is shown, as `dreaming.paper.figures.FIGURES` names it.
    dataset, condition
        Of which runs.
    value
        Mean, a fraction.
    source
        The place in the paper.
    sem
        Standard error of the mean over four seeds; None where none is printed.
    rounding
        Half of the last printed digit, where no spread is printed.
    measure, parameter, epoch
        What it is a value of.
    """

    figure: str
    dataset: str
    condition: str
    value: float
    source: str
    sem: float | None = None
    rounding: float = 0.00005
    measure: str = READOUT_ACCURACY
    parameter: str = "latent"
    epoch: int = EPOCHS


TABLE_1_CONDITIONS = ("pad", "without_memory_mix", "without_rem", "without_nrem", "wake_only")
_TABLE_1 = {
    "cifar10": ((58.25, 0.70), (53.87, 0.85), (46.00, 0.43), (58.00, 0.34), (42.25, 0.54)),
    "svhn": ((78.92, 0.40), (60.87, 5.07), (42.30, 1.51), (73.25, 0.22), (41.93, 0.65)),
}
_TEXT = "text beside figure 4: "
_NAIVE = 'figure 5: "the highest performance of a naive classifier is 18.9%"'

NUMBERS: tuple[Number, ...] = (
    *(
        Number("table-1", dataset, condition, mean / 100, "appendix 1, table 1", sem / 100)
        for dataset, row in _TABLE_1.items()
        for condition, (mean, sem) in zip(TABLE_1_CONDITIONS, row, strict=True)
    ),
    Number(
        "figure-4", "cifar10", "pad", 0.59, f'{_TEXT}"around 59% test accuracy on CIFAR-10"', rounding=0.005
    ),
    Number("figure-4", "svhn", "pad", 0.79, f'{_TEXT}"79% on SVHN"', rounding=0.005),
    Number(
        "figure-5", "svhn", "pad", 0.189, _NAIVE, rounding=0.0005, measure=OCCLUDED_ACCURACY, parameter="1.0"
    ),
)
"""All of them. Of the last, the paper's chance level: it is digit 1's share of SVHN's training images, and of its
test images, on which a readout of grey images is tested here, digit 1 has a share of 19.6 %."""


def published(figure: str, dataset: str) -> tuple[Number, ...]:
    """Return the numbers printed for a figure and a data set; for other data sets than the paper's there are none.

    Examples
    --------
    >>> [round(100 * number.value, 2) for number in published("table-1", "cifar10")]
    [58.25, 53.87, 46.0, 58.0, 42.25]
    >>> published("table-1", "digits")
    ()
    """
    return tuple(n for n in NUMBERS if (n.figure, n.dataset) == (figure, dataset))
