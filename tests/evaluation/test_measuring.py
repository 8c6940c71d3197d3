"""`evaluate`: which snapshots are measured, what is written, and that nothing is measured twice or wrongly."""

import shutil
import signal
from pathlib import Path

import pandas as pd
import pytest
import torch
from tests.evaluation.heard import Heard
from tests.evidence.oracle import naive_pad

import dreaming
from dreaming.errors import Stopped, UserError
from dreaming.evaluation import readout
from dreaming.evaluation.features.controls import Control
from dreaming.evaluation.measures.measure import Measure, tabled
from dreaming.evaluation.measures.readout import Readout
from dreaming.evaluation.measuring import evaluate
from dreaming.evaluation.readout import Protocol, train_readout
from dreaming.runs.folder import RunFolder
from dreaming.system.progress import NoProgress

pytestmark = pytest.mark.usefixtures("shapes_unchecked")

COLUMNS = ["dataset", "condition", "seed", "epoch", "measure", "parameter", "value"]
ONE_CHANNEL = {"networks": {"base_channels": 2, "latent_dim": 8, "image_channels": 1}}


@pytest.fixture(scope="module")
def images(dataset_of):
    return dataset_of(train=80, test=30)


@pytest.fixture(scope="module")
def trained(images, tmp_path_factory):
    """A run of three epochs, of one image channel, where principal components are quick to find."""
    config = dreaming.configure(
        "pad",
        **ONE_CHANNEL,
        training={"batch_size": 16, "epochs": 3, "device": "cpu"},
        name="pad",
        optimizer={"learning_rate": 0.003},
        seed=4,
    )
    return dreaming.train(config, out=tmp_path_factory.mktemp("trained"), dataset=images)


@pytest.fixture
def run(trained, tmp_path):
    """The test's own copy of it."""
    return Path(shutil.copytree(trained, tmp_path / "digits/pad/seed-4"))


def epochs_of(table):
    latent = table[table["parameter"] == "latent"]
    return latent["epoch"].tolist()


def test_measures_are_a_tidy_table_of_fractions(run, images):
    table = evaluate(run, dataset=images)
    assert list(table.columns) == COLUMNS
    text = (run / "measures.csv").read_text()
    assert text.splitlines()[0] == ",".join(COLUMNS)
    assert len(text.splitlines()) == 1 + 6
    assert set(table["measure"]) == {"readout_accuracy"}
    assert set(table["parameter"]) == {"latent", "pixels", "pca-79"}
    assert (table["dataset"] == "digits").all()
    assert (table["condition"] == "pad").all()
    assert (table["seed"] == 4).all()
    assert table["value"].between(0, 1).all()
    assert table.loc[table["parameter"] != "latent", "epoch"].isna().all()
    assert epochs_of(table) == [0, 1, 2, 3]
    assert [float(line.split(",")[-1]) for line in text.splitlines()[1:]] == table["value"].tolist()
    # Thirty test images, so that every accuracy is a number of thirtieths.
    assert ((30 * table["value"]).round(9) % 1 == 0).all()


@pytest.mark.parametrize("epoch", [0, 3])
def test_a_latent_accuracy_is_that_of_the_naive_readout(epoch, run, images, monkeypatch):
    table = evaluate(run, epochs=str(epoch), dataset=images)
    found = table.loc[table["parameter"] == "latent", "value"].item()
    cortex = dreaming.load(run, epoch)
    weights = torch.tensor([0.299, 0.587, 0.114])
    z = {}
    for name, split in (("train", images.train), ("test", images.test)):
        grey = torch.einsum("nchw,c->nhw", split.images.float(), weights)[:, None] / 127.5 - 1
        z[name] = cortex.encoder(grey)[0].detach()
    orders, whole = [], readout.epoch_order
    monkeypatch.setattr(readout, "epoch_order", lambda *a: orders.append(whole(*a)) or orders[-1])
    labels = images.train.labels
    train_readout(z["train"][None], labels, 10, 4)
    weight, bias = train_readout(z["train"][None], labels, 10, 4, Protocol(epochs=0))
    share, _, _ = naive_pad.naive_readout(
        z["train"].double().numpy(),
        labels.numpy(),
        z["test"].double().numpy(),
        images.test.labels.numpy(),
        weight[0].T.double().numpy(),
        bias[0, 0].double().numpy(),
        [order.flatten().numpy() for order in orders],
    )
    assert found == pytest.approx(share, abs=1e-9)


