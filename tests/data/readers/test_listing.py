"""Which pictures of a folder are seen, however people lay folders out, and what is said of those that are not."""

import warnings

import numpy as np
import pytest
from PIL import Image

from dreaming.data import check, load_dataset
from dreaming.data.readers.listing import OF_SYSTEMS, list_folder
from dreaming.errors import Notice, UserError

PAIR = ("ant", "cat")


def put(root, *files):
    """Make pictures, each of other pixels."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng([*file.encode()]).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / file)
    return root


def names(files, root):
    return [path.relative_to(root).as_posix() for path, _ in files]


def listed(root):
    """Return the listing of a folder and what was said of it, without the folder's own name."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        listing = list_folder(root)
    assert all(each.category is Notice for each in heard)
    said = [str(each.message).removeprefix(f"{root}: ") for each in heard]
    return listing, said


@pytest.fixture
def folder(tmp_path):
    return put(
        tmp_path / "mine", *(f"{s}/{c}/{i}.png" for s in ("train", "test") for c in PAIR for i in (1, 2))
    )


def test_of_a_folder_as_it_should_be_nothing_is_said(folder):
    (folder / "train/.hidden").mkdir()
    (folder / "train/ant/.DS_Store").write_text("")
    listing, said = listed(folder)
    assert (listing.classes, len(listing.train), len(listing.test), said) == (PAIR, 4, 4, [])


@pytest.mark.parametrize("suffix", ["bmp", "tif", "TIFF", "gif", "ppm", "jpe", "jfif", "webp", "JPEG"])
def test_pictures_of_each_kind_are_seen(suffix, folder):
    put(folder, f"train/ant/9.{suffix}")
    listing, said = listed(folder)
    assert f"train/ant/9.{suffix}" in names(listing.train, folder)
    assert not said
    assert len(load_dataset(f"folder:{folder}").train) == 5


def test_pictures_of_a_class_may_lie_deeper(folder):
    put(folder, "train/ant/images/9.png", "train/ant/2020/may/1.png")
    listing, said = listed(folder)
    assert names(listing.train, folder)[:4] == [
        f"train/ant/{name}" for name in ("1.png", "2.png", "2020/may/1.png", "images/9.png")
    ]
    assert not said


def test_what_is_left_out_is_counted_in_one_line(folder):
    for name in ("a.txt", "b.TXT", "c.avif", "README"):
        (folder / "train/ant" / name).write_text("")
    (folder / "test/cat/9.png").symlink_to(folder / "gone.png")
    put(folder, "train/loose.png", "extra/1.png")
    _, said = listed(folder)
    (line,) = said
    assert line.startswith("left out are 2 x .txt, ")
    assert sorted(line.removeprefix("left out are ").split(", ")) == [
        *("1 x .avif", "1 x file without a suffix", "1 x folder extra beside the splits"),
        *("1 x link that leads to no file", "1 x picture in no class", "2 x .txt"),
    ]


def test_of_very_many_kinds_the_most_frequent_are_named(folder):
    for kind in range(30):
        (folder / f"train/ant/a.x{kind}").write_text("")
    _, (said,) = listed(folder)
    assert said.count(" x ") == 10
    assert said.endswith(", and more")


def test_empty_classes_and_folders_of_systems_are_left_out_with_a_word(folder):
    (folder / "train/dog").mkdir()
    (folder / "test/owl").mkdir()
    for place in OF_SYSTEMS:
        put(folder, f"{place}/1.png", f"train/{place}/1.png", f"train/ant/{place}/1.png/THUMB.jpg")
    listing, (said,) = listed(folder)
    assert (listing.classes, len(listing.train), len(listing.test)) == (PAIR, 4, 4)
    assert "3 x __MACOSX" in said
    assert "3 x @eaDir" in said
    (folder / "train/dog").rename(folder / "dog")
    for place in OF_SYSTEMS:
        for where in (folder, folder / "train", folder / "train/ant"):
            (where / place).rename(folder.parent / f"{place} of {where.name}")
    assert listed(folder)[1] == ["left out are 1 x empty class owl, 1 x folder dog beside the splits"]


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ("Train", "TEST", []),
        ("training", "testing", []),
        ("train", "val", ["val counts as test"]),
        ("train", "Valid", ["Valid counts as test"]),
        ("train", "validation", ["validation counts as test"]),
    ],
)
def test_splits_have_the_names_that_people_give_them(train, test, said, folder):
    before = load_dataset(f"folder:{folder}").fingerprint
    for old, new in (("train", train), ("test", test)):
        (folder / old).rename(folder / f"{old} to be renamed")
        (folder / f"{old} to be renamed").rename(folder / new)
    assert listed(folder)[1] == said
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Notice)
        assert load_dataset(f"folder:{folder}").fingerprint == before
        assert [found.path.name for found in check(f"folder:{folder}", folder)] == [train, test]


def test_of_test_and_val_test_is_for_testing(folder):
    put(folder, "val/ant/1.png", "val/cat/1.png")
    listing, said = listed(folder)
    assert listing.places == (folder / "train", folder / "test")
    assert said == ["left out are 1 x folder val beside the splits"]


