"""The summary of a comparison, by hand."""

import math
import statistics

import pandas as pd
import pytest

from dreaming.config.config import Config, DatasetConfig, Training
from dreaming.errors import UserError
from dreaming.evaluation.measures.measure import Quantity
from dreaming.evaluation.measures.readout import Readout
from dreaming.evaluation.statistics.comparison import MeasureComparison, compare, summary_table
from dreaming.model.phases import NREM, REM, Wake
from dreaming.runs.folder import RunFolder

QUANTITY = Readout.quantities["readout_accuracy"]
COLUMNS = ["dataset", "condition", "seed", "epoch", "measure", "parameter", "value"]


def rows(condition, seed, values, dataset="digits", parameter="latent"):
    """Accuracies by epoch, as they stand in measures.csv."""
    return [
        (dataset, condition, seed, epoch, "readout_accuracy", parameter, value)
        for epoch, value in values.items()
    ]


def table(*groups):
    return pd.DataFrame([row for group in groups for row in group], columns=COLUMNS).astype(
        {"epoch": "Int64"}
    )


THREE = table(
    rows("pad", 0, {0: 0.10, 1: 0.30, 2: 0.50}),
    rows("pad", 1, {0: 0.14, 1: 0.34, 2: 0.52}),
    rows("pad", 2, {0: 0.12, 1: 0.29, 2: 0.57}),
    *(rows("pad", seed, {None: 0.80 + seed / 100}, parameter="pixels") for seed in range(3)),
    *(rows("pad", seed, {None: 0.70 + seed / 100}, parameter="pca-256") for seed in range(3)),
)


def test_mean_and_sem_are_over_seeds_at_the_last_epoch():
    (row,) = summary_table(THREE).to_dict("records")
    last = [0.50, 0.52, 0.57]
    assert row["mean"] == pytest.approx(sum(last) / 3, abs=1e-12)
    variance = sum((value - sum(last) / 3) ** 2 for value in last) / 2
    assert row["sem"] == pytest.approx(math.sqrt(variance / 3), abs=1e-12)
    assert row["untrained"] == pytest.approx(0.12, abs=1e-12)
    assert row["pixels"] == pytest.approx(0.81, abs=1e-12)
    assert row["pca"] == pytest.approx(0.71, abs=1e-12)
    assert (row["dataset"], row["condition"], row["seeds"], row["epoch"]) == ("digits", "pad", 3, 2)
    assert row["missing"] == ""


def test_one_seed_has_no_sem():
    (row,) = summary_table(table(rows("pad", 5, {0: 0.1, 3: 0.4}))).to_dict("records")
    assert (row["seeds"], row["epoch"], row["mean"], row["untrained"]) == (1, 3, 0.4, 0.1)
    assert math.isnan(row["sem"])
    assert math.isnan(row["pixels"])


def test_the_last_epoch_is_the_last_that_all_seeds_have_and_others_are_listed():
    values = table(rows("pad", 0, {0: 0.1, 1: 0.2, 2: 0.9, 4: 0.8}), rows("pad", 1, {0: 0.3, 1: 0.4, 3: 0.7}))
    (row,) = summary_table(values).to_dict("records")
    assert (row["seeds"], row["epoch"]) == (2, 1)
    assert row["mean"] == pytest.approx(0.3)
    assert row["sem"] == pytest.approx(statistics.stdev([0.2, 0.4]) / math.sqrt(2))
    assert row["missing"] == "epoch 2: not every seed; epoch 3: not every seed; epoch 4: not every seed"


def test_seeds_without_an_epoch_in_common_have_no_mean():
    (row,) = summary_table(table(rows("pad", 0, {1: 0.2}), rows("pad", 1, {2: 0.3}))).to_dict("records")
    assert math.isnan(row["mean"])
    assert pd.isna(row["epoch"])
    assert row["missing"] == "epoch 1: not every seed; epoch 2: not every seed"


def test_an_untrained_accuracy_that_one_seed_lacks_is_reported():
    (row,) = summary_table(table(rows("pad", 0, {0: 0.1, 1: 0.2}), rows("pad", 1, {1: 0.3}))).to_dict(
        "records"
    )
    assert row["missing"] == "epoch 0: not every seed"


