"""A profile: how much of the paper is run, on which images, with how large a network, and what beside it."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen
from pydantic import Field, ValidationError, field_validator, model_validator

from dreaming.config.config import Config
from dreaming.config.configure import configure
from dreaming.config.settings import assign, path_and_value
from dreaming.data import names
from dreaming.errors import UserError, nearest, spelled
from dreaming.evaluation.measures.measure import Measure
from dreaming.evaluation.measuring import MEASURES, chosen_measures
from dreaming.model.conditions import condition
from dreaming.model.parameters import Count, Parameters
from dreaming.paper.figures import FIGURES, OF_THE_PAPER, named
from dreaming.paper.figures.figure import DOSES, EVERY, SCHEDULES, Need, When
from dreaming.paper.plan.own_conditions import Dose, schedule_config, sweep_doses
from dreaming.paper.published import EPOCHS, LONG_EPOCHS
from dreaming.system.disk import expanded
from dreaming.system.texts import sentence

PLANNED = (
    "condition",
    "seed",
    "dataset.name",
    "dataset.limit",
    "networks.image_size",
    "training.epochs",
    "training.snapshots",
    "training.device",
)
"""Fields of the config that the plan decides on, so that no setting can."""
NOT_OF_THE_PROTOCOL = ("training.precision", "training.path")
"""Fields of the config that change how a number is computed and not which."""


class Profile(Parameters):
    """How much of the paper is run.

    Examples
    --------
    >>> from dreaming.paper.plan.presets import profile
    >>> profile("paper").epochs_of("end"), profile("paper").epochs_of("early and end")
    ((50,), (1, 50))
    >>> profile("demo").deviations()[0]
    '12 epochs in place of 50'
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """What the profile is called."""
    datasets: Annotated[tuple[str, ...], MinLen(1)]
    """Which images."""
    seeds: Count = 4
    """How many seeds."""
    first_seed: Annotated[int, Ge(0)] = 0
    """The first of them; that of a confirmation is one behind those that were looked at."""
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
    figures: Annotated[tuple[str, ...], MinLen(1)] = OF_THE_PAPER
    """Which figures and tables."""
    settings: tuple[str, ...] = ()
    """``PATH=VALUE`` settings of the config of every run."""
    schedules: tuple[str, ...] = ()
    """``CONDITION:EPOCH,...,CONDITION``: sleep deprivation and recovery, for the figure ``schedules``."""
    sweeps: tuple[str, ...] = ()
    """``PATH=VALUE,VALUE,...`` of PAD, such as ``phases.rem.dose=0,0.5,1``, for the figure ``doses``."""
    measures: tuple[str, ...] = ()
    """Measures that are not the paper's, for the figure ``measures``: built-in ones by name, and the user's own as
    ``FILE.py:NAME``, where FILE lies as seen from the profile's file."""

    @field_validator("datasets", "figures", "features", "settings", "measures", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("datasets", "figures")
    @classmethod
    def _as_written(cls, value: tuple[str, ...], info: Any) -> tuple[str, ...]:
        known = names() if info.field_name == "datasets" else FIGURES
        return tuple(spelled(each, known) for each in value)

    @field_validator("measures")
    @classmethod
    def _measurable(cls, value: tuple[str, ...], info: Any) -> tuple[str, ...]:
        folder = info.context or Path()
        found = tuple(str(folder / expanded(spec)) if ":" in spec else spec for spec in value)
        of_the_paper = {need.measure for figure in OF_THE_PAPER for need in FIGURES[figure].needs}
        try:
            kinds = {type(measure) for measure in chosen_measures(found)}
        except UserError as mistake:
            raise ValueError(str(mistake).removeprefix("--measures: ")) from None
        for name in MEASURES:
            if name in of_the_paper and MEASURES[name] in kinds:
                raise ValueError(f"{name} is one of the paper's, whose figures show it; leave it out")
        return found

    @field_validator("schedules", "sweeps", mode="before")
    @classmethod
    def _with_commas(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(";")) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _sound(self) -> "Profile":
        if self.long_epochs < self.epochs:
            raise ValueError(f"long_epochs is {self.long_epochs}, which is less than epochs, {self.epochs}")
        if self.early >= self.epochs:
            raise ValueError(f"early is {self.early}, and should be less than epochs, {self.epochs}")
        try:
            for figure in self.figures:
                named(figure)
            swept = [f"{dose.field}={dose.value}" for dose in self.doses]
            schedules = [schedule_config(text, self.epochs).condition for text in self.schedules]
        except UserError as mistake:
            raise ValueError(str(mistake)) from None
        lists = {"datasets": self.datasets, "figures": self.figures, "schedules": schedules, "sweeps": swept}
        for field, named_there in lists.items():
            if twice := [name for name in named_there if named_there.count(name) > 1]:
                raise ValueError(f"{field} names {twice[0]} twice")
        for setting in (*self.settings, *swept):
            path = setting.partition("=")[0].strip()
            if path in PLANNED:
                own = ", ".join(name for name in type(self).model_fields if name not in ("name", "settings"))
                raise ValueError(f"{path} is what the plan decides on; set one of: {own}")
        return self

    @cached_property
    def scheduled(self) -> dict[str, str]:
        """The schedules, by what their runs are called."""
        return {schedule_config(text, self.epochs).condition: text for text in self.schedules}

    @cached_property
    def doses(self) -> tuple[Dose, ...]:
        """The doses of all sweeps."""
        return tuple(dose for sweep in self.sweeps for dose in sweep_doses(sweep))

    @cached_property
    def own_measures(self) -> tuple[Measure, ...]:
        """The measures that are not the paper's; a file of the user's own is executed once."""
        return tuple(chosen_measures(self.measures))

    @property
    def all_seeds(self) -> range:
        """The seeds."""
        return range(self.first_seed, self.first_seed + self.seeds)

    def conditions_of(self, need: Need) -> tuple[str, ...]:
        """Return the conditions that are meant, by name."""
        own = {SCHEDULES: tuple(self.scheduled), DOSES: tuple(dose.condition for dose in self.doses)}
        needs = (each for figure in self.figures for each in FIGURES[figure].needs)
        drawn = (name for each in needs for name in each.conditions if name not in (*own, EVERY))
        own[EVERY] = (*drawn, *own[SCHEDULES], *own[DOSES])
        return tuple(dict.fromkeys(name for meant in need.conditions for name in own.get(meant, (meant,))))

    def epochs_of(self, when: When) -> tuple[int, ...]:
        """Return the epochs that are meant."""
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
        schedule = self.scheduled.get(name)
        dose = next((dose for dose in self.doses if dose.condition == name != "pad"), None)
        base = "pad" if schedule or dose else name
        later = configure(schedule=schedule).schedule if schedule else ()
        phases = {
            phase.name for cycle in (condition(base), *(stage.phases for stage in later)) for phase in cycle
        }
        absent = {phase.name for phase in condition("pad")} - phases
        passed_over = tuple(f"phases.{phase}." for phase in absent)
        settings = [setting for setting in self.settings if not setting.strip().startswith(passed_over)]
        if dose:
            settings += [f"{dose.field}={dose.value}"]
        return configure(
            base,
            schedule=schedule,
            name=name,
            settings=settings,
            dataset={"name": dataset, "limit": self.limit},
            training={"epochs": epochs, "snapshots": snapshots, "device": device},
            seed=seed,
        )

    def deviations(self) -> list[str]:
        """Return where the runs are other than those the paper's numbers come from, but for the number of seeds."""
        epochs = [] if self.epochs == EPOCHS else [f"{self.epochs} epochs in place of {EPOCHS}"]
        limit = [] if self.limit is None else [f"{self.limit} images of each split"]
        settings = [s for s in self.settings if s.partition("=")[0].strip() not in NOT_OF_THE_PROTOCOL]
        return [*epochs, *limit, *settings]

    def but(self, settings: Sequence[str]) -> "Profile":
        """Change fields of the profile by ``FIELD=VALUE``, and settings of its runs by ``PATH=VALUE``.

        Raises
        ------
        UserError
            If there is no such field, or a value does not fit.

        Examples
        --------
        >>> from dreaming.paper.plan.presets import profile
        >>> changed = profile("paper").but(["seeds=2", "networks.base_channels=16", "datasets=cifar10"])
        >>> changed.seeds, changed.settings, changed.datasets
        (2, ('networks.base_channels=16',), ('cifar10',))
        """
        content = self.model_dump()
        own = [name for name in content if name not in ("name", "settings")]
        for setting in settings:
            path, text = path_and_value(setting)
            if path[0] in own:
                assign(content, path, text, "the profile")
            elif path[0] in Config.model_fields:
                content["settings"] = (*content["settings"], setting)
            else:
                known = [*own, *(field for field in Config.model_fields if field not in PLANNED)]
                raise UserError(
                    f"--set {'.'.join(path)}: neither the profile nor a run's config has '{path[0]}'; "
                    f"{nearest(path[0], known)}"
                )
        return profile_of(content, "--set") if settings else self

    def beside(self, schedules: Sequence[str] = (), sweeps: Sequence[str] = ()) -> "Profile":
        """Add conditions of the user's own.

        Raises
        ------
        UserError
            If one cannot be.

        Examples
        --------
        >>> from dreaming.paper.plan.presets import profile
        >>> profile("quick").beside(sweeps=["phases.rem.dose=0,1"]).doses[0].condition
        'pad+rem.dose-0'
        """
        content = self.model_dump()
        own = {"schedules": (*self.schedules, *schedules), "sweeps": (*self.sweeps, *sweeps)}
        return profile_of({**content, **own}, "--schedule, --sweep") if schedules or sweeps else self


def profile_of(content: Any, where: str, folder: Path | None = None) -> Profile:
    """Make a profile of its fields; ``where`` they come from begins the sentence of a refusal.

    Parameters
    ----------
    content
        The fields.
    where
        The file or the option.
    folder
        Where files of measures lie; the current one by default.

    Raises
    ------
    UserError
        If they do not make one.
    """
    try:
        return Profile.model_validate(content, context=folder)
    except ValidationError as error:
        raise UserError(f"{where}: {sentence(error, Profile)}") from None
