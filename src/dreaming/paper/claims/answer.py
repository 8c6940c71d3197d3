"""What runs come to, in words: a sentence on what agrees with the paper, lines for a terminal, a row's meaning."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from dreaming.evaluation.measures.organisation import CLEAN_OCCLUDED, INTRA_INTER
from dreaming.evaluation.measures.readout import READOUT_ACCURACY
from dreaming.evaluation.measures.robustness import OCCLUDED_ACCURACY
from dreaming.evaluation.statistics.drawing import dataset_name, label, over_seeds
from dreaming.model.conditions import CONDITIONS
from dreaming.paper.claims.claims import SUBJECTS, Judged
from dreaming.paper.tables import measured

VERDICTS = {
    "holds": ("holds", "hold"),
    "does not hold": ("does not hold", "do not hold"),
    "cannot tell": ("cannot be told", "cannot be told"),
}
"""How verdicts on one claim and on several are said."""
KINDS = {
    "agree": "agree with {paper} on {on}",
    "in part": "agree in part with {paper} on {on}",
    "contradict": "contradict {paper} on {on}",
    "open": "tell too little of {on}",
}
"""What runs do to the claims of a figure, as the sentence says it."""
BETTER = {READOUT_ACCURACY: "read out", OCCLUDED_ACCURACY: "under occlusion read out"}
"""Measures in percent, and what is done better or worse in them."""
RATIOS = {
    INTRA_INTER: "distance within classes over distance between them",
    CLEAN_OCCLUDED: "distance from clean to occluded over distance between classes",
}


def meaning(judged: Judged) -> str:
    """Return what was found of a claim, in words and with its interval; or why nothing can be said.

    Examples
    --------
    >>> from dreaming.evaluation.statistics.judgement import judge
    >>> from dreaming.paper.claims.claims import CLAIMS
    >>> from dreaming.paper.plan.presets import profile
    >>> columns = ["dataset", "condition", "seed", "epoch", "measure", "parameter", "value"]
    >>> rows = [("digits", "pad", s, 12, "readout_accuracy", "latent", 0.84 + s / 100) for s in range(3)]
    >>> rows += [("digits", "without_rem", s, 12, "readout_accuracy", "latent", 0.86) for s in range(3)]
    >>> table, claim = pd.DataFrame(rows, columns=columns), CLAIMS["table-1"][1]
    >>> found = judge(claim.of(profile("demo"), table), table)
    >>> meaning(Judged("table-1", "digits", claim, found))
    'PAD is read out 1.0 points worse than w/o REM; 95 % interval -3.5 to +1.5, 3 seeds, p = 0.23'
    """
    claim, found = judged.claim, judged.found.found
    if found.n < 2:
        return judged.found.reason
    scale, places = (100, 1) if claim.measure in BETTER else (1, 3)
    if claim.measure.startswith("frechet"):
        places = 1
    amount = f"{abs(scale * found.mean):.{places}f}"
    names = [CONDITIONS[name].label for name in claim.conditions]
    if claim.kind == "falls":
        subject = claim.text.partition(" falls ")[0]
        said = f"{subject} {'falls' if found.mean < 0 else 'rises'} by {amount}"
    elif claim.measure in BETTER:
        how = "better" if found.mean > 0 else "worse"
        said = f"{names[0]} is {BETTER[claim.measure]} {amount} points {how} than {names[1]}"
    else:
        ratio, how = RATIOS[claim.measure], "higher" if found.mean > 0 else "lower"
        said = f"{ratio} is {amount} {how} in {names[0]} than in {names[1]}"
    low, high = (f"{scale * value:+.{places}f}" for value in (found.low, found.high))
    margin = f", margin ±{scale * claim.margin:.{places}f}" if claim.margin else ""
    left_out = "; ".join(part for part in judged.found.reason.split("; ") if "is left out" in part)
    return f"{said}; 95 % interval {low} to {high}{margin}, {found.n} seeds, p = {found.p:.2g}" + (
        f"; {left_out}" if left_out else ""
    )


def counts(claims: Sequence[Judged]) -> str:
    """Return how many claims hold, do not hold and cannot be told."""
    found: Counter[str] = Counter(each.found.verdict for each in claims)
    return ", ".join(
        f"{found[verdict]} {words[found[verdict] > 1]}"
        for verdict, words in VERDICTS.items()
        if found[verdict]
    )


def in_one_sentence(claims: Sequence[Judged]) -> str:
    """Return one sentence: what runs agree with the paper on, and what not.

    A figure all of whose claims hold, on every data set, is agreed on; one of which some hold and others do not, in
    part; one of which none holds and one is contradicted, not; all others are open.
    """
    kinds: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for figure in dict.fromkeys(each.figure for each in claims):
        verdicts = {each.found.verdict for each in claims if each.figure == figure}
        if "holds" in verdicts:
            kind = "agree" if len(verdicts) == 1 else "in part"
        else:
            kind = "contradict" if "does not hold" in verdicts else "open"
        kinds[kind].append(SUBJECTS[figure])
    said: list[str] = []
    for kind, own in kinds.items():
        if own:
            said.append(KINDS[kind].format(paper="it" if said else "the paper", on=listed(own)))
    if not said:
        return "The paper makes no claim of what was made here that a table could judge."
    where = listed(dict.fromkeys(dataset_name(each.dataset) for each in claims))
    return f"On {where}, these runs {listed(said)}."


def listed(words: Iterable[str]) -> str:
    """Return words as a list in a sentence.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def result_lines(tables: Mapping[str, pd.DataFrame], claims: Sequence[Judged]) -> tuple[str, ...]:
    """Return what runs came to in a few lines for a terminal: claims, dreams, readout.

    Parameters
    ----------
    tables
        Of figures, by name.
    claims
        The paper's claims of them, judged.
    """
    lines = [f"Claims of the paper: {counts(claims)}."] if claims else []
    for figure, said in (("figure-3", _dreams), ("table-1", _readout)):
        own = measured(tables[figure]) if figure in tables else pd.DataFrame(columns=["dataset"])
        several = own["dataset"].nunique() > 1
        for dataset, rows in own.groupby("dataset", sort=False):
            if text := said(rows):
                lines.append(f"{dataset_name(str(dataset))}: {text}" if several else text)
    return tuple(lines)


def _dreams(rows: pd.DataFrame) -> str:
    early, late = rows["epoch"].min(), rows["epoch"].max()
    first = rows[rows["parameter"] == rows["parameter"].iloc[0]]
    parts = []
    for measure, night in (("frechet_nrem", "NREM"), ("frechet_rem", "REM")):
        own = first[first["measure"] == measure]
        means = [over_seeds(own[own["epoch"] == epoch]["value"]) for epoch in (early, late)]
        if before_after := [f"{mean.mean:.1f}" for mean in means if mean]:
            parts.append(f"{night} {' to '.join(before_after)}")
    said = f"Dreams, Fréchet distance to what was seen, epoch {early} to {late}"
    return f"{said}: {', '.join(parts)}." if parts else ""


def _readout(rows: pd.DataFrame) -> str:
    own = rows[(rows["measure"] == READOUT_ACCURACY) & (rows["parameter"] == "latent")]
    means = {str(name): over_seeds(group["value"]) for name, group in own.groupby("condition", sort=False)}
    said = [f"{label(name)} {100 * found.mean:.1f}" for name, found in means.items() if found]
    return f"Readout, %: {', '.join(said)}." if said else ""
