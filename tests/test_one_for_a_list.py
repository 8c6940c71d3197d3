"""What takes several takes one alone; what is of the wrong kind is refused in a sentence that says what to give."""

import shutil
from unittest.mock import MagicMock

import numpy as np
import pytest

import dreaming
from dreaming import NREM, Wake
from dreaming.errors import UserError

pytestmark = pytest.mark.usefixtures("without_drawing", "shapes_unchecked")


def size(cortex, dataset):
    """A measure of the user's own."""
    return cortex.latent_dim


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = dreaming.configure(
        networks={"base_channels": 2, "latent_dim": 8},
        dataset={"limit": 40},
        training={"batch_size": 8, "epochs": 2, "device": "cpu", "precision": "float32"},
    )
    return dreaming.train(config, out=tmp_path_factory.mktemp("out"))


@pytest.fixture(scope="module")
def evaluated(run):
    dreaming.evaluate(run, measures=size)
    return run


def test_one_run_is_compared(evaluated, tmp_path):
    for one in (evaluated, str(evaluated.parents[2])):
        assert list(dreaming.compare(one, tmp_path).measures) == ["size"]
        assert list(dreaming.compare(one, tmp_path, measures=size).measures) == ["size"]


def test_one_layer_is_a_list_of_one(run):
    assert "layer_1" in dreaming.latents(run, layers="layer_1")
    found = dreaming.latents(run, layers="layer_1,layer_2")
    assert {"layer_1", "layer_2"} < found.keys()


def test_one_setting_is_a_list_of_one():
    assert dreaming.configure(settings="phases.rem.weight=0.5").phases[2].weight == 0.5


@pytest.mark.parametrize(
    ("epochs", "measured"), [(2, [2]), ([0, 1], [0, 1]), (range(2), [0, 1]), (np.array([2]), [2]), ("1", [1])]
)
def test_epochs_are_numbers_or_words(epochs, measured, run, tmp_path):
    copied = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("measures.csv"))
    table = dreaming.evaluate(copied, measures=size, epochs=epochs)
    assert table["epoch"].tolist() == measured


@pytest.mark.parametrize("phases", [[Wake(), NREM()], (Wake, NREM), [Wake, NREM()]])
def test_a_cycle_is_a_tuple_or_a_list_of_phases_or_their_classes(phases):
    config = dreaming.configure(phases=phases)
    assert (config.condition, config.phases) == ("wake-nrem", (Wake(), NREM()))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda run: dreaming.evaluate([run, run]),
            "evaluate measures one run, and got .*; call it for each",
        ),
        (lambda run: dreaming.evaluate(run, epochs=[1.5]), "--epochs wants all, last or a list.* got '1.5'"),
        (lambda run: dreaming.evaluate(run, epochs=None), "--epochs wants all, last or a list"),
        (
            lambda run: dreaming.load(run, epoch="last"),
            "epoch 'last' is no number; the epochs kept are 0, 1, 2",
        ),
        (
            lambda run: dreaming.latents(run, split="val"),
            "split is 'val'; a run has the splits train and test",
        ),
        (lambda run: dreaming.train("pad"), "not 'pad'; make one with dreaming.configure"),
        (
            lambda run: dreaming.train(dreaming.configure(), dataset=np.zeros((9, 32, 32))),
            "not as ndarray; make one with dreaming.Dataset.of_arrays",
        ),
        (
            lambda run: dreaming.evaluate(run, dataset=[1]),
            "not as list; make one with dreaming.Dataset.of_arrays",
        ),
    ],
)
def test_what_is_of_the_wrong_kind_is_refused_in_one_sentence(call, said, run):
    with pytest.raises(UserError, match=said):
        call(run)


def test_a_notebook_shows_configs_data_sets_and_comparisons_as_people_read_them(evaluated, tmp_path):
    printer = MagicMock()
    config = dreaming.configure("without_rem")
    config._repr_pretty_(printer, False)
    printer.text.assert_called_once_with(config.to_yaml())
    images = dreaming.Dataset.of_arrays("mine", *(np.zeros((n, 32, 32), dtype=np.uint8) for n in (9, 4)))
    assert repr(images) == "Dataset mine: 9 train and 4 test images of 32 x 32, 0 classes"
    assert "<table" in dreaming.compare(evaluated, tmp_path)._repr_html_()
    assert dreaming.describe(config).config == config
