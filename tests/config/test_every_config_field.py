"""Every field of the config, changed alone, changes the trajectory; the few that must not are named with reasons.

The fields are listed from the config itself, so that a new one without an entry in these tables fails.
"""

from dataclasses import replace

import pytest
import torch
from PIL import Image

import dreaming
from dreaming.model.conditions import conditions
from dreaming.runs.snapshots import load

pytestmark = pytest.mark.usefixtures("without_drawing", "shapes_unchecked")

# Bases: a field is changed alone from a config in which it can act.
BASES = {
    "pad": ("pad", ()),
    "mixed": ("nrem_mixed", ()),  # NREM replays noise: its first night is of two kinds
    "uniform": ("pad", ["hippocampus.retrieval=uniform"]),
    "hopfield": ("pad", ["hippocampus.retrieval=hopfield", "hippocampus.beta=1000"]),
    "wider": ("pad", ["networks.base_channels=4"]),  # room for bfloat16 to tell latents apart
}

# FIELD: (base, value). Each changes the final weights.
CHANGES = {
    "dataset.limit": ("pad", "16"),
    "networks.latent_dim": ("pad", "9"),
    "networks.base_channels": ("pad", "3"),
    "networks.image_channels": ("pad", "1"),
    "networks.image_size": ("pad", "16"),
    "optimizer.learning_rate": ("pad", "0.0003"),
    "optimizer.betas.0": ("pad", "[0.6, 0.999]"),
    "optimizer.betas.1": ("pad", "[0.5, 0.99]"),
    "optimizer.idle_weights": ("pad", "coast"),
    "hippocampus.capacity": ("uniform", "3"),
    "hippocampus.retrieval": ("pad", "uniform"),
    "hippocampus.beta": ("hopfield", "500"),
    "hippocampus.iterations": ("hopfield", "1"),
    "hippocampus.cue_noise": ("hopfield", "0.9"),
    "hippocampus.stores": ("pad", "images"),
    "phases.wake.weight": ("pad", "0.5"),
    "phases.wake.image_weight": ("pad", "0.5"),
    "phases.wake.kl_weight": ("pad", "0.5"),
    "phases.wake.externality_weight": ("pad", "0.5"),
    "phases.wake.latent_noise": ("pad", "0.5"),
    "phases.wake.dose": ("pad", "0.5"),
    "phases.wake.steps": ("pad", "2"),
    "phases.wake.reduction": ("pad", "squared_norm"),
    "phases.nrem.weight": ("pad", "0.5"),
    "phases.nrem.dose": ("pad", "0.5"),
    "phases.nrem.steps": ("pad", "2"),
    "phases.nrem.replay.past": ("pad", "0.5"),
    "phases.nrem.replay.noise": ("pad", "0.5"),
    "phases.nrem.replay.first_night": ("mixed", "memory_alone"),
    "phases.nrem.occlusion.probability.0": ("pad", "[0.4, 1.0]"),
    "phases.nrem.occlusion.probability.1": ("pad", "[0.0, 0.6]"),
    "phases.nrem.occlusion.tile_size.0": ("pad", "[6, 8]"),
    "phases.nrem.occlusion.tile_size.1": ("pad", "[1, 2]"),
    "phases.nrem.occlusion.mask_per_image": ("pad", "true"),
    "phases.nrem.reduction": ("pad", "squared_norm"),
    "phases.rem.weight": ("pad", "0.5"),
    "phases.rem.dose": ("pad", "0.5"),
    "phases.rem.steps": ("pad", "2"),
    "phases.rem.replay.past": ("pad", "0.2"),
    "phases.rem.replay.noise": ("pad", "0.2"),
    "phases.rem.replay.first_night": ("pad", "memory_alone"),
    "training.epochs": ("pad", "3"),
    "training.batch_size": ("pad", "6"),
    "training.precision": ("wider", "bfloat16"),
    "training.memories_across_epochs": ("pad", "true"),
    "seed": ("pad", "1"),
}

# FIELD: why it does not change the weights of a run on given images. Each has its own test below.
LEFT_ALONE = {
    "condition": "a label; the phases are what counts",
    "dataset.name": "says which images are read; on the same images it is a label",
    "schedule": "stages that follow; what they change has tests of its own (test_schedules_and_doses.py)",
    "training.device": "where, not what: the same numbers up to the device's rounding",
    "training.path": "how, not what: the same numbers, bit for bit on a CPU",
    "training.snapshots": "what is kept, not what happens",
}


def leaves(values, prefix=""):
    """Paths of all single values of a nested config."""
    items = values.items() if isinstance(values, dict) else enumerate(values)
    for key, value in items:
        if isinstance(value, dict | list | tuple) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def setting(field, value):
    """The --set of a field; one place of a pair is set with the pair."""
    path = field.rpartition(".")[0] if field[-1].isdigit() else field
    return f"{path}={value}"


def final_weights(run):
    return load(run).state_dict()


