"""What a training leaves in its folder, and what is loaded out of it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

import dreaming
from dreaming.errors import UserError
from dreaming.runs.folder import RunFolder
from dreaming.runs.sheets import GAP, LABEL, MARGIN, SCALE
from dreaming.runs.snapshots import load
from dreaming.runs.tensors import read_tensors

pytestmark = pytest.mark.usefixtures("shapes_unchecked")


@pytest.fixture(scope="module")
def small_dataset(dataset_of):
    return dataset_of(train=24, test=10)


@pytest.fixture(scope="module")
def three_epochs(tiny_config, small_dataset, tmp_path_factory):
    """A run of three epochs; not to be changed."""
    config = tiny_config(training={"epochs": 3, "snapshots": "all"})
    return dreaming.train(config, out=tmp_path_factory.mktemp("runs"), dataset=small_dataset)


@pytest.fixture
def changeable(three_epochs, tmp_path):
    return shutil.copytree(three_epochs, tmp_path / "run")


def test_the_folder_holds_what_design_says_and_nothing_else(three_epochs):
    found = {path.relative_to(three_epochs).as_posix() for path in three_epochs.rglob("*") if path.is_file()}
    assert found == {
        "config.yaml",
        "environment.json",
        "losses.csv",
        "state.safetensors",
        "state.before.safetensors",
        *(f"snapshots/000{epoch}.safetensors" for epoch in range(4)),
        *(f"dreams/000{epoch}.png" for epoch in range(4)),
    }
    assert three_epochs.as_posix().endswith("digits/pad/seed-0")


def test_losses_have_a_row_an_epoch_and_a_column_a_term(three_epochs):
    losses = RunFolder(three_epochs).read_losses()
    assert list(losses) == [
        "epoch",
        "cycles",
        "seconds",
        "wake.image",
        "wake.kl",
        "wake.externality",
        "nrem.latent",
        "rem.externality",
    ]
    assert losses["epoch"].tolist() == [1, 2, 3]
    assert losses["cycles"].tolist() == [3, 3, 3]
    assert (losses["seconds"] > 0).all()
    assert (losses.iloc[:, 3:] > 0).all().all()


@pytest.mark.parametrize(
    ("condition", "terms"),
    [
        ("wake_only", ["wake.image", "wake.kl", "wake.externality"]),
        ("without_nrem", ["wake.image", "wake.kl", "wake.externality", "rem.externality"]),
        (
            "rem_before_nrem",
            ["wake.image", "wake.kl", "wake.externality", "rem.externality", "nrem.latent"],
        ),
    ],
)
def test_losses_have_the_terms_of_the_condition(condition, terms, tiny_config, small_dataset, tmp_path):
    run = dreaming.train(tiny_config(condition, training={"epochs": 1}), out=tmp_path, dataset=small_dataset)
    assert list(RunFolder(run).read_losses())[3:] == terms


def test_a_row_is_the_mean_over_the_cycles(tiny_config, small_dataset, tmp_path):
    """One epoch of three cycles, done by hand beside the loop."""
    config = tiny_config(training={"epochs": 1})
    run = dreaming.train(config, out=tmp_path, dataset=small_dataset)
    cortex = config.networks.build(config.seed)
    synapses, hippocampus = dreaming.Synapses(cortex, config.optimizer), dreaming.Hippocampus()
    order = torch.randperm(24, generator=dreaming.rng.generator(0, "order", 1)).split(8)
    totals = {}
    for cycle, chosen in enumerate(order):
        seen = small_dataset.train.images[chosen].float() / 127.5 - 1
        hippocampus, terms = dreaming.sleep_wake_cycle(
            cortex, synapses, seen, hippocampus, config.phases, dreaming.Random(0, (1, cycle))
        )
        for name, value in terms.items():
            totals[name] = totals.get(name, 0) + value.item() / 3
    row = RunFolder(run).read_losses().iloc[0]
    for name, value in totals.items():
        assert row[name] == pytest.approx(value, rel=1e-12)
    assert all(
        torch.equal(value, cortex.state_dict()[name]) for name, value in load(run).state_dict().items()
    )


def test_the_environment_says_on_what_the_run_was_made(three_epochs, small_dataset):
    (session,) = json.loads((three_epochs / "environment.json").read_text())["sessions"]
    assert session["from"] == {"epoch": 1, "cycle": 0}
    assert session["precision"] == "float32"
    assert session["dataset"] == {
        "name": "digits",
        "fingerprint": small_dataset.fingerprint,
        "official": True,
        "files": {},
        "place": None,
        "chance": 0.1,
    }
    assert session["versions"]["torch"] == torch.__version__
    assert session["machine"]["device"] == "cpu"
    assert session["started"].endswith("+00:00")
    root = Path(__file__).parents[2]
    if (root / ".git").exists():
        head = subprocess.run(
            ["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        assert session["commit"].removesuffix("+changes") == head.stdout.strip()
    else:
        assert session["commit"] is None
    assert "command" in session


def test_the_config_is_the_whole_truth_and_resolved(three_epochs, tiny_config):
    written = yaml.safe_load((three_epochs / "config.yaml").read_text())
    assert list(written["phases"]) == ["wake", "nrem", "rem"]
    assert written["training"]["device"] == "cpu"
    assert written["training"]["precision"] == "float32"
    expected = tiny_config(training={"epochs": 3, "snapshots": "all", "path": "plain"})
    assert dreaming.Config.from_yaml(three_epochs / "config.yaml") == expected


@pytest.mark.parametrize("epoch", range(4))
def test_dreams_of_each_kept_epoch_are_a_picture(three_epochs, epoch):
    with Image.open(three_epochs / "dreams" / f"000{epoch}.png") as picture:
        picture.load()
        side = 32 * SCALE + GAP
        assert picture.format == "PNG"
        assert picture.mode == "RGB"
        assert picture.size == (LABEL + 2 * MARGIN + 12 * side - GAP, 3 * MARGIN + 14 + 5 * side - GAP)
        assert len(picture.getcolors(1 << 20)) > 20


def test_dreams_change_with_learning_and_the_waking_rows_do_not(three_epochs):
    side, top = 32 * SCALE + GAP, 2 * MARGIN + 14
    rows = []
    for epoch in (0, 3):
        with Image.open(three_epochs / "dreams" / f"000{epoch}.png") as picture:
            left = MARGIN + LABEL
            rows.append(
                [
                    picture.crop((left, top + row * side, picture.width, top + (row + 1) * side)).tobytes()
                    for row in range(5)
                ]
            )
    assert [before == after for before, after in zip(*rows, strict=True)] == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("snapshots", "expected"),
    [("all", [0, 1, 2, 3]), ("ends", [0, 3]), ("2", [0, 2]), ("1,3", [0, 1, 3]), ("0", [0])],
)
def test_snapshots_and_dreams_are_kept_as_asked(snapshots, expected, tiny_config, small_dataset, tmp_path):
    config = tiny_config(training={"epochs": 3, "snapshots": snapshots})
    run = dreaming.train(config, out=tmp_path, dataset=small_dataset)
    assert RunFolder(run).snapshots() == expected
    assert sorted(int(path.stem) for path in (run / "dreams").iterdir()) == expected


def test_a_snapshot_beyond_the_last_epoch_is_refused(tiny_config):
    with pytest.raises(UserError, match="snapshot 9 lies beyond the last epoch, 3"):
        tiny_config(training={"epochs": 3, "snapshots": "1,9"})


def test_a_batch_larger_than_the_data_is_refused_and_leaves_no_folder(tiny_config, small_dataset, tmp_path):
    with pytest.raises(UserError, match="batch of 25 images is larger than the 24"):
        dreaming.train(tiny_config(training={"batch_size": 25}), out=tmp_path, dataset=small_dataset)
    assert not list(tmp_path.iterdir())


def test_the_last_partial_batch_is_dropped(tiny_config, dataset_of, tmp_path):
    run = dreaming.train(
        tiny_config(training={"epochs": 1}), out=tmp_path, dataset=dataset_of(train=31, test=10)
    )
    assert RunFolder(run).read_losses()["cycles"].tolist() == [3]


def test_a_snapshot_says_whose_it_is(three_epochs, tiny_config):
    weights, about = read_tensors(three_epochs / "snapshots" / "0002.safetensors")
    assert about == {
        "epoch": 2,
        "seed": 0,
        "condition": "pad",
        "networks": {"latent_dim": 8, "base_channels": 2, "image_channels": 3, "image_size": 32},
    }
    assert set(weights) == set(tiny_config().networks.build(0).state_dict())


class TestLoad:
    def test_by_default_the_last_epoch_is_loaded(self, three_epochs):
        last, third, second = (load(three_epochs, epoch).state_dict() for epoch in (None, 3, 2))
        assert all(torch.equal(last[name], third[name]) for name in last)
        assert any(not torch.equal(last[name], second[name]) for name in last)

    def test_epoch_0_is_the_untrained_cortex(self, three_epochs, tiny_config):
        born = tiny_config().networks.build(0).state_dict()
        found = load(str(three_epochs), 0).state_dict()
        assert all(torch.equal(born[name], found[name]) for name in born)

    def test_a_loaded_cortex_is_on_the_cpu_in_float32(self, three_epochs):
        cortex = load(three_epochs)
        assert {(w.device.type, w.dtype) for w in cortex.parameters()} == {("cpu", torch.float32)}

    def test_an_epoch_that_was_not_kept_is_named_with_those_that_were(self, three_epochs):
        with pytest.raises(UserError, match=r"0009\.safetensors is missing; the epochs kept are 0, 1, 2, 3"):
            load(three_epochs, 9)

    def test_a_run_without_snapshots_is_not_analysed_untrained(self, changeable):
        shutil.rmtree(changeable / "snapshots")
        with pytest.raises(UserError, match="holds no snapshots"):
            load(changeable)

    def test_a_folder_that_is_no_run_is_refused(self, tmp_path):
        with pytest.raises(UserError, match="no run folder"):
            load(tmp_path / "nothing")
        with pytest.raises(UserError, match=r"config\.yaml is missing"):
            load(tmp_path)

    def test_a_damaged_config_is_named(self, changeable):
        (changeable / "config.yaml").write_text("networks: [")
        with pytest.raises(UserError, match=r"config\.yaml is damaged"):
            load(changeable)

    def test_the_snapshot_of_another_epoch_is_refused(self, changeable):
        shutil.copy(
            changeable / "snapshots" / "0001.safetensors", changeable / "snapshots" / "0003.safetensors"
        )
        with pytest.raises(UserError, match=r"0003\.safetensors belongs to another run: its epoch is 1"):
            load(changeable)

    @pytest.mark.parametrize(
        ("condition", "setting", "key"),
        [
            ("pad", "seed=1", "seed"),
            ("pad", "networks.latent_dim=9", "networks"),
            ("wake_only", "training.epochs=3", "condition"),
        ],
    )
    def test_the_snapshot_of_another_run_is_refused(
        self, condition, setting, key, changeable, tiny_config, small_dataset, tmp_path
    ):
        config = tiny_config(condition, [setting], training={"epochs": 3})
        other = dreaming.train(config, out=tmp_path / "other", dataset=small_dataset)
        shutil.copy(other / "snapshots" / "0003.safetensors", changeable / "snapshots" / "0003.safetensors")
        with pytest.raises(UserError, match=rf"0003\.safetensors belongs to another run: its {key}"):
            load(changeable)

    @pytest.mark.parametrize("content", [b"", b"garbage" * 50])
    def test_a_damaged_snapshot_is_named(self, changeable, content):
        (changeable / "snapshots" / "0003.safetensors").write_bytes(content)
        with pytest.raises(UserError, match=r"0003\.safetensors is damaged"):
            load(changeable)


def test_a_failing_write_in_the_middle_of_a_training_loses_no_epoch(
    tiny_config, small_dataset, tmp_path, monkeypatch
):
    """The disk is full when the second epoch is written; the same call goes on, bit for bit."""
    import errno
    import os

    config = tiny_config(training={"epochs": 3, "snapshots": "all"})
    whole = dreaming.train(config, out=tmp_path / "whole", dataset=small_dataset)
    original, written = os.fsync, []

    def filling_up(descriptor):
        written.append(descriptor)
        if len(written) > 27:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", filling_up)
        with pytest.raises(UserError, match="No space left on device"):
            dreaming.train(config, out=tmp_path / "cut", dataset=small_dataset)
    run = tmp_path / "cut" / "digits" / "pad" / "seed-0"
    assert not list(run.rglob("*.part"))
    assert RunFolder(run).read_losses()["epoch"].tolist() in ([1], [1, 2])
    assert read_tensors(run / "state.safetensors")[1]["position"]["epochs"] == 1
    assert dreaming.train(config, out=tmp_path / "cut", dataset=small_dataset) == run
    mine, theirs = load(run).state_dict(), load(whole).state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_a_training_never_ends_in_silence_with_weights_that_are_no_numbers(
    tiny_config, small_dataset, tmp_path
):
    """In bfloat16 the latents of a cortex as small as this are all alike, so that L_KL is infinite."""
    config = tiny_config(training={"precision": "bfloat16", "epochs": 1})
    try:
        run = dreaming.train(config, out=tmp_path, dataset=small_dataset)
    except UserError:
        return
    assert all(weight.isfinite().all() for weight in load(run).state_dict().values())
