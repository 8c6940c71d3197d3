"""Everything a run is: frozen, typed, validated, and written beside its results."""

import copy
import inspect
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import torch
import yaml
from annotated_types import Ge, Le
from pydantic import (
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from dreaming.config.naming import cycle_name, special
from dreaming.config.schedule import PHASE_KINDS, Phases, Stage
from dreaming.config.settings import assign, difference, path_and_value
from dreaming.errors import UserError, brief
from dreaming.model.cortex import Cortex
from dreaming.model.hippocampus import HippocampusConfig
from dreaming.model.networks import IMAGE_SIZE, layer_widths
from dreaming.model.occlusion import Occlusion
from dreaming.model.organs import grow_organs
from dreaming.model.parameters import Parameters, Recorded
from dreaming.model.phases import NREM, REM, Phase, Wake
from dreaming.model.plasticity import Optimizer
from dreaming.rng import generator, seeded
from dreaming.system.texts import FOLDER_NAME, content_of, sentence, yaml_of

MOST_WEIGHTS = 2**28
"""Of one cortex, a gigabyte; the paper's has 3.4 million."""

ImageSize = Literal[16, 32, 64, 128]
IMAGE_SIZES: tuple[int, ...] = get_args(ImageSize)


def plain_name(dataset: str) -> str:
    """Return the name of a data set with the path of a folder as it is written plainly.

    Examples
    --------
    >>> plain_name("folder:./cats//grey/"), plain_name("digits")
    ('folder:cats/grey', 'digits')
    """
    kind, colon, path = dataset.partition(":")
    return f"{kind}:{Path(path).as_posix()}" if colon and kind == "folder" else dataset


class DatasetConfig(Parameters):
    """Which images are seen."""

    name: str = Field(default="digits", pattern=rf"^(folder:[^\x00-\x1f\x7f-\x9f]+|{FOLDER_NAME})$")
    """``digits``, ``house_digits``, ``cifar10``, ``cifar100``, ``stl10``, ``svhn`` or ``folder:PATH``."""
    limit: Annotated[int, Ge(1)] | None = None
    """How many images of each split are taken, some of every class; all by default. Of ``house_digits``, as many
    are drawn as this says, 8,000 and 2,000 by default."""

    @field_validator("name")
    @classmethod
    def _one_name(cls, name: str) -> str:
        """Write the path of a folder in one way: folder:imgs/ and folder:./imgs are folder:imgs."""
        return plain_name(name)


class Networks(Parameters):
    """The size of the cortex."""

    latent_dim: Annotated[int, Ge(1)] = 256
    """Number of latents n_z."""
    base_channels: Annotated[int, Ge(1)] = 64
    """Channels of the lowest layer; each further one has twice as many."""
    image_channels: Literal[1, 3] = 3
    """3 sees colour, 1 sees luminance."""
    image_size: ImageSize = 32
    """Height and width of images, to which they are brought: 16, 32, 64 or 128 pixels. Each doubling takes one more
    layer in each pathway."""

    @model_validator(mode="after")
    def _possible(self) -> "Networks":
        c, n = self.base_channels, self.latent_dim
        widths = [self.image_channels, *layer_widths(c, self.image_size), n]
        weights = 2 * 16 * sum(math.prod(layer) for layer in pairwise(widths))
        if weights > MOST_WEIGHTS:
            raise ValueError(
                f"networks of base_channels {brief(c)}, latent_dim {brief(n)} and image_size {self.image_size} "
                f"have more than {MOST_WEIGHTS:,} weights"
            )
        return self

    def build(self, seed: int) -> Cortex:
        """Make an untrained cortex whose weights depend on the seed alone."""
        random = generator(seed, "init")
        return Cortex(self.latent_dim, self.base_channels, self.image_channels, random, self.image_size)


class Training(Parameters):
    """How long, in which portions and on what a cortex is trained."""

    epochs: Annotated[int, Ge(0)] = 50
    """Passes over the training images; more than a finished run has go on with it."""
    batch_size: Annotated[int, Ge(2)] = 64
    """Images of one cycle; at least 2, since L_KL needs a standard deviation."""
    precision: Literal["auto", "float32", "tf32", "bfloat16"] = "auto"
    """Precision of the arithmetic; weights, losses and optimisers are float32 in any case. ``auto`` is bfloat16
    for wide networks of the paper's make on a CPU that is fast in it, and else float32;
    ``tf32`` is a GPU's."""
    path: Literal["auto", "plain", "captured"] = "auto"
    """How cycles are run: one operation after another, or as one captured program. ``auto`` captures on
    a GPU on which `dreaming doctor` has found that right."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
    snapshots: str = Field(default="all", pattern=r"^(all|ends|\d+(,\d+)*)$")
    """Epochs whose weights and dreams are kept: ``all``, ``ends`` or a list such as ``1,5,50``; the untrained
    cortex (0) is always kept."""
    memories_across_epochs: bool = False
    """Whether the last day of an epoch is remembered in the first night of the next."""

    @property
    def number_type(self) -> torch.dtype | None:
        """The number type of maps and products, or None for that of the weights."""
        return torch.bfloat16 if self.precision == "bfloat16" else None

    def keeps(self, epoch: int) -> bool:
        """Return whether weights and dreams after this epoch are kept."""
        if epoch == 0 or self.snapshots == "all":
            return True
        if self.snapshots == "ends":
            return epoch == self.epochs
        return epoch in map(int, self.snapshots.split(","))

    @model_validator(mode="after")
    def _reachable(self) -> "Training":
        listed = (
            [] if self.snapshots in ("all", "ends") else [int(epoch) for epoch in self.snapshots.split(",")]
        )
        if listed and max(listed) > self.epochs:
            raise ValueError(f"snapshot {max(listed)} lies beyond the last epoch, {self.epochs}")
        return self


NAMELESS = frozenset(
    {
        *("condition", "dataset", "seed"),
        *(f"networks.{name}" for name in Networks.model_fields),
        *(f"training.{name}" for name in Training.model_fields if name != "memories_across_epochs"),
    }
)
"""Fields that are not in the name of a condition: which images, how large, how long, where and how exactly.
Seeds in which one of them differs that changes what is learnt are not trained beside one another, nor averaged."""


class Config(Parameters):
    """Everything a run is.

    Examples
    --------
    >>> config = Config(phases=(Wake(), NREM()), seed=3)
    >>> config.phases[1].weight, config.condition
    (1.0, 'rem_deprived')
    >>> Config.model_validate(config.model_dump()) == config
    True
    """

    condition: str = Field(default="pad", pattern=f"^{FOLDER_NAME}$")
    """Name of the condition, and of its folder; by default that of its phases, with what is special in it."""
    dataset: DatasetConfig = DatasetConfig()
    """Which images are seen."""
    networks: Networks = Networks()
    """The size of the cortex."""
    optimizer: Optimizer = Optimizer()
    """Adam's parameters."""
    hippocampus: HippocampusConfig = HippocampusConfig()
    """How much is stored of past days, and how sleep retrieves it."""
    phases: Phases = (Wake(), NREM(), REM())
    """The phases of a cycle, in order."""
    schedule: tuple[Stage, ...] = ()
    """Stages that follow, each with phases of its own."""
    training: Training = Training()
    """How long, in which portions and on what."""
    seed: Annotated[int, Ge(0), Le(2**63 - 1)] = 0
    """The seed all random numbers of the run grow from."""

    @model_validator(mode="before")
    @classmethod
    def _sources_apart(cls, content: Any) -> Any:
        """Read a config in which one file was recorded for all phases of the user's own, beside them."""
        if not isinstance(content, dict) or "phase_source" not in content:
            return content
        content = copy.deepcopy(content)
        file = content.pop("phase_source")
        for part in (content, *_stages({"schedule": (), **content})) if isinstance(file, dict) else ():
            for values in part["phases"].values() if isinstance(part.get("phases"), dict) else ():
                if isinstance(values, dict) and values.get("kind", "wake") not in PHASE_KINDS:
                    values["source"] = {name: file.get(name) for name in ("file", "sha256")}
        return content

    @field_validator("schedule")
    @classmethod
    def _in_order(cls, schedule: tuple[Stage, ...]) -> tuple[Stage, ...]:
        begins = [stage.after for stage in schedule]
        if begins != sorted(set(begins)):
            raise ValueError(
                f"stages begin after epochs {', '.join(map(str, begins))}, which is out of order"
            )
        return schedule

    @model_validator(mode="after")
    def _called_by_what_it_is(self) -> "Config":
        if "condition" not in self.model_fields_set:
            name, phases = cycle_name(self.phases)
            vars(self)["condition"] = name + self.special(Config.model_construct(phases=phases))
        return self

    @model_validator(mode="after")
    def _draw_for_their_size(self) -> "Config":
        """Refuse phases and occlusions of the user's own that draw for images of the paper's size alone."""
        size = self.networks.image_size
        for group in self.groups():
            if not (isinstance(group, Occlusion) or (isinstance(group, Phase) and size != IMAGE_SIZE)):
                continue
            wanted = ["random", "batch_size", *["latent_dim"] * isinstance(group, Phase), "image_size"]
            try:
                inspect.signature(group.draw).bind(*wanted)
            except TypeError:
                raise ValueError(
                    f"draw of {type(group).__name__} takes no image size, and images have {size} x {size} pixels; "
                    f"write draw(self, {', '.join(wanted)})"
                ) from None
        return self

    def phases_in(self, epoch: int) -> tuple[Phase, ...]:
        """Return the phases of a cycle in an epoch, counted from 1.

        Examples
        --------
        >>> later = Stage(after=10, condition="without_nrem", phases=(Wake(), REM()))
        >>> config = Config(schedule=(later,))
        >>> [len(config.phases_in(epoch)) for epoch in (1, 10, 11)]
        [3, 3, 2]
        """
        begun = [stage.phases for stage in self.schedule if epoch > stage.after]
        return begun[-1] if begun else self.phases

    def special(self, usual: "Config") -> str:
        """Return what is added to the name of a condition where it is not as usual (see `special`).

        Examples
        --------
        >>> Config(phases=(Wake(), REM(replay={"noise": 0.1}))).special(Config(phases=(Wake(), REM())))
        '+rem.replay.noise-0.1'
        """
        return special(self, usual, NAMELESS)

    def condition_in(self, epoch: int) -> str:
        """Return what the stage of an epoch, counted from 1, is called; empty without a schedule.

        Examples
        --------
        >>> later = Stage(after=10, condition="without_nrem", phases=(Wake(), REM()))
        >>> config = Config(condition="pad-10-without_nrem", schedule=(later,))
        >>> config.condition_in(10), config.condition_in(11), Config().condition_in(1)
        ('pad', 'without_nrem', '')
        """
        first = re.sub(r"-\d+-.*", "", self.condition) if self.schedule else ""
        return [first, *(stage.condition for stage in self.schedule if epoch > stage.after)][-1]

    def cortex(self) -> Cortex:
        """Make the untrained cortex, with the organs of all its phases; the seed decides its weights."""
        with seeded(self.seed, "init"):
            cortex = self.networks.build(self.seed)
        phases = [phase for cycle in self.cycles() for phase in cycle if not isinstance(phase, Recorded)]
        return grow_organs(cortex, phases, self.seed)

    def cycles(self) -> list[tuple[Phase, ...]]:
        """List the phases of a cycle in each stage of the schedule, the first stage's first."""
        return [self.phases, *(stage.phases for stage in self.schedule)]

    def identity(self) -> dict[str, Any]:
        """Return what makes this run this run: all but how long, where, and how much is kept."""
        content = self.content()
        for name in ("epochs", "device", "path", "snapshots"):
            del content["training"][name]
        return content

    def content(self) -> dict[str, Any]:
        """Return the config as plain values.

        Raises
        ------
        UserError
            If the source of a class of the user's own cannot be found, and so not be recorded.
        """
        for group in self.groups():
            group.class_record()  # whose error would come out of a dump in pydantic's words
        return self.model_dump(mode="json")

    def difference(self, wanted: "Config", in_order: bool = True) -> tuple[str, Any, Any] | None:
        """Return the first place in which the identity of another config differs: its path, and both values.

        Parameters
        ----------
        wanted
            The other config.
        in_order
            Whether another order of phases is a difference too.
        """
        here, there = self.identity(), wanted.identity()
        for own, other in zip(_parts(here), _parts(there), strict=False):
            for name, values in own["phases"].items():
                if "source" not in values:  # as in runs from before it was recorded
                    other["phases"].get(name, {}).pop("source", None)
        if not in_order:
            here, there = (json.loads(json.dumps(each, sort_keys=True)) for each in (here, there))
        return difference(here, there)

    def groups(self) -> Iterator[Parameters]:
        """Yield every group of parameters in the config, those within others too."""
        return groups_in(self)

    def own(self) -> dict[str, type[Parameters]]:
        """Return the classes that are not the project's, by name; those that a record alone tells of left out.

        Raises
        ------
        UserError
            If two have one name.
        """
        found: dict[str, type[Parameters]] = {}
        for group in self.groups():
            cls = type(group)
            own = not cls.__module__.startswith("dreaming.")
            if own and found.setdefault(cls.__name__, cls) is not cls:
                raise UserError(f"two classes are called {cls.__name__}; give one of them another name")
        return found

    def to_yaml(self) -> str:
        """Write the config as YAML, which `from_yaml` reads."""
        return yaml.safe_dump(self.content(), sort_keys=False)

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """Show the config in a notebook as its YAML."""
        printer.text(self.to_yaml())

    @classmethod
    def from_yaml(cls, path: str | Path) -> "Config":
        """Read a config file, such as the ``config.yaml`` of a run.

        Raises
        ------
        UserError
            If the file is missing, no YAML, or no config.
        """
        text = content_of(Path(path))
        try:
            content = yaml_of(text)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"{path} is damaged: it is no YAML ({said})") from None
        if not isinstance(content, dict):
            raise UserError(f"{path} is damaged: it holds no config")
        return validated(content, str(path))

    def but(self, settings: Sequence[str]) -> "Config":
        """Return this config with ``PATH=VALUE`` settings changed, each typed by the field it names.

        Its condition is called by what they change, unless one of them is its name.

        Raises
        ------
        UserError
            If a path names no field (the nearest is suggested) or a value does not fit.

        Examples
        --------
        >>> changed = Config().but(["phases.rem.replay.noise=0.3"])
        >>> changed.phases[2].replay.noise, changed.condition
        (0.3, 'pad+rem.replay.noise-0.3')
        """
        if not settings:
            return self
        # Each group keeps its class: values are changed in the dump, and the classes looked up again by name.
        content = self.content()
        for setting in settings:
            _set(content, *path_and_value(setting))
        changed = validated(content, "--set", self.own())
        return (
            changed if names_condition(settings) else changed.called(self.condition + changed.special(self))
        )

    def called(self, condition: str) -> "Config":
        """Return this config with another name of its condition."""
        return self.model_copy(update={"condition": condition})


