"""`dreaming evaluate`, `dream` and `compare`: what they write, and that the numbers shown are those measured."""

import csv
import io
import re
import shlex
import statistics

import numpy as np
import pytest
import yaml
from PIL import Image
from tests.cli.tiny_runs import SMALL, TINY, tree
from tests.data.readers.test_cifar10 import batch_files, write_archive

import dreaming
from dreaming.runs.dream_pictures import PICTURE_KINDS
from dreaming.runs.sheets import GAP, LABEL, MARGIN
from dreaming.system import progress
from dreaming.system.locks import locked

RUN = "digits/pad/seed-0"


@pytest.fixture
def compared(dreaming_does, without_plots):
    """Compares runs, and plots nothing; gives what was printed."""
    return lambda *words: dreaming_does("compare", *words)


def rows_of(path):
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_evaluate_measures_each_snapshot_and_both_controls(trained, dreaming_does):
    said = dreaming_does("evaluate", trained / RUN, "--epochs", "0,2")
    rows = rows_of(trained / RUN / "measures.csv")
    assert list(rows[0]) == ["dataset", "condition", "seed", "epoch", "measure", "parameter", "value"]
    found = {(row["epoch"], row["parameter"]): float(row["value"]) for row in rows}
    assert set(found) == {("", "pixels"), ("", "pca-79"), ("0", "latent"), ("2", "latent")}
    for (epoch, parameter), value in found.items():
        shown = f"{parameter}, epoch {epoch}" if epoch else parameter
        assert f"digits/pad/seed-0: readout accuracy of {shown}: {100 * value:.2f} %" in said
    before = tree(trained)
    assert "measured already" in dreaming_does("evaluate", trained / RUN, "--epochs", "0,2")
    assert tree(trained) == before


def test_evaluate_takes_several_runs(trained, dreaming_does):
    dreaming_does("evaluate", trained / RUN, trained / "digits/pad/seed-1", "--epochs", "last")
    for seed in "01":
        rows = rows_of(trained / f"digits/pad/seed-{seed}/measures.csv")
        assert {row["seed"] for row in rows} == {seed}


def test_evaluate_takes_folders_of_runs_each_run_once(trained, dreaming_does):
    said = dreaming_does("evaluate", trained, trained / RUN, "--epochs", "last")
    for seed in "01":
        assert said.count(f"digits/pad/seed-{seed}: measured in ") == 1
    assert said == said.replace("already", "")


def test_a_run_that_cannot_be_measured_keeps_no_other_from_it(trained, dreaming_refuses):
    (trained / RUN / "environment.json").unlink()
    dreaming_refuses(
        "evaluate",
        trained,
        "--epochs=last",
        because=rf"^dreaming: {trained / RUN}/environment.json is missing$",
        may_add=["measures.csv"],
    )
    assert (trained / "digits/pad/seed-1/measures.csv").exists()


def test_evaluate_measures_a_run_that_is_being_trained(trained, dreaming_does):
    with locked(trained / RUN, "training"):
        assert "epoch 2: " in dreaming_does("evaluate", trained / RUN)


def test_what_train_prints_as_the_next_command_works_when_it_is_copied(tmp_path, dreaming_does):
    data = tmp_path / "my 'own' data"
    write_archive(data, batch_files())
    words = ("--dataset", "cifar10", "--data-dir", data, "--trust-data", *SMALL, "--epochs", "1")
    for out in (tmp_path / "my runs; and others", "-runs"):
        said = dreaming_does("train", *words, f"--out={out}")
        program, *copied = shlex.split(said.partition("measure it with: ")[2])
        assert program == "dreaming"
        images = ("--measures", "projection")  # of so few
        assert "cifar10/pad/seed-0: projection, epoch 1" in dreaming_does(*copied, *images)


