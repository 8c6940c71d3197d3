"""Everything a run is: frozen, typed, validated, and written beside its results."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import yaml
from annotated_types import Ge, Le
from pydantic import (
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from dreaming.errors import UserError, nearest
from dreaming.networks import Cortex
from dreaming.parameters import Parameters, sentence
from dreaming.phases import NREM, REM, Draws, Outcome, Phase, Wake
from dreaming.plasticity import Optimizer, Plasticity
from dreaming.rng import generator
from dreaming.runs import RunFolder

KINDS: dict[str, type[Phase]] = {"wake": Wake, "nrem": NREM, "rem": REM}


class DatasetConfig(Parameters):
    """Which images are seen."""

    name: str = "digits"
    """``digits``, ``house_digits``, ``cifar10``, ``svhn`` or ``folder:PATH``."""
    limit: Annotated[int, Ge(1)] | None = None
    """How many images of each split are taken, from the first; all by default.
    ``house_digits`` are drawn as many as this says; 8,000 and 2,000 by default."""


class Networks(Parameters):
    """The size of the cortex."""

    latent_dim: Annotated[int, Ge(1)] = 256
    """Number of latents n_z."""
    base_channels: Annotated[int, Ge(1)] = 64
    """Channels of the lowest layer; the next have twice and four times as many."""
    image_channels: Literal[1, 3] = 3
    """3 sees colour, 1 sees luminance."""

    def build(self, seed: int) -> Cortex:
        """Make an untrained cortex whose weights depend on the seed alone."""
        return Cortex(self.latent_dim, self.base_channels, self.image_channels, generator(seed, "init"))


class Training(Parameters):
    """How long, in which portions and on what a cortex is trained."""

    epochs: Annotated[int, Ge(0)] = 50
    """Passes over the training images."""
    batch_size: Annotated[int, Ge(2)] = 64
    """Images of one cycle; at least 2, since L_KL needs a standard deviation."""
    precision: Literal["auto", "float32", "tf32", "bfloat16"] = "auto"
    """Precision of the arithmetic; weights, losses and optimisers are float32 in any case. ``auto`` is bfloat16
    for wide networks where the device has instructions for it, else float32; ``tf32`` is a GPU's."""
    path: Literal["auto", "plain", "captured"] = "auto"
    """How cycles are run: one operation after another, or as one captured program. ``auto`` captures on a GPU."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
    snapshots: str = Field(default="all", pattern=r"^(all|ends|\d+(,\d+)*)$")
    """Epochs whose weights and dreams are kept: ``all``, ``ends`` or a list such as ``1,5,50``. The untrained
    cortex (0) is always kept."""
    memories_across_epochs: bool = False
    """Whether the last day of an epoch is remembered in the first night of the next."""

    def keeps(self, epoch: int) -> bool:
        """Tell whether weights and dreams after this epoch are kept."""
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


class PhaseSource(Parameters):
    """Where phases that are the user's own were defined."""

    file: str
    """Name of the Python file, without its folder."""
    name: str
    """Name in that file."""
    sha256: str
    """Checksum of the file."""


class RecordedPhase(Phase):
    """A phase known from a run's record alone: its class was the user's and is not at hand."""

    plasticity: ClassVar = Plasticity(encoder=0, generator=0)
    model_config = ConfigDict(extra="allow")

    kind: str
    """Name of the class."""

    def objective(self, cortex: Any, images: Any, hippocampus: Any, draws: Draws) -> Outcome:
        """Refuse: what this phase computes is not known."""
        raise UserError(
            f"phase '{self.name}' ({self.kind}) is defined in a file of yours; name it with --phases"
        )


