"""Objects of the user's own, from a Python file of the user's, which is executed."""

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import PydanticSchemaGenerationError, create_model, model_serializer
from pydantic_core import PydanticSerializationError, to_jsonable_python
from torch import Tensor, nn

from dreaming.config.config import Config, Networks
from dreaming.errors import UserError, brief, nearest, own_lines
from dreaming.model.activity import at_rest
from dreaming.model.cortex import Cortex, require_float32
from dreaming.model.organs import storages
from dreaming.model.parameters import Parameters, Recorded
from dreaming.model.phases import Cycle, Phase
from dreaming.model.plasticity import Plasticity
from dreaming.rng import Random, seeded
from dreaming.system.disk import expanded
from dreaming.system.source_code import SourceCode, execute, source_of


def load_object(option: str, spec: str, wanted: Callable[[object], bool]) -> object:
    """Load an object from a Python file, which is executed.

    Parameters
    ----------
    option
        What the user wrote it after, such as ``--phases``; it begins each sentence.
    spec
        ``FILE.py:NAME``.
    wanted
        Whether an object in the file is of the kind that is wanted; such are suggested for an unknown NAME.

    Raises
    ------
    UserError
        If the file or the name is missing, or the file fails.
    """
    file, colon, name = spec.rpartition(":")
    path = expanded(file)
    if not colon or path.suffix != ".py" or not name.isidentifier():
        raise UserError(f"{option} wants FILE.py:NAME, and got '{spec}'")
    if not path.is_file():
        raise UserError(f"{option}: there is no file {path}")
    defined = vars(called(option, path, lambda: execute(path)))
    if name not in defined:
        there = [key for key, value in defined.items() if not key.startswith("_") and wanted(value)]
        raise UserError(f"{option}: {path} defines no '{name}'; {nearest(name, there)}")
    return defined[name]


def called(option: str, place: object, call: Callable[[], Any]) -> Any:
    """Call what is the user's; whatever it raises becomes one line.

    Raises
    ------
    UserError
        Naming the option and the place.
    """
    try:
        return call()
    except UserError:  # which says it already
        raise
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())
        *_, where = own_lines(error)
        raise UserError(f"{option}: {place} fails with {type(error).__name__}: {said} ({where})") from error


def load_phases(spec: str) -> Phase | Cycle:
    """Load phases of the user's own from a Python file of the user's, which is executed.

    Parameters
    ----------
    spec
        ``FILE.py:NAME``. NAME is what `phases_of` takes.

    Raises
    ------
    UserError
        If the file or the name is missing, the file fails, or what it defines is no phase.
    """
    path, _, name = spec.rpartition(":")
    return phases_of(load_object("--phases", spec, _is_phases), f"{name} in {path}", path)


def phases_of(found: Any, what: str = "phases", place: str = "it") -> Phase | Cycle:
    """Return the phases that an object stands for: a single one, or a whole cycle.

    Parameters
    ----------
    found
        A phase or a class of phases; a tuple or list of such; or a function that returns one of these.
    what, place
        What the object, and where it comes from, is called in a sentence.

    Raises
    ------
    UserError
        If it is none, or a phase lacks its signs of plasticity.
    """
    if callable(found):  # a class makes a phase, a function returns phases
        found = called("--phases", place, found)
    own = found if isinstance(found, list | tuple) else [found]
    own = [called("--phases", place, each) if inspect.isclass(each) else each for each in own]
    if not own or not all(isinstance(phase, Phase) for phase in own):
        raise UserError(f"--phases: {what} is no phase, no tuple of phases, and returns none")
    for phase in own:
        if not isinstance(getattr(phase, "plasticity", None), Plasticity):
            kind = type(phase).__name__
            raise UserError(f"--phases: {kind} lacks `plasticity: ClassVar = Plasticity(encoder=..., ...)`")
    return found if isinstance(found, Phase) else tuple(own)


def _is_phases(value: object) -> bool:
    if inspect.isclass(value):
        return issubclass(value, Phase)
    return isinstance(value, Phase | tuple) or callable(value)