def test_evaluate_measures_what_it_is_told_with_the_options_it_is_told(trained, dreaming_does):
    words = ("--measures", "organisation,robustness,projection", "--epochs", "last")
    settings = ("--set", "organisation.distance=squared", "--set", "robustness.probabilities=[0.0, 0.5]")
    said = dreaming_does("evaluate", trained / RUN, *words, *settings)
    found = {(row["measure"], row["parameter"]): row for row in rows_of(trained / RUN / "measures.csv")}
    assert set(found) == {
        ("intra_inter_ratio", "squared"),
        ("clean_occluded_ratio", "squared"),
        ("readout_accuracy_occluded", "0.0"),
        ("readout_accuracy_occluded", "0.5"),
    }
    ratio = float(found["intra_inter_ratio", "squared"]["value"])
    assert f"digits/pad/seed-0: intra inter ratio of squared, epoch 2: {ratio:.4f}\n" in said
    coordinates = rows_of(trained / RUN / "projection.csv")
    assert f"digits/pad/seed-0: projection, epoch 2: {len(coordinates)} values\n" in said
    assert {row["label"] for row in coordinates} == {"0", "1", "2", "3"}
    assert "measured already" in dreaming_does("evaluate", trained / RUN, *words, *settings)


def test_evaluate_takes_the_controls_of_another_condition(trained, dreaming_does):
    dreaming_does("train", *TINY, "--condition", "wake_only", "--epochs", "0", "--out", trained)
    runs = [trained / RUN, trained / "digits/wake_only/seed-0"]
    first, second = (dreaming_does("evaluate", run, "--epochs", "0") for run in runs)
    assert first.count("as kept in") == 0
    assert second.count("as kept in") == 2
    controls = [
        {(row["parameter"], row["value"]) for row in rows_of(run / "measures.csv") if not row["epoch"]}
        for run in runs
    ]
    assert controls[0] == controls[1]
    assert len(controls[0]) == 2


def test_dream_draws_a_sheet_that_can_be_looked_at(trained, tmp_path, dreaming_does):
    said = dreaming_does("dream", trained / RUN, "--count", "10")
    path = trained / RUN / "dreams/sheet-0002.png"
    assert said == f"written: {path}\n"
    with Image.open(path) as sheet:
        assert sheet.format == "PNG"
        sheet.load()
        assert np.asarray(sheet).std() > 0
    # Another epoch is another dream; the same command is the same.
    to = tmp_path / "new/early.png"
    dreaming_does("dream", trained / RUN, "--count", "10", "--epoch", "0", "--to", to)
    assert to.read_bytes() != path.read_bytes()
    before = path.read_bytes()
    dreaming_does("dream", trained / RUN, "--count", "10")
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", PICTURE_KINDS)
def test_dream_draws_each_kind_of_picture_under_its_name(kind, trained, dreaming_does):
    said = dreaming_does("dream", trained / RUN, "--as", kind, "--count", "3")
    name = "film.gif" if kind == "film" else f"{kind}-0002.png"
    assert f"written: {trained / RUN / 'dreams' / name}\n" in said
    with Image.open(trained / RUN / "dreams" / name) as picture:
        assert picture.format == ("GIF" if kind == "film" else "PNG")
        assert getattr(picture, "n_frames", 1) == (3 if kind == "film" else 1)


def test_a_run_without_rem_says_so(dreaming_does, tmp_path):
    dreaming_does("train", *TINY, "--condition", "without_rem", "--epochs", "1", "--out", tmp_path)
    said = dreaming_does("dream", tmp_path / "digits/without_rem/seed-0")
    assert "digits/without_rem/seed-0 has no REM in its cycle after epoch 1: it dreams as PAD's would" in said