def test_controls_that_one_seed_lacks_are_not_averaged_silently():
    lacking = THREE[~((THREE["seed"] == 2) & (THREE["parameter"] == "pixels"))]
    (row,) = summary_table(lacking).to_dict("records")
    assert "pixels" in row["missing"] or math.isnan(row["pixels"])


def test_principal_components_of_different_number_are_not_averaged_silently():
    values = THREE.copy()
    values.loc[(values["seed"] == 2) & (values["parameter"] == "pca-256"), "parameter"] = "pca-79"
    (row,) = summary_table(values).to_dict("records")
    assert "pca" in row["missing"] or math.isnan(row["pca"])


def test_runs_that_are_not_evaluated_are_listed_with_their_condition():
    unmeasured = [("digits", "pad", 7), ("digits", "wake_only", 0), ("svhn", "pad", 1)]
    found = {
        (row["dataset"], row["condition"]): row for row in summary_table(THREE, unmeasured).to_dict("records")
    }
    assert found["digits", "pad"]["missing"] == "seed 7: not evaluated"
    assert found["digits", "pad"]["seeds"] == 3
    for key, seed in ((("digits", "wake_only"), 0), (("svhn", "pad"), 1)):
        assert found[key]["missing"] == f"seed {seed}: not evaluated"
        assert found[key]["seeds"] == 0


def test_a_seed_of_controls_alone_is_listed():
    values = table(rows("pad", 0, {0: 0.1}), rows("pad", 1, {None: 0.8}, parameter="pixels"))
    (row,) = summary_table(values).to_dict("records")
    assert row["seeds"] == 1
    assert "seed 1" in row["missing"]


def test_data_sets_and_conditions_are_kept_apart_in_the_order_they_come():
    values = table(
        rows("wake_only", 0, {1: 0.4}),
        rows("pad", 0, {1: 0.5}),
        rows("pad", 0, {1: 0.2}, dataset="svhn"),
    )
    found = summary_table(values)
    keys = list(zip(found["dataset"], found["condition"], found["mean"], strict=True))
    assert keys == [("digits", "wake_only", 0.4), ("digits", "pad", 0.5), ("svhn", "pad", 0.2)]


def test_in_words_accuracies_are_percent_and_what_is_not_there_a_dash():
    values = table(
        rows("pad", 0, {0: 0.1, 1: 0.5}), rows("pad", 1, {0: 0.1, 1: 0.6}), rows("one", 0, {1: 0.25})
    )
    two, one = MeasureComparison(QUANTITY, values, summary_table(values)).in_words()
    columns = "data set", "condition", "seeds", "epoch", "latent", "untrained", "pixels", "pca", "missing"
    assert tuple(two) == tuple(one) == columns
    assert tuple(two.values()) == ("digits", "pad", "2", "1", "55.00 ± 5.00", "10.00", "-", "-", "")
    assert tuple(one.values()) == ("digits", "one", "1", "1", "25.00", "-", "-", "-", "")


def others(measure, seed, values, parameter="p", condition="pad"):
    """Values of another measure by epoch."""
    return [("digits", condition, seed, epoch, measure, parameter, value) for epoch, value in values.items()]


def test_of_another_measure_each_parameter_is_a_row_and_a_seed_that_lacks_one_is_named():
    values = table(
        others("ratio", 0, {0: 1.0, 2: 3.0}),
        others("ratio", 1, {0: 2.0, 2: 5.0}),
        others("ratio", 1, {2: 7.0}, parameter="q;wide=1"),
    )
    found = summary_table(values, [("digits", "pad", 3), ("digits", "one", 0)])
    wanted = ["dataset", "condition", "parameter", "seeds", "epoch", "mean", "sem", "untrained", "missing"]
    assert list(found.columns) == wanted
    p, q, one = found.to_dict("records")
    assert (p["parameter"], p["seeds"], p["epoch"], p["mean"], p["sem"], p["untrained"]) == (
        "p",
        2,
        2,
        4,
        1,
        1.5,
    )
    assert (q["parameter"], q["seeds"], q["mean"]) == ("q;wide=1", 1, 7)
    assert q["missing"] == "seed 0: not evaluated; seed 3: not evaluated"
    assert (one["condition"], one["parameter"], one["seeds"]) == ("one", "", 0)