def names_condition(settings: Sequence[str]) -> bool:
    """Return whether one of some ``PATH=VALUE`` settings is the name of the condition."""
    return any(path_and_value(setting)[0] == ["condition"] for setting in settings)


def _set(content: dict[str, Any], path: list[str], text: str) -> None:
    """Change one value; one of a phase, in every stage that has the phase."""
    of_a_phase = path[0] == "phases" and len(path) > 1
    later = [stage for stage in _stages(content) if of_a_phase and path[1] in stage["phases"]]
    for stage in later:
        assign(stage, path, text)
    if not later or path[1] in content["phases"]:
        assign(content, path, text)


def _stages(content: dict[str, Any]) -> list[dict[str, Any]]:
    """List the stages of a schedule, as far as a setting has left them such; what is none is refused later."""
    schedule = content["schedule"] if isinstance(content["schedule"], list) else []
    return [stage for stage in schedule if isinstance(stage, dict) and isinstance(stage.get("phases"), dict)]


def _parts(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [content, *_stages(content)]


def groups_in(value: Any) -> Iterator[Parameters]:
    """Yield a group of parameters and those within it."""
    if isinstance(value, Parameters):
        yield value
        value = tuple(each for _, each in value)
    for each in value if isinstance(value, tuple) else ():
        yield from groups_in(each)


def validated(content: Any, where: str, classes: Mapping[str, type[Parameters]] | None = None) -> Config:
    """Return the config of plain values; a refusal names in one sentence what is wrong with them.

    Parameters
    ----------
    content
        The values.
    where
        Where they come from, for the sentence.
    classes
        Classes of the user's own, by their names as ``kind``.

    Raises
    ------
    UserError
        Naming the place, the first mistake in it and, for an unknown key, the nearest known one.
    """
    try:
        run = {"run": str(Path(where).parent)} if Path(where).name == "config.yaml" else {}
        return Config.model_validate(content, context={"classes": classes or {}, **run})
    except ValidationError as error:
        raise UserError(f"{where}: {sentence(error, Config)}") from None
