"""Measures of the user's own, from a file or as objects: their rows, their definition, and what is refused."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.evaluation.heard import Heard

import dreaming
from dreaming.cli.main import main
from dreaming.data import load_dataset
from dreaming.errors import UserError
from dreaming.evaluation.measuring import chosen_measures, evaluate
from dreaming.evaluation.statistics.comparison import compare
from dreaming.runs.folder import RunFolder

FILE = '''
"""Measures of somebody's own."""

from typing import ClassVar

from dreaming.evaluation.measures.measure import Measure, Quantity, parameter, tabled


def sparsity(cortex, dataset):
    """The share of negative latents."""
    with_the_rest_unharmed = [weight.data.zero_() for weight in cortex.generator.parameters()]
    return (cortex.infer(dataset.test.images) < 0).float().mean()


def moments(cortex, dataset):
    z = cortex.infer(dataset.train.images)
    return {"mean": z.mean(), "deviation": z.std()}


class Norm(Measure):
    """The norm of latents."""

    quantities: ClassVar = {"latent_norm": Quantity("norm of latents, of 100 %", "%")}
    power: int = 2

    def keys(self):
        return frozenset({("latent_norm", parameter("mean", self, ["power"]))})

    def measure(self, snapshots):
        ((name, label),) = self.keys()
        norms = snapshots.test.norm(p=self.power, dim=2).mean(dim=1).tolist()
        return tabled((e, name, label, n) for e, n in zip(snapshots.epochs, norms, strict=True))


cubic = Norm(power=3)


class Readout(Measure):
    """A measure that would be filed under another's name."""

    def keys(self):
        return frozenset({("readout_accuracy", "latent")})

    def measure(self, snapshots):
        return tabled((e, "readout_accuracy", "latent", 1.0) for e in snapshots.epochs)


def fails(cortex, dataset):
    raise ZeroDivisionError("no\\nway")


def text(cortex, dataset):
    return "much"


number = 3
'''
FAULTS = '''
"""Measures that are told from no others, or do not what they promise."""

from dreaming.evaluation.measures.measure import Measure, tabled
from dreaming.evaluation.measures.readout import Readout
from dreaming.evaluation.readout import Protocol


class Wild(Protocol):
    pass


wild = Readout(protocol=Wild())


class Reread(Readout):
    """Derived from a measure of dreaming, with a name and options of its own."""

    def keys(self):
        return frozenset({("reread", "latent")})


reread = Reread(protocol=Wild(epochs=1, batch_size=8))


class Mine(Measure):
    """Names its option `named` in its rows, and `k` not."""

    k: int = 1
    named: int = 1

    def keys(self):
        return frozenset({("mine", f"named={self.named}")})

    def measure(self, snapshots):
        ((name, label),) = self.keys()
        return tabled((epoch, name, label, self.k) for epoch in snapshots.epochs)


class Fails(Mine):
    def measure(self, snapshots):
        raise ZeroDivisionError("no\\nway")


class Unkeyed(Mine):
    def keys(self):
        raise ZeroDivisionError("no key")


class Checks(Mine):
    def check(self, snapshots):
        return snapshots.nothing


class Text(Mine):
    def measure(self, snapshots):
        return "much"


class Words(Mine):
    def measure(self, snapshots):
        return tabled((epoch, "mine", "named=1", "much") for epoch in snapshots.epochs)


class Foreign(Mine):
    def measure(self, snapshots):
        return tabled((epoch, "readout_accuracy", "latent", 1.0) for epoch in snapshots.epochs)


class Lacks(Mine):
    def measure(self, snapshots):
        return tabled([])


class Later(Mine):
    def measure(self, snapshots):
        return tabled([(7, "mine", "named=1", 1.0)])


def blackens(cortex, dataset):
    before = dataset.test.images.any()
    for split in (dataset.train, dataset.test):
        split.images.zero_()
    return {"before": before, "after": dataset.test.images.any()}


def silent(cortex, dataset):
    return {}


def scaled_by(factor):
    def scaled(cortex, dataset):
        return factor

    return scaled


