"""Mistakes in the words themselves: one sentence, status 2, nothing written."""

import pytest
import torch
from tests.cli.tiny_runs import TINY as TINY_WORDS

from dreaming.config.configure import configure
from dreaming.data import Dataset
from dreaming.errors import UserError

TRAIN = ("train", "--out", "runs", "--epochs", "1", "--limit", "32", "--device", "cpu")
TINY = (
    "--set",
    "networks.base_channels=2",
    "--set",
    "networks.latent_dim=8",
    "--set",
    "training.batch_size=8",
)


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (("trian",), "'trian'; did you mean 'train'"),
        (("qqqq",), "'qqqq'; there are: train, evaluate"),
        (("data",), "list, fetch, check"),
        (("data", "chekc"), "'chekc'; did you mean 'check'"),
        (("--epochs", "3"), "'--epochs'"),
        ((*TRAIN, "--epoch", "3"), "'--epoch'; did you mean '--epochs'"),
        ((*TRAIN, "--batch-size", "3"), "'--batch-size'; did you mean '--set training.batch_size=VALUE'"),
        ((*TRAIN, "--base-channels=8"), "'--base-channels'; did you mean '--set networks.base_channels=8'"),
        (("describe", "--learning-rate", "1"), "did you mean '--set optimizer.learning_rate=VALUE'"),
        (("reproduce", "--stores", "images"), "did you mean '--set hippocampus.stores=VALUE'"),
        (("evaluate", "x", "--base-channels", "3"), "there are: --data-dir, --trust-data, --measures, --set"),
        ((*TRAIN, "--data_dri=x"), "'--data_dri'; did you mean '--data-dir'"),
        ((*TRAIN, "-q"), "-q"),
        ((*TRAIN, "extra"), "extra"),
        ((*TRAIN, "--seed"), "--seed"),
        (("evaluate", "x", "--epoch", "1"), "did you mean '--epochs'"),
        (("dream", "x", "--cuont", "1"), "did you mean '--count'"),
        (("compare", "x", "--out", "1"), "'--out'"),
        (("describe", "--seeds", "1"), "did you mean '--seed'"),
        (("data", "check", "digits", "--data-dirs", "x"), "did you mean '--data-dir'"),
    ],
)
def test_an_unknown_verb_or_option_is_named_with_the_nearest(words, because, dreaming_refuses):
    dreaming_refuses(*words, because=because)