def test_what_belongs_to_no_epoch_is_a_row_without_one_and_a_level_of_its_condition():
    values = table(others("size", 0, {None: 2.0}), others("size", 1, {None: 4.0}))
    (row,) = summary_table(values).to_dict("records")
    assert (row["seeds"], row["mean"], row["missing"]) == (2, 3, "")
    (words,) = MeasureComparison(Quantity("size"), values, summary_table(values)).in_words()
    assert (words["epoch"], words["mean"]) == ("-", "3.0000 ± 1.0000")


def test_a_measure_of_any_name_is_written_within_the_folder_and_over_nothing_else(tmp_path):
    folder = RunFolder(tmp_path / "run")
    names = ["../../out", "accuracy", "a/b", "a\\b", "", "..", "findings"]
    values = table(rows("pad", 0, {0: 0.5}), *(others(name, 0, {0: 1.0}) for name in names))
    folder.write_config(Config())
    folder.write_table(folder.measures, values)
    found = compare([folder.path], tmp_path / "to")
    assert {path.parent for path in found.files} == {tmp_path / "to"}
    assert len({path.name.lower() for path in found.files}) == len(found.files) == 2 * (1 + len(names)) + 4
    assert sorted(found.files) == sorted((tmp_path / "to").iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"run", "to"}


def test_a_parameter_with_and_without_epochs_of_which_a_seed_is_missing_is_summarised():
    values = table(rows("pad", 0, {0: 0.1, 1: 0.3, None: 0.8}), rows("pad", 1, {0: 0.2, 2: 0.4}))
    (row,) = summary_table(values).to_dict("records")
    assert (row["epoch"], row["mean"]) == (0, pytest.approx(0.15))
    assert row["missing"] == (
        "without an epoch: not every seed; epoch 1: not every seed; epoch 2: not every seed"
    )


@pytest.fixture
def seeds(tmp_path):
    """Writes a run with one accuracy: of a seed, images and a config."""

    def write(seed, fingerprint="f" * 64, **changed):
        folder = RunFolder(tmp_path / f"seed-{seed}")
        folder.write_config(Config(seed=seed, **changed))
        folder.write_environment({"sessions": [{"dataset": {"fingerprint": fingerprint}}]})
        config = folder.read_config()
        folder.write_table(
            folder.measures, table(rows(config.condition, seed, {0: 0.5}, dataset=config.dataset.name))
        )
        return folder.path

    return write


def test_seeds_of_one_config_and_of_the_same_images_are_averaged_however_long_they_were_trained(
    seeds, tmp_path
):
    found = compare([seeds(0), seeds(1, training=Training(epochs=7, device="cpu"))], tmp_path / "to")
    assert found.table["seeds"].tolist() == [2]


@pytest.mark.parametrize(
    ("other", "because"),
    [
        ({"fingerprint": "0" * 64}, "images is 'ffffffffffff' of one and '000000000000' of the other"),
        ({"dataset": DatasetConfig(limit=40)}, r"dataset\.limit is None of one and 40 of the other"),
        (
            {"phases": (Wake(), NREM(weight=0.5), REM()), "condition": "pad"},
            r"phases\.nrem\.weight is 1\.0 of one and 0\.5",
        ),
    ],
)
def test_runs_that_differ_in_more_than_their_seed_are_not_averaged(other, because, seeds, tmp_path):
    with pytest.raises(UserError, match=rf"seed-0 and .*seed-1 are no two seeds of digits/pad: {because}"):
        compare([seeds(0), seeds(1, **other)], tmp_path / "to")
    assert not (tmp_path / "to").exists()
    apart = {**other, "condition": "other"}
    assert compare([seeds(0), seeds(1, **apart)], tmp_path / "to").table["seeds"].tolist() == [1, 1]
