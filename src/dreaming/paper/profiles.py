"""Profiles: how much of the paper is run, on which images, with how large a network."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Ge, MinLen
from pydantic import Field, ValidationError, field_validator, model_validator

from dreaming.conditions import condition, configure
from dreaming.config import Config
from dreaming.errors import UserError, nearest
from dreaming.paper.panels import FIGURES, When, named
from dreaming.paper.published import EPOCHS, LONG_EPOCHS
from dreaming.parameters import Parameters, sentence

PLANNED = (
    *("condition", "seed", "dataset.name", "dataset.limit"),
    *("training.epochs", "training.snapshots", "training.device"),
)
"""Fields of the config that the plan decides on, so that no setting can."""
NOT_OF_THE_PROTOCOL = ("training.precision", "training.path")
"""Fields of the config that change how a number is computed and not which."""
Count = Annotated[int, Ge(1)]


class Profile(Parameters):
    """How much of the paper is run.

    Examples
    --------
    >>> PAPER.epochs_of("end"), PAPER.epochs_of("early and end")
    ((50,), (1, 50))
    >>> DEMO.deviations()[0]
    '40 epochs in place of 50'
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """What the profile is called."""
    datasets: Annotated[tuple[str, ...], MinLen(1)]
    """Which images."""
    seeds: Count = 4
    """How many seeds, from 0."""
    epochs: Annotated[int, Ge(2)] = EPOCHS
    """Epochs of training for all figures but appendix figure 3."""
    long_epochs: Annotated[int, Ge(2)] = LONG_EPOCHS
    """Epochs of training for appendix figure 3; a run for it is the one for the other figures, gone on with."""
    early: Count = 1
    """The epoch after which dreams are early."""
    every: Count = 1
    """Curves have a point at epoch 0, at the early one and at every so many epochs."""
    limit: Count | None = None
    """How many images of each split are taken; all by default."""
    features: Annotated[tuple[Literal["classifier", "inception"], ...], MinLen(1)] = ("classifier",)
    """In which features dreams are compared with what was seen."""
    samples: Annotated[int, Ge(2)] = 10_000
    """How many dreams are compared."""
    figures: Annotated[tuple[str, ...], MinLen(1)] = tuple(FIGURES)
    """Which figures and tables."""
    settings: tuple[str, ...] = ()
    """``PATH=VALUE`` settings of the config of every run."""

    @field_validator("datasets", "figures", "features", "settings", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _sound(self) -> "Profile":
        for figure in self.figures:
            if figure not in FIGURES:
                raise ValueError(f"figures: there is no '{figure}'; {nearest(figure, FIGURES)}")
        for several in ("datasets", "figures"):
            if len(set(getattr(self, several))) < len(getattr(self, several)):
                raise ValueError(f"{several} names one of them twice")
        if self.long_epochs < self.epochs:
            raise ValueError(f"long_epochs is {self.long_epochs}, which is less than epochs, {self.epochs}")
        if self.early >= self.epochs:
            raise ValueError(f"early is {self.early}, and should be less than epochs, {self.epochs}")
        for setting in self.settings:
            path = setting.partition("=")[0].strip()
            if path in PLANNED:
                own = ", ".join(name for name in type(self).model_fields if name not in ("name", "settings"))
                raise ValueError(f"{path} is what the plan decides on; set one of: {own}")
        return self

    def epochs_of(self, when: When) -> tuple[int, ...]:
        """List the epochs that are meant."""
        last = self.long_epochs if when == "long curve" else self.epochs
        if when in ("curve", "long curve"):
            return tuple(sorted({0, self.early, self.epochs, last, *range(0, last + 1, self.every)}))
        if when == "trained":
            return tuple(range(1, last + 1))
        first = {"end": (), "start and end": (0,), "early and end": (self.early,)}[when]
        return (*first, last)

    def config(
        self, dataset: str, name: str, seed: int, epochs: int, snapshots: str, device: str = "auto"
    ) -> Config:
        """Make the config of a run. A setting of a phase that a condition lacks passes it over.

        Raises
        ------
        UserError
            If a setting does not fit.
        """
        phases = {phase.name for phase in condition(name)}
        everywhere = {phase.name for phase in condition("pad")}
        settings = []
        for setting in self.settings:
            path = setting.partition("=")[0].strip().split(".")
            if path[0] != "phases" or len(path) < 2 or path[1] not in everywhere - phases:
                settings.append(setting)
        return configure(
            name,
            settings=settings,
            dataset={"name": dataset, "limit": self.limit},
            training={"epochs": epochs, "snapshots": snapshots, "device": device},
            seed=seed,
        )

    def deviations(self) -> list[str]:
        """List where the runs are other than those the paper's numbers come from, but for the number of seeds."""
        found = [] if self.epochs == EPOCHS else [f"{self.epochs} epochs in place of {EPOCHS}"]
        found += [] if self.limit is None else [f"the first {self.limit} images of each split"]
        for setting in self.settings:
            if setting.partition("=")[0].strip() not in NOT_OF_THE_PROTOCOL:
                found.append(setting)
        return found

    def but(self, settings: Sequence[str]) -> "Profile":
        """Change fields of the profile by ``FIELD=VALUE``, and settings of its runs by ``PATH=VALUE``.

        Raises
        ------
        UserError
            If there is no such field, or a value does not fit.

        Examples
        --------
        >>> changed = PAPER.but(["seeds=2", "networks.base_channels=16", "datasets=cifar10"])
        >>> changed.seeds, changed.settings, changed.datasets
        (2, ('networks.base_channels=16',), ('cifar10',))
        """
        if not settings:
            return self
        content = self.model_dump()
        own = [name for name in content if name not in ("name", "settings")]
        for setting in settings:
            path, equals, text = setting.partition("=")
            path = path.strip()
            if not equals:
                raise UserError(f"--set wants PATH=VALUE, and got '{setting}'")
            first = path.partition(".")[0]
            if path in own:
                content[path] = _value(path, text)
            elif first in Config.model_fields:
                content["settings"] = (*content["settings"], setting)
            else:
                known = [*own, *(name for name in Config.model_fields if name not in PLANNED)]
                raise UserError(
                    f"--set {path}: neither the profile nor a run's config has '{first}'; {nearest(first, known)}"
                )
        return _made(content, "--set")


def _value(path: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f"--set {path}: cannot read the value '{text}'") from None


def _made(content: Any, where: str) -> Profile:
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{where}: {sentence(error, Profile)}") from None


DEMO = Profile(
    name="demo",
    datasets=("house_digits",),
    seeds=2,
    epochs=40,
    long_epochs=40,
    every=5,
    samples=1500,
    figures=(
        *("table-1", "figure-3", "figure-4", "figure-5", "figure-6", "figure-9"),
        *("appendix-figure-1", "appendix-figure-3"),
    ),
    settings=(*("networks.base_channels=16", "networks.latent_dim=64", "training.batch_size=32"),),
)
"""All conditions of table 1 on a laptop in minutes, without a download."""

QUICK = Profile(
    name="quick",
    datasets=("cifar10",),
    epochs=3,
    long_epochs=3,
    samples=5000,
    figures=(
        *("table-1", "figure-3", "figure-4", "figure-5", "figure-6", "figure-9"),
        *("appendix-figure-1", "appendix-figure-3"),
    ),
)
"""Real images at full width and as many seeds as the paper has, for a few epochs: hours on two cores."""

PAPER = Profile(name="paper", datasets=("cifar10", "svhn"), features=("classifier", "inception"))
"""As the paper has it."""

PROFILES = {profile.name: profile for profile in (DEMO, QUICK, PAPER)}


def profile(name: str | Path, settings: Sequence[str] = ()) -> Profile:
    """Find a profile by its name, or read one of the user's own from a YAML file.

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
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return _read(path).but(settings)
    if str(name) not in PROFILES:
        raise UserError(
            f"there is no profile '{name}'; {nearest(str(name), PROFILES)} "
            "(or name a file of your own that ends in .yaml)"
        )
    return PROFILES[str(name)].but(settings)


def _read(path: Path) -> Profile:
    try:
        content = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"there is no profile {path}") from None
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no profile: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is no profile: it should hold fields such as `seeds: 2`")
    base = str(content.pop("base", "paper"))
    if base not in PROFILES:
        raise UserError(f"{path}: base: there is no profile '{base}'; {nearest(base, PROFILES)}")
    called = re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).lstrip("_.-") or "own"
    return _made({**PROFILES[base].model_dump(), "name": called, **content}, str(path))


def chosen(own: Profile, only: Sequence[str]) -> tuple[str, ...]:
    """List the figures to make, in the report's order: the profile's, or those that are named.

    Raises
    ------
    UserError
        If a name is none of the paper's figures.
    """
    for figure in only:
        named(figure)
    return tuple(figure for figure in FIGURES if figure in (only or own.figures))