def test_a_picture_of_ones_own_is_dreamt_of(trained, dreaming_does, dreaming_refuses, tmp_path):
    Image.new("RGB", (90, 60), "white").save(tmp_path / "photo.jpg")
    dreaming_does("dream", trained / RUN, "--of", tmp_path / "photo.jpg", "--count", "2")
    assert (trained / RUN / "dreams/sheet-0002-of-photo.png").is_file()
    (tmp_path / "photo.txt").write_text("no picture")
    dreaming_refuses("dream", trained / RUN, "--of", tmp_path / "photo.txt", because="photo.txt is no PNG")
    dreaming_refuses("dream", trained / RUN, "--of", "nowhere.png", because="there is no file nowhere.png")
    words = ("dream", trained / RUN, "--of", tmp_path / "photo.jpg", "--as", "classes")
    dreaming_refuses(*words, because="leave --of out")


def test_what_no_picture_can_be_made_of_is_refused(trained, dreaming_refuses, tmp_path):
    run = trained / RUN
    dreaming_refuses("dream", run, "--phase", "rim", because="has no phase 'rim'; did you mean 'rem'?")
    dreaming_refuses("dream", run, "--as", "film", "--epoch", "1", because="leave --epoch out")
    dreaming_refuses("dream", run, "--to", tmp_path / "dreams.jpg", because="ends in .png")


def test_the_two_sleeps_dream_differently(dreaming_does, tmp_path):
    words = (*TINY, "--set", "optimizer.learning_rate=0.01", "--name", "pad", "--epochs", "4")
    dreaming_does("train", *words, "--out", tmp_path / "out")  # enough that dreams differ by whole pixels
    for phase in ("rem", "nrem"):
        words = ("--count", "4", "--to", tmp_path / f"{phase}.png")
        dreaming_does("dream", tmp_path / "out" / RUN, "--phase", phase, *words)
    assert (tmp_path / "rem.png").read_bytes() != (tmp_path / "nrem.png").read_bytes()


@pytest.mark.parametrize("count", ["0", "-1", "41"])
def test_more_dreams_than_there_are_pairs_of_test_images_are_refused(count, trained, dreaming_refuses):
    because = f"--count is {count}; .* 1 to 40 dreams"
    dreaming_refuses("dream", trained / RUN, f"--count={count}", because=because)


def test_dreams_are_not_written_over_a_folder(trained, tmp_path, dreaming_refuses):
    (tmp_path / "sheet.png").mkdir()
    words = ("--count", "2", "--to", tmp_path / "sheet.png")
    dreaming_refuses("dream", trained / RUN, *words, because="cannot write")


def test_compare_shows_the_mean_and_sem_of_what_was_measured(evaluated, dreaming_does, tmp_path):
    out = tmp_path / "comparison"
    said = dreaming_does("compare", evaluated, "--to", out)
    pictures = [*("comparison.md", "comparison.png", "comparison.svg"), "dreams.png"]
    assert sorted(tree(out)) == sorted([*pictures, "curves.csv", "findings.csv", "table.csv"])
    rows = [row for seed in (0, 1) for row in rows_of(evaluated / f"digits/pad/seed-{seed}/measures.csv")]
    of = {(r["parameter"].split("-")[0], r["epoch"], r["seed"]): float(r["value"]) for r in rows}
    last = [of["latent", "2", seed] for seed in "01"]
    wanted = {
        "mean": statistics.mean(last),
        "sem": statistics.stdev(last) / 2**0.5,
        "untrained": statistics.mean(of["latent", "0", seed] for seed in "01"),
        "pixels": statistics.mean(of["pixels", "", seed] for seed in "01"),
        "pca": statistics.mean(of["pca", "", seed] for seed in "01"),
    }
    (row,) = rows_of(out / "table.csv")
    assert (row["dataset"], row["condition"], row["seeds"], row["epoch"]) == ("digits", "pad", "2", "2")
    assert row["missing"] == ""
    for name, value in wanted.items():
        assert float(row[name]) == pytest.approx(value, abs=1e-12), name
        assert f"{100 * value:.2f}" in said, name
    curves = rows_of(out / "curves.csv")
    key = ("seed", "epoch", "parameter", "value")
    assert sorted(tuple(c[k] for k in key) for c in curves) == sorted(tuple(r[k] for k in key) for r in rows)
    with Image.open(out / "comparison.png") as plot:
        plot.load()
        assert plot.format == "PNG"
        assert len(np.unique(np.asarray(plot.convert("RGB")).reshape(-1, 3), axis=0)) > 50
    assert (out / "comparison.svg").read_text().rstrip().endswith("</svg>")


