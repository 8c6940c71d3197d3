"""A checkpoint of the published program becomes a run that can be measured, and is the same cortex."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.cli.tiny_runs import tree
from tests.paper.authors.published_checkpoint import Published, save, without

import dreaming
from dreaming.cli.main import main
from dreaming.data import load_dataset, to_activity
from dreaming.errors import UserError
from dreaming.paper.authors import checkpoint as published_program
from dreaming.paper.authors.checkpoint import import_checkpoint
from dreaming.runs.folder import RunFolder

HERE = {"dataset": "digits", "limit": 128}


@pytest.fixture(scope="module")
def published():
    return Published()


@pytest.fixture
def imported(published, tmp_path):
    path = save(published.content(), tmp_path / "trained.pth")
    return import_checkpoint(path, out=tmp_path / "runs", **HERE)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("numpy_one", [True, False], ids=["numpy 1", "numpy 2"])
@pytest.mark.parametrize("channels", [3, 1])
def test_the_imported_cortex_infers_and_dreams_as_the_published_one(zipped, numpy_one, channels, tmp_path):
    published = Published(channels=channels)
    path = save(published.content(), tmp_path / "trained.pth", zipped=zipped, numpy_one=numpy_one)
    assert (b"numpy.core" in path.read_bytes()) is numpy_one
    cortex = dreaming.load(import_checkpoint(path, out=tmp_path / "runs", **HERE))
    images = to_activity(load_dataset("digits", limit=64).train.images, channels)
    with torch.no_grad():
        latents, externality = published.discriminator(images)
        z, d_logit = cortex.encoder(images)
        torch.testing.assert_close(z, latents, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(torch.sigmoid(d_logit), externality, rtol=1e-5, atol=1e-6)
        dreamt = cortex.generator(latents)
        torch.testing.assert_close(dreamt, published.generator(latents), rtol=1e-5, atol=1e-6)
    assert latents.std() > 1e-3


def test_images_are_in_the_range_that_the_program_shows_them_in():
    """It divides by 255, takes 0.5 away and divides by 0.5."""
    pixels = torch.arange(256, dtype=torch.uint8).repeat(12).reshape(1, 3, 32, 32)
    theirs = (pixels.float() / 255 - 0.5) / 0.5
    torch.testing.assert_close(to_activity(pixels), theirs, rtol=0, atol=2e-7)


def test_its_losses_stand_under_our_names(imported):
    losses = RunFolder(imported).read_losses()
    assert losses["epoch"].tolist() == [1, 2]
    assert losses[["cycles", "seconds"]].isna().all(axis=None), "the file does not say"
    wanted = {
        "wake.image": [0.2, 0.1],
        "wake.kl": [0.3, 0.15],
        "wake.externality": [0.6, 0.3],  # of both, 1.3, without REM's, 0.7
        "nrem.latent": [0.9, 0.45],
        "rem.externality": [0.7, 0.35],
    }
    assert list(losses.columns[3:]) == list(wanted)
    for name, values in wanted.items():
        np.testing.assert_allclose(losses[name], values, rtol=1e-12)


def test_what_the_file_lacks_is_left_out(published, tmp_path):
    content = without(published.content(), "g_losses") | {"kl_losses": [0.3]}
    path = save(content, tmp_path / "trained.pth")
    run = import_checkpoint(path, condition="without_nrem", out=tmp_path / "runs", **HERE)
    assert list(RunFolder(run).read_losses().columns[3:]) == ["wake.image"]
    assert [phase.name for phase in RunFolder(run).read_config().phases] == ["wake", "rem"]


def test_a_checkpoint_without_losses_needs_its_epoch(published, tmp_path):
    content = {name: published.content()[name] for name in ("generator", "discriminator")}
    path = save(content, tmp_path / "trained2.pth")
    with pytest.raises(UserError, match=r"trained2\.pth does not say after how many epochs.*--epoch N"):
        import_checkpoint(path, out=tmp_path / "runs", **HERE)
    run = import_checkpoint(path, epoch=2, out=tmp_path / "runs", **HERE)
    assert RunFolder(run).snapshots() == [2]
    assert not (run / "losses.csv").exists()


def test_the_record_says_what_it_is_and_what_nobody_knows(imported, tmp_path):
    content = (tmp_path / "trained.pth").read_bytes()
    about = json.loads((imported / "environment.json").read_text())["imported"]
    assert about["from"] == "trained.pth"
    assert about["sha256"] == hashlib.sha256(content).hexdigest()
    assert about["resumable"] is False
    assert "seed of the training" in about["unknown"]
    config = RunFolder(imported).read_config()
    assert (config.optimizer.learning_rate, config.optimizer.betas) == (2e-4, (0.5, 0.999))
    assert (config.networks.latent_dim, config.networks.base_channels) == (8, 2)
    assert RunFolder(imported).snapshots() == [2], "there is no untrained cortex, and none is made up"
    assert not list(imported.parent.glob(".*")), "nothing unfinished is left"


def test_it_is_measured_compared_and_dreams_but_is_not_trained_on(published, tmp_path, capsys):
    path, out = save(published.content(), tmp_path / "trained.pth"), str(tmp_path / "runs")
    words = ["--dataset", "digits", "--limit", "128", "--out", out]
    run = f"{out}/digits/published_pad/seed-0"
    to = str(tmp_path / "comparison")
    assert main(["import", str(path), *words]) == 0
    assert main(["evaluate", run, "--measures", "readout,organisation"]) == 0
    assert main(["compare", out, "--to", to]) == 0
    assert main(["dream", run, "--count", "4"]) == 0
    assert (
        (tmp_path / "comparison/table.csv")
        .read_text()
        .splitlines()[1]
        .startswith("digits,published_pad,1,2,")
    )
    assert list((tmp_path / "runs/digits/published_pad/seed-0/dreams").glob("sheet*-0002.png"))
    capsys.readouterr()
    before = tree(tmp_path)
    with pytest.raises(UserError, match="was imported"):
        dreaming.train(RunFolder(Path(run)).read_config(), out=out)
    assert main(["import", str(path), *words]) == 2
    assert "is there already" in capsys.readouterr().err
    assert tree(tmp_path) == before


def test_what_a_killed_import_left_is_swept_and_what_came_meanwhile_stands(published, tmp_path, monkeypatch):
    path = save(published.content(), tmp_path / "trained.pth")
    place = tmp_path / "runs/digits/published_pad"
    left = place / ".seed-0.999999999.part"
    (left / "snapshots").mkdir(parents=True)
    load = published_program.load_dataset

    def load_while_another_imports(*words, **settings):
        (place / "seed-0").mkdir()
        (place / "seed-0/config.yaml").touch()
        return load(*words, **settings)

    monkeypatch.setattr(published_program, "load_dataset", load_while_another_imports)
    with pytest.raises(UserError, match=r"cannot write .*seed-0 .*not empty"):
        import_checkpoint(path, out=tmp_path / "runs", **HERE)
    assert [path.name for path in place.iterdir()] == ["seed-0"]
    assert [path.name for path in (place / "seed-0").iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(
    ("changes", "words", "sentence"),
    [
        ({}, {"epoch": 3}, "--epoch is 3; .* has the losses of 2 epochs"),
        ({}, {"epoch": 0}, "--epoch is 0"),
        ({}, {"condition": "untrained"}, "'untrained' has no phases"),
        ({}, {"condition": "pda"}, "did you mean 'pad'"),
        ({}, {"dataset": "digit"}, "no data set is called 'digit'"),
        ({}, {"name": "../evil"}, r"condition is '\.\./evil'"),
        ({"generator": None}, {}, "holds no 'generator' and 'discriminator'"),
        ({"discriminator": {}}, {}, "another discriminator"),
        ({"d_losses": ["1", "2"]}, {}, "something else than numbers in d_losses"),
        ({"g_optim": {"param_groups": [{"lr": 0.1, "betas": (0.5, 0.9)}]}}, {}, "two learning rates"),
        ({"g_optim": {"param_groups": [{"lr": None, "betas": 3}]}}, {}, "g_optim without learning rate"),
    ],
)
def test_what_is_no_such_checkpoint_is_refused_and_nothing_written(
    changes, words, sentence, published, tmp_path
):
    path = save(published.content() | changes, tmp_path / "trained.pth")
    with pytest.raises(UserError, match=sentence):
        import_checkpoint(path, out=tmp_path / "runs", **HERE | words)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("part", "name", "value", "sentence"),
    [
        ("discriminator", "conv2.0.weight", torch.zeros(4, 2, 3, 3), r"no float32 discriminator\.conv2\.0"),
        ("discriminator", "conv4.0.weight", torch.zeros(8, 9, 4, 4), "another discriminator"),
        (
            "generator",
            "tconv4.0.weight",
            torch.zeros(2, 3, 4, 4, dtype=torch.float64),
            "no float32 generator",
        ),
        (
            "generator",
            "tconv4.0.bias",
            torch.full((3,), float("nan")),
            r"generator\.tconv4\.0\.bias that is not",
        ),
        (
            "generator",
            "batchnorm.weight",
            torch.zeros(3),
            r"generator\.batchnorm\.weight, which the published",
        ),
        ("generator", "tconv1.0.bias", None, r"no float32 generator\.tconv1\.0\.bias of shape \[8\]"),
    ],
)
def test_weights_that_do_not_fit_are_named(part, name, value, sentence, published, tmp_path):
    content = published.content()
    content[part] = {**content[part], name: value}
    path = save(content, tmp_path / "trained.pth")
    with pytest.raises(UserError, match=sentence):
        import_checkpoint(path, out=tmp_path / "runs", **HERE)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_cut_or_changed_file_is_refused(zipped, published, tmp_path):
    path = save(published.content(), tmp_path / "trained.pth", zipped=zipped)
    whole = path.read_bytes()
    weight = published.discriminator.state_dict()["conv4.0.weight"].numpy().tobytes()
    at = whole.index(weight)
    changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    for content in (whole[: len(whole) // 2], whole[:-300], whole[:100], b"", *([changed] if zipped else [])):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"trained\.pth is damaged or cut off"):
            import_checkpoint(path, out=tmp_path / "runs", **HERE)
    with pytest.raises(UserError, match=r"there is no file .*nowhere\.pth"):
        import_checkpoint(tmp_path / "nowhere.pth", out=tmp_path / "runs", **HERE)
