"""A user's own folder of images: what is read, what is refused, and the cache."""

import os
import shutil
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from dreaming.data import check, dataset_info, fetch, load_dataset
from dreaming.data.readers import folder as reader
from dreaming.data.readers.pictures import open_picture, to_square
from dreaming.errors import UserError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DREAMING_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "folders"


@pytest.fixture
def folder(tmp_path):
    """Two classes; train has two PNGs and a JPEG each, test one WebP each."""
    random = np.random.default_rng(0)
    root = tmp_path / "mine"
    for split, files in {"train": ("b.png", "a.PNG", "c.jpg"), "test": ("x.webp",)}.items():
        for name in ("cat", "ant"):
            (root / split / name).mkdir(parents=True)
            for file in files:
                pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / file, lossless=True)
    (root / "train/.hidden").mkdir()
    return root


def pixels_of(path):
    return torch.from_numpy(np.array(Image.open(path).convert("RGB")).transpose(2, 0, 1))


def test_images_of_32_by_32_are_kept_exactly_in_sorted_order(folder):
    dataset = load_dataset(f"folder:{folder}")
    assert dataset.classes == ("ant", "cat")
    assert dataset.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    names = [f"train/{c}/{f}" for c in ("ant", "cat") for f in ("a.PNG", "b.png", "c.jpg")]
    for row, name in enumerate(names):
        assert torch.equal(dataset.train.images[row], pixels_of(folder / name))
    assert torch.equal(dataset.test.images[1], pixels_of(folder / "test/cat/x.webp"))
    assert (dataset.source, dataset.official) == ({}, True)
    assert dataset_info(f"folder:{folder}").n_train == 6
    assert [found.state for found in check(f"folder:{folder}", folder)] == ["ok", "ok"]
    with pytest.raises(UserError, match="needs no fetching"):
        fetch(f"folder:{folder}", folder)


def test_other_sizes_and_modes_become_32_by_32_rgb(tmp_path):
    wide = Image.new("RGB", (90, 60), "blue")
    wide.paste("red", (15, 0, 75, 60))  # the centred square
    assert np.array_equal(np.asarray(to_square(wide)), np.full((32, 32, 3), (255, 0, 0)))
    grey16 = np.full((40, 40), 40000, dtype=np.uint16)
    pictures = {
        "grey16.png": (Image.fromarray(grey16), (156, 156, 156)),
        "clear.png": (Image.new("RGBA", (40, 40), (255, 0, 0, 0)), (0, 0, 0)),
        "palette.png": (Image.new("RGB", (40, 40), (1, 2, 3)).quantize(), (1, 2, 3)),
        "bit.png": (Image.new("1", (40, 40), 1), (255, 255, 255)),
        "colour.bmp": (Image.new("RGB", (40, 40), (1, 2, 3)), (1, 2, 3)),
        "moving.gif": (Image.new("RGB", (40, 40), (1, 2, 3)), (1, 2, 3)),
        "microscope.tif": (Image.fromarray(grey16), (156, 156, 156)),
        "scan.tiff": (Image.new("RGB", (40, 40), (1, 2, 3)), (1, 2, 3)),
        "net.ppm": (Image.new("RGB", (40, 40), (1, 2, 3)), (1, 2, 3)),
        "net.pgm": (Image.new("L", (40, 40), 7), (7, 7, 7)),
    }
    for name, (picture, colour) in pictures.items():
        picture.save(tmp_path / name)
        found = to_square(open_picture(tmp_path / name, name))
        assert (found.mode, found.size, found.getpixel((5, 5))) == ("RGB", (32, 32), colour), name
    turned = Image.new("RGB", (40, 40), "red")
    turned.paste("blue", (0, 0, 40, 20))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    turned.save(tmp_path / "turned.png", exif=exif)
    assert open_picture(tmp_path / "turned.png", "").getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    "numbers", [np.float32([[0.5]]), np.int32([[2**16]]), np.int32([[-1]]), np.float32([[np.nan]])]
)
def test_pixels_of_which_nobody_says_what_is_white_are_refused(numbers, tmp_path):
    Image.fromarray(np.tile(numbers, (40, 40))).save(tmp_path / "measured.tif")
    with pytest.raises(
        UserError, match=r"measured\.tif has pixels beyond 0 to 65535, or of no whole numbers"
    ):
        open_picture(tmp_path / "measured.tif", "measured.tif")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("damaged", [False, True])
def test_a_picture_is_brought_upright_whatever_else_its_camera_wrote(orientation, damaged, tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x011A] = orientation, 72.0
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "turned.png"))
    if damaged:  # the resolution becomes a text, at which Pillow's own turning stumbles
        record = bytearray(exif.tobytes())
        record[record.index(b"\x01\x1a") + 3] = 2
        Image.fromarray(pixels).save(tmp_path / "turned.png", exif=bytes(record))
    assert np.array_equal(open_picture(tmp_path / "turned.png", ""), upright)