class Config(Parameters):
    """Everything a run is.

    Examples
    --------
    >>> config = Config(phases=(Wake(), NREM()), seed=3)
    >>> config.phases[1].weight
    1.0
    >>> Config.model_validate(config.model_dump()) == config
    True
    """

    condition: str = Field(default="pad", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")
    """Name of the condition, and of its folder."""
    dataset: DatasetConfig = DatasetConfig()
    """Which images are seen."""
    networks: Networks = Networks()
    """The size of the cortex."""
    optimizer: Optimizer = Optimizer()
    """Adam's parameters."""
    phases: tuple[Phase, ...] = (Wake(), NREM(), REM())
    """The phases of a cycle, in order."""
    phase_source: PhaseSource | None = None
    """Where phases of the user's own were defined."""
    training: Training = Training()
    """How long, in which portions and on what."""
    seed: Annotated[int, Ge(0), Le(2**63 - 1)] = 0
    """The seed all random numbers of the run grow from."""

    @field_validator("phases", mode="before")
    @classmethod
    def _phases(cls, value: Any) -> Any:
        """Read phases from a mapping of names, as the config file has them, or take them as they are."""
        entries = list(value.items()) if isinstance(value, Mapping) else value
        phases = tuple(e if isinstance(e, Phase) else _phase(*e) for e in entries)
        names = [phase.name for phase in phases]
        if len(set(names)) < len(names):
            raise ValueError(
                f"two phases have one name ({', '.join(names)}); give one of them another `name`"
            )
        return phases

    @field_serializer("phases")
    def _write_phases(self, phases: tuple[Phase, ...]) -> dict[str, Any]:
        written = {}
        for phase in phases:
            kind = phase.kind if isinstance(phase, RecordedPhase) else _kind(type(phase))
            values = phase.model_dump(mode="json", exclude={"name", "kind"})
            written[phase.name] = values if kind == phase.name else {"kind": kind, **values}
        return written

    def identity(self) -> dict[str, Any]:
        """Return what makes this run this run: all but how long, where, and how much is kept."""
        return self.model_dump(mode="json", exclude={"training": {"epochs", "device", "path", "snapshots"}})

    def to_yaml(self) -> str:
        """Write the config as YAML, which `from_yaml` reads."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    @classmethod
    def from_yaml(cls, path: Path) -> "Config":
        """Read a config file.

        Raises
        ------
        UserError
            If the file is missing, no YAML, or no config.
        """
        try:
            return cls._parsed(path, path.read_bytes())
        except FileNotFoundError:
            raise UserError(f"{path} is missing") from None

    @classmethod
    def of_run(cls, folder: RunFolder) -> "Config":
        """Read the config of a run.

        Raises
        ------
        UserError
            If it is missing, or is not bit for bit what was written.
        """
        return cls._parsed(folder.config, folder.read(folder.config))

    @classmethod
    def _parsed(cls, path: Path, text: bytes) -> "Config":
        try:
            content = yaml.safe_load(text)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"{path} is damaged: it is no YAML ({_first_line(error)})") from None
        if not isinstance(content, dict):
            raise UserError(f"{path} is damaged: it holds no config")
        return validated(content, str(path))

    def but(self, settings: Sequence[str]) -> "Config":
        """Return this config with ``PATH=VALUE`` settings changed, each typed by the field it names.

        Raises
        ------
        UserError
            If a path names no field (the nearest is suggested) or a value does not fit.

        Examples
        --------
        >>> Config().but(["phases.rem.replay.noise=0.3"]).phases[2].replay.noise
        0.3
        """
        if not settings:
            return self
        # Each phase keeps its class: values are changed in the dump, and the classes looked up again by name.
        content = self.model_dump(mode="json")
        for setting in settings:
            path, equals, text = setting.partition("=")
            if not equals:
                raise UserError(f"--set wants PATH=VALUE, and got '{setting}'")
            _assign(content, path.strip().split("."), text)
        own = {_kind(type(phase)): type(phase) for phase in self.phases}
        phases = content.pop("phases")
        try:
            made = [_made(name, values, own) for name, values in phases.items()]
        except ValueError as error:
            raise UserError(f"--set: {error}") from None
        return validated({**content, "phases": made}, "--set")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _kind(phase: type[Phase]) -> str:
    return next((kind for kind, known in KINDS.items() if known is phase), phase.__name__)


def _phase(name: str, values: Any) -> Phase:
    if not isinstance(values, Mapping):
        raise ValueError(f"phase '{name}' wants a mapping of its parameters")
    return _made(name, values, {})


def _made(name: str, values: Mapping[str, Any], own: Mapping[str, type[Phase]]) -> Phase:
    kind = str(values.get("kind", name))
    phase = {**KINDS, **own}.get(kind)
    if phase is None and "kind" not in values:
        raise ValueError(f"there is no phase '{name}'; {nearest(name, KINDS)}")
    if phase is None or phase is RecordedPhase:
        return RecordedPhase(name=name, **{**values, "kind": kind})
    try:
        return phase(**{**{k: v for k, v in values.items() if k != "kind"}, "name": name})
    except ValidationError as error:
        raise ValueError(sentence(error, phase, f"phases.{name}")) from None


def _assign(content: dict[str, Any], path: list[str], text: str) -> None:
    """Change one value of a nested mapping; the path must exist in it."""
    here: Any = content
    for depth, key in enumerate(path):
        if not isinstance(here, dict) or key not in here:
            known = list(here) if isinstance(here, dict) else []
            trail = ".".join(path[:depth])
            where = f"'{trail}'" if trail else "the config"
            hint = nearest(key, known) if known else "it is a single value"
            raise UserError(f"--set {'.'.join(path)}: {where} has no '{key}'; {hint}")
        if depth < len(path) - 1:
            here = here[key]
    if isinstance(here[path[-1]], dict):
        raise UserError(f"--set {'.'.join(path)}: this is a group; name one of {', '.join(here[path[-1]])}")
    try:
        here[path[-1]] = text if isinstance(here[path[-1]], str) else yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f"--set {'.'.join(path)}: cannot read the value '{text}'") from None


def validated(content: Any, where: str) -> Config:
    """Make a config of plain values, or say in one sentence what is wrong with them.

    Raises
    ------
    UserError
        Naming the place, the first mistake in it and, for an unknown key, the nearest known one.
    """
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{where}: {sentence(error, Config)}") from None