def test_a_run_named_twice_counts_once(evaluated, compared, tmp_path):
    words = (evaluated, evaluated / RUN, evaluated / "digits/../digits/pad")
    compared(*words, "--to", tmp_path / "twice")
    compared(evaluated, "--to", tmp_path / "once")
    assert (tmp_path / "twice/table.csv").read_text() == (tmp_path / "once/table.csv").read_text()


def without(path, keep):
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *(row for row in rows if keep(row.split(",")))]) + "\n")


def test_an_epoch_that_one_seed_lacks_is_reported_and_not_averaged(evaluated, compared, tmp_path):
    measures = evaluated / "digits/pad/seed-1/measures.csv"
    without(measures, lambda row: row[3] != "2")
    said = compared(evaluated, "--to", tmp_path / "out")
    (row,) = rows_of(tmp_path / "out/table.csv")
    assert (row["seeds"], row["epoch"]) == ("2", "1")
    assert row["missing"] == "epoch 2: not every seed"
    values = [
        float(r["value"])
        for seed in (0, 1)
        for r in rows_of(evaluated / f"digits/pad/seed-{seed}/measures.csv")
        if (r["parameter"], r["epoch"]) == ("latent", "1")
    ]
    assert float(row["mean"]) == pytest.approx(statistics.mean(values))
    assert "every" in said
    assert "seed" in said


def test_a_seed_that_is_not_evaluated_is_reported(evaluated, compared, tmp_path):
    (evaluated / "digits/pad/seed-1/measures.csv").unlink()
    compared(evaluated, "--to", tmp_path / "out")
    (row,) = rows_of(tmp_path / "out/table.csv")
    assert (row["seeds"], row["missing"], row["sem"]) == ("1", "seed 1: not evaluated", "")


def test_a_seed_of_which_only_the_controls_are_measured_is_reported(evaluated, compared, tmp_path):
    measures = evaluated / "digits/pad/seed-1/measures.csv"
    without(measures, lambda row: row[5] != "latent")
    compared(evaluated, "--to", tmp_path / "out")
    (row,) = rows_of(tmp_path / "out/table.csv")
    assert row["seeds"] == "1"
    assert "seed 1" in row["missing"]


def test_a_condition_of_which_nothing_is_evaluated_is_reported(evaluated, dreaming_does, compared, tmp_path):
    dreaming_does("train", *TINY, "--condition", "wake_only", "--epochs", "0", "--out", evaluated)
    said = compared(evaluated, "--to", tmp_path / "out")
    assert "wake_only" in said
    table = {row["condition"]: row for row in rows_of(tmp_path / "out/table.csv")}
    assert table["wake_only"]["missing"] == "seed 0: not evaluated"


@pytest.mark.parametrize("name", ["null", "1", "true"])
def test_a_condition_may_be_called_anything_that_a_name_may_be(name, evaluated, compared, tmp_path):
    for seed in (0, 1):
        run = evaluated / f"digits/pad/seed-{seed}"
        config = yaml.safe_load((run / "config.yaml").read_text())
        (run / "config.yaml").write_text(yaml.safe_dump({**config, "condition": name}, sort_keys=False))
        (run / "measures.csv").write_text((run / "measures.csv").read_text().replace(",pad,", f",{name},"))
    (evaluated / "digits/pad/seed-1/measures.csv").unlink()
    compared(evaluated, "--to", tmp_path / "out")
    (row,) = rows_of(tmp_path / "out/table.csv")
    assert (row["condition"], row["seeds"], row["missing"]) == (name, "1", "seed 1: not evaluated")