def test_learning_shows(run, images):
    """Classes of these images differ by orientation and colour, so that pixels tell them."""
    table = evaluate(run, epochs="0", dataset=images)
    value = table.set_index("parameter")["value"]
    assert value["pixels"] > 0.9
    assert value["pixels"] > value["latent"]


@pytest.mark.parametrize(
    ("epochs", "measured"),
    [("last", [3]), ("2,0", [0, 2]), ("1,1", [1])],
)
def test_the_snapshots_asked_for_are_measured(epochs, measured, run, images):
    assert epochs_of(evaluate(run, epochs=epochs, dataset=images)) == measured


def test_only_what_is_missing_is_added_and_a_portion_equals_the_whole(run, images, monkeypatch, tmp_path):
    whole = evaluate(run, dataset=images)
    (run / "measures.csv").unlink()
    monkeypatch.setenv("DREAMING_CACHE", str(tmp_path / "empty"))  # so that controls are measured again too
    done = []
    latent, control = Readout.measure, Control.measure
    monkeypatch.setattr(Readout, "measure", lambda self, s: done.extend(s.epochs) or latent(self, s))
    monkeypatch.setattr(Control, "measure", lambda self: done.append(self.kind) or control(self))
    for epochs, added in (("1", ["pixels", "pca", 1]), ("1,3", [3]), ("all", [0, 2]), ("all", [])):
        done.clear()
        table = evaluate(run, epochs=epochs, dataset=images)
        assert done == added
    pd.testing.assert_frame_equal(table, whole, check_dtype=False)
    assert len(pd.read_csv(run / "measures.csv")) == 6


def test_values_of_other_measures_are_kept(run, images):
    row = "digits,pad,4,3,frechet_rem,pixels,12.5"
    (run / "measures.csv").write_text(f"{','.join(COLUMNS)}\n{row}\n")
    table = evaluate(run, epochs="last", dataset=images)
    assert row in (run / "measures.csv").read_text().splitlines()
    assert epochs_of(table) == [3]
    assert set(table["parameter"]) == {"latent", "pixels", "pca-79"}


def test_other_images_than_the_runs_are_refused(run, dataset_of):
    with pytest.raises(UserError, match="was trained on other images than digits has now"):
        evaluate(run, dataset=dataset_of(train=80, test=30, seed=1))
    assert not (run / "measures.csv").exists()


def test_a_damaged_snapshot_is_refused_by_name(run, images):
    path = run / "snapshots/0002.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"snapshots/0002\.safetensors is damaged"):
        evaluate(run, dataset=images)
    assert epochs_of(evaluate(run, epochs="0,1,3", dataset=images)) == [0, 1, 3]


def test_an_untrained_condition_is_measured(images, tmp_path):
    config = dreaming.configure("untrained", **ONE_CHANNEL, training={"batch_size": 16, "device": "cpu"})
    run = dreaming.train(config, out=tmp_path, dataset=images)
    assert epochs_of(evaluate(run, dataset=images)) == [0]


