"""Archives that lead out of their folder or claim terabytes; pictures with bombs; and links to what is no file."""

import gzip
import io
import os
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.tiny_runs import tree

from dreaming.data import load_dataset
from dreaming.data.readers.cifar10 import BATCHES
from dreaming.data.readers.pictures import open_picture
from dreaming.errors import Notice, UserError
from dreaming.paper.authors.checkpoint import import_checkpoint

FOLDER = "cifar-10-batches-py"


def member(name, kind=tarfile.REGTYPE, size=0, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info


def archive_of(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("../outside", tarfile.REGTYPE, ""),
        ("/tmp/outside-of-dreaming", tarfile.REGTYPE, ""),
        (f"{FOLDER}/../../outside", tarfile.REGTYPE, ""),
        (f"{FOLDER}/data_batch_1", tarfile.LNKTYPE, "../../outside"),
        (f"{FOLDER}/data_batch_1", tarfile.SYMTYPE, "/etc/passwd"),
        (f"{FOLDER}/data_batch_1", tarfile.CHRTYPE, ""),
        (f"{FOLDER}/data_batch_1", tarfile.FIFOTYPE, ""),
        (f"{FOLDER}/data_batch_1", tarfile.DIRTYPE, ""),
    ],
)
def test_nothing_is_written_and_no_link_followed(name, kind, link, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "outside").write_text("mine")
    content = b"theirs" if kind == tarfile.REGTYPE else b""
    path = tmp_path / "data/cifar-10-python.tar.gz"
    archive_of(path, (member(name, kind, len(content), link), content))
    before = tree(tmp_path)
    with pytest.raises(UserError, match=r"lacks cifar-10-batches-py/data_batch_1"):
        load_dataset("cifar10", tmp_path / "data", trust=True)
    assert tree(tmp_path) == before
    assert not Path("/tmp/outside-of-dreaming").exists()


def test_a_batch_that_claims_terabytes_is_refused(tmp_path):
    path = tmp_path / "claims.tar.gz"
    header = member(f"{FOLDER}/data_batch_1", size=2**42).tobuf(tarfile.GNU_FORMAT)
    path.write_bytes(gzip.compress(header + bytes(2048)))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"claims\.tar\.gz"):
            BATCHES.read_archive([path])
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_with(kind, content):
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(buffer, "PNG")
    whole = buffer.getvalue()
    return whole[:33] + chunk(kind, content) + whole[33:]


ZEROS = zlib.compress(bytes(2**26), 9)
CHUNKS = {
    "zTXt": (b"zTXt", b"Comment\x00\x00" + ZEROS),
    "iTXt": (b"iTXt", b"Comment\x00\x01\x00\x00\x00" + ZEROS),
    "iCCP": (b"iCCP", b"profile\x00\x00" + ZEROS),
}


@pytest.mark.parametrize("name", CHUNKS)
def test_a_bomb_beside_the_pixels_of_a_picture_is_not_unpacked(name):
    content = png_with(*CHUNKS[name])
    tracemalloc.start()
    try:
        assert open_picture(io.BytesIO(content), "picture").getpixel((5, 5)) == (255, 0, 0)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("beside", [b"iCCP", b"zTXt"])
def test_what_is_dropped_beside_the_pixels_is_no_cover_for_damage(beside, tmp_path):
    content = png_with(*CHUNKS[beside.decode()])
    clear = png_with(b"tRNS", b"\0\xff\0\0\0\0")  # red is transparent, so black
    at = content.index(beside) + 4 + len(CHUNKS[beside.decode()][1]) + 4
    assert open_picture(io.BytesIO(content[:at] + clear[33:]), "").getpixel((5, 5)) == (0, 0, 0)
    for damaged in (content[:-40], content[:at] + b"\0" + content[at:], content[:at]):
        with pytest.raises(UserError, match="picture is no PNG"):
            open_picture(io.BytesIO(damaged), "picture")
    header = struct.pack(">II", 100_000, 100_000) + content[24:29]
    with pytest.raises(UserError, match="picture is too large"):
        open_picture(io.BytesIO(content[:8] + chunk(b"IHDR", header) + content[33:]), "picture")


def test_of_an_animation_the_first_frame_is_taken(tmp_path):
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue", "lime")]
    for suffix in ("png", "webp", "gif", "tif"):
        path = tmp_path / f"moving.{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
        assert open_picture(path, "").getpixel((5, 5)) == (255, 0, 0)


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(0)
    root = tmp_path / "mine"
    for place in ("train/ant", "train/cat", "test/ant", "test/cat"):
        (root / place).mkdir(parents=True)
        pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / place / "1.png")
    return root


def test_pipes_devices_and_loops_in_a_folder_are_left_out_and_counted(folder):
    before = load_dataset(f"folder:{folder}")
    os.mkfifo(folder / "train/ant/2.png")
    (folder / "train/ant/3.png").symlink_to("/dev/zero")
    (folder / "train/ant/4.png").symlink_to(folder / "train/ant/2.png")
    (folder / "train/ant/5.png").symlink_to("5.png")
    (folder / "train/ant/6.png").symlink_to(folder / "train")
    (folder / "test/cat/up").symlink_to(folder)
    said = r"left out are 3 x link that leads to no file, 2 x link to a folder, 1 x pipe or device$"
    with pytest.warns(Notice, match=said):
        assert load_dataset(f"folder:{folder}").fingerprint == before.fingerprint
    (folder / "train/loop").symlink_to(folder)
    with pytest.raises(UserError, match=r"train has a class 'loop', of which .*test has no pictures"):
        load_dataset(f"folder:{folder}")


def test_a_class_may_be_called_anything_and_its_name_is_shown_as_an_escape(folder, capsys):
    from dreaming.cli.main import main

    (folder / "train/cat").rename(folder / "train/c\x1b[2J\nat")
    assert main(["train", "--dataset", f"folder:{folder}", "--out", str(folder / "runs")]) == 2
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert said.count("\n") == 1
    assert r"c\x1b[2J\nat" in said


def test_a_checkpoint_that_is_packed_is_not_unpacked(tmp_path):
    path = tmp_path / "trained.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(2**26))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"trained\.pth is damaged or cut off"):
            import_checkpoint(path, dataset="digits", out=tmp_path / "runs")
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


def test_a_header_that_unpacks_to_more_than_all_batches_is_not_read(tmp_path):
    path, size = tmp_path / "header.tar.gz", 2**29
    with gzip.open(path, "wb", 1) as archive:
        archive.write(member("header", tarfile.XHDTYPE, size).tobuf(tarfile.USTAR_FORMAT))
        for _ in range(size // 2**20):
            archive.write(bytes(2**20))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"header\.tar\.gz .*it unpacks to more than it should hold"):
            BATCHES.read_archive([path])
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()