def same(one, other):
    return all(one[name].shape == other[name].shape and torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def small_dataset(dataset_of):
    """Three cycles of eight an epoch."""
    return dataset_of(train=24, test=10)


@pytest.fixture(scope="module")
def base_runs(without_drawing, tiny_config, small_dataset, tmp_path_factory):
    """The final weights of each base."""
    return {
        name: final_weights(
            dreaming.train(
                tiny_config(of, settings), out=tmp_path_factory.mktemp(name), dataset=small_dataset
            )
        )
        for name, (of, settings) in BASES.items()
    }


@pytest.fixture
def trained(tiny_config, small_dataset, tmp_path):
    def train(base="pad", settings=(), dataset=small_dataset):
        of, own = BASES[base]
        config = tiny_config(of, [*own, *settings])
        images = dataset.resized(config.networks.image_size)
        return dreaming.train(config, out=tmp_path / base, dataset=images)

    return train


def test_every_field_of_the_config_has_an_entry(tiny_config):
    found = {field for name in conditions() for field in leaves(tiny_config(name).model_dump(mode="json"))}
    found -= {"phases"}  # of a condition without any
    assert found == {*CHANGES, *LEFT_ALONE}
    assert not set(CHANGES) & set(LEFT_ALONE)


@pytest.mark.parametrize("field", CHANGES)
def test_a_field_changed_alone_is_one_change(tiny_config, field):
    base, value = CHANGES[field]
    of, own = BASES[base]

    def flat(config):
        values = config.model_dump(mode="json")
        return {path: at(values, path.split(".")) for path in leaves(values)}

    def at(values, path):
        for key in path:
            values = values[int(key)] if isinstance(values, list) else values[key]
        return values

    before = flat(tiny_config(of, own))
    after = flat(tiny_config(of, [*own, setting(field, value)]))
    changed = [path for path in before if before[path] != after[path] and path != "condition"]
    assert changed == [field]


@pytest.mark.parametrize("field", CHANGES)
def test_a_field_changed_alone_changes_the_trajectory(field, trained, base_runs):
    base, value = CHANGES[field]
    weights = final_weights(trained(base, [setting(field, value)]))
    assert not same(weights, base_runs[base])


def test_a_base_trained_again_is_the_same(trained, base_runs):
    for base in BASES:
        assert same(final_weights(trained(base)), base_runs[base])


class TestLeftAlone:
    def test_the_condition_is_a_label_and_a_folder(self, trained, base_runs):
        run = trained(settings=["condition=mine"])
        assert run.parts[-2] == "mine"
        assert same(final_weights(run), base_runs["pad"])

    def test_the_name_of_the_images_is_a_folder(self, trained, base_runs, small_dataset):
        run = trained(settings=["dataset.name=mine"], dataset=replace(small_dataset, name="mine"))
        assert run.parts[-3] == "mine"
        assert same(final_weights(run), base_runs["pad"])

    def test_snapshots_are_what_is_kept(self, trained, base_runs):
        run = trained(settings=["training.snapshots=all"])
        assert (run / "snapshots" / "0001.safetensors").exists()
        assert same(final_weights(run), base_runs["pad"])

    def test_the_path_is_how_cycles_are_run(self, trained, base_runs):
        run = trained(settings=["training.path=captured"])
        assert dreaming.Config.from_yaml(run / "config.yaml").training.path == "captured"
        assert same(final_weights(run), base_runs["pad"])

    def test_the_device_by_another_name_is_the_same(self, trained, base_runs):
        if torch.cuda.is_available():
            pytest.skip("auto is the GPU here")
        run = trained(settings=["training.device=auto"])
        assert dreaming.Config.from_yaml(run / "config.yaml").training.device == "cpu"
        assert same(final_weights(run), base_runs["pad"])

    def test_precision_auto_is_resolved_to_the_reference(self, trained, base_runs):
        run = trained(settings=["training.precision=auto"])
        assert dreaming.Config.from_yaml(run / "config.yaml").training.precision == "float32"
        assert same(final_weights(run), base_runs["pad"])


def test_name_and_limit_decide_which_images_are_read(tiny_config, tmp_path):
    for split in ("train", "test"):
        for index in range(8):
            file = tmp_path / "pictures" / split / "ab"[index % 2] / f"{index}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), (30 * index, 200 - 20 * index, 90)).save(file)
    names = {
        "digits, 16": {"limit": 16},
        "digits, 24": {"limit": 24},
        "a folder": {"name": f"folder:{tmp_path / 'pictures'}"},
    }
    ends = []
    for out, dataset in names.items():
        config = tiny_config("pad", dataset=dataset, training={"epochs": 1})
        ends.append(final_weights(dreaming.train(config, out=tmp_path / out)))
    assert not same(ends[0], ends[1])
    assert not same(ends[0], ends[2])


def test_a_text_field_takes_a_text_that_looks_like_a_number():
    """One epoch is the shortest list of epochs."""
    assert dreaming.Config().but(["training.snapshots=1"]).training.snapshots == "1"
