"""The images of a run are found again: where it had them, where they were moved to, or as they are given."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from tests.data.readers.test_cifar10 import batch_files, write_folder

import dreaming
from dreaming.cli.main import main
from dreaming.errors import Notice, UserError
from dreaming.runs.dream_pictures import dream_picture
from dreaming.runs.folder import RunFolder
from dreaming.runs.images import images_of_run


def write_pictures(root, seed=0):
    random = np.random.default_rng(seed)
    for split, n in (("train", 8), ("test", 4)):
        for name in ("cat", "dog"):
            (root / split / name).mkdir(parents=True)
            for i in range(n):
                pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{i}.png")
    return root


@pytest.fixture
def config_of(tiny_config, without_drawing):
    def make(name, **more):
        return tiny_config(dataset={"name": name}, training={"epochs": 0}, **more)

    return make


@pytest.fixture
def of_folder(config_of, tmp_path, monkeypatch):
    """A run on a folder that was named from where it was trained."""
    write_pictures(tmp_path / "here/cats")
    monkeypatch.chdir(tmp_path / "here")
    run = dreaming.train(config_of("folder:cats"), out=tmp_path / "runs")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return run


def found(run, **more):
    folder = RunFolder(run)
    return images_of_run(folder, folder.read_config(), **more)


def test_a_folder_is_found_from_wherever_one_stands(of_folder, tmp_path):
    images = found(of_folder)
    assert (images.name, images.place) == ("folder:cats", str(tmp_path / "here/cats"))
    assert dream_picture(of_folder, count=2).images


@pytest.mark.parametrize("told", ["new/cats", "new"], ids=["the folder", "what it was moved into"])
def test_a_folder_that_was_moved_is_asked_for_and_taken_from_where_one_says(of_folder, told, tmp_path):
    shutil.move(tmp_path / "here/cats", tmp_path / "new/cats")
    with pytest.raises(UserError, match=r"are not in .*here/cats; say where they are with --data-dir DIR"):
        found(of_folder)
    assert found(of_folder, data_dir=tmp_path / told).place == str(tmp_path / "new/cats")
    assert main(["dream", str(of_folder), "--count", "2", "--data-dir", str(tmp_path / told)]) == 0


@pytest.mark.parametrize("told", ["new/cats", "new"], ids=["the folder", "what it was moved into"])
def test_a_run_on_a_folder_that_was_moved_goes_on(of_folder, config_of, told, tmp_path):
    shutil.move(tmp_path / "here/cats", tmp_path / "new/cats")
    more = config_of("folder:cats").but(["training.epochs=1"])
    assert dreaming.train(more, out=tmp_path / "runs", data_dir=tmp_path / told) == of_folder
    assert dreaming.train(more, out=tmp_path / "new runs", data_dir=tmp_path / told)
    with pytest.raises(UserError, match="there is no folder"):
        dreaming.train(more, out=tmp_path / "runs", data_dir=tmp_path)


@pytest.mark.parametrize("told", ["cats", "."], ids=["the folder", "what it was moved into"])
def test_a_folder_without_splits_is_told_from_a_class_of_its_name_by_what_it_holds(
    told, config_of, tmp_path, monkeypatch
):
    write_pictures(tmp_path / "made")
    (tmp_path / "made/train").rename(tmp_path / "cats")
    shutil.copytree(tmp_path / "cats/cat", tmp_path / "cats/cats")
    with pytest.warns(Notice, match="no train and test"):
        run = dreaming.train(config_of(f"folder:{tmp_path}/cats"), out=tmp_path / "runs")
    (tmp_path / "new").mkdir()
    shutil.move(tmp_path / "cats", tmp_path / "new/cats")
    with pytest.warns(Notice, match="no train and test"):
        images = found(run, data_dir=tmp_path / "new" / told)
    assert images.place == str(tmp_path / "new/cats")


def test_where_one_has_said_the_place_it_is_named_and_not_asked_for_again(of_folder, tmp_path):
    shutil.move(tmp_path / "here/cats", tmp_path / "new/cats")
    next((tmp_path / "new/cats/train/cat").iterdir()).unlink()
    with pytest.raises(UserError, match=r"other images than /.*new/cats has now$"):
        found(of_folder, data_dir=tmp_path / "new")


def test_weights_of_networks_may_lie_in_the_data_dir_of_a_run_on_a_folder(of_folder, tmp_path):
    (tmp_path / "weights").mkdir()
    assert found(of_folder, data_dir=tmp_path / "weights").place == str(tmp_path / "here/cats")


def test_other_images_in_the_same_place_are_refused(of_folder, tmp_path):
    shutil.rmtree(tmp_path / "here/cats")
    write_pictures(tmp_path / "here/cats", seed=1)
    with pytest.raises(
        UserError, match=r"other images than /.*here/cats has now; if they were moved, say where"
    ):
        found(of_folder)
    write_pictures(tmp_path / "kept")
    assert found(of_folder, data_dir=tmp_path / "kept")


@pytest.fixture
def of_archive(config_of, tmp_path, monkeypatch):
    """A run on CIFAR-10's files of four images a batch."""
    monkeypatch.delenv("DREAMING_DATA", raising=False)
    write_folder(tmp_path / "data", batch_files())
    monkeypatch.chdir(tmp_path)
    return dreaming.train(config_of("cifar10"), out="runs", data_dir="data", trust_data=True)


