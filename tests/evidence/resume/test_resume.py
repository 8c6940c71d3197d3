"""Stopped and gone on with, a run is bit for bit the run that was never stopped; no other run is gone on with."""

import shutil
import signal
from contextlib import nullcontext

import pandas as pd
import pytest
import torch

import dreaming
from dreaming.errors import Stopped, UserError
from dreaming.model.conditions import conditions
from dreaming.runs.folder import RunFolder
from dreaming.runs.snapshots import load
from dreaming.runs.tensors import read_tensors
from dreaming.system.progress import NoProgress

pytestmark = pytest.mark.usefixtures("without_drawing", "shapes_unchecked")

PRECISIONS = ["float32", "bfloat16"]


@pytest.fixture(scope="module")
def small_dataset(dataset_of):
    """Three cycles of eight an epoch."""
    return dataset_of(train=24, test=10)


@pytest.fixture(scope="module")
def configured(tiny_config):
    def make(condition="pad", epochs=4, settings=(), **training):
        # With 2 channels, latents in bfloat16 are all alike, and L_KL is no number.
        sections = {"networks": {"base_channels": 4}} if training.get("precision") == "bfloat16" else {}
        training = {"epochs": epochs, "snapshots": "all", **training}
        return tiny_config(condition, settings, training=training, **sections)

    return make


class StopAfter(NoProgress):
    """Asks by a signal for a stop after so many cycles."""

    def __init__(self, cycles, number=signal.SIGTERM):
        self.left, self.number = cycles, number

    def cycle(self):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(self.number)


def everything(run):
    """All that a run came to: weights of each epoch, losses but for the seconds, the state but for the seconds."""
    folder = RunFolder(run)
    state, about = read_tensors(folder.state)
    found = {f"state {name}": value for name, value in state.items()}
    found["position"] = {k: v for k, v in about["position"].items() if k != "seconds"}
    for epoch in folder.snapshots():
        weights, metadata = read_tensors(folder.snapshot(epoch))
        assert all(value.isfinite().all() for value in weights.values())  # NaN is not even equal to itself
        found |= {f"{epoch} {name}": value for name, value in weights.items()}
        found[f"{epoch} metadata"] = metadata
        found[f"{epoch} dreams"] = folder.dreams(epoch).read_bytes()
    if folder.losses.exists():
        found["losses"] = folder.losses.read_text().splitlines()[0]
        found["rows"] = folder.read_losses().drop(columns="seconds").to_dict("list")
    return found


def difference(one, other):
    """Names of what is not bit for bit the same in two runs."""
    one, other = everything(one), everything(other)
    names = set(one) ^ set(other)
    for name in set(one) & set(other):
        same = torch.equal(one[name], other[name]) if torch.is_tensor(one[name]) else one[name] == other[name]
        names |= set() if same else {name}
    return names


def modified(run):
    return {path: path.stat().st_mtime_ns for path in run.rglob("*")}


@pytest.fixture(scope="module")
def uninterrupted(without_drawing, configured, small_dataset, tmp_path_factory):
    """Runs of four epochs in one go, made once each."""
    made = {}

    def run(condition="pad", precision="float32", settings=(), **training):
        key = (condition, precision, *settings, *training.items())
        if key not in made:
            config = configured(condition, settings=settings, precision=precision, **training)
            made[key] = dreaming.train(config, out=tmp_path_factory.mktemp("whole"), dataset=small_dataset)
        return made[key]

    return run


@pytest.mark.parametrize(
    ("condition", "precision"),
    [*((name, "float32") for name in conditions()), ("pad", "bfloat16"), ("nrem_mixed", "bfloat16")],
)
def test_four_epochs_equal_two_and_a_stop_in_the_middle_of_the_third_and_the_rest(
    condition, precision, configured, uninterrupted, small_dataset, tmp_path
):
    dreaming.train(configured(condition, 2, precision=precision), out=tmp_path, dataset=small_dataset)
    config = configured(condition, precision=precision)
    stops = pytest.raises(Stopped, match="stopped in epoch 3 of 4, after 2 of 3 cycles")
    with nullcontext() if condition == "untrained" else stops:  # which has no cycles to stop after
        dreaming.train(config, out=tmp_path, dataset=small_dataset, progress=StopAfter(2))
    run = dreaming.train(config, out=tmp_path, dataset=small_dataset)
    assert not difference(run, uninterrupted(condition, precision))
    assert len(RunFolder(run).snapshots()) == (1 if condition == "untrained" else 5)