once, twice = scaled_by(1), scaled_by(2)
unnamed = lambda cortex, dataset: 1
'''
BATCH = "readout.protocol.batch_size=8"
pytestmark = pytest.mark.usefixtures("without_drawing", "without_plots", "shapes_unchecked")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    config = dreaming.configure(
        "pad",
        dataset={"name": "digits", "limit": 40},
        networks={"base_channels": 2, "latent_dim": 8},
        training={"batch_size": 8, "epochs": 1, "device": "cpu", "precision": "float32"},
        seed=3,
    )
    return dreaming.train(config, out=tmp_path_factory.mktemp("out"))


@pytest.fixture
def run(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(FILE)
    Path("faults.py").write_text(FAULTS)
    return Path(shutil.copytree(trained, tmp_path / "runs/digits/pad/seed-3"))


def of(table, measure):
    return table[table["measure"] == measure].set_index(["parameter", "epoch"])["value"].to_dict()


def test_functions_and_classes_of_a_file_are_measured_as_built_in_ones_are(run, capsys):
    words = ["evaluate", str(run), "--measures", "mine.py:sparsity,knn,mine.py:moments,mine.py:Norm"]
    assert main([*words, "--set", "Norm.power=1", "--set", "knn.k=3"]) == 0
    assert "digits/pad/seed-3: sparsity of cortex, epoch 1: 0." in capsys.readouterr().out
    table = RunFolder(run).read_measures()
    images = load_dataset("digits", limit=40)
    z = {epoch: dreaming.load(run, epoch).infer(images.test.images) for epoch in (0, 1)}
    assert of(table, "sparsity") == {
        ("cortex", e): pytest.approx((z[e] < 0).float().mean().item()) for e in (0, 1)
    }
    assert of(table, "latent_norm") == {
        ("mean;power=1", e): pytest.approx(z[e].abs().sum(dim=1).mean().item()) for e in (0, 1)
    }
    assert set(of(table, "moments")) == {(name, e) for name in ("mean", "deviation") for e in (0, 1)}
    defined = table.groupby("measure")["definition"].unique().map(list)
    assert defined["knn_accuracy"] == [""]
    (definition,) = defined["sparsity"]
    assert definition.startswith("sparsity in mine.py sha256:")
    assert list(table.columns)[-1] == "definition"
    before = Path(run / "measures.csv").read_bytes()
    assert main([*words, "--set", "Norm.power=1", "--set", "knn.k=3"]) == 0
    assert "measured already" in capsys.readouterr().out
    assert Path(run / "measures.csv").read_bytes() == before


def test_a_function_gets_images_of_its_own(run):
    alone = evaluate(run, measures="knn", settings=["knn.k=3"])
    (run / "measures.csv").unlink()
    after = evaluate(run, measures="faults.py:blackens,knn", settings=["knn.k=3"])
    assert of(after, "knn_accuracy") == of(alone, "knn_accuracy")
    assert of(after, "blackens") == {("before", 0): 1, ("before", 1): 1, ("after", 0): 0, ("after", 1): 0}


@pytest.mark.usefixtures("small_classifier")
def test_a_function_gets_a_cortex_of_its_own(run):
    alone = evaluate(run, measures="realism", settings=["realism.samples=8"], epochs="last")
    (run / "measures.csv").unlink()
    after = evaluate(run, measures="mine.py:sparsity,realism", settings=["realism.samples=8"], epochs="last")
    assert of(after, "frechet_rem") == of(alone, "frechet_rem")


def test_by_a_changed_file_it_is_measured_anew_and_that_is_said(run):
    evaluate(run, measures="mine.py:sparsity,knn", settings=["knn.k=3"])
    before = RunFolder(run).read_measures()
    Path("mine.py").write_text(FILE.replace("< 0)", "> 0)"))
    heard = Heard()
    after = evaluate(run, measures="mine.py:sparsity,knn", settings=["knn.k=3"], epochs="1", progress=heard)
    assert of(after, "sparsity") == {("cortex", 1): pytest.approx(1 - of(before, "sparsity")["cortex", 1])}
    assert of(after, "knn_accuracy") == of(before, "knn_accuracy")
    assert any("what sparsity was by sparsity in mine.py sha256:" in line for line in heard.lines)
    pd.testing.assert_frame_equal(RunFolder(run).read_measures(), after, check_dtype=False)


def test_runs_measured_by_other_files_are_not_compared(run, tmp_path, capsys):
    evaluate(run, measures="mine.py:sparsity,mine.py:Norm")
    found = compare([run], tmp_path / "one", measures="mine.py:Norm")
    assert found.measures["latent_norm"].caption == "norm of latents, of 100 % in %, mean ± SEM over seeds"
    assert found.measures["sparsity"].caption == "sparsity, mean ± SEM over seeds"
    assert main(["compare", str(run), "--measures", "mine.py:Norm", "--to", "cli"]) == 0
    assert "norm of latents, of 100 % in %" in " ".join(capsys.readouterr().out.split())
    other = tmp_path / "others/digits/pad/seed-4"
    shutil.copytree(run, other)
    for name in ("config.yaml", "measures.csv"):
        text = (other / name).read_text().replace("seed: 3", "seed: 4").replace(",pad,3,", ",pad,4,")
        (other / name).write_text(text)
    assert len(compare([run, other], tmp_path / "two").measures["sparsity"].values) == 4
    table = (other / "measures.csv").read_text()
    (other / "measures.csv").write_text(
        table.replace("sparsity in mine.py sha256:", "sparsity in mine.py sha256:0")
    )
    with pytest.raises(
        UserError, match=r"sparsity of digits/pad/3 is by sparsity in mine\.py .*evaluate them by one"
    ):
        compare([run, other], tmp_path / "three")
    assert not (tmp_path / "three").exists()


@pytest.mark.parametrize(
    ("measures", "because"),
    [
        ("mine.py:sparsit", "mine.py defines no 'sparsit'; did you mean 'sparsity'"),
        ("yours.py:sparsity", "--measures: there is no file yours.py"),
        (
            "mine.txt:sparsity",
            "--measures wants FILE.py:NAME, and got 'mine.txt:sparsity'",
        ),
        ("mine.py:number", "number in mine.py is no class derived from Measure, no measure, and no function"),
        (
            "mine.py:Readout",
            "Readout in mine.py .* calls its values readout_accuracy, as a measure of dream",
        ),
        (
            "mine.py:sparsity,yours/mine.py:sparsity",
            "mine.py:sparsity and yours/mine.py:sparsity have one name",
        ),
        ("mine.py:fails", "--measures: fails fails with ZeroDivisionError: no way"),
        ("mine.py:text", "--measures: text returned 'much', and a measure is a number or a dict of numbers"),
        (
            "faults.py:wild",
            "what Readout gives with Wild in faults.py sha256:.* under the name of a measure of",
        ),
        (
            "faults.py:Fails",
            r"^--measures: Fails fails with ZeroDivisionError: no way \(faults\.py, line \d+\)$",
        ),
        (
            "faults.py:Unkeyed",
            r"^--measures: Unkeyed fails with ZeroDivisionError: no key \(faults\.py, line \d+\)$",
        ),
        ("faults.py:Checks", "^--measures: Checks fails with AttributeError: .*nothing"),
        (
            "faults.py:Text",
            "Text returned 'much', and `measure` returns a table with epoch, measure, parameter",
        ),
        (
            "faults.py:Words",
            "Words returned epoch measure .*, and `measure` returns a table with epoch, measure, parameter",
        ),
        (
            "faults.py:Foreign",
            "Foreign returned a row of readout_accuracy of latent, epoch 0, which neither its",
        ),
        ("faults.py:Later", "Later returned a row of mine of named=1, epoch 7, which neither its"),
        ("faults.py:Lacks", "Lacks returned no row of mine of named=1 for epoch 0; it is to return all of"),
        (
            "faults.py:silent",
            "--measures: silent returned no row for epoch 0; it is to return all of its rows",
        ),
        ("faults.py:once", "scaled"),
        ("faults.py:unnamed", "<lambda>"),
        ("broken.py:f", "--measures: broken.py fails with NameError: name 'nothing' is not defined"),
    ],
)
def test_what_is_no_measure_is_refused_in_a_sentence(measures, because, run):
    Path("broken.py").write_text("nothing\n")
    with pytest.raises(UserError, match=because):
        evaluate(run, measures=measures)
    assert not (run / "measures.csv").exists()


def ones(cortex, dataset):
    return 1


def test_measures_are_taken_as_objects_too(run):
    table = evaluate(run, measures=[ones, "mine.py:cubic"], epochs="last")
    assert of(table, "ones") == {("cortex", 1): 1.0}
    assert list(of(table, "latent_norm")) == [("mean;power=3", 1)]
    (definition,) = table.loc[table["measure"] == "ones", "definition"]
    assert definition.startswith("ones in ones.py sha256:")
    assert np.isfinite(table["value"]).all()
    with pytest.raises(UserError, match="'dict'> is no class derived from Measure"):
        chosen_measures([dict])


def test_options_that_tell_no_row_from_another_are_part_of_the_definition(run):
    def evaluated(*settings):
        table = evaluate(run, measures="faults.py:Mine", settings=settings, epochs="last")
        return of(table, "mine"), [each.partition(";")[2] for each in table["definition"]]

    assert evaluated() == ({("named=1", 1): 1}, [""])
    assert evaluated("Mine.named=2") == ({("named=1", 1): 1, ("named=2", 1): 1}, ["", ""])
    assert evaluated("Mine.k=5") == ({("named=1", 1): 5}, ["k=5"])
    assert evaluated("Mine.k=5", "Mine.named=2")[0] == {("named=1", 1): 5, ("named=2", 1): 5}
    assert evaluated() == ({("named=1", 1): 1}, [""])


def test_a_group_of_options_of_ones_own_is_part_of_the_definition(run):
    table = evaluate(run, measures="readout,faults.py:reread", settings=[BATCH], epochs="last")
    (definition,) = table.loc[table["measure"] == "reread", "definition"]
    assert definition.startswith("Reread in faults.py sha256:")
    assert " with Wild in faults.py sha256:" in definition
    assert ";protocol=" in definition
    plain = table[table["measure"] == "readout_accuracy"]
    assert plain["definition"].tolist() == [""] * len(plain)
    assert "latent;batch_size=8" in set(plain["parameter"])
