"""Latents out to other tools: what `dreaming latents` writes, read by numpy and by rsatoolbox."""

from pathlib import Path

import numpy as np
import pytest
import rsatoolbox
import torch
from scipy.spatial.distance import pdist

import dreaming
from dreaming.cli.main import main
from dreaming.data import load_dataset
from dreaming.errors import UserError
from dreaming.evaluation import representations
from dreaming.evaluation.measures.robustness import Robustness
from dreaming.evaluation.measures.snapshot_batch import SnapshotBatch
from dreaming.evaluation.representations import latents
from dreaming.runs.folder import RunFolder

DIGITS = load_dataset("digits", limit=40)
pytestmark = pytest.mark.usefixtures("without_drawing", "shapes_unchecked")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = dreaming.configure(
        "pad",
        dataset={"name": "digits", "limit": 40},
        networks={"base_channels": 4, "latent_dim": 8},
        training={"batch_size": 8, "epochs": 1, "device": "cpu", "precision": "bfloat16"},
        seed=3,
    )
    return dreaming.train(config, out=tmp_path_factory.mktemp("out"))


@pytest.fixture(scope="module")
def snapshots(run):
    folder = RunFolder(run)
    return SnapshotBatch(folder, folder.read_config(), DIGITS, [1], torch.device("cpu"))


@pytest.mark.parametrize("split", ["train", "test"])
def test_latents_are_those_that_measures_see(split, run, snapshots):
    found = latents(run, split=split)
    assert list(found) == ["latents", "externality", "labels", "classes"]
    np.testing.assert_array_equal(found["latents"], getattr(snapshots, split)[0].numpy())
    assert found["latents"].dtype == np.float32
    own = getattr(DIGITS, split)
    np.testing.assert_array_equal(found["labels"], own.labels)
    assert found["classes"].tolist() == list(DIGITS.classes)
    assert ((found["externality"] > 0) & (found["externality"] < 1)).all()


def test_occluded_latents_are_those_of_robustness(run, snapshots):
    found = latents(run, occlusion=0.3)
    np.testing.assert_array_equal(found["latents"], Robustness().latents(snapshots, 0.3)[0].numpy())
    assert not np.array_equal(found["latents"], latents(run)["latents"])
    few = latents(run, occlusion=0.3, count=7)
    np.testing.assert_allclose(few["latents"], found["latents"][:7], rtol=1e-2, atol=1e-3)
    own = latents(run, DIGITS.test.images, occlusion=0.3, count=7)
    np.testing.assert_array_equal(own["latents"], few["latents"])


@pytest.mark.parametrize("tile_size", [0, 33])
def test_a_tile_that_no_image_has_is_refused(tile_size, run):
    with pytest.raises(
        UserError, match=f"tile_size is {tile_size}, and the images have 32 x 32 pixels; take"
    ):
        latents(run, occlusion=0.3, tile_size=tile_size)


def test_layers_images_and_epochs_are_as_asked_for(run):
    cortex = dreaming.load(run, 0)
    cortex.precision = torch.bfloat16
    images = DIGITS.train.images[:5]
    found = latents(run, images.permute(0, 2, 3, 1).numpy(), epoch=0, layers=["layer_3", "layer_1"])
    assert list(found) == ["latents", "externality", "layer_3", "layer_1"]
    with torch.no_grad():
        wanted = cortex.activity(images)
    for name, values in found.items():
        np.testing.assert_array_equal(values, wanted["latent" if name == "latents" else name])
    assert len(latents(run, count=7)["labels"]) == len(latents(run, images, count=3)["latents"]) + 4 == 7


