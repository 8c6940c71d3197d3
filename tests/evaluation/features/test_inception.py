"""The adapter to torch-fidelity's Inception: what it hands over, and what it says where something is missing."""

import importlib
import sys
import types

import pytest
import torch
from torch import nn

import dreaming
from dreaming.data.sources import RemoteFile, checksum
from dreaming.errors import UserError
from dreaming.evaluation.features import inception
from dreaming.evaluation.features.extractors import extractor
from dreaming.evaluation.features.inception import LAYER, WEIGHTS, Inception, unavailable
from dreaming.evaluation.measures.realism import Realism
from dreaming.evaluation.measuring import evaluate

MODULE = "torch_fidelity.feature_extractor_inceptionv3"
CPU = torch.device("cpu")


class StandIn(nn.Module):
    """Has the interface of torch-fidelity 0.4's FeatureExtractorInceptionV3, and a single layer."""

    def __init__(self, name, features_list, feature_extractor_weights_path=None, **kwargs):
        super().__init__()
        assert feature_extractor_weights_path is not None, "this would download"
        assert features_list == ["2048"]
        self.name, self.features_list = name, features_list
        self.fc = nn.Linear(3, 2048)
        self.load_state_dict(torch.load(feature_extractor_weights_path, weights_only=False))

    def forward(self, x):
        if not (torch.is_tensor(x) and x.dtype == torch.uint8):
            raise ValueError("Expecting image as torch.Tensor with dtype=torch.uint8")
        if x.dim() != 4 or x.shape[1] != 3:
            raise ValueError(f"Input is not Bx3xHxW: {x.shape}")
        return (self.fc((x.float().mean(dim=(2, 3)) - 128) / 128),)


@pytest.fixture
def standing_in(monkeypatch):
    """torch-fidelity as it would be where torchvision imports."""
    package, module = types.ModuleType("torch_fidelity"), types.ModuleType(MODULE)
    module.FeatureExtractorInceptionV3 = StandIn
    monkeypatch.setitem(sys.modules, "torch_fidelity", package)
    monkeypatch.setitem(sys.modules, MODULE, module)