@pytest.mark.parametrize(("cycles", "number"), [(1, signal.SIGTERM), (3, signal.SIGTERM), (5, signal.SIGINT)])
def test_a_stop_after_any_cycle_loses_nothing(
    cycles, number, configured, uninterrupted, small_dataset, tmp_path
):
    config = configured()
    with pytest.raises(Stopped, match=f"stopped in epoch {1 + cycles // 3} of 4, after {cycles % 3} of 3"):
        dreaming.train(config, out=tmp_path, dataset=small_dataset, progress=StopAfter(cycles, number))
    run = dreaming.train(config, out=tmp_path, dataset=small_dataset)
    assert not difference(run, uninterrupted())


def test_a_stop_after_every_cycle_loses_nothing(configured, uninterrupted, small_dataset, tmp_path):
    stops = 0
    while True:
        try:
            run = dreaming.train(configured(), out=tmp_path, dataset=small_dataset, progress=StopAfter(1))
            break
        except Stopped:
            stops += 1
    assert stops == 11
    assert not difference(run, uninterrupted())


def test_a_stop_in_the_last_cycle_comes_too_late(configured, uninterrupted, small_dataset, tmp_path):
    run = dreaming.train(configured(), out=tmp_path, dataset=small_dataset, progress=StopAfter(12))
    assert not difference(run, uninterrupted())


@pytest.mark.parametrize("setting", ["training.memories_across_epochs=true", "optimizer.idle_weights=coast"])
@pytest.mark.parametrize("cycles", [3, 7])
def test_options_that_look_back_survive_a_stop(
    setting, cycles, configured, uninterrupted, small_dataset, tmp_path
):
    config = configured(settings=[setting])
    with pytest.raises(Stopped):
        dreaming.train(config, out=tmp_path, dataset=small_dataset, progress=StopAfter(cycles))
    run = dreaming.train(config, out=tmp_path, dataset=small_dataset)
    assert not difference(run, uninterrupted(settings=[setting]))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_same_seed_twice_is_bit_for_bit_the_same(
    precision, configured, uninterrupted, small_dataset, tmp_path
):
    again = dreaming.train(configured(precision=precision), out=tmp_path, dataset=small_dataset)
    assert not difference(again, uninterrupted("pad", precision))