def test_the_command_writes_what_the_call_returns(run, tmp_path, capsys):
    out, rdm = tmp_path / "new/z.npz", tmp_path / "z.h5"
    words = ["latents", str(run), "--out", str(out), "--rdm", str(rdm), "--layers", "layer_2"]
    assert main([*words, "--split", "train", "--occlusion", "0.2", "--epoch", "0", "--count", "9"]) == 0
    assert f"{out}" in capsys.readouterr().out
    wanted = latents(run, split="train", layers=["layer_2"], occlusion=0.2, epoch=0, count=9)
    with np.load(out) as found:
        assert set(found) == set(wanted) == {"latents", "externality", "layer_2", "labels", "classes"}
        for name, values in wanted.items():
            np.testing.assert_array_equal(found[name], values)
    there = rsatoolbox.rdm.load_rdm(str(rdm))
    assert (there.n_rdm, there.n_cond) == (2, 9)
    assert list(there.rdm_descriptors["layer"]) == ["latent", "layer_2"]
    assert set(there.rdm_descriptors["run"]) == {"digits/pad/seed-3"}
    assert there.dissimilarity_measure == "squared euclidean"
    np.testing.assert_array_equal(there.pattern_descriptors["label"], wanted["labels"])
    assert list(there.pattern_descriptors["class"]) == [str(label) for label in wanted["labels"]]
    for name, distances in zip(("latents", "layer_2"), there.dissimilarities, strict=True):
        patterns = wanted[name].reshape(9, -1).astype(np.float64)
        oracle = pdist(patterns, "sqeuclidean") / patterns.shape[1]
        np.testing.assert_allclose(distances, oracle, rtol=1e-9, atol=1e-15)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"z.npz", "z.h5"}


@pytest.mark.parametrize(
    ("words", "because"),
    [
        ([], "latents are written to --out FILE.npz, to --rdm FILE.h5, or to both; name one"),
        (["--out", "z.csv"], "arrays go into a file that ends in .npz"),
        (["--rdm", "z.npz"], "reads distances from a file that ends in .h5 or .hdf5"),
        (["--out", "z.npz", "--layers", "layer3"], "there is no layer 'layer3'; did you mean 'layer_3'"),
        (
            ["--out", "z.npz", "--occlusion", "1.5"],
            "--occlusion is 1.5, and a probability lies between 0 and 1",
        ),
        (["--out", "z.npz", "--count", "0"], "--count is 0; at least one image is needed"),
        (["--out", "z.npz", "--epoch", "7"], "0007.safetensors is missing; the epochs kept are 0, 1"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(words, because, run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["latents", str(Path(run).resolve()), *words]) == 2
    assert because in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_too_large_is_refused_with_its_bytes(run, monkeypatch):
    size = 40 * (8 + 1 + 4 * 16 * 16) * 4
    monkeypatch.setattr(representations, "MOST_BYTES", size - 1)
    with pytest.raises(
        UserError, match=f"of 40 images take {size:,} bytes, and .* the most; take fewer layers"
    ):
        latents(run, layers=["layer_1"])
    arrays = latents(run)
    monkeypatch.setattr(representations, "MOST_BYTES", 8 * 40 * 40 - 1)
    with pytest.raises(UserError, match="distances between 40 images take 12,800 bytes"):
        representations.dissimilarities(arrays, "run")


def test_rsatoolbox_is_asked_for_before_anything_is_done(run, monkeypatch):
    monkeypatch.setattr(representations, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"not installed: pip install 'dreaming\[brain\]'"):
        representations.write_latents(run, rdm="z.h5")


def test_images_of_ones_own_of_another_size_and_without_labels(tmp_path):
    pixels = np.random.default_rng(0).integers(256, size=(24, 16, 16, 3), dtype=np.uint8)
    mine = dreaming.Dataset.of_arrays("mine", train=pixels[:16], test=pixels[16:])
    config = dreaming.configure(
        "pad",
        networks={"base_channels": 4, "latent_dim": 8, "image_size": 16},
        training={"batch_size": 8, "epochs": 0, "device": "cpu", "precision": "float32"},
    )
    own = dreaming.train(config, out=tmp_path, dataset=mine)
    found = latents(own, dataset=mine, occlusion=0.5, layers=["layer_2"])
    assert {name: values.shape for name, values in found.items()} == {
        "latents": (8, 8),
        "externality": (8,),
        "layer_2": (8, 8, 4, 4),
    }
    clean = latents(own, pixels[16:])["latents"]
    assert not np.array_equal(found["latents"], clean)
    np.testing.assert_array_equal(latents(own, dataset=mine)["latents"], clean)
    assert representations.dissimilarities(found, "mine")