@pytest.fixture(autouse=True)
def _nothing_of_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("DREAMING_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DREAMING_INCEPTION", raising=False)


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A file of weights, wherever it is put, as if it were the published one."""

    def publish(path, content):
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, path)
        file = RemoteFile("mine.pth", checksum(path, "sha256"), path.stat().st_size)
        monkeypatch.setattr(inception, "WEIGHTS", file)

    return publish


@pytest.fixture
def weights(tmp_path, published):
    """Weights of the stand-in in a folder of data."""
    random = torch.Generator().manual_seed(0)
    path = tmp_path / "data/mine.pth"
    published(path, {"fc.weight": torch.randn(2048, 3, generator=random), "fc.bias": torch.zeros(2048)})
    return path


@pytest.fixture
def tiny_run(tiny_config, tiny_dataset, tmp_path, monkeypatch):
    """The folder of an untrained cortex."""
    monkeypatch.setattr("dreaming.training.run.sheet", lambda *args: b"no picture")
    return dreaming.train(tiny_config("untrained"), out=tmp_path / "runs", dataset=tiny_dataset)


def images(n=4):
    return torch.randint(
        0, 256, (n, 3, 32, 32), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
    )


def test_pixels_go_in_as_they_are_and_pool3_comes_out(standing_in, weights):
    found = Inception(CPU, weights.parent)(images())
    kept = torch.load(weights, weights_only=True)
    # Scaled once, by the extractor: (x - 128) / 128.
    expected = ((images().float().mean(dim=(2, 3)) - 128) / 128) @ kept["fc.weight"].T
    torch.testing.assert_close(found, expected)
    assert found.shape == (4, int(LAYER))
    assert not found.requires_grad


def test_the_environment_says_where_the_file_lies_before_any_folder(standing_in, weights, monkeypatch):
    monkeypatch.setenv("DREAMING_INCEPTION", str(weights))
    Inception(CPU)
    monkeypatch.setenv("DREAMING_INCEPTION", str(weights.parent / "nothing.pth"))
    with pytest.raises(UserError, match=r"nothing\.pth cannot be read"):
        Inception(CPU, weights.parent)


def test_a_file_with_another_checksum_is_not_even_opened(standing_in, weights, monkeypatch):
    monkeypatch.setenv("DREAMING_INCEPTION", str(weights))
    monkeypatch.setattr(inception, "WEIGHTS", WEIGHTS)
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(UserError, match=r"mine\.pth has checksum sha256:.*, where sha256:6726825d") as caught:
        Inception(CPU)
    assert "`dreaming data fetch inception --data-dir DIR`" in str(caught.value)


@pytest.mark.parametrize("where", ["data_dir", "environment", "cache"])
def test_weights_are_found_where_they_were_fetched(standing_in, weights, where, tmp_path, monkeypatch):
    if where == "cache":
        (tmp_path / "cache").mkdir()
        weights.parent.rename(tmp_path / "cache/inception")
    if where == "environment":
        monkeypatch.setenv("DREAMING_DATA", str(weights.parent))
    Inception(CPU, weights.parent if where == "data_dir" else None)


def test_a_part_of_the_weights_is_not_taken_for_them(standing_in, weights):
    weights.rename(f"{weights}.part")
    with pytest.raises(UserError, match=r"need a file of weights, mine\.pth, which is not in"):
        Inception(CPU, weights.parent)


def test_where_they_are_not_it_says_how_to_get_them_and_fetches_nothing(standing_in, tmp_path, monkeypatch):
    monkeypatch.setattr("requests.get", None)
    with pytest.raises(UserError) as caught:
        Inception(CPU, tmp_path)
    how = "`dreaming data fetch inception --data-dir", "DREAMING_INCEPTION=FILE"
    assert all(part in str(caught.value) for part in (WEIGHTS.name, str(tmp_path), *how))
    assert "\n" not in str(caught.value)
    assert unavailable(tmp_path) == str(caught.value)


def test_what_cannot_be_measured_is_said_before_anything_is(tiny_run, tiny_dataset, standing_in, monkeypatch):
    """Also before the measures that can be had, which may take hours."""
    monkeypatch.setattr("dreaming.evaluation.measures.readout.Readout.measure", None)
    measures = ["readout", Realism(features=("inception",), samples=20)]
    with pytest.raises(UserError, match=r"features 'inception' need a file of weights"):
        evaluate(tiny_run, measures=measures, dataset=tiny_dataset, device="cpu")


def test_with_the_weights_in_the_folder_of_data_a_run_is_measured(
    tiny_run, tiny_dataset, standing_in, weights, monkeypatch
):
    # Of 2,048 values it is slow.
    monkeypatch.setattr("dreaming.evaluation.measures.realism.frechet_distance", lambda *_: 0.5)
    measures = [Realism(features=("inception",), samples=20)]
    found = evaluate(tiny_run, measures=measures, data_dir=weights.parent, dataset=tiny_dataset, device="cpu")
    assert set(found["parameter"]) == {"inception;samples=20"}
    assert set(found["value"]) == {0.5}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModuleNotFoundError("No module named 'torchvision'"), "No module named 'torchvision'"),
        (
            RuntimeError("operator torchvision::nms does not exist\nmore"),
            r"operator torchvision::nms does not exist\)",
        ),
        (OSError("libcudart.so.13: cannot open shared object file"), "libcudart"),
    ],
)
def test_where_torchvision_cannot_be_imported_it_says_so(error, reason, monkeypatch):
    def broken(name):
        raise error

    monkeypatch.setattr("dreaming.evaluation.features.inception.importlib.import_module", broken)
    with pytest.raises(UserError, match=rf"need torch-fidelity .*{reason}.*take the features 'classifier'"):
        Inception(CPU)


def test_on_this_machine_the_real_network_runs_or_says_why_not(tmp_path, published, monkeypatch):
    """With random weights in the layout of the official file, where torchvision can be imported."""
    try:
        real = importlib.import_module(MODULE).FeatureExtractorInceptionV3
    except (ImportError, RuntimeError, OSError):
        with pytest.raises(UserError, match=r"need torch-fidelity .*pip install 'dreaming\[fid\]'"):
            Inception(CPU)
        return
    with monkeypatch.context() as patch, torch.random.fork_rng():
        patch.setattr(real, "load_state_dict", lambda self, weights: None)
        patch.setattr(torch, "load", lambda *_, **__: {})
        layout = real("random", [LAYER], feature_extractor_weights_path="nowhere").state_dict()
    assert len(layout) == 566
    published(tmp_path / "mine.pth", layout)
    found = Inception(CPU, tmp_path)(images(2))
    assert found.shape == (2, 2048)
    assert found.isfinite().all()
    assert not torch.equal(found[0], found[1])


def test_the_published_checksum_is_the_one_in_the_files_name():
    """By the convention of torch.hub, a name ends with the first eight digits of the SHA-256."""
    digits = WEIGHTS.name.removesuffix(".pth").rpartition("-")[2]
    assert WEIGHTS.checksum.startswith(f"sha256:{digits}")
    assert all(digits in mirror for mirror in WEIGHTS.mirrors)


def test_features_are_found_by_name(standing_in, weights, tiny_dataset):
    found = extractor("inception", tiny_dataset, CPU, data_dir=weights.parent)
    mean, covariance = found.moments(images(5), CPU)
    assert (found.name, mean.shape, covariance.shape) == ("inception", (2048,), (2048, 2048))