def test_files_are_found_where_the_run_had_them_unless_one_says_otherwise(of_archive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    run = tmp_path / of_archive
    assert found(run, trust_data=True).place == str(tmp_path / "data")
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    monkeypatch.setenv("DREAMING_DATA", str(tmp_path / "copy"))
    assert found(run, trust_data=True).place == str(tmp_path / "copy")
    assert found(run, trust_data=True, data_dir=tmp_path / "data").place == str(tmp_path / "data")
    with pytest.raises(UserError, match="accept these with --trust-data"):
        found(run)


def test_files_that_are_gone_are_asked_for(of_archive, tmp_path):
    shutil.move(tmp_path / "data", tmp_path / "moved")
    with pytest.raises(UserError, match="say where they lie with --data-dir DIR or DREAMING_DATA"):
        found(of_archive, trust_data=True)
    assert found(of_archive, trust_data=True, data_dir="moved")


def test_a_record_of_before_there_were_hints_does_without(of_archive, tmp_path):
    folder = RunFolder(of_archive)
    record = folder.read_environment()
    del record["sessions"][0]["dataset"]["place"]
    folder.environment.write_text(json.dumps(record))
    with pytest.raises(UserError, match="say where they lie with --data-dir"):
        found(of_archive, trust_data=True)
    assert found(of_archive, trust_data=True, data_dir="data")


def test_arrays_are_asked_for_in_a_sentence_and_taken_when_given(config_of, tmp_path, capsys):
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32), dtype=np.uint8)
    mine = dreaming.Dataset.of_arrays("mine", train=images, test=images)
    run = dreaming.train(config_of("mine"), out=tmp_path, dataset=mine)
    for use in (dreaming.evaluate, dream_picture):
        with pytest.raises(UserError, match=r"given as arrays, mine, and are kept nowhere; give them again"):
            use(run)
    assert main(["evaluate", str(run)]) == 2
    assert "given as arrays" in capsys.readouterr().err
    assert found(run, dataset=mine) is mine


@pytest.mark.parametrize(
    "name", ["cats/", "./cats", "../here/cats", "{root}/here/cats", "~/here/cats", "~/linked/cats"]
)
def test_a_folder_is_one_data_set_however_it_is_written(name, of_folder, config_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "linked").symlink_to(tmp_path / "here")
    again = config_of(f"folder:{name.format(root=tmp_path)}")
    assert dreaming.train(again.but(["training.epochs=1"]), out=tmp_path / "runs") == of_folder
    beside = dreaming.train(again.but(["seed=1"]), out=tmp_path / "runs")
    assert beside.parent == of_folder.parent
    assert {RunFolder(run).read_config().dataset.name for run in (of_folder, beside)} == {"folder:cats"}


def test_a_folder_that_was_moved_is_the_same_under_its_new_name(of_folder, config_of, tmp_path):
    shutil.move(tmp_path / "here/cats", tmp_path / "new/cats")
    more = config_of(f"folder:{tmp_path}/new/cats").but(["training.epochs=1"])
    assert dreaming.train(more, out=tmp_path / "runs") == of_folder
    assert found(of_folder).place == str(tmp_path / "new/cats")
    write_pictures(tmp_path / "other/cats", seed=1)
    more = config_of(f"folder:{tmp_path}/other/cats").but(["training.epochs=1"])
    with pytest.raises(UserError, match=r"holds a run of another config: its dataset\.name is folder:cats"):
        dreaming.train(more, out=tmp_path / "runs")


def test_tables_of_a_name_that_was_written_otherwise_are_the_runs_own(of_folder):
    table = "dataset,condition,seed,epoch,measure,parameter,value\nfolder:./cats/,pad,0,0,size,,1\n"
    (of_folder / "measures.csv").write_text(table)
    assert RunFolder(of_folder).read_measures()["dataset"].tolist() == ["folder:cats"]
