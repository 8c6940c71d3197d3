"""What is watched while a cortex learns: losses, weights and latents at the end of each epoch, and thresholds.

Nothing here changes a run: no random number is drawn, no gradient taken. Each threshold is a constant with its
reason; what they meet in runs that learn well, and how they were found, is in docs/measures.md.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import groupby

import pandas as pd
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from dreaming.contents import csv, read_table
from dreaming.data import to_activity
from dreaming.networks import Cortex
from dreaming.phases import REM, Phase, Wake
from dreaming.runs import RunFolder

NOT_FINITE = "not finite"
DEAD = "dead latents"
COLLAPSED = "collapsed latents"
WON = "discriminator won"

COLUMNS = ("epoch", "phase", "term", "finding", "value")
"""Of findings.csv."""
CORTEX = "cortex"
"""What stands for the phase where something is found of the cortex itself, after all phases of an epoch."""
SAMPLE = 256
"""Images whose latents are looked at, the first of the training split: the same ones each epoch."""
DEAD_BELOW = 0.01
"""A latent is dead if it varies over images less than this share of what latents do (root mean square): it holds a
ten thousandth of their variance. A share and no length, since latents start small and L_KL brings them to 1."""
SPREAD_BELOW = 1e-6
"""Latents whose standard deviation (root mean square) is below it are one point: eight roundings of float32 at 1.
Narrow networks begin near it: 5e-5 at 2 channels, 2e-6 at 1, and learn all the same."""
DIMENSION_BELOW = 1.01
"""Latents of a smaller effective dimension (1 at least) lie on one line, with 99.5 % of their variance. Not more,
since L_KL forbids no correlation: after one epoch of CIFAR-10 PAD has 2 to 3, and networks of 2 channels 1.03."""
CERTAIN_BELOW = 0.01
"""Nats. Below it in Wake and in REM, d is right with more than 99 % (geometric mean). Since d <= -log(1 - d), the
slope of eq. 8, which is all that the generator learns from, is then below a hundredth of what it can be."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a cortex after an epoch.

    Attributes
    ----------
    epoch
        After which it was found; 1 is the first.
    phase
        The phase's name, or ``cortex``.
    term
        The phase's term; or of the cortex a weight or a momentum, ``latents``, ``spread`` or ``dimension``.
    kind
        ``not finite``, ``dead latents``, ``collapsed latents`` or ``discriminator won``.
    value
        The loss or other number; of dead latents their share, in (0, 1]; of a discriminator that has won, the
        larger of its mean losses awake and in REM, in nats.
    """

    epoch: int
    phase: str
    term: str
    kind: str
    value: float

    @property
    def about(self) -> tuple[str, str, str]:
        """What makes it the same finding as that of another epoch."""
        return self.phase, self.term, self.kind

    @property
    def name(self) -> str:
        """Of what it was found: ``PHASE.TERM``, and of the cortex the term alone."""
        return self.term if self.phase == CORTEX else f"{self.phase}.{self.term}"

    def in_words(self, latent_dim: int) -> str:
        """Say what was found, but for when.

        Examples
        --------
        >>> Finding(3, "cortex", "latents", DEAD, 0.25).in_words(8)
        'dead latents: 2 of 8 (25 %)'
        >>> Finding(3, "rem", "externality", WON, 0.002).in_words(8)
        'discriminator won: rem.externality 0.002'
        """
        if self.kind == DEAD:
            return f"{DEAD}: {round(self.value * latent_dim)} of {latent_dim} ({100 * self.value:.0f} %)"
        return f"{self.kind}: {self.name} {self.value:.3g}"


def of_losses(epoch: int, means: Mapping[str, float], phases: Sequence[Phase]) -> list[Finding]:
    """Judge an epoch's mean losses.

    Parameters
    ----------
    epoch
        After which.
    means
        Each term's mean over the epoch, as ``PHASE.TERM``.
    phases
        The phases of that epoch.

    Returns
    -------
    list of Finding
        Terms that are not finite; a discriminator that has won, where there is one that learns in Wake (eq. 5) and
        in a REM (eq. 8) whose generator is against it.

    Examples
    --------
    >>> of_losses(2, {"wake.image": math.inf, "wake.kl": 0.1}, (Wake(),))
    [Finding(epoch=2, phase='wake', term='image', kind='not finite', value=inf)]
    """
    found = [
        Finding(epoch, phase, term, NOT_FINITE, value)
        for name, value in means.items()
        for phase, _, term in [name.partition(".")]
        if not math.isfinite(value)
    ]
    awake = [phase.name for phase in phases if isinstance(phase, Wake) and phase.externality_weight]
    asleep = [phase.name for phase in phases if isinstance(phase, REM) and phase.plasticity == REM.plasticity]
    names = [[f"{phase}.externality" for phase in each] for each in (awake, asleep)]
    days, nights = ([means[name] for name in each if name in means] for each in names)
    # As `worst < limit`, and not its opposite, so that NaN is no victory.
    if days and nights and max(days) < CERTAIN_BELOW and max(nights) < CERTAIN_BELOW:
        found.append(Finding(epoch, asleep[0], "externality", WON, max(days + nights)))
    return found


def of_weights(epoch: int, tensors: Mapping[str, Tensor]) -> list[Finding]:
    """Find the first of some named tensors that holds a number which is not finite.

    Examples
    --------
    >>> of_weights(1, {"bias": torch.zeros(2), "weight": torch.tensor([1.0, torch.inf])})
    [Finding(epoch=1, phase='cortex', term='weight', kind='not finite', value=inf)]
    """
    for name, values in tensors.items():
        lost = values[~values.isfinite()]
        if len(lost):
            return [Finding(epoch, CORTEX, name, NOT_FINITE, float(lost[0]))]
    return []


def of_latents(epoch: int, z: Float[Tensor, "n z"]) -> list[Finding]:
    """Judge the latents of some images.

    Parameters
    ----------
    epoch
        After which.
    z
        Latents, shape [n, n_z].

    Returns
    -------
    list of Finding
        Latents that are not finite, or else dead ones and a collapse. Of fewer than three images, or of one latent,
        no dimension is judged, since it is 1 whatever was learned.

    Examples
    --------
    >>> of_latents(1, torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]]))
    [Finding(epoch=1, phase='cortex', term='latents', kind='dead latents', value=0.5),
     Finding(epoch=1, phase='cortex', term='dimension', kind='collapsed latents', value=1.0)]
    """
    lost = z[~z.isfinite()]
    if len(lost):
        return [Finding(epoch, CORTEX, "latents", NOT_FINITE, float(lost[0]))]
    if len(z) < 2:
        return []
    deviations = z.double().std(dim=0)
    typical = float(deviations.square().mean().sqrt())
    if typical < SPREAD_BELOW:
        return [Finding(epoch, CORTEX, "spread", COLLAPSED, typical)]
    found = []
    dead = int((deviations < DEAD_BELOW * typical).sum())
    if dead:
        found.append(Finding(epoch, CORTEX, "latents", DEAD, dead / z.shape[1]))
    if min(len(z) - 1, z.shape[1]) > 1 and (dimension := effective_dimension(z)) < DIMENSION_BELOW:
        found.append(Finding(epoch, CORTEX, "dimension", COLLAPSED, dimension))
    return found


def effective_dimension(z: Float[Tensor, "n z"]) -> float:
    """Return the participation ratio of the covariance of latents, (Σλ)² / Σλ², with λ its eigenvalues.

    Parameters
    ----------
    z
        Latents that vary, shape [n, n_z], n at least 2.

    Returns
    -------
    float
        From 1, all on a line, to n_z, the same variance in every direction.

    Examples
    --------
    >>> round(effective_dimension(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])), 6)
    2.0
    """
    centred = z.double() - z.double().mean(dim=0)
    covariance = centred.T @ centred  # its scale falls out of the ratio
    return float(covariance.trace().square() / covariance.square().sum())


@torch.no_grad()
def watched_latents(
    cortex: Cortex, images: UInt8[Tensor, "n c 32 32"], image_channels: int = 3
) -> Float[Tensor, "m z"]:
    """Infer the latents that are looked at each epoch, in the precision of the cortex, which is not changed.

    Examples
    --------
    >>> watched_latents(Cortex(latent_dim=8, base_channels=4), torch.zeros(300, 3, 32, 32, dtype=torch.uint8)).shape
    torch.Size([256, 8])
    """
    return cortex.encoder.latents(to_activity(images[:SAMPLE].to(cortex.device), image_channels))


def so_far(folder: RunFolder, epochs: int | None = None) -> list[Finding]:
    """Read what was found in a run, or up to an epoch of it; of later ones, not saved, all is found again.

    Raises
    ------
    UserError
        If the file is damaged.
    """
    if not folder.findings.exists():
        return []
    rows = read_table(folder.findings, COLUMNS, folder.read(folder.findings))[list(COLUMNS)]
    found = [
        Finding(int(e), p, t, kind, float(value)) for e, p, t, kind, value in rows.itertuples(index=False)
    ]
    return [finding for finding in found if epochs is None or finding.epoch <= epochs]


def keep(folder: RunFolder, found: Sequence[Finding]) -> None:
    """Write all that was found so far; no file is made for nothing, and none is written that would be the same."""
    rows, there = table(found), folder.findings.exists()
    if (found or there) and not (there and folder.read(folder.findings) == csv(rows)):
        folder.write_table(folder.findings, rows)


def table(found: Sequence[Finding]) -> pd.DataFrame:
    """Return findings as rows of findings.csv, values as text: an empty field is what CSV has for NaN."""
    rows = [(*astuple(finding)[:-1], repr(finding.value)) for finding in found]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def news(before: Sequence[Finding], now: Sequence[Finding], latent_dim: int) -> list[str]:
    """Say what an epoch found that the epoch before did not, and what is over.

    Examples
    --------
    >>> one, two = (Finding(epoch, "cortex", "spread", COLLAPSED, 0.0) for epoch in (1, 2))
    >>> news([], [one], 8), news([one], [two], 8), news([two], [], 8)
    (['collapsed latents: spread 0'], [], ['no more collapsed latents: spread'])
    """
    old, new = ({finding.about: finding for finding in each} for each in (before, now))
    begun = [new[about].in_words(latent_dim) for about in new if about not in old]
    over = [f"no more {old[about].kind}: {old[about].name}" for about in old if about not in new]
    return begun + over


def in_words(found: Sequence[Finding], latent_dim: int) -> list[str]:
    """Say all that was found in a run, a line for each thing: how it last was, and in which epochs.

    Examples
    --------
    >>> in_words([Finding(epoch, "cortex", "latents", DEAD, 0.5) for epoch in (2, 3, 5)], 8)
    ['dead latents: 4 of 8 (50 %), epochs 2 to 3, 5']
    """
    lines = []
    for about in dict.fromkeys(finding.about for finding in found):
        same = [finding for finding in found if finding.about == about]
        spans = [
            [epoch for _, epoch in span]
            for _, span in groupby(enumerate(finding.epoch for finding in same), lambda at: at[1] - at[0])
        ]
        said = ", ".join(f"{span[0]} to {span[-1]}" if len(span) > 1 else f"{span[0]}" for span in spans)
        lines.append(f"{same[-1].in_words(latent_dim)}, epoch{'s' if len(same) > 1 else ''} {said}")
    return lines