@pytest.mark.parametrize(
    ("words", "because"),
    [
        ((*TRAIN, "--epochs", "many"), "--epochs: 'many' is no whole number"),
        ((*TRAIN, "--epochs", "1.5"), ("--epochs", r"'1\.5'")),
        ((*TRAIN, "--seed", "one"), ("--seed", "'one'")),
        ((*TRAIN, "--seeds", "two"), ("--seeds", "'two'")),
        (
            (*TRAIN, "--seeds", "0-3"),
            "'0-3' is no number of runs, of which --seed is the first",
        ),
        ((*TRAIN, "--limit", ""), "--limit: '' is no whole number; see"),
        ((*TRAIN, "--set"), "--set wants a value; see"),
        ((*TRAIN, "--limit", "all"), "--limit"),
        (("dream", "x", "--epoch", "last"), "--epoch"),
        (("dream", "x", "--count", "x"), ("--count", "'x'")),
        (
            (*TRAIN, "--precision", "float16"),
            ("--precision is 'float16'", r"'bfloat16'\? see dreaming"),
        ),
        ((*TRAIN, "--log", "tensorbord"), "--log is 'tensorbord'; did you mean 'tensorboard'"),
        (("dream", "x", "--as", "films"), ("--as", "films", "film")),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_its_option(words, because, dreaming_refuses):
    dreaming_refuses(*words, because=because)


@pytest.mark.parametrize("verb", [TRAIN, ("describe",)])
@pytest.mark.parametrize(
    ("words", "because"),
    [
        (("--condition", "without_rme"), "'without_rme'; did you mean 'without_rem'"),
        (("--condition", "qqqq"), "'qqqq'; there are: pad"),
        (("--condition", ""), "there is no condition ''"),
        (("--set", "phase.rem.weight=1"), "the config has no 'phase'; did you mean 'phases'"),
        (("--set", "phases.rme.weight=1"), "'phases' has no 'rme'; did you mean 'rem'"),
        (("--set", "phases.rem.wieght=1"), "'phases.rem' has no 'wieght'; did you mean 'weight'"),
        (("--set", "phases.rem.replay.nose=1"), "'phases.rem.replay' has no 'nose'; did you mean 'noise'"),
        (("--set", "training.epochs.first=1"), "'training.epochs' has no 'first'"),
        (("--set", "=1"), "the config has no ''"),
        (("--set", "phases.rem.weight"), "PATH=VALUE.*'phases.rem.weight'"),
        (("--set", "phases.rem=1"), "phases.rem: this is a group; name one of weight, dose, steps, replay"),
        (("--set", "phases=1"), "phases: this is a group; name one of wake, nrem, rem"),
        (("--set", "phases.rem.replay={noise: 1}"), "this is a group"),
        (("--condition", "wake_only", "--set", "phases.rem.weight=1"), "'phases' has no 'rem'"),
        (("--set", "training.batch_size=big"), "training.batch_size is 'big'"),
        (("--set", "training.batch_size=8.5"), r"training.batch_size is 8\.5"),
        (("--set", "training.batch_size="), "training.batch_size is None"),
        (("--set", "training.memories_across_epochs=perhaps"), "training.memories_across_epochs"),
        (("--set", "optimizer.learning_rate=fast"), "optimizer.learning_rate"),
        (("--set", "optimizer.betas=0.5"), "optimizer.betas"),
        (("--set", "optimizer.betas=[0.5]"), "optimizer.betas"),
        (("--set", "phases.nrem.replay=[0.5"), "replay"),
        (("--set", "seed=["), r"seed: cannot read the value '\['"),
        (("--set", "seed=true"), "seed"),
        (("--set", "phases.rem.weight=heavy"), "phases.rem.weight is 'heavy'"),
        (("--set", "phases.wake.reduction=median"), "phases.wake.reduction is 'median'"),
        (("--set", "networks.image_channels=2"), "networks.image_channels is 2"),
        (("--set", "networks.latent_dim=0"), "networks.latent_dim is 0"),
        (("--set", "networks.base_channels=-1"), "networks.base_channels is -1"),
        (("--set", "training.batch_size=1"), "training.batch_size is 1"),
        (("--set", "optimizer.learning_rate=0"), "optimizer.learning_rate is 0"),
        (("--set", "optimizer.learning_rate=.nan"), "optimizer.learning_rate is nan"),
        (("--set", "phases.rem.weight=-1"), "phases.rem.weight is -1"),
        (("--set", "phases.rem.weight=.inf"), "phases.rem.weight is inf"),
        (("--set", "phases.rem.replay.noise=1.5"), r"phases.rem.replay.noise is 1\.5"),
        (("--set", "phases.nrem.occlusion.probability=[0.5, 1.5]"), "occlusion.probability"),
        (("--set", "phases.nrem.occlusion.probability=[0.9, 0.1]"), "occlusion"),
        (("--set", "phases.nrem.occlusion.tile_size=[0, 8]"), "occlusion.tile_size"),
        (("--set", "condition=../away"), "condition"),
        (("--name", "../away"), "condition"),
        (("--name", ""), "condition"),
        (("--epochs", "-1"), "--epochs is -1"),
        (("--image-size", "48"), "--image-size is 48: input should be 16, 32, 64 or 128"),
        (("--limit", "0"), "--limit is 0"),
        (("--limit", "-5"), "--limit is -5"),
        (("--seed", "-1"), "--seed is -1"),
        (("--seed", str(2**63)), "seed is 9223372036854775808"),
        (("--snapshots", "some"), "--snapshots is 'some', and should be all, ends or a list such as 1,5,50$"),
        (("--snapshots", ""), "--snapshots is ''"),
        (("--snapshots", "1,,2"), "--snapshots is '1,,2'"),
        (("--snapshots", "1, 2"), "--snapshots is '1, 2'"),
        (("--snapshots", "1,5", "--epochs", "4"), "snapshot 5 lies beyond the last epoch, 4"),
        (("--device", "gpu"), "--device is 'gpu'"),
        (("--device", "cuda:x"), "--device is 'cuda:x'"),
    ],
)
def test_a_condition_or_setting_that_cannot_be_is_refused(verb, words, because, dreaming_refuses):
    dreaming_refuses(*verb, *words, because=because)


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (("--dataset", "cifar"), "'cifar'; did you mean 'cifar10'"),
        (("--dataset", "mnist"), "'mnist'"),
        (("--dataset", "digit"), "'digit'; did you mean 'digits'"),
        (("--dataset", "folder:"), "folder:PATH"),
        (("--seeds", "0"), "--seeds is 0"),
        (("--seeds", "-2"), "--seeds is -2"),
        (("--seed", str(2**63 - 1), "--seeds", "2"), "seed is 9223372036854775808"),
        (("--limit", "9"), "a limit of 9 leaves out some of the 10 classes; --limit 10 "),
        (("--set", "training.batch_size=33"), "33 images is larger than the 32"),
        (("--set", "training.batch_size=64"), "64 images is larger than the 32"),
    ],
)
def test_a_training_that_cannot_be_is_refused_before_anything_is_written(words, because, dreaming_refuses):
    dreaming_refuses(*TRAIN, *words, because=because)


