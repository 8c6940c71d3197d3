"""Controls are measured once for all runs of the same images, seed and protocol, and never taken for others."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.evaluation.heard import Heard

import dreaming
from dreaming.evaluation.features import controls
from dreaming.evaluation.features.controls import Control
from dreaming.evaluation.measuring import evaluate
from dreaming.evaluation.readout import Protocol

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("without_drawing", "shapes_unchecked")


@pytest.fixture(scope="module")
def images(dataset_of):
    return dataset_of(train=64, test=30)


@pytest.fixture
def run_of(images, tmp_path):
    """Trains nothing: runs of no epoch, so of one snapshot."""

    def make(condition="pad", seed=4, dataset=images):
        config = dreaming.configure(
            condition,
            networks={"base_channels": 2, "latent_dim": 8, "image_channels": 1},
            training={"batch_size": 32, "epochs": 0, "device": "cpu", "precision": "float32"},
            seed=seed,
        )
        return dreaming.train(config, out=tmp_path, dataset=dataset)

    return make


@pytest.fixture
def measured(monkeypatch):
    """The controls that are measured, as it happens."""
    done, whole = [], Control.measure
    monkeypatch.setattr(Control, "measure", lambda self: done.append(self.kind) or whole(self))
    return done


def controls_of(table):
    own = table[table["epoch"].isna()]
    return dict(zip(own["parameter"], own["value"], strict=True))


def files():
    return sorted(Path(os.environ["DREAMING_CACHE"]).rglob("*.*"))


def origin_of(images, **changed):
    parts = {"kind": "pixels", "image_channels": 1, "seed": 4, "protocol": Protocol(), "device": CPU}
    return Control(images=images, **{**parts, **changed}).origin()


def test_another_condition_of_the_same_images_and_seed_takes_what_the_first_measured(
    run_of, images, measured
):
    first = evaluate(run_of(), dataset=images)
    assert measured == ["pixels", "pca"]
    heard = Heard()
    second = evaluate(run_of("wake_only"), dataset=images, progress=heard)
    assert measured == ["pixels", "pca"]
    assert controls_of(second) == controls_of(first)
    assert set(second["condition"]) == {"wake_only"}
    said = [line for line in heard.lines if "as kept in" in line]
    assert [line.partition(" (as kept in ")[0] for line in said] == [
        f"digits/wake_only/seed-4: readout accuracy of {name}: {100 * value:.2f} %"
        for name, value in controls_of(first).items()
    ][::-1]
    assert all(any(f"{file})" in line for file in files()) for line in said)


def test_what_is_kept_is_what_is_measured_anew(run_of, images, measured, monkeypatch, tmp_path):
    first = evaluate(run_of(), dataset=images)
    monkeypatch.setenv("DREAMING_CACHE", str(tmp_path / "empty"))
    again = evaluate(run_of("wake_only"), dataset=images)
    assert measured == ["pixels", "pca"] * 2
    assert controls_of(again) == controls_of(first)


@pytest.mark.parametrize("other", ["seed", "images", "protocol"])
def test_controls_of_something_else_are_measured(other, run_of, images, dataset_of, measured):
    evaluate(run_of(), dataset=images)
    measured.clear()
    dataset = dataset_of(train=64, test=30, seed=1) if other == "images" else images
    run = run_of("wake_only", seed=5 if other == "seed" else 4, dataset=dataset)
    settings = ["readout.protocol.epochs=1"] if other == "protocol" else []
    evaluate(run, settings=settings, dataset=dataset)
    assert measured == ["pixels", "pca"]
    assert len(files()) == 4


def test_an_origin_is_changed_by_all_that_changes_a_number(images, dataset_of, monkeypatch):
    usual = origin_of(images)
    assert origin_of(images) == usual
    others = [
        origin_of(dataset_of(train=64, test=30, seed=1)),
        origin_of(images, kind="pca"),
        origin_of(images, image_channels=3),
        origin_of(images, seed=5),
        origin_of(images, protocol=Protocol(epochs=1)),
    ]
    for place, name, value in (
        (controls.hardware, "processor", lambda: "another"),
        (torch, "__version__", f"{torch.__version__}+another"),  # builds of torch round in ways of their own
        (np, "__version__", "0"),
        (controls.metadata, "version", lambda name: "0"),
        (controls, "batches", controls.rng),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, value)
            others.append(origin_of(images))
    assert len({controls.cached(each) for each in (usual, *others)}) == len(others) + 1


def test_a_control_of_another_origin_under_the_name_is_not_taken(run_of, images, measured):
    first = evaluate(run_of(), dataset=images)
    pixels, pca = files()[::-1]
    pixels.write_bytes(pca.read_bytes())
    heard = Heard()
    assert controls_of(evaluate(run_of("wake_only"), dataset=images, progress=heard)) == controls_of(first)
    assert measured == ["pixels", "pca", "pixels"]
    assert any("is of another origin than its name says" in line for line in heard.lines)


@pytest.mark.parametrize("harm", ["bit", "half", "empty", "text"])
def test_a_damaged_control_is_said_and_measured_again(harm, run_of, images, measured):
    first = evaluate(run_of(), dataset=images)
    measured.clear()
    path = next(file for file in files() if file.name.startswith("pixels"))
    content = path.read_bytes()
    path.write_bytes(
        {
            "bit": content[:-1] + bytes([content[-1] ^ 1]),
            "half": content[: len(content) // 2],
            "empty": b"",
            "text": b"0.5\n",
        }[harm]
    )
    heard = Heard()
    second = evaluate(run_of("wake_only"), dataset=images, progress=heard)
    assert measured == ["pixels"]
    assert controls_of(second) == controls_of(first)
    assert next(line for line in heard.lines if "measured again" in line).startswith(f"{path} is damaged")
    assert path.read_bytes() == content


def test_a_cache_that_cannot_be_written_is_done_without(run_of, images, measured, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("DREAMING_CACHE", str(tmp_path / "file"))
    heard = Heard()
    table = evaluate(run_of(), dataset=images, progress=heard)
    assert len(controls_of(table)) == 2
    assert len([line for line in heard.lines if "not kept for other runs: cannot write" in line]) == 2
