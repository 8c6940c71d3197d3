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
def weights(tmp_path):
    """Weights of the stand-in in a file, and what would be published about it."""
    path = tmp_path / "mine.pth"
    random = torch.Generator().manual_seed(0)
    torch.save(
        {"fc.weight": torch.randn(2048, 3, generator=random), "fc.bias": torch.zeros(2048)},
        path,
    )
    return path, RemoteFile("mine.pth", checksum(path, "sha256"), path.stat().st_size)


@pytest.fixture
def tiny_run(tiny_config, tiny_dataset, tmp_path, monkeypatch):
    """The folder of an untrained cortex."""
    monkeypatch.setattr("dreaming.training.resume.sheet", lambda *args: b"no picture")
    return dreaming.train(tiny_config("untrained"), out=tmp_path / "runs", dataset=tiny_dataset)


def images(n=4):
    return torch.randint(
        0, 256, (n, 3, 32, 32), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
    )


def test_pixels_go_in_as_they_are_and_pool3_comes_out(standing_in, weights):
    path, file = weights
    inception = Inception(CPU, path, file)
    found = inception(images())
    kept = torch.load(path, weights_only=True)
    # Scaled once, by the extractor: (x - 128) / 128.
    expected = ((images().float().mean(dim=(2, 3)) - 128) / 128) @ kept["fc.weight"].T
    torch.testing.assert_close(found, expected)
    assert found.shape == (4, int(LAYER))
    assert not found.requires_grad


def test_other_weights_than_the_standard_ones_show_in_the_name(standing_in, weights, monkeypatch):
    path, file = weights
    assert Inception(CPU, path, file).name == "inception-" + file.checksum[7:15]
    monkeypatch.setattr("dreaming.evaluation.features.inception.WEIGHTS", file)
    assert Inception(CPU, path, file).name == "inception"


def test_the_environment_says_where_the_weights_lie_and_a_path_goes_before(standing_in, weights, monkeypatch):
    path, file = weights
    monkeypatch.setenv("DREAMING_INCEPTION", str(path))
    Inception(CPU, file=file)
    monkeypatch.setenv("DREAMING_INCEPTION", str(path.parent / "nothing.pth"))
    with pytest.raises(UserError, match=r"nothing\.pth cannot be read"):
        Inception(CPU, file=file)
    Inception(CPU, path, file)


def test_a_file_with_another_checksum_is_not_even_opened(standing_in, weights, monkeypatch):
    path, _ = weights
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(UserError, match=r"mine\.pth has checksum sha256:.*, where sha256:6726825d") as caught:
        Inception(CPU, path)
    assert "`dreaming data fetch inception --data-dir DIR`" in str(caught.value)


@pytest.mark.parametrize("where", ["data_dir", "environment", "cache"])
def test_weights_are_found_where_they_were_fetched(standing_in, weights, where, tmp_path, monkeypatch):
    path, file = weights
    folder = tmp_path / ("cache/inception" if where == "cache" else "data")
    folder.mkdir(parents=True)
    path.replace(folder / file.name)
    if where == "environment":
        monkeypatch.setenv("DREAMING_DATA", str(folder))
    Inception(CPU, file=file, data_dir=folder if where == "data_dir" else None)


def test_a_part_of_the_weights_is_not_taken_for_them(standing_in, weights, tmp_path):
    path, file = weights
    path.replace(tmp_path / f"{file.name}.part")
    with pytest.raises(UserError, match=r"need a file of weights, mine\.pth, which is not in"):
        Inception(CPU, file=file, data_dir=tmp_path)


def test_where_they_are_not_it_says_how_to_get_them_and_fetches_nothing(standing_in, tmp_path, monkeypatch):
    monkeypatch.setattr("requests.get", None)
    with pytest.raises(UserError) as caught:
        Inception(CPU, data_dir=tmp_path)
    for part in (
        WEIGHTS.name,
        str(tmp_path),
        "`dreaming data fetch inception --data-dir",
        "DREAMING_INCEPTION=FILE",
    ):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert unavailable(tmp_path) == str(caught.value)


def test_what_cannot_be_measured_is_said_before_anything_is(tiny_run, tiny_dataset, standing_in, monkeypatch):
    """Also before the measures that can be had, which may take hours."""
    monkeypatch.setattr("dreaming.evaluation.measures.separability.Readout.measure", None)
    measures = ["readout", Realism(features=("inception",), samples=20)]
    with pytest.raises(UserError, match=r"features 'inception' need a file of weights"):
        evaluate(tiny_run, measures=measures, dataset=tiny_dataset, device="cpu")


def test_with_the_weights_in_the_folder_of_data_a_run_is_measured(
    tiny_run, tiny_dataset, standing_in, weights, monkeypatch
):
    path, file = weights
    monkeypatch.setattr("dreaming.evaluation.features.inception.WEIGHTS", file)
    monkeypatch.setattr(
        "dreaming.evaluation.measures.realism.frechet_distance", lambda *_: 0.5
    )  # of 2,048 values it is slow
    measure = Realism(features=("inception",), samples=20)
    found = evaluate(
        tiny_run, measures=[measure], epochs="last", data_dir=path.parent, dataset=tiny_dataset, device="cpu"
    )
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


def test_on_this_machine_the_real_network_runs_or_says_why_not(tmp_path, monkeypatch):
    """With random weights in the layout of the official file, where torchvision can be imported."""
    try:
        real = importlib.import_module(MODULE).FeatureExtractorInceptionV3
    except (ImportError, RuntimeError, OSError):
        with pytest.raises(UserError, match=r"need torch-fidelity .*pip install 'dreaming\[fid\]'"):
            Inception(CPU)
        return
    path = tmp_path / "random.pth"
    with monkeypatch.context() as patch, torch.random.fork_rng():
        patch.setattr(real, "load_state_dict", lambda self, weights: None)
        patch.setattr(torch, "load", lambda *_, **__: {})
        layout = real("random", [LAYER], feature_extractor_weights_path="nowhere").state_dict()
    assert len(layout) == 566
    torch.save(layout, path)
    inception = Inception(CPU, path, RemoteFile("random.pth", checksum(path, "sha256")))
    found = inception(images(2))
    assert found.shape == (2, 2048)
    assert found.isfinite().all()
    assert not torch.equal(found[0], found[1])


def test_the_published_checksum_is_the_one_in_the_files_name():
    """By the convention of torch.hub, a name ends with the first eight digits of the SHA-256."""
    digits = WEIGHTS.name.removesuffix(".pth").rpartition("-")[2]
    assert WEIGHTS.checksum.startswith(f"sha256:{digits}")
    assert all(digits in mirror for mirror in WEIGHTS.mirrors)


def test_features_are_found_by_name(standing_in, weights, monkeypatch, tiny_dataset):
    path, file = weights
    monkeypatch.setattr("dreaming.evaluation.features.inception.WEIGHTS", file)
    found = extractor("inception", tiny_dataset, CPU, weights=path)
    assert found.name == "inception"
    moments = found.moments(images(5), CPU)
    assert (moments.count, moments.mean.shape) == (5, (2048,))
    with pytest.raises(UserError, match="there are no features 'inceptoin'; did you mean 'inception'"):
        extractor("inceptoin", tiny_dataset, CPU)
