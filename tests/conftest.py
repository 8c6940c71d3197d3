"""What the tests share: tiny images, tiny configs, and a watch over torch's and numpy's global state."""

import os
import signal
import uuid
from functools import cache
from importlib import metadata

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

import dreaming
from dreaming.data import Dataset, Split
from dreaming.data.readers import digits
from dreaming.evaluation.features.classifier import ClassifierProtocol
from dreaming.system import hardware
from dreaming.system.defaults import PRODUCTS

TINY = {
    "networks": {"base_channels": 2, "latent_dim": 8},
    "training": {"batch_size": 8, "epochs": 2, "device": "cpu", "precision": "float32", "snapshots": "ends"},
}


# How hard properties are tried: the same few examples each time, however long one takes; with
# DREAMING_PROPERTIES=long, many others.
settings.register_profile(
    "suite",
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("long", settings.get_profile("suite"), max_examples=3000, derandomize=False)
settings.load_profile(os.environ.get("DREAMING_PROPERTIES", "suite"))


def pytest_addoption(parser):
    parser.addoption(
        "--torch-build",
        metavar="BUILD",
        help="as with a build of torch that calls itself so (cu130) while its package has the bare version",
    )


def call_torch(build):
    """Let torch say that it is another build, and its package, as those of PyPI do, not which."""
    bare, known = torch.__version__.partition("+")[0], metadata.version
    torch.__version__ = torch.torch_version.TorchVersion(f"{bare}+{build}")
    metadata.version = lambda name: bare if name == "torch" else known(name)


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "changes_global_state: the test may change torch's or numpy's global state, and says why"
    )
    if build := config.getoption("--torch-build"):
        call_torch(build)
    # A shell has what it starts with & ignore Ctrl-C, and nohup has it ignore that its terminal is gone.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # Tiny tensors: threads cost more than they bring, above all on a busy machine; in other processes too.
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_session(tmp_path_factory):
    """What fixtures of a whole session keep is not kept in the user's cache, nor in the state."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DREAMING_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("DREAMING_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _found_once():
    """What is the same each time, and is asked for by every run, is found out once."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((hardware, "commit"), (digits, "read_digits"), (metadata, "version")):
            patch.setattr(module, name, cache(getattr(module, name)))
        yield


@pytest.fixture(autouse=True)
def _cache_of_the_test(tmp_path_factory, monkeypatch):
    """No test finds what another one kept."""
    monkeypatch.setenv("DREAMING_CACHE", str(tmp_path_factory.getbasetemp() / f"cache-{uuid.uuid4().hex}"))


def global_state():
    """Everything global that could leak from one test, or one run, into another."""
    kind, keys, *position = np.random.get_state()  # noqa: NPY002 - the global generator is what is watched
    return {
        "torch default dtype": torch.get_default_dtype(),
        "torch grad mode": torch.is_grad_enabled(),
        "torch inference mode": torch.is_inference_mode_enabled(),
        "torch number of threads": torch.get_num_threads(),
        "torch deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn enabled": torch.backends.cudnn.enabled,
        "cudnn benchmark": torch.backends.cudnn.benchmark,
        "cudnn deterministic": torch.backends.cudnn.deterministic,
        "torch float32 products": [torch._C._get_fp32_precision_getter(*where) for where in PRODUCTS],
        "torch random numbers": torch.get_rng_state().numpy().tobytes(),
        "numpy random numbers": (kind, keys.tobytes(), *position),
    }


@pytest.fixture
def look_at_global_state():
    """Describes the global state that is watched, by name."""
    return global_state


@pytest.fixture(autouse=True)
def _global_state_is_left_alone(request):
    if request.node.get_closest_marker("changes_global_state"):
        yield
        return
    before = global_state()
    yield
    after = global_state()
    changed = [name for name in before if before[name] != after[name]]
    assert not changed, f"this test changed global state: {', '.join(changed)}"


def structured_images(n, random):
    """A class is an orientation and a colour; an image is that with noise, uint8 [n, 3, 32, 32]."""
    labels = np.arange(n) % 10
    row, column = np.mgrid[0:32, 0:32] / 32
    angle = labels * np.pi / 10
    wave = np.sin(12 * (np.cos(angle)[:, None, None] * row + np.sin(angle)[:, None, None] * column))
    colour = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle)], axis=1)
    pixels = 128 + 80 * wave[:, None] * colour[:, :, None, None] + 12 * random.standard_normal((n, 3, 32, 32))
    return Split(torch.from_numpy(pixels.clip(0, 255).astype(np.uint8)), torch.from_numpy(labels))


def make_dataset(train=40, test=20, seed=0, name="digits"):
    random = np.random.default_rng(seed)
    splits = structured_images(train, random), structured_images(test, random)
    return Dataset(name, *splits, tuple("0123456789"), _loaded=True)


@pytest.fixture(scope="session")
def tiny_dataset():
    """40 training and 20 test images of 10 classes: five cycles of 8 an epoch."""
    return make_dataset()


@pytest.fixture(scope="session")
def dataset_of():
    """Makes data sets such as `tiny_dataset`: (train, test, seed, name)."""
    return make_dataset


@pytest.fixture(scope="session")
def tiny_config():
    """Makes configs small enough for a test: (condition, settings, **sections)."""

    def make(condition="pad", settings=(), **sections):
        merged = {name: {**TINY.get(name, {}), **values} for name, values in sections.items() if name in TINY}
        named = {"name": condition, **sections}  # whatever is special in it
        return dreaming.configure(condition, settings=settings, **{**named, **TINY, **merged})

    return make


@pytest.fixture
def images(tiny_dataset):
    """Eight images as the cortex sees them, in [-1, 1]."""
    return tiny_dataset.train.images[:8].float() / 127.5 - 1


@pytest.fixture
def days(tiny_dataset):
    """Three mini-batches of eight images, a day each."""
    return (tiny_dataset.train.images[:24].float() / 127.5 - 1).split(8)


@pytest.fixture
def cortex():
    """A tiny cortex, of latents 8."""
    return dreaming.Cortex(latent_dim=8, base_channels=2, random=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def without_drawing():
    """No sheets of dreams are drawn: most of the time of a tiny training would go into compressing pictures."""

    def undrawn(cortex, phases, yesterday, today, seed, title):
        return f"{title}: {cortex.generator.layers[0].weight.detach().double().sum().item()!r}".encode()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dreaming.training.run.sheet", undrawn)
        patch.setattr("dreaming.evaluation.statistics.comparison._strips", lambda _: [])
        yield


class Undrawn:
    """A figure that is saved as no picture."""

    def savefig(self, file, **_):
        file.write(b"no picture")


@pytest.fixture
def without_plots(monkeypatch):
    """Comparisons plot nothing, which takes most of their time."""
    monkeypatch.setattr("dreaming.evaluation.statistics.comparison.draw_bench", lambda *_: Undrawn())


@pytest.fixture
def small_classifier(monkeypatch):
    """The classifier whose features realism takes is small and hardly trained, which is what takes long."""
    small = ClassifierProtocol(channels=4, features=8, epochs=1, least_steps=4, batch_size=20)
    monkeypatch.setattr("dreaming.evaluation.features.classifier.ClassifierProtocol", lambda: small)


@pytest.fixture(scope="module")
def shapes_unchecked():
    """Shapes and types are not checked at each call, which takes a third of a whole run's time.

    For tests that compare whole runs: what those call is checked where it is tested itself.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
