"""What the paper claims of its figures, as data that a table of measurements can judge.

Each is in the paper's words, and in terms that can turn out false; what margin counts as no difference is not
the paper's, and stands beside the claim. Left out is what these tables cannot judge: how pictures look; L_NREM of
models without NREM, which they do not compute; and that the generator's loss increases, of which the paper does not
say which function it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import pandas as pd

from dreaming.evaluation.measures.organisation import CLEAN_OCCLUDED, INTRA_INTER
from dreaming.evaluation.measures.readout import READOUT_ACCURACY
from dreaming.evaluation.measures.robustness import OCCLUDED_ACCURACY
from dreaming.evaluation.statistics.judgement import Claim, Judgement, judge
from dreaming.evaluation.statistics.statistics import ClaimKind
from dreaming.model.conditions import CONDITIONS
from dreaming.paper.plan.profile import Profile
from dreaming.paper.published import TABLE_1_CONDITIONS
from dreaming.paper.tables import DISCRIMINATOR, LOSS, measured

EQUAL = 0.03
"""Accuracies that differ by less than three points count as equal; the paper has no number for that."""


@dataclass(frozen=True)
class PaperClaim:
    """A claim of the paper.

    Attributes
    ----------
    said
        In the paper's words.
    text
        In terms of what is measured.
    kind, conditions, measure, parameter, margin
        As `dreaming.evaluation.statistics.judgement.Claim` has them.
    at
        ``end`` of training, ``long end`` of appendix figure 3, ``late`` in training as against early, or
        ``long late`` as against the end.
    datasets
        Of which of its own data sets the paper makes it; None for all, and then it is judged on any other too.
    """

    said: str
    text: str
    kind: ClaimKind
    conditions: tuple[str, ...]
    measure: str = READOUT_ACCURACY
    parameter: str | tuple[str, ...] = "latent"
    margin: float | None = None
    at: Literal["end", "long end", "late", "long late"] = "end"
    datasets: tuple[str, ...] | None = None

    def of(self, profile: Profile, table: pd.DataFrame) -> Claim | None:
        """Return what can be judged on a table of a profile's runs, or None if it is not about them."""
        epoch = profile.long_epochs if self.at.startswith("long") else profile.epochs
        early = profile.epochs if self.at == "long late" else profile.early
        known = set(table["parameter"][table["measure"] == self.measure])
        wanted = (self.parameter,) if isinstance(self.parameter, str) else self.parameter
        # A measure whose options are not as usual names them behind its parameter.
        full = tuple(sorted(name for name in known if name.partition(";")[0] in wanted))
        if not full or (self.kind == "falls" and epoch <= early):
            return None
        return Claim(
            self.text, self.kind, self.measure, full, self.conditions, self.margin, epoch=epoch, early=early
        )


def _of(kind: ClaimKind, text: str, said: str, *conditions: str, **about: Any) -> PaperClaim:
    """Return a claim whose text has the conditions' labels in the place of its braces."""
    labels = (CONDITIONS[name].label for name in conditions)
    return PaperClaim(said, text.format(*labels), kind, conditions, **about)


def _above(first: str, second: str, said: str, text: str = "{} above {}", **about: Any) -> PaperClaim:
    return _of("greater", text, said, first, second, **about)


def _alike(first: str, second: str, said: str, text: str, **about: Any) -> PaperClaim:
    return _of("equivalent", f"{text}, within 3 points", said, first, second, margin=EQUAL, **about)


def _falls(name: str, said: str, text: str, measure: str, parameter: str) -> PaperClaim:
    about = {"measure": measure, "parameter": parameter, "at": "late"}
    return _of("falls", f"{text} falls from early to late", said, name, **about)


_PARTLY = {"measure": OCCLUDED_ACCURACY, "parameter": tuple(str(tenth / 10) for tenth in range(1, 10))}
"""Occlusion of some of the image, and not of the whole."""
_INTRA = {"measure": INTRA_INTER, "parameter": "euclidean"}
_CLEAN = {"measure": CLEAN_OCCLUDED, "parameter": "euclidean"}
_MEAN = "mean over 10 to 90 % occlusion"
_LONG = "{} above {} at the long end"
_F = "f: {} above {} in clean-occluded over inter-class distance"
_E = "e: {} above {} in intra- over inter-class distance"

# What the paper says in more than a few words.
_REALISTIC = "Dreams become more realistic over the course of learning"
_BELOW = "Without REM sleep, linear separability [...] remains significantly below the PAD"
_SLOWER = "linear separability increases much slower [...], leading to worse performance"
_ROBUST = "Without NREM, linear separability of partially occluded images is significantly decreased"
_BOTH = "this ratio increases if the REM phase is removed [...] removing NREM [...] also increases this ratio"
_NREM = "By removing NREM from training, this ratio increases significantly"
_OPTIMIZED = "img and KL are optimized for each condition and systematically decrease with learning"
_GAME = "models with REM, showing a progressive decrease of the discriminator loss"
_MANY = "w/o REM [...] does not reach levels of the full model even after many epochs"
_MIX = "w/o memory mix [...] does not reach levels of the full model (d)"
_DECREASE = "without NREM [...], linear separability tends to decrease after many training epochs"
_MIXING = "These different mixing strategies do not show a big difference in linear separability"
_ORDER = "The performance of the linear classifier is not influenced by this change"
_SINGLE = "The better performance of a single replay"