@pytest.mark.usefixtures("small_classifier")
def test_compare_reads_the_accuracies_by_the_protocol_and_no_other_measure(
    evaluated, dreaming_does, compared, tmp_path
):
    compared(evaluated, "--to", tmp_path / "before")
    words = "--measures", "all", "--epochs", "last", "--set", "readout.protocol.epochs=1"
    dreaming_does("evaluate", evaluated / RUN, *words)
    assert len(rows_of(evaluated / RUN / "measures.csv")) == 5 + (1 + 11 + 2 + 2 + 1 + 3 * (5 + 2)) + 2
    compared(evaluated, "--to", tmp_path / "after")
    for name in ("table.csv", "curves.csv"):
        assert (tmp_path / "after" / name).read_text() == (tmp_path / "before" / name).read_text()


def test_compare_shows_every_measure_that_a_run_has(evaluated, dreaming_does, tmp_path):
    words = "--measures", "organisation,robustness", "--set", "robustness.probabilities=[0.5]"
    dreaming_does("evaluate", evaluated / RUN, *words)
    dreaming_does("evaluate", evaluated / RUN, "--set", "readout.protocol.epochs=1")
    said = dreaming_does("compare", evaluated, "--to", tmp_path / "out")
    shown = [
        "linear readout accuracy on test images in %, mean ± SEM",
        "linear readout accuracy on occluded test images in %, mean ± SEM",
        "distance of latents within classes over that between classes, mean ± SEM",
        "distance of latents of clean and occluded images over that between classes, mean ± SEM",
        "linear readout accuracy on test images, not by the protocol in %, mean ± SEM",
    ]
    flat = " ".join(said.split())
    assert [flat.index(caption) for caption in shown] == sorted(flat.index(caption) for caption in shown)
    names = (
        "readout_accuracy_occluded",
        "intra_inter_ratio",
        "clean_occluded_ratio",
        "readout_accuracy_otherwise",
    )
    assert {f"{name}_{file}" for name in names for file in ("curves.csv", "table.csv")} < {
        path.name for path in (tmp_path / "out").iterdir()
    }
    measured = rows_of(evaluated / RUN / "measures.csv")
    (ratio,) = (r for r in measured if (r["measure"], r["epoch"]) == ("intra_inter_ratio", "2"))
    (row,) = rows_of(tmp_path / "out/intra_inter_ratio_table.csv")
    assert (row["parameter"], row["seeds"], row["epoch"]) == ("euclidean", "1", "2")
    assert row["missing"] == "seed 1: not evaluated"
    assert row["mean"] == ratio["value"]
    assert f"{float(ratio['value']):.4f}" in said
    curves = rows_of(tmp_path / "out/readout_accuracy_occluded_curves.csv")
    assert curves == [row for row in measured if row["measure"] == "readout_accuracy_occluded"]


def test_a_run_of_which_only_other_measures_are_there_is_compared_by_them(
    trained, dreaming_does, compared, tmp_path
):
    dreaming_does("evaluate", trained / RUN, "--measures", "organisation", "--epochs", "last")
    said = compared(trained / RUN, "--to", tmp_path / "out")
    assert "readout" not in said
    assert not (tmp_path / "out/table.csv").exists()


def test_on_a_narrow_terminal_a_row_is_a_line_and_nothing_is_shortened(
    evaluated, compared, tmp_path, monkeypatch
):
    monkeypatch.setattr(progress, "IN_A_LOG", 80)
    for path in [*evaluated.rglob("config.yaml"), *evaluated.rglob("measures.csv")]:
        text = path.read_text().replace(",pad,", ",without_memory_mix,")
        path.write_text(text.replace("condition: pad", "condition: without_memory_mix"))
    said = compared(evaluated, "--to", tmp_path / "out")
    (row,) = rows_of(tmp_path / "out/table.csv")
    mean, sem, untrained, pixels, pca = (
        f"{100 * float(row[name]):.2f}" for name in ("mean", "sem", "untrained", "pixels", "pca")
    )
    assert (
        f"data set digits, condition without_memory_mix, seeds 2, epoch 2, latent {mean} ± {sem}, "
        f"untrained {untrained}, pixels {pixels}, pca {pca}\n" in said
    )


