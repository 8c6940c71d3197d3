"""The weights that come with the project: whole, loadable by name, and what their cards say."""

import json

import pandas as pd
import pytest
import torch

import dreaming
from dreaming.cli.main import main
from dreaming.data import load_dataset
from dreaming.errors import UserError
from dreaming.evaluation.readout import accuracy, train_readout
from dreaming.runs.folder import RunFolder, shipped

NAMES = ("pad-cifar10", "pad-svhn", "wake_only-cifar10", "without_nrem-cifar10", "without_rem-cifar10")


def digits(n):
    split = load_dataset("digits").train
    return split.images[:n].expand(-1, 3, -1, -1), split.labels[:n]


def test_there_are_the_conditions_that_the_paper_compares():
    assert tuple(sorted(shipped())) == NAMES


@pytest.mark.parametrize("name", NAMES)
class TestEach:
    def test_it_is_the_run_that_its_name_says_and_whole(self, name):
        folder = RunFolder.existing(shipped()[name])
        config = folder.read_config()
        assert name == f"{config.condition}-{config.dataset.name}"
        assert (config.training.epochs, folder.snapshots()) == (50, [50])
        cortex = dreaming.load(name)  # a damaged file is refused by its checksum
        assert {value.dtype for value in cortex.parameters()} == {torch.float32}
        assert all(torch.isfinite(value).all() for value in cortex.parameters())

    def test_its_card_holds_the_number_that_was_measured_of_it(self, name):
        folder = shipped()[name]
        table = pd.read_csv(folder / "measures.csv").set_index(["measure", "parameter"])["value"]
        card = (folder / "README.md").read_text()
        assert f"{100 * table['readout_accuracy', 'latent']:.2f} % of the test images" in card
        assert json.loads((folder / "environment.json").read_text())["sessions"][-1]["commit"] in card


def test_what_cifar_10_taught_helps_to_read_digits_that_it_never_saw():
    images, labels = digits(600)
    trained, untrained = (
        dreaming.load("pad-cifar10"),
        RunFolder.existing(shipped()["pad-cifar10"]).read_config(),
    )
    shares = []
    for cortex in (trained, untrained.cortex().eval()):
        latents = cortex.infer(images)
        weights = train_readout(latents[None, :400], labels[:400], 10, 0)
        shares.append(float(accuracy(weights, latents[None, 400:], labels[400:])[0]))
    assert shares[0] > shares[1] + 0.15, shares


def test_the_command_line_takes_a_name_where_it_takes_a_run(tmp_path, capsys):
    main(["compare", "pad-cifar10", "wake_only-cifar10", "--to", str(tmp_path / "compared")])
    said = capsys.readouterr().out
    for name in ("pad-cifar10", "wake_only-cifar10"):
        table = pd.read_csv(shipped()[name] / "measures.csv").set_index(["measure", "parameter"])["value"]
        assert f"{100 * table['readout_accuracy', 'latent']:.2f}" in said


def test_a_name_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(UserError, match=r"no run folder pad-cifar; the weights that come .* pad-cifar10,"):
        dreaming.load("pad-cifar")
