"""What the paper claims of its figures, as data that a table of measurements can judge.

Each is in the paper's words, and in terms that can turn out false; what margin counts as no difference is not
the paper's, and stands beside the claim. Left out is what these tables cannot judge: how pictures look; L_NREM of
models without NREM, which they do not compute; and that the generator's loss increases, of which the paper does not
say which function it is.
"""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from dreaming.evaluation.measures.organisation import CLEAN_OCCLUDED, INTRA_INTER
from dreaming.evaluation.statistics.judgement import Claim, Judgement, judge
from dreaming.evaluation.statistics.statistics import Kind
from dreaming.paper.plan.profile import Profile
from dreaming.paper.published import ACCURACY, OCCLUDED, TABLE_1_CONDITIONS
from dreaming.paper.tables import DISCRIMINATOR, LOSS, measured

EQUAL = 0.03
"""Accuracies that differ by less than three points count as equal; the paper has no number for that."""
PARTLY_OCCLUDED = tuple(str(tenth / 10) for tenth in range(1, 10))
"""Above no occlusion, and below the whole image."""


@dataclass(frozen=True)
class PaperClaim:
    """A claim of the paper.

    Attributes
    ----------
    figure
        Where it is made.
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

    figure: str
    said: str
    text: str
    kind: Kind
    conditions: tuple[str, ...]
    measure: str = ACCURACY
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
        about = (self.text, self.kind, self.measure, full, self.conditions, self.margin)
        return Claim(*about, epoch=epoch, early=early)


_ROBUST = "Without NREM, linear separability of partially occluded images is significantly decreased"
_DISTANCES = (
    "this ratio increases if the REM phase is removed [...] removing NREM [...] also increases this ratio"
)
_DECREASE = "without NREM [...], linear separability tends to decrease after many training epochs"
_MIXING = "These different mixing strategies do not show a big difference in linear separability"
_LOSSES = "img and KL are optimized for each condition and systematically decrease with learning"
_GAME = "models with REM, showing a progressive decrease of the discriminator loss"

_TABLE = (
    PaperClaim(
        "table-1",
        "53.87 and 60.87 % against 58.25 and 78.92 %",
        "PAD above w/o memory mix",
        "greater",
        ("pad", "without_memory_mix"),
    ),
    PaperClaim(
        "table-1",
        "46.00 and 42.30 % against 58.25 and 78.92 %",
        "PAD above w/o REM",
        "greater",
        ("pad", "without_rem"),
    ),
    PaperClaim(
        "table-1",
        "42.25 and 41.93 % against 58.25 and 78.92 %",
        "PAD above Wake only",
        "greater",
        ("pad", "wake_only"),
    ),
    PaperClaim(
        "table-1",
        "58.00 against 58.25 %",
        "PAD as good as w/o NREM, within 3 points",
        "equivalent",
        ("pad", "without_nrem"),
        margin=EQUAL,
        datasets=("cifar10",),
    ),
    PaperClaim(
        "table-1",
        "73.25 against 78.92 %",
        "PAD above w/o NREM",
        "greater",
        ("pad", "without_nrem"),
        datasets=("svhn",),
    ),
)

_MAIN = (
    *(
        PaperClaim(
            "figure-3",
            "Dreams become more realistic over the course of learning",
            f"Fréchet distance of {night.upper()} dreams falls from early to late",
            "falls",
            ("pad",),
            f"frechet_{night}",
            features,
            at="late",
        )
        for features in ("classifier", "inception")
        for night in ("nrem", "rem")
    ),
    PaperClaim(
        "figure-4",
        "Without REM sleep, linear separability [...] remains significantly below the PAD",
        "PAD above w/o REM at the end",
        "greater",
        ("pad", "without_rem"),
    ),
    PaperClaim(
        "figure-4",
        "linear separability increases much slower [...], leading to worse performance",
        "PAD above w/o memory mix at the end",
        "greater",
        ("pad", "without_memory_mix"),
    ),
    PaperClaim(
        "figure-5",
        _ROBUST,
        "PAD above w/o NREM, mean over 10 to 90 % occlusion",
        "greater",
        ("pad", "without_nrem"),
        OCCLUDED,
        PARTLY_OCCLUDED,
    ),
    *(
        PaperClaim(
            "figure-6",
            _DISTANCES,
            f"e: {names} above PAD in intra- over inter-class distance",
            "greater",
            (condition, "pad"),
            INTRA_INTER,
            "euclidean",
        )
        for condition, names in (("without_rem", "w/o REM"), ("without_nrem", "w/o NREM"))
    ),
    PaperClaim(
        "figure-6",
        "By removing NREM from training, this ratio increases significantly",
        "f: w/o NREM above PAD in clean-occluded over inter-class distance",
        "greater",
        ("without_nrem", "pad"),
        CLEAN_OCCLUDED,
        "euclidean",
    ),
)


def _losses(figure: str) -> tuple[PaperClaim, ...]:
    falls = tuple(
        PaperClaim(
            figure,
            _LOSSES,
            f"{name} of {condition} falls from early to late",
            "falls",
            (condition,),
            LOSS,
            term,
            at="late",
        )
        for condition in TABLE_1_CONDITIONS
        for term, name in (("wake.image", "L_img"), ("wake.kl", "L_KL"))
    )
    game = tuple(
        PaperClaim(
            figure,
            _GAME,
            f"discriminator loss of {condition} falls from early to late",
            "falls",
            (condition,),
            LOSS,
            DISCRIMINATOR,
            at="late",
        )
        for condition in ("pad", "without_memory_mix", "without_nrem")
    )
    return falls + game


_APPENDIX = (
    *_losses("appendix-figure-1"),
    *_losses("appendix-figure-2"),
    PaperClaim(
        *(
            "appendix-figure-3",
            "w/o REM [...] does not reach levels of the full model even after many epochs",
        ),
        "PAD above w/o REM at the long end",
        "greater",
        ("pad", "without_rem"),
        at="long end",
    ),
    PaperClaim(
        "appendix-figure-3",
        "w/o memory mix [...] does not reach levels of the full model (d)",
        "PAD above w/o memory mix at the long end",
        "greater",
        ("pad", "without_memory_mix"),
        at="long end",
        datasets=("svhn",),
    ),
    *(
        PaperClaim(
            "appendix-figure-3",
            _DECREASE,
            f"{names} falls from the end to the long end",
            "falls",
            (condition,),
            at="long late",
        )
        for condition, names in (("without_nrem", "w/o NREM"), ("wake_only", "Wake only"))
    ),
    *(
        PaperClaim(
            "appendix-figure-4",
            _MIXING,
            f"{names} as good as from the mix, within 3 points",
            "equivalent",
            ("pad", condition),
            margin=EQUAL,
        )
        for condition, names in (
            ("rem_noise_only", "REM from noise"),
            ("rem_memories_only", "REM from memories"),
        )
    ),
    PaperClaim(
        "appendix-figure-5",
        "The performance of the linear classifier is not influenced by this change",
        "REM before NREM as good as NREM before REM, within 3 points",
        "equivalent",
        ("pad", "rem_before_nrem"),
        margin=EQUAL,
    ),
    PaperClaim(
        "appendix-figure-6",
        "The better performance of a single replay",
        "single above mixed memories, mean over 10 to 90 % occlusion",
        "greater",
        ("pad", "nrem_mixed"),
        OCCLUDED,
        PARTLY_OCCLUDED,
    ),
)

CLAIMS: tuple[PaperClaim, ...] = (*_TABLE, *_MAIN, *_APPENDIX)
"""All of them, in the order of the report."""


def judged(figure: str, profile: Profile, table: pd.DataFrame) -> list[tuple[PaperClaim, str, Judgement]]:
    """Judge the claims of a figure on its own table, a data set at a time.

    Parameters
    ----------
    figure
        As `dreaming.paper.plan.panels.FIGURES` names it.
    profile
        What was planned.
    table
        As the figure's `prepare` made it.

    Returns
    -------
    list of (claim, data set, judgement)
        In the order of `CLAIMS`. Left out are claims of features that the profile does not measure, of other data
        sets, and of a longer training than it has.
    """
    claims = [claim for claim in CLAIMS if claim.figure == figure]
    if not claims:
        return []
    own = measured(table)
    found = []
    for dataset in dict.fromkeys(own["dataset"]):
        values = own[own["dataset"] == dataset]
        for claim in claims:
            if claim.datasets and dataset not in claim.datasets:
                continue
            wanted = claim.of(profile, values)
            if wanted is not None:
                found.append((claim, dataset, judge(wanted, values)))
    return found