def test_nothing_to_compare_is_refused(trained, dreaming_refuses):
    because = ("is not evaluated", f"dreaming evaluate {trained / RUN}")
    dreaming_refuses("compare", trained, because=because)
    dreaming_refuses("compare", trained / "digits", because="is not evaluated")


def test_a_comparison_is_not_written_where_a_file_is(evaluated, tmp_path, dreaming_refuses):
    (tmp_path / "file").write_text("mine")
    dreaming_refuses("compare", evaluated, "--to", tmp_path / "file", because="cannot write")


def test_the_library_compares_as_the_command_does(evaluated, compared, tmp_path):
    found = dreaming.compare([evaluated], tmp_path / "library")
    compared(evaluated, "--to", tmp_path / "command")
    assert {path.parent for path in found.files} == {tmp_path / "library"}
    for name in ("table.csv", "curves.csv"):
        assert (tmp_path / "library" / name).read_text() == (tmp_path / "command" / name).read_text()


def test_conditions_are_compared_seed_by_seed_with_the_one_that_is_named(
    evaluated, dreaming_does, dreaming_refuses, tmp_path
):
    dreaming_does("train", *TINY, "--condition", "wake_only", "--seeds=2", "--epochs=2", "--out", evaluated)
    for seed in (0, 1):
        dreaming_does("evaluate", evaluated / f"digits/wake_only/seed-{seed}")
    said = dreaming_does("compare", evaluated, "--to", tmp_path / "out")
    (row,) = rows_of(tmp_path / "out/differences.csv")
    assert (row["condition"], row["paired_with"], row["pairs"], row["epoch"]) == (
        "wake_only",
        "pad",
        "2",
        "2",
    )
    last = {
        (condition, seed): float(r["value"])
        for condition in ("pad", "wake_only")
        for seed in (0, 1)
        for r in rows_of(evaluated / f"digits/{condition}/seed-{seed}/measures.csv")
        if (r["parameter"], r["epoch"]) == ("latent", "2")
    }
    each = [last["wake_only", seed] - last["pad", seed] for seed in (0, 1)]
    assert float(row["difference"]) == pytest.approx(statistics.mean(each), abs=1e-12)
    assert f"{100 * statistics.mean(each):+.2f}" in said
    dreaming_does("compare", evaluated, "--to", tmp_path / "other", "--paired-with", "wake_only")
    (other,) = rows_of(tmp_path / "other/differences.csv")
    assert (other["condition"], other["paired_with"]) == ("pad", "wake_only")
    assert float(other["difference"]) == pytest.approx(-float(row["difference"]), abs=1e-12)
    because = "--paired-with: no run is of 'wake'; did you mean 'wake_only'?"
    dreaming_refuses("compare", evaluated, "--paired-with", "wake", because=re.escape(because))
    page = (tmp_path / "out/comparison.md").read_text()
    for part in ("![A panel for each measure](comparison.png)", "| Wake only minus PAD |", "](dreams.png)"):
        assert part in page
    assert "- Wake only (`wake_only`): No sleep; noisy reconstruction (eq. 12), as without REM." in page


def test_the_strip_of_dreams_is_cut_from_the_sheets_of_the_runs(evaluated, dreaming_does, tmp_path):
    dreaming_does("compare", evaluated, "--to", tmp_path)
    with (
        Image.open(tmp_path / "dreams.png") as strip,
        Image.open(evaluated / RUN / "dreams/0002.png") as sheet,
    ):
        side, left, top = 96, MARGIN + LABEL, 2 * MARGIN + 14
        row = top + 4 * (side + GAP)  # REM's
        dream = np.asarray(sheet)[row : row + side, left : left + side]
        assert np.array_equal(np.asarray(strip)[top : top + side, left : left + side], dream)
