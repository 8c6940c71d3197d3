"""Run folders that the program made as of commit 906f8fb: today's takes them wherever it takes its own.

``runs_of_906f8fb.zip`` holds ``runs``, without their sheets of dreams: PAD of seed 0, two epochs, measured; PAD of
seed 1, stopped by Ctrl-C after two of the four cycles of its second epoch; a PAD whose REM is taken away from the
second epoch to the third; and one with a phase of a user's own, from the file ``light_sleep.py``. ``further`` holds
the losses that the same program came to in four epochs without a stop.
"""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tests.cli.tiny_runs import tree

import dreaming
from dreaming.cli.main import main
from dreaming.paper.plan.profile import Profile
from dreaming.paper.reproduction import reproduce
from dreaming.runs.folder import RunFolder
from dreaming.runs.sheets import SCALE

pytestmark = pytest.mark.usefixtures("shapes_unchecked", "without_plots")

ALL = ("--limit=64", "--precision=float32", "--device=cpu", "--set=training.batch_size=16")
SMALL = (
    *ALL,
    *(f"--set=networks.{size}" for size in ("base_channels=2", "latent_dim=8", "image_channels=1")),
)
LEAST = (
    *ALL,
    *(f"--set=networks.{size}" for size in ("base_channels=1", "latent_dim=4", "image_channels=1")),
)
RUNS = {
    "digits/pad/seed-0": (*SMALL, "--snapshots=all"),
    "digits/pad/seed-1": (*LEAST, "--snapshots=ends", "--seed=1"),
    "digits/deprived/seed-0": (
        *LEAST,
        "--snapshots=ends",
        "--schedule=pad:1,without_rem:3,pad",
        "--name=deprived",
    ),
    "digits/light_sleep/seed-0": (
        *LEAST,
        "--snapshots=ends",
        "--phases=light_sleep.py:light_sleep",
        "--name=light_sleep",
    ),
}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    place = tmp_path_factory.mktemp("earlier")
    with zipfile.ZipFile(Path(__file__).with_name("runs_of_906f8fb.zip")) as archive:
        archive.extractall(place)
    return place


@pytest.fixture
def earlier(unpacked, tmp_path, monkeypatch):
    """A folder of the test's own that holds them, which is the working directory."""
    place = shutil.copytree(unpacked, tmp_path / "place")
    monkeypatch.chdir(place)
    return place


def does(*words):
    assert main([str(word) for word in words]) == 0


@pytest.mark.parametrize("name", RUNS)
def test_training_goes_on_to_what_the_program_of_then_came_to(name, earlier):
    run = earlier / "runs" / name
    before = run.joinpath("losses.csv").read_text()
    does("train", *RUNS[name], "--epochs=4", "--out=runs")
    assert run.joinpath("losses.csv").read_text().startswith(before)
    losses, then = (
        RunFolder(place / name).read_losses() for place in (earlier / "runs", earlier / "further")
    )
    assert list(losses) == list(then)
    assert losses["epoch"].tolist() == [1, 2, 3, 4]
    assert losses["cycles"].tolist() == [4, 4, 4, 4]
    # Of networks this small L_NREM is what rounding leaves of it.
    for term in losses.columns[3:]:
        np.testing.assert_allclose(losses[term], then[term], rtol=1e-3, atol=1e-6, err_msg=term)


def test_a_finished_run_is_left_alone(earlier):
    before = tree(earlier / "runs")
    does("train", *RUNS["digits/pad/seed-0"], "--epochs=2", "--out=runs")
    assert tree(earlier / "runs") == before


def test_it_is_loaded(earlier):
    run = earlier / "runs/digits/pad/seed-0"
    for epoch in (0, 1, 2):
        weights = load_file(run / f"snapshots/000{epoch}.safetensors")
        loaded = dreaming.load(run, epoch).state_dict()
        assert all(torch.equal(loaded[key], weights[key]) for key in weights)
    assert dreaming.load(earlier / "runs/digits/deprived/seed-0").latent_dim == 4


@pytest.mark.parametrize("name", ["digits/pad/seed-0", "digits/deprived/seed-0"])
def test_it_dreams(name, earlier):
    does("dream", earlier / "runs" / name, "--count=4")
    with Image.open(earlier / "runs" / name / "dreams/sheet-0002.png") as picture:
        assert picture.height > 6 * 32 * SCALE


def test_what_is_measured_of_it_is_what_was_measured_then(earlier):
    run = earlier / "runs/digits/pad/seed-0"
    then = RunFolder(run).read_measures()
    before = tree(run)
    does("evaluate", run, "--measures=readout,organisation")
    assert tree(run) == before  # measured already
    (run / "measures.csv").unlink()
    does("evaluate", run, "--measures=readout,organisation")
    now = RunFolder(run).read_measures()
    keys = ["dataset", "condition", "seed", "epoch", "measure", "parameter"]
    pd.testing.assert_frame_equal(now[keys], then[keys])
    np.testing.assert_allclose(now["value"], then["value"], rtol=1e-3)


def test_it_is_compared_with_a_run_of_today(earlier):
    does("train", *RUNS["digits/pad/seed-0"], "--seed=5", "--epochs=2", "--out=runs")
    does("evaluate", "runs/digits/pad/seed-5")
    found = dreaming.compare(["runs/digits/pad/seed-0", "runs/digits/pad/seed-5"], to="comparison").table
    assert found[["condition", "seeds", "epoch", "missing"]].to_dict("records") == [
        {"condition": "pad", "seeds": 2, "epoch": 2, "missing": ""}
    ]


def test_reproduce_takes_it_as_one_of_its_own(earlier):
    run, place = earlier / "runs/digits/pad/seed-0", earlier / "paper/runs/digits/pad/seed-0"
    shutil.copytree(run, place)
    networks = [f"networks.{size}" for size in ("base_channels=2", "latent_dim=8", "image_channels=1")]
    profile = Profile(
        **{"name": "tiny", "datasets": ("digits",), "seeds": 1, "epochs": 2, "long_epochs": 2, "limit": 64},
        figures=("figure-4",),
        settings=(*networks, "training.batch_size=16", "training.precision=float32"),
    )
    found = reproduce(profile, out=earlier / "paper", device="cpu", workers=1)
    assert found.failures == {}
    assert tree(place) == tree(run)  # nothing was trained or measured anew
    table = pd.read_csv(earlier / "paper/figures/figure-4.csv")
    own = RunFolder(run).read_measures().query("parameter == 'latent'").sort_values("epoch")
    drawn = table[table["condition"] == "pad"].sort_values("epoch")
    assert drawn["value"].tolist() == own["value"].tolist()