@pytest.mark.parametrize("absent", [7, 99, 10**20])
def test_a_device_that_is_not_there_is_refused(absent, dreaming_refuses):
    number = absent + torch.cuda.device_count()
    dreaming_refuses(*TRAIN, *TINY, "--device", f"cuda:{number}", because=f"cuda:{number}")


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (("--measures", "robustnes"), "no measure 'robustnes'; did you mean 'robustness'"),
        (("--measures", "readout,"), "no measure ''"),
        (("--set", "readout.protocol.epoch=3"), "'readout.protocol' has no 'epoch'; did you mean 'epochs'"),
        (("--set", "organisation.distance=squared"), "the list of --measures has no 'organisation'"),
        (("--measures", "all", "--set", "organisation.distance=far"), "organisation.distance is 'far'"),
        (("--measures", "all", "--set", "organisation.intra_pairs=0"), "organisation.intra_pairs is 0"),
        (("--measures", "all", "--set", "robustness.tile_size=129"), "robustness.tile_size is 129"),
        (("--measures", "all", "--set", "robustness.probabilities=[0, 2]"), "robustness.probabilities"),
        (("--measures", "all", "--set", "projection.classes=[]"), "projection.classes"),
    ],
)
def test_evaluate_refuses_measures_and_options_that_cannot_be(words, because, trained, dreaming_refuses):
    dreaming_refuses("evaluate", trained / "digits/pad/seed-0", *words, because=because)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", f"cuda:{10**20}", "meta", f"cuda:{99}"])
def test_evaluate_refuses_a_device_that_is_not_there_as_train_does(device, trained, dreaming_refuses):
    dreaming_refuses("evaluate", trained / "digits/pad/seed-0", "--device", device, because=device)


@pytest.mark.parametrize("out", ["runs", "runs/deeper"])
def test_a_file_where_the_folder_of_runs_should_be_is_refused(out, tmp_path, dreaming_refuses):
    (tmp_path / "here/runs").write_text("no folder")
    dreaming_refuses(*TRAIN, *TINY, "--out", out, because="cannot write")


@pytest.mark.parametrize("verb", ["evaluate", "compare"])
def test_a_verb_on_no_run_asks_for_one(verb, dreaming_refuses):
    dreaming_refuses(verb, because=f"{verb} wants at least one run folder")


def test_dream_on_no_run_asks_for_one(dreaming_refuses):
    dreaming_refuses("dream", because="(?i)run")


@pytest.mark.parametrize("value", ["1e-3", "0.001"])
def test_a_setting_is_typed_by_its_field(value, dreaming_does):
    assert "learning_rate: 0.001\n" in dreaming_does(
        "describe", "--yaml", "--set", f"optimizer.learning_rate={value}"
    )


def test_the_last_of_two_settings_of_one_field_holds(dreaming_does):
    said = dreaming_does(
        "describe", "--yaml", "--set", "training.batch_size=4", "--set", "training.batch_size=6"
    )
    assert "batch_size: 6\n" in said


def test_a_folder_of_images_is_guessed(dreaming_refuses, tmp_path):
    (tmp_path / "here/pics").mkdir()
    dreaming_refuses(*TRAIN, "--dataset", "pics", because="did you mean 'folder:pics'")


def test_a_field_in_the_place_of_its_section_is_told_where_it_belongs():
    with pytest.raises(UserError, match=r"no section 'epochs'; write training=\{\"epochs\": 3\}"):
        configure(epochs=3)
    with pytest.raises(UserError, match="there is no 'trainig'; did you mean 'training'"):
        configure(trainig={"epochs": 3})


@pytest.mark.parametrize(
    ("words", "as_written"),
    [
        (("--condition", "PAD"), "condition: pad\n"),
        (("--condition", "Without_REM"), "condition: without_rem\n"),
        (("--schedule", "PAD:1,Without_REM:2,pad"), "condition: pad-1-without_rem-2-pad\n"),
        (("--precision", "Float32"), "precision: float32\n"),
        (("--precision=TF32",), "precision: tf32\n"),
    ],
)
def test_upper_case_in_names_is_understood(words, as_written, dreaming_does):
    assert as_written in dreaming_does("describe", "--yaml", *words)


def test_upper_case_leads_to_the_same_folders(trained, dreaming_does):
    words = ("--dataset", "Digits", "--condition", "PAD", *TINY_WORDS)
    assert "finished, 2 epochs" in dreaming_does("train", *words, "--epochs", "2", "--out", trained)
    run = trained / "digits/pad/seed-0"
    assert "readout accuracy of latent" in dreaming_does("evaluate", run, "--measures", "Readout")
    assert "sheet-nrem-0002.png" in dreaming_does("dream", run, "--phase", "NREM", "--count", "2")
    assert "digits" in dreaming_does("reproduce", "--dry-run", "--profile", "Demo", "--only", "Figure-4")


def test_upper_case_in_names_of_data_sets_is_understood(tmp_path, dreaming_refuses):
    dreaming_refuses("train", "--dataset", "CIFAR10", because="^dreaming: cifar10 is read from files")
    dreaming_refuses("data", "check", "SVHN", "--data-dir", tmp_path, because="2 of 2 files")
    dreaming_refuses("data", "fetch", "Digits", because="needs no fetching")
    with pytest.raises(UserError, match="'Digits' is a data set that is known"):
        Dataset.of_arrays("Digits", train=[[[0]]], test=[[[0]]])