class _Made(Networks):
    """Networks that a function of the user's makes; its parameters are their fields."""

    makes: ClassVar[Callable[..., tuple[nn.Module, nn.Module]]]

    @classmethod
    def wanted(cls) -> tuple[str, ...]:
        """Return the names of the function's parameters."""
        return tuple(inspect.signature(cls.makes).parameters)

    def build(self, seed: int) -> Cortex:
        """Make an untrained cortex of what the function returns."""
        given = {name: getattr(self, name) for name in self.wanted()}
        return Cortex.of(*type(self).makes(**given), self.latent_dim, self.image_channels, self.image_size)

    @model_serializer(mode="wrap")
    def _only_its_fields(self, write: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return {
            name: value
            for name, value in {**self.class_record(), **write(self)}.items()
            if name != "base_channels" or name in self.wanted()
        }


def networks_class(makes: Callable[..., tuple[nn.Module, nn.Module]]) -> type[Networks]:
    """Return the networks that a function makes, as a group of parameters.

    Parameters
    ----------
    makes
        A function that returns an encoder and a generator. Its parameters become fields of the config's section
        ``networks``, with their types and defaults; ``latent_dim``, ``image_channels`` and ``image_size`` are
        those of every cortex.

    Raises
    ------
    UserError
        If a parameter has neither a default nor is one of every cortex, or one that no config can hold, or a name
        or a type that a config cannot have.
    """
    fields: dict[str, Any] = {}
    try:
        hints = typing.get_type_hints(makes)
    except NameError as error:
        raise UserError(
            f"--networks: a type of {makes.__name__}'s parameters is not at hand ({error}); import it where the "
            "program runs too, not under TYPE_CHECKING"
        ) from None
    for name, parameter in inspect.signature(makes).parameters.items():
        bare = parameter.default is parameter.empty
        if bare and name not in Networks.model_fields:
            raise UserError(f"--networks: parameter '{name}' of {makes.__name__} needs a default")
        if name in ("kind", "source") or (name not in Networks.model_fields and hasattr(_Made, name)):
            raise UserError(
                f"--networks: parameter '{name}' of {makes.__name__} has a name of the config's; call it otherwise"
            )
        if not bare:
            try:
                to_jsonable_python(parameter.default)
            except PydanticSerializationError:
                raise UserError(
                    f"--networks: the default of '{name}' of {makes.__name__} is {brief(parameter.default)}, which "
                    "no config can hold; take a number or a name in its place"
                ) from None
            fields[name] = (hints.get(name, type(parameter.default)), parameter.default)
    try:
        made = create_model(makes.__name__, __base__=_Made, __module__=makes.__module__, **fields)
    except PydanticSchemaGenerationError as error:
        said = str(error).splitlines()[0]
        raise UserError(f"--networks: a config cannot hold a parameter of {makes.__name__}: {said}") from None
    made.makes = staticmethod(makes)
    made.__pydantic_parent_namespace__ = None  # what it was made in does not go along into other processes
    made._own_source = source_of(makes)  # type: ignore[attr-defined]
    return made


def load_networks(spec: str) -> Networks:
    """Load networks of the user's own from a Python file of the user's, which is executed.

    Parameters
    ----------
    spec
        ``FILE.py:NAME``. NAME is a function that returns an encoder and a generator (see `networks_class`), a class
        derived from `Networks`, or such networks.

    Raises
    ------
    UserError
        If the file or the name is missing, the file fails, or what it defines is none of them.
    """
    return networks_of(load_object("--networks", spec, _is_networks), spec.rpartition(":")[0])


def networks_of(found: Any, place: str = "it") -> Networks:
    """Return the networks that an object stands for: networks, a class of them, or a function that makes some.

    Raises
    ------
    UserError
        If it stands for none.
    """
    if inspect.isclass(found) and issubclass(found, nn.Module):
        raise UserError(
            f"--networks: {found.__name__} is one network; name a function that returns an encoder and a generator"
        )
    if inspect.isfunction(found):
        found = networks_class(found)
    if inspect.isclass(found) and issubclass(found, Networks):
        found = called("--networks", place, found)
    if not isinstance(found, Networks):
        raise UserError(
            f"--networks wants a function that returns an encoder and a generator, or a class derived from "
            f"dreaming.Networks, and got {brief(found)}"
        )
    return found


def _is_networks(value: object) -> bool:
    return isinstance(value, Networks) or inspect.isfunction(value) or inspect.isclass(value)


def check_networks(config: Config, beside: bool = False) -> None:
    """Make sure that networks of the user's own are of the right make, before hours go into their training.

    Parameters
    ----------
    beside
        Whether runs are trained side by side.

    Raises
    ------
    UserError
        If they fail, give other shapes than `EncoderLike` and `GeneratorLike`, leave out a gradient, depend on more
        than the seed, or draw random numbers where none are repeated.
    """
    networks = config.networks
    name = type(networks).__name__
    if type(networks) is Networks:
        return
    if isinstance(networks, Recorded):
        networks.build(config.seed)  # which says what is missing
    cortex = called("--networks", name, config.cortex)
    _check_weights(config, cortex)
    b = 3
    random = Random(config.seed, ("trial",))
    images = random.uniform("images", (b, networks.image_channels, *(networks.image_size,) * 2)) * 2 - 1

    def outputs() -> dict[str, Any]:
        z, d_logit = called("--networks", f"the encoder of {name}", lambda: _pair(cortex.encoder(images)))
        latents = torch.zeros(b, networks.latent_dim)
        x = called("--networks", f"the generator of {name}", lambda: cortex.generator(latents))
        return {"latents": z, "externality": d_logit, "images": x}

    with drawing_allowed(config, f"--networks: {name}", beside):
        outputs()
    with at_rest(cortex), seeded(config.seed, "noise"):
        found = outputs()
    shapes = {"latents": (b, networks.latent_dim), "externality": (b,), "images": tuple(images.shape)}
    _check_outputs(name, found, shapes)
    for what in ("latents", "externality"):
        with at_rest(cortex), seeded(config.seed, "noise"):
            alone = called("--networks", f"{what} of {name}", partial(getattr(cortex, what), images))
        same = isinstance(alone, Tensor) and alone.shape == found[what].shape
        if not (same and torch.allclose(alone, found[what], rtol=1e-3, atol=1e-4)):
            raise UserError(
                f"--networks: the method {what} of {name} gives another {what} than a call; let both agree"
            )


def _check_weights(config: Config, cortex: Any) -> None:
    """Make sure of the weights: those of a cortex, decided by the seed, float32, and none in both networks."""
    name = type(config.networks).__name__
    if not isinstance(cortex, Cortex):
        raise UserError(f"--networks: build of {name} returns no Cortex; make one with Cortex.of")
    again = called("--networks", name, config.cortex).state_dict()
    if any(not torch.equal(value, again[weight]) for weight, value in cortex.state_dict().items()):
        raise UserError(
            f"--networks: the initial weights of {name} depend on more than torch's random numbers"
        )
    for what in ("encoder", "generator"):
        require_float32(f"--networks: the {what} of {name}", getattr(cortex, what))
    if storages(cortex.encoder) & storages(cortex.generator):
        raise UserError(
            f"--networks: the encoder and the generator of {name} share weights; give each its own"
        )


def _check_outputs(name: str, found: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Make sure of what networks return: tensors of the shapes that are needed, with a gradient."""
    for what, shape in shapes.items():
        value = found[what]
        if not isinstance(value, Tensor) or tuple(value.shape) != shape:
            got = tuple(value.shape) if isinstance(value, Tensor) else brief(value)
            raise UserError(
                f"--networks: {name} gives {what} of shape {got} for {shape[0]} images, and {shape} is needed"
            )
    for what, value in found.items():
        if not value.requires_grad:
            raise UserError(f"--networks: {what} of {name} have no gradient, so it could not learn")


@contextmanager
def drawing_allowed(config: Config, what: str, beside: bool) -> Iterator[None]:
    """Refuse what draws from torch's global generator within the block, unless a run repeats it.

    Raises
    ------
    UserError
        If it draws, and is trained elsewhere than on a CPU by the plain path, or side by side.
    """
    training = config.training
    repeated = training.device in ("cpu", "auto") and training.path in ("plain", "auto") and not beside
    with seeded(config.seed, "noise"):
        before = torch.get_rng_state()
        yield
        if not repeated and not torch.equal(torch.get_rng_state(), before):
            raise UserError(
                f"{what} draws random numbers by itself (dropout, for example), which are repeated only on a CPU "
                "by the plain path, one run after another; use --device cpu and --set training.path=plain"
            )


def _pair(found: Any) -> tuple[Any, Any]:
    z, d_logit = found
    return z, d_logit


def classes_in(path: Path, source: SourceCode, kinds: Sequence[str]) -> dict[str, type[Parameters]]:
    """Execute what was read of a file of the user's own and return the classes of some names that it defines.

    Raises
    ------
    UserError
        If the file fails, or defines none of them.
    """
    module = vars(called("own classes", path, lambda: execute(path, source)))
    found: dict[str, type[Parameters]] = {}
    for kind in kinds:
        own = module.get(kind)
        found[kind] = networks_class(own) if inspect.isfunction(own) else own
        if not (inspect.isclass(found[kind]) and issubclass(found[kind], Parameters)):
            raise UserError(f"{path} defines no '{kind}'")
    return found