class TellsToStop(NoProgress):
    """Sends a signal when the first result is told."""

    def __init__(self, number):
        self.number = number

    def say(self, text):
        signal.raise_signal(self.number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_keeps_what_is_measured_and_the_same_call_goes_on(number, run, images):
    with pytest.raises(Stopped, match="what is measured is kept, and the same command goes on"):
        evaluate(run, dataset=images, progress=TellsToStop(number))
    kept = pd.read_csv(run / "measures.csv")
    assert kept["parameter"].tolist() == ["pixels"]
    whole = evaluate(run, dataset=images)
    assert whole.loc[whole["parameter"] == "pixels", "value"].tolist() == kept["value"].tolist()
    assert epochs_of(whole) == [0, 1, 2, 3]


def test_the_run_itself_is_left_as_it_is(run, images):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    evaluate(run, dataset=images)
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert after.pop(run / "measures.csv")
    assert after == before


@pytest.mark.parametrize(
    "measures",
    [
        "readout,robustness,organisation,projection",
        "projection,organisation,robustness,readout",
    ],
)
def test_no_image_is_inferred_twice_in_whatever_order_measures_are_named(measures, run, images):
    heard = Heard()
    evaluate(run, measures=measures, epochs="1,3", dataset=images, progress=heard)
    n_train, n_test = 80, 30
    shown = min(200, n_test // 10) * 4
    assert heard.inferred == 2 * (n_train + n_test + 9 * n_test + 1 + n_test + shown)
    assert set(heard.seconds) == {
        "images",
        "controls",
        "snapshots",
        "inference",
        "training of readouts",
        "writing",
        "readout",
        "robustness",
        "organisation",
        "projection",
    }
    assert min(heard.seconds.values()) >= 0


class Undefined(Measure):
    """Nothing that could be told of these snapshots."""

    def keys(self):
        return frozenset({("undefined", "")})

    def measure(self, snapshots):
        return tabled((epoch, "undefined", "", float("nan")) for epoch in snapshots.epochs)


def test_a_value_that_somebody_cleared_is_measured_again_and_one_that_is_undefined_is_not(run, images):
    path = run / "measures.csv"
    evaluate(run, measures=[Readout(), Undefined()], epochs="3", dataset=images)
    whole = path.read_text()
    assert "digits,pad,4,3,undefined,,nan,Undefined in " in whole
    before = path.stat().st_mtime_ns
    evaluate(run, measures=[Readout(), Undefined()], epochs="3", dataset=images)
    assert path.stat().st_mtime_ns == before
    lines = [
        line.rpartition(",")[0].rpartition(",")[0] + ",," if "latent" in line else line
        for line in whole.splitlines()
    ]
    path.write_text("\n".join(lines) + "\n")
    evaluate(run, measures=[Readout(), Undefined()], epochs="3", dataset=images)
    assert path.read_text() == whole


@pytest.mark.parametrize(
    ("other", "which"), [("digits,wake_only,4", "condition wake_only"), ("digits,pad,5", "seed 5")]
)
def test_measures_of_another_run_are_not_taken_for_this_ones(other, which, run, images, tmp_path):
    evaluate(run, epochs="3", dataset=images)
    path = run / "measures.csv"
    path.write_text(path.read_text().replace("digits,pad,4", other))
    before = path.read_text()
    said = rf"measures\.csv is another run's: it has the {which} and .*: dreaming evaluate"
    for read in (
        lambda: evaluate(run, epochs="3", dataset=images),
        lambda: dreaming.compare([run], to=tmp_path / "comparison"),
        lambda: RunFolder(run).read_measures(),
    ):
        with pytest.raises(UserError, match=said):
            read()
    assert path.read_text() == before


def test_a_projection_of_another_run_is_not_taken_for_this_ones(run, images):
    evaluate(run, measures="projection", epochs="3", dataset=images)
    path = run / "projection.csv"
    path.write_text(path.read_text().replace("digits,pad,4", "svhn,pad,4"))
    with pytest.raises(UserError, match=r"projection\.csv is another run's: it has the dataset svhn"):
        evaluate(run, measures="projection", epochs="3", dataset=images)


def test_a_measure_that_cannot_be_had_of_few_images_keeps_no_other_from_it(tmp_path):
    images = torch.randint(256, (80, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = torch.arange(80) % 10
    mine = dreaming.Dataset.of_arrays("mine", (images[:70], labels[:70]), (images[70:], labels[70:]))
    config = dreaming.configure(
        networks={"base_channels": 2, "latent_dim": 8},
        training={"epochs": 1, "batch_size": 35, "device": "cpu"},
    )
    run = dreaming.train(config, out=tmp_path, dataset=mine)
    names = ["organisation", "knn", "readout", "robustness", "projection", "few_labels"]
    with pytest.raises(UserError) as told:  # one test image of each class, and fewer images than neighbours
        dreaming.evaluate(run, measures=names, settings=["knn.k=71"], dataset=mine)
    assert str(told.value) == (
        "a distance within classes needs two images of one class; take more images, or leave organisation out; "
        "knn.k is 71, and there are only 70 training images; use --set knn.k=N"
    )
    found = dreaming.evaluate(run, measures=names[2:], dataset=mine)
    assert {"readout_accuracy", "readout_accuracy_occluded", "few_label_accuracy"} <= set(found["measure"])
    assert set(found.loc[found["measure"] == "readout_accuracy", "epoch"].dropna()) == {0, 1}