def test_a_picture_too_large_is_refused_by_its_header(tmp_path, monkeypatch):
    Image.new("RGB", (50, 50)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    with pytest.raises(UserError, match=r"large\.png is too large a picture, more than 2000 pixels"):
        open_picture(tmp_path / "large.png", "large.png")
    bomb = bytearray((tmp_path / "large.png").read_bytes())
    bomb[16:24] = (100_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bytes(bomb[12:29])).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(bytes(bomb))
    with pytest.raises(UserError, match=r"bomb\.png is too large"):
        open_picture(tmp_path / "bomb.png", "bomb.png")


@pytest.mark.parametrize("file", ["train/cat/a.PNG", "train/ant/c.jpg", "test/cat/x.webp"])
def test_a_file_that_is_cut_off_or_no_image_is_named(folder, cache, file):
    path = folder / file
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"no image", b"GIF89a" + bytes(20), b"II*\0" + bytes(20)):
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"{file} is no PNG, .* image, or is cut off"):
            load_dataset(f"folder:{folder}")
    assert not cache.exists()


def test_a_limited_folder_shows_every_class_in_both_splits(folder):
    dataset = load_dataset(f"folder:{folder}", limit=2)
    assert (dataset.train.labels.tolist(), dataset.test.labels.tolist()) == ([0, 1], [0, 1])
    assert torch.equal(dataset.train.images[1], pixels_of(folder / "train/cat/a.PNG"))
    with pytest.raises(
        UserError, match="a limit of 1 leaves out some of the 2 classes; --limit 2 is the least"
    ):
        load_dataset(f"folder:{folder}", limit=1)


def test_the_cache_is_used_for_the_same_pictures_wherever_and_whenever(folder, cache, monkeypatch):
    before = load_dataset(f"folder:{folder}")
    (kept,) = cache.iterdir()
    folder.rename(folder.with_name("moved"))
    os.utime(folder.with_name("moved") / "train/ant/a.PNG", ns=(0, 0))
    monkeypatch.setattr(reader, "_decode", None)
    assert load_dataset(f"folder:{folder.with_name('moved')}").fingerprint == before.fingerprint
    assert list(cache.iterdir()) == [kept]


def test_no_picture_is_another_of_the_same_name_size_and_time(folder, tmp_path):
    """As two folders have it that one program wrote, or one in which files were replaced and their times kept."""
    twin = tmp_path / "twin"
    shutil.copytree(folder, twin)
    for place, grey in ((folder, 10), (twin, 20)):
        file = place / "train/ant/a.PNG"
        Image.new("RGB", (32, 32), (grey, grey, grey)).save(file)
        os.utime(file, ns=(0, 0))
    assert (folder / "train/ant/a.PNG").stat().st_size == (twin / "train/ant/a.PNG").stat().st_size
    both = [load_dataset(f"folder:{place}") for place in (folder, twin)]
    assert [each.train.images[0].unique().tolist() for each in both] == [[10], [20]]
    assert both[0].fingerprint != both[1].fingerprint


def test_the_same_pictures_in_other_classes_or_splits_are_other_images(folder, cache):
    names = [load_dataset(f"folder:{folder}").fingerprint]
    for old, new in (("train/cat", "held"), ("train/ant", "train/cat"), ("held", "train/ant")):
        (folder / old).rename(folder / new)
    names.append(load_dataset(f"folder:{folder}").fingerprint)
    (folder / "train/ant/b.png").rename(folder / "test/ant/b.png")
    names.append(load_dataset(f"folder:{folder}").fingerprint)
    assert len(set(names)) == len(list(cache.iterdir())) == 3


def test_a_damaged_cache_is_made_anew(folder, cache):
    before = load_dataset(f"folder:{folder}")
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()
    one_byte = bytearray(whole)
    one_byte[-5000] ^= 1
    for content in (whole[:-100], whole[:4], b"", b"\xff" * 100, bytes(one_byte)):
        kept.write_bytes(content)
        assert load_dataset(f"folder:{folder}").fingerprint == before.fingerprint
        assert kept.read_bytes() == whole
    assert list(cache.iterdir()) == [kept]  # nothing unfinished is left


def test_what_a_killed_process_left_in_the_cache_is_swept(folder, cache):
    cache.mkdir(parents=True)
    (cache / ".half.safetensors.999999999.part").write_bytes(b"half")
    load_dataset(f"folder:{folder}")
    (kept,) = cache.iterdir()
    assert kept.suffix == ".safetensors"


def test_a_cache_that_cannot_be_written_is_done_without(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DREAMING_CACHE", str(tmp_path / "file"))
    assert len(load_dataset(f"folder:{folder}").train) == 6