@pytest.mark.changes_global_state  # with as many threads as the machine has, as users do
def test_two_threads_are_repeatable_too(configured, small_dataset, tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        runs = [dreaming.train(configured(epochs=1), out=tmp_path / x, dataset=small_dataset) for x in "ab"]
    finally:
        torch.set_num_threads(before)
    assert not difference(*runs)


def test_whatever_the_global_generators_hold_the_run_is_the_same(
    configured, uninterrupted, small_dataset, tmp_path
):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(987)
        run = dreaming.train(configured(), out=tmp_path, dataset=small_dataset)
    assert not difference(run, uninterrupted())


def test_another_seed_is_another_run(configured, uninterrupted, small_dataset, tmp_path):
    other = dreaming.train(configured(settings=["seed=1"]), out=tmp_path, dataset=small_dataset)
    changed = difference(other, uninterrupted())
    assert {"0 encoder.latent_head.bias", "4 generator.layers.3.bias", "rows"} <= changed


def test_another_precision_is_another_run_from_the_same_start(
    configured, uninterrupted, small_dataset, tmp_path
):
    config = configured(settings=["networks.base_channels=4"])
    reference = dreaming.train(config, out=tmp_path, dataset=small_dataset)
    changed = difference(uninterrupted("pad", "bfloat16"), reference)
    assert {"4 encoder.latent_head.bias", "4 generator.layers.3.bias", "rows"} <= changed
    assert not {name for name in changed if name.startswith("0 ")}


@pytest.fixture
def finished(uninterrupted, tmp_path):
    """A copy of a finished run, and the folder of runs it lies in."""
    original = uninterrupted()
    copy = tmp_path / "runs" / original.relative_to(original.parents[2])
    shutil.copytree(original, copy)
    return copy


@pytest.mark.parametrize("epochs", [4, 3, 1])
def test_a_finished_run_is_left_alone(epochs, finished, configured, small_dataset):
    before = modified(finished)
    run = dreaming.train(configured(epochs=epochs), out=finished.parents[2], dataset=small_dataset)
    assert run == finished
    assert modified(finished) == before


OTHER = {
    "seed": None,  # another folder
    "optimizer.learning_rate": "0.001",
    "optimizer.betas": "[0.6, 0.999]",
    "phases.rem.replay.noise": "0.3",
    "phases.wake.reduction": "squared_norm",
    "networks.base_channels": "3",
    "networks.latent_dim": "9",
    "training.batch_size": "6",
    "training.precision": "bfloat16",
    "training.memories_across_epochs": "true",
    "dataset.limit": "24",
}


@pytest.mark.parametrize("key", [key for key in OTHER if OTHER[key]])
def test_a_run_of_another_config_is_refused_and_the_key_named(key, finished, configured, small_dataset):
    before = modified(finished)
    config = configured(settings=[f"{key}={OTHER[key]}"], epochs=6)
    with pytest.raises(UserError, match=rf"another config: its {key} is .* and this command says"):
        dreaming.train(config, out=finished.parents[2], dataset=small_dataset)
    assert modified(finished) == before


def test_a_run_of_other_phases_is_refused(finished, configured, small_dataset):
    config = configured("without_nrem", settings=["condition=pad"])
    with pytest.raises(UserError, match=r"another config: its phases is \['wake', 'nrem', 'rem'\]"):
        dreaming.train(config, out=finished.parents[2], dataset=small_dataset)
    config = configured("rem_before_nrem", settings=["condition=pad"])
    with pytest.raises(UserError, match="another config: its phases is"):
        dreaming.train(config, out=finished.parents[2], dataset=small_dataset)


def test_other_images_are_refused(finished, configured, dataset_of):
    before = modified(finished)
    with pytest.raises(UserError, match="trained on other images"):
        dreaming.train(configured(epochs=6), out=finished.parents[2], dataset=dataset_of(24, 10, seed=1))
    assert modified(finished) == before


def test_more_epochs_and_other_snapshots_are_the_same_run(finished, configured, small_dataset):
    config = configured(epochs=6, snapshots="ends")
    run = dreaming.train(config, out=finished.parents[2], dataset=small_dataset)
    assert run == finished
    assert RunFolder(run).snapshots() == [0, 1, 2, 3, 4, 6]
    assert RunFolder(run).read_losses()["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert len(RunFolder(run).read_environment()["sessions"]) == 2


def test_runs_of_two_seeds_do_not_share_a_folder(configured, small_dataset, tmp_path):
    for seed in (0, 1):
        dreaming.train(configured(epochs=1, settings=[f"seed={seed}"]), out=tmp_path, dataset=small_dataset)
    assert sorted(path.name for path in (tmp_path / "digits" / "pad").iterdir()) == ["seed-0", "seed-1"]


def flipped(path):
    """Flip the lowest bit of a digit in the last line that has one: what was 4 is 5, and still looks right."""
    content = bytearray(path.read_bytes())
    place = next(i for i in range(len(content) - 5, 0, -1) if chr(content[i]).isdigit())
    content[place] ^= 1
    path.write_bytes(content)


def flipped_in_the_middle(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x40
    path.write_bytes(content)


DAMAGES = {
    "missing": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "cut by its end": lambda path: path.write_bytes(path.read_bytes()[:-4]),
    "a digit changed": flipped,
    "a bit flipped": flipped_in_the_middle,
    "garbage": lambda path: path.write_bytes(b"\x00\xff\xfe garbage \x80" * 20),
    "another text": lambda path: path.write_text("{}\n"),
}


@pytest.fixture(scope="module")
def two_epochs(without_drawing, configured, small_dataset, tmp_path_factory):
    return dreaming.train(configured(epochs=2), out=tmp_path_factory.mktemp("two"), dataset=small_dataset)


class TestDamage:
    """A run of two epochs is damaged and gone on with."""

    @pytest.fixture
    def half(self, two_epochs, tmp_path):
        """A copy that may be damaged."""
        return shutil.copytree(two_epochs, tmp_path / two_epochs.relative_to(two_epochs.parents[2]))

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_a_damaged_snapshot_is_never_loaded_as_something_else(self, damage, half):
        path = half / "snapshots/0002.safetensors"
        DAMAGES[damage](path)
        with pytest.raises(UserError, match=path.name):
            load(half, 2)

    def test_what_cannot_be_repaired_is_refused(self, half, configured, small_dataset):
        """The states are what everything hangs on: no damage to both does no harm."""
        good = {
            name: (half / name).read_bytes() for name in ("state.safetensors", "state.before.safetensors")
        }
        for damage in DAMAGES.values():
            for name in good:
                damage(half / name)
            with pytest.raises(UserError, match=r"state\.safetensors"):
                dreaming.train(configured(), out=half.parents[2], dataset=small_dataset)
            for name, content in good.items():
                (half / name).write_bytes(content)

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_a_damaged_state_is_repaired_from_the_one_before(
        self, damage, half, configured, two_epochs, small_dataset
    ):
        DAMAGES[damage](half / "state.safetensors")
        dreaming.train(configured(epochs=2), out=half.parents[2], dataset=small_dataset)
        assert not difference(half, two_epochs)

    def test_losses_that_somebody_corrected_are_read_and_kept(self, half, configured, small_dataset):
        folder = RunFolder(half)
        corrected = folder.read_losses().assign(seconds=[0.25, 1 / 3], **{"wake.image": [0.1 + 0.2, 5e-324]})
        folder.write_table(folder.losses, corrected)
        dreaming.train(configured(), out=half.parents[2], dataset=small_dataset)
        pd.testing.assert_frame_equal(folder.read_losses()[:2], corrected, check_exact=True)
        assert folder.read_losses()["epoch"].tolist() == [1, 2, 3, 4]

    @pytest.mark.parametrize(
        "change",
        [
            lambda rows: rows.iloc[:1],
            lambda rows: rows.iloc[1:],
            lambda rows: rows.iloc[[1, 0]],
            lambda rows: rows.iloc[[0, 0, 1]],
            lambda rows: rows.assign(epoch=["one", "two"]),
            lambda rows: rows.drop(columns="epoch"),
        ],
        ids=["last row gone", "first row gone", "swapped", "doubled", "words", "no epochs"],
    )
    def test_losses_that_lack_an_epoch_are_refused(self, half, change, configured, small_dataset):
        path = half / "losses.csv"
        change(pd.read_csv(path)).to_csv(path, index=False)
        before = modified(half)
        with pytest.raises(UserError, match=r"losses\.csv is damaged"):
            dreaming.train(configured(), out=half.parents[2], dataset=small_dataset)
        assert modified(half) == before

    def test_a_config_that_was_edited_into_another_run_is_refused_by_file_and_by_state(
        self, half, configured, small_dataset
    ):
        path = half / "config.yaml"
        path.write_text(path.read_text().replace("learning_rate: 0.0002", "learning_rate: 0.001"))
        before = modified(half)
        with pytest.raises(UserError, match=r"another config: its optimizer\.learning_rate is 0\.001 and"):
            dreaming.train(configured(), out=half.parents[2], dataset=small_dataset)
        config = configured(settings=["optimizer.learning_rate=0.001"])
        because = (
            r"state\.safetensors is not the state of this run: its optimizer\.learning_rate is 0\.0002, not"
        )
        with pytest.raises(UserError, match=because):
            dreaming.train(config, out=half.parents[2], dataset=small_dataset)
        assert modified(half) == before

    def test_rows_of_an_epoch_that_was_not_saved_are_written_anew(
        self, half, configured, uninterrupted, small_dataset
    ):
        """The power went after losses.csv was written and before the state was."""
        folder = RunFolder(half)
        lines = folder.losses.read_text().splitlines()
        lines.append(lines[-1].replace("2,", "3,", 1))
        folder.losses.write_text("\n".join(lines) + "\n")
        dreaming.train(configured(), out=half.parents[2], dataset=small_dataset)
        assert not difference(half, uninterrupted())

    @pytest.mark.parametrize("setting", ["seed=1", "networks.latent_dim=9"])
    def test_the_state_of_another_run_is_not_gone_on_with(
        self, setting, half, configured, uninterrupted, small_dataset, tmp_path
    ):
        other = dreaming.train(
            configured(epochs=2, settings=[setting]), out=tmp_path / "other", dataset=small_dataset
        )
        for name in ("state.safetensors", "state.before.safetensors"):
            own = (half / name).read_bytes()
            shutil.copy(other / "state.safetensors", half / name)
            if name == "state.before.safetensors":
                shutil.copy(other / "state.safetensors", half / "state.safetensors")
                with pytest.raises(UserError, match=r"state\.safetensors is not the state of this run"):
                    dreaming.train(configured(), out=half.parents[2], dataset=small_dataset)
            (half / name).write_bytes(own)
        shutil.copy(other / "state.safetensors", half / "state.safetensors")
        dreaming.train(configured(), out=half.parents[2], dataset=small_dataset)
        assert not difference(half, uninterrupted())


@pytest.mark.parametrize("file", ["config.yaml", "state.safetensors"])
def test_a_run_without_config_or_states_is_not_begun_anew(file, finished, configured, small_dataset):
    for path in (finished / file, finished / file.replace("state.", "state.before.")):
        path.unlink(missing_ok=True)
    before = modified(finished)
    with pytest.raises(UserError, match=f"{file} is missing"):
        dreaming.train(configured(epochs=6), out=finished.parents[2], dataset=small_dataset)
    assert modified(finished) == before


def test_a_beginning_that_was_cut_off_is_begun_anew(configured, uninterrupted, small_dataset, tmp_path):
    """The power went before the first state was written; the next command may be of another config."""
    run = dreaming.train(
        configured(epochs=0, settings=["training.batch_size=6"]), out=tmp_path, dataset=small_dataset
    )
    (run / "state.safetensors").unlink()
    dreaming.train(configured(), out=tmp_path, dataset=small_dataset)
    assert not difference(run, uninterrupted())