class TestWithoutSplits:
    @pytest.fixture
    def folder(self, tmp_path):
        return put(tmp_path / "mine", *(f"{c}/{i:02}.png" for c in PAIR for i in range(10)), "cat/10.png")

    def test_a_fifth_of_each_class_is_for_testing_the_same_each_time(self, folder, tmp_path):
        listing, said = listed(folder)
        assert [label for _, label in listing.test] == [0, 0, 1, 1]
        assert [label for _, label in listing.train] == [0] * 8 + [1] * 9
        both = names(listing.train, folder) + names(listing.test, folder)
        assert sorted(both) == sorted(set(both)) == names(sorted(listing.train + listing.test), folder)
        assert said == ["no train and test are there, so one image in 5 of each class is for testing"]
        folder.rename(tmp_path / "moved")
        moved = listed(tmp_path / "moved")[0]
        assert names(moved.test, tmp_path / "moved") == names(listing.test, folder)
        assert [path.name for path, _ in listing.test[:2]] != [path.name for path, _ in listing.test[2:]]

    def test_it_is_trained_on_and_measured(self, folder, tmp_path, tiny_config, without_drawing):
        import dreaming

        put(folder, *(f"{c}/{i}.png" for c in PAIR for i in range(11, 41)))
        config = tiny_config(dataset={"name": f"folder:{folder}"}, training={"epochs": 1})
        with pytest.warns(Notice, match="no train and test are there"):
            run = dreaming.train(config, out=tmp_path / "runs")
        with pytest.warns(Notice, match="no train and test are there"):
            table = dreaming.evaluate(run)
        assert table["value"].between(0, 1).all()

    def test_a_class_of_one_picture_cannot_be_divided(self, folder):
        put(folder, "dog/alone.png")
        with pytest.raises(
            UserError, match=r"dog/alone\.png is alone in its class, and one image is to train on"
        ):
            list_folder(folder)

    def test_one_class_alone_says_what_was_meant(self, folder):
        for name in ("cat", "__MACOSX"):
            (folder / name).mkdir(exist_ok=True)
        (folder / "cat").rename(folder.parent / "cat")
        with pytest.raises(
            UserError, match=f"only one class, 'ant'.*without labels, name folder:{folder}/ant$"
        ):
            list_folder(folder)
        put(folder, "ant/train/cat/1.png", "ant/test/cat/1.png")
        with pytest.raises(UserError, match=f"only one class, 'ant'.*did you mean folder:{folder}/ant\\?$"):
            list_folder(folder)


class TestWithoutClasses:
    @pytest.mark.parametrize(
        ("places", "said"),
        [
            (("train/", "test/"), "no folders of classes are there, so images have no labels"),
            (("",), "no train and test are there, so one image in 5 .*; no folders of classes are there"),
        ],
    )
    def test_a_flat_folder_trains_without_labels(self, places, said, tmp_path, tiny_config, without_drawing):
        import dreaming

        root = put(tmp_path / "flat", *(f"{place}{i}.png" for place in places for i in range(20)))
        with pytest.warns(Notice, match=said):
            images = load_dataset(f"folder:{root}")
        assert (images.classes, set(images.train.labels.tolist())) == ((), {-1})
        assert (len(images.train), len(images.test)) == ((20, 20) if len(places) == 2 else (16, 4))
        config = tiny_config(dataset={"name": f"folder:{root}"}, training={"epochs": 1})
        with pytest.warns(Notice):
            run = dreaming.train(config, out=tmp_path / "runs")
        with pytest.warns(Notice), pytest.raises(UserError, match="have no labels, which readout would need"):
            dreaming.evaluate(run)

    def test_one_split_with_classes_and_one_without_is_refused(self, folder):
        for name in PAIR:
            (folder / "test" / name).rename(folder.parent / name)
        put(folder, "test/1.png")
        with pytest.raises(UserError, match=r"mine/test holds pictures and no classes, which .*train has"):
            list_folder(folder)


def test_folders_that_are_laid_out_otherwise_are_refused(folder, tmp_path):
    def refuses(sentence):
        with pytest.raises(UserError, match=sentence):
            load_dataset(f"folder:{folder}")

    with pytest.raises(UserError, match="names no folder"):
        load_dataset("folder:")
    with pytest.raises(UserError, match=r"there is no folder .*nowhere"):
        load_dataset(f"folder:{tmp_path}/nowhere")
    put(folder, "train/dog/1.png")
    refuses("train has a class 'dog', of which .*test has no pictures")
    (folder / "train/dog").rename(folder / "test/dog")
    refuses("test has a class 'dog', of which .*train has no pictures")
    (folder / "test").rename(tmp_path / "away")
    refuses(f"there is no folder .*test; put images into it, .* name folder:{folder}/train$")
    (folder / "test").mkdir()
    refuses("test is empty")
    (folder / "train").rename(tmp_path / "train")
    refuses("there is no folder .*train; put images into it$")
    put(folder, "train/cat/1.png", "test/cat/1.png")
    refuses("only one class, 'cat'.*put images into .*train and .*test themselves$")