_LOSSES = (
    *(
        _falls(name, _OPTIMIZED, f"{loss} of {CONDITIONS[name].label}", LOSS, term)
        for name in TABLE_1_CONDITIONS
        for term, loss in (("wake.image", "L_img"), ("wake.kl", "L_KL"))
    ),
    *(
        _falls(name, _GAME, f"discriminator loss of {CONDITIONS[name].label}", LOSS, DISCRIMINATOR)
        for name in ("pad", "without_memory_mix", "without_nrem")
    ),
)

CLAIMS: Mapping[str, tuple[PaperClaim, ...]] = {
    "table-1": (
        _above("pad", "without_memory_mix", "53.87 and 60.87 % against 58.25 and 78.92 %"),
        _above("pad", "without_rem", "46.00 and 42.30 % against 58.25 and 78.92 %"),
        _above("pad", "wake_only", "42.25 and 41.93 % against 58.25 and 78.92 %"),
        _alike("pad", "without_nrem", "58.00 against 58.25 %", "{} as good as {}", datasets=("cifar10",)),
        _above("pad", "without_nrem", "73.25 against 78.92 %", datasets=("svhn",)),
    ),
    "figure-3": tuple(
        _falls("pad", _REALISTIC, f"Fréchet distance of {night} dreams", f"frechet_{night.lower()}", features)
        for features in ("classifier", "inception")
        for night in ("NREM", "REM")
    ),
    "figure-4": (
        _above("pad", "without_rem", _BELOW, "{} above {} at the end"),
        _above("pad", "without_memory_mix", _SLOWER, "{} above {} at the end"),
    ),
    "figure-5": (_above("pad", "without_nrem", _ROBUST, f"{{}} above {{}}, {_MEAN}", **_PARTLY),),
    "figure-6": (
        _above("without_rem", "pad", _BOTH, _E, **_INTRA),
        _above("without_nrem", "pad", _BOTH, _E, **_INTRA),
        _above("without_nrem", "pad", _NREM, _F, **_CLEAN),
    ),
    "appendix-figure-1": _LOSSES,
    "appendix-figure-2": _LOSSES,
    "appendix-figure-3": (
        _above("pad", "without_rem", _MANY, _LONG, at="long end"),
        _above("pad", "without_memory_mix", _MIX, _LONG, at="long end", datasets=("svhn",)),
        _of("falls", "{} falls from the end to the long end", _DECREASE, "without_nrem", at="long late"),
        _of("falls", "{} falls from the end to the long end", _DECREASE, "wake_only", at="long late"),
    ),
    "appendix-figure-4": (
        _alike("pad", "rem_noise_only", _MIXING, "{1} as good as from the mix"),
        _alike("pad", "rem_memories_only", _MIXING, "{1} as good as from the mix"),
    ),
    "appendix-figure-5": (
        _alike("pad", "rem_before_nrem", _ORDER, "REM before NREM as good as NREM before REM"),
    ),
    "appendix-figure-6": (
        _above("pad", "nrem_mixed", _SINGLE, f"single above mixed memories, {_MEAN}", **_PARTLY),
    ),
}
"""All of them, by figure."""
SUBJECTS: Mapping[str, str] = {
    "table-1": "the linear readout at the end",
    "figure-3": "dreams that become more real",
    "figure-4": "the readout over training",
    "figure-5": "the readout of occluded images",
    "figure-6": "the order of latents",
    "appendix-figure-1": "losses that fall",
    "appendix-figure-2": "losses that fall on SVHN",
    "appendix-figure-3": "the readout after long training",
    "appendix-figure-4": "what drives REM",
    "appendix-figure-5": "the order of sleep",
    "appendix-figure-6": "what NREM replays",
}
"""What the claims of a figure are about, as words that follow "agrees with the paper on"."""


class Judged(NamedTuple):
    """A claim of a figure, and what was found of it in a data set."""

    figure: str
    dataset: str
    claim: PaperClaim
    found: Judgement


def judged(figure: str, profile: Profile, table: pd.DataFrame) -> list[Judged]:
    """Judge the claims of a figure on its own table, a data set at a time.

    Parameters
    ----------
    figure
        As `dreaming.paper.figures.FIGURES` names it.
    profile
        What was planned.
    table
        As `dreaming.paper.results.figure_table` makes it.

    Returns
    -------
    list of Judged
        In the order of `CLAIMS`. Left out are claims of features that the profile does not measure, of other data
        sets, and of a longer training than it has.
    """
    if figure not in CLAIMS:
        return []  # the table may be one of pictures
    own, found = measured(table), []
    for dataset in dict.fromkeys(own["dataset"]):
        values = own[own["dataset"] == dataset]
        for claim in CLAIMS[figure]:
            wanted = claim.of(profile, values)
            if wanted is not None and (claim.datasets is None or dataset in claim.datasets):
                found.append(Judged(figure, dataset, claim, judge(wanted, values)))
    return found
