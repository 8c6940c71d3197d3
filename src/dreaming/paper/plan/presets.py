"""Profiles by name, or from a file of the user's own: `demo`, `quick`, `paper`."""

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from dreaming.errors import UserError, nearest, spelled
from dreaming.paper.figures import FIGURES, named
from dreaming.paper.figures.figure import DOSES, OWN_MEASURES, SCHEDULES
from dreaming.paper.plan.profile import Profile, profile_of
from dreaming.system.disk import expanded
from dreaming.system.texts import content_of, yaml_of

_FIGURES = ("table-1", "figure-3", "figure-4", "figure-5", "figure-6", "figure-9")
_SHORT = (*_FIGURES, "appendix-figure-1")
_NARROW = (
    "networks.base_channels=16",
    "networks.latent_dim=32",
    "training.batch_size=32",
    "optimizer.learning_rate=1e-3",
)
# fmt: off
PROFILES = {own.name: own for own in (
    # All conditions of table 1 on a laptop in minutes, without a download. Chosen after a look at seeds 0 to 3; on
    # seeds 4 to 7, 5 of the 6 claims of figures 3, 5 and 6 hold, and one cannot be told: results/2026-11-26_demo.
    Profile(name="demo",  datasets=("digits",), epochs=12, long_epochs=12, every=2,
            samples=1500, figures=_SHORT, settings=_NARROW),
    # Real images at full width, for a few epochs and two seeds: an hour on two cores, or two if they are busy.
    Profile(name="quick", datasets=("cifar10",),      seeds=2, epochs=3, long_epochs=3,
            samples=5000, figures=_SHORT),
    # As the paper has it.
    Profile(name="paper", datasets=("cifar10", "svhn"), features=("classifier", "inception")),
)}
# fmt: on
EXAMPLES = {
    DOSES: "--sweep phases.rem.dose=0,0.5,1",
    SCHEDULES: "--schedule pad:2,without_rem:4,pad",
    OWN_MEASURES: "--set measures=FILE.py:NAME",
}


def profile(name: str | Path, settings: Sequence[str] = ()) -> Profile:
    """Return a profile by its name, or read one of the user's own from a YAML file.

    Parameters
    ----------
    name
        ``demo``, ``quick``, ``paper``, or a file that ends in .yaml or .yml with fields of `Profile`; its ``base``
        names the profile that the other fields are taken from (``paper`` by default).
    settings
        ``FIELD=VALUE`` of the profile and ``PATH=VALUE`` of every run's config, applied last.

    Raises
    ------
    UserError
        If there is no such profile (the nearest is suggested), or the file is none.

    Examples
    --------
    >>> profile("quick", ["seeds=3"]).seeds
    3
    """
    path = expanded(name)
    if path.suffix in (".yaml", ".yml"):
        return _read(path).but(settings)
    if (known := spelled(str(name), PROFILES)) not in PROFILES:
        raise UserError(
            f"there is no profile '{name}'; {nearest(str(name), PROFILES)} "
            "(or name a file of your own that ends in .yaml)"
        )
    return PROFILES[known].but(settings)


def _read(path: Path) -> Profile:
    if not path.exists():
        raise UserError(f"there is no profile {path}")
    try:
        content = yaml_of(content_of(path))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no profile: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is no profile: it should hold fields such as `seeds: 2`")
    base = str(content.pop("base", "paper"))
    if base not in PROFILES:
        raise UserError(f"{path}: base: there is no profile '{base}'; {nearest(base, PROFILES)}")
    called = re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).lstrip("_.-") or "own"
    return profile_of({**PROFILES[base].model_dump(), "name": called, **content}, str(path), path.parent)


def chosen(own: Profile, only: Sequence[str]) -> tuple[str, ...]:
    """Return the figures to make, in the report's order: the profile's, or those that are named.

    Raises
    ------
    UserError
        If there is no such figure, or nothing to draw in it.
    """
    only = [spelled(figure, FIGURES) for figure in only]
    there = {SCHEDULES: own.schedules, DOSES: own.sweeps, OWN_MEASURES: own.measures}
    for figure in (*only, *own.figures):
        named(figure)
        if not there.get(figure, True):
            raise UserError(
                f"{figure} has nothing to draw: the profile names none; give, for example, {EXAMPLES[figure]}"
            )
    wanted = only or (*own.figures, *(figure for figure, given in there.items() if given))
    return tuple(figure for figure in FIGURES if figure in wanted)
