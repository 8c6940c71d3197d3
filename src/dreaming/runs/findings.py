"""What was found wrong with a cortex while it learned: findings.csv."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import groupby

import pandas as pd

from dreaming.errors import UserError
from dreaming.runs.folder import RunFolder
from dreaming.runs.tables import read_table

NOT_FINITE = "not finite"
DEAD = "dead latents"
DEAD_ORGAN = "dead organ"
COLLAPSED = "collapsed latents"
WON = "discriminator won"

FINDING_COLUMNS = ("epoch", "phase", "term", "finding", "value")
"""Of findings.csv."""
CORTEX = "cortex"
"""What stands for the phase where something is found of the cortex itself, after all phases of an epoch."""


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
        The phase's term; or of the cortex a weight, a momentum, an organ, ``latents``, ``spread`` or ``dimension``.
    kind
        ``not finite``, ``dead latents``, ``dead organ``, ``collapsed latents`` or ``discriminator won``.
    value
        The loss or other number; of dead latents their share, in (0, 1]; of a dead organ its gradient, 0; of a
        discriminator that has won, the larger of its mean losses awake and in REM, in nats.
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
        """Return what was found in words, but for when.

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


def so_far(folder: RunFolder, epochs: int | None = None) -> list[Finding]:
    """Return what was found in a run, or up to an epoch of it; of later ones, not saved, all is found again.

    Raises
    ------
    UserError
        If findings.csv is no such table.
    """
    if not folder.findings.exists():
        return []
    rows = read_table(folder.findings, FINDING_COLUMNS)[list(FINDING_COLUMNS)]
    if rows["epoch"].isna().any():
        raise UserError(f"{folder.findings} is damaged: it has a row without an epoch")
    found = [Finding(int(epoch), *rest) for epoch, *rest in rows.itertuples(index=False)]
    return [finding for finding in found if epochs is None or finding.epoch <= epochs]


def write_all(folder: RunFolder, found: Sequence[Finding]) -> None:
    """Write all that was found so far; for nothing, no file is made."""
    if found or folder.findings.exists():
        folder.write_table(folder.findings, as_table(found))


def as_table(found: Sequence[Finding]) -> pd.DataFrame:
    """Return findings as rows of findings.csv, values as text: an empty field is what CSV has for NaN."""
    rows = [(*astuple(finding)[:-1], repr(finding.value)) for finding in found]
    return pd.DataFrame(rows, columns=list(FINDING_COLUMNS))


def news(before: Sequence[Finding], now: Sequence[Finding], latent_dim: int) -> list[str]:
    """Return in words what an epoch found that the epoch before did not, and what is over.

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


def as_lines(found: Sequence[Finding], latent_dim: int) -> list[str]:
    """Return in words all that was found in a run, a line for each thing: how it last was, and in which epochs.

    Examples
    --------
    >>> as_lines([Finding(epoch, "cortex", "latents", DEAD, 0.5) for epoch in (2, 3, 5)], 8)
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
