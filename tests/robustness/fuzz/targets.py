"""Targets: each reads arbitrary bytes as a user's file or words, and asserts what is promised of that.

A target returns if the bytes were read and what came of them is whole, or if they were refused with `UserError`.
Everything else is a finding. The same functions serve the fuzzer, the replay of the corpus, and hypothesis.
"""

import gzip
import io
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save
from tests.robustness.fuzz import seeds

from dreaming.config.config import Config
from dreaming.config.configure import configure, swept
from dreaming.data.contents import Contents, Split
from dreaming.data.readers import cifar10
from dreaming.data.readers.parquet import read_parquet
from dreaming.data.readers.pictures import open_picture, to_square
from dreaming.errors import UserError
from dreaming.evaluation.measuring import chosen_measures
from dreaming.paper.authors.checkpoint import import_checkpoint
from dreaming.paper.plan.presets import profile
from dreaming.runs import snapshots
from dreaming.runs.folder import MEASURE_COLUMNS, RunFolder
from dreaming.runs.tables import csv, read_table
from dreaming.runs.tensors import read_tensors, write_tensors
from dreaming.training.state import TrainingState

MOST_PIXELS = 1_000_000  # of a picture; the limit of the library would only cost time here


@cache
def place() -> Path:
    """A folder of this process, in memory where there is such a one."""
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="dreaming-fuzz-", dir=memory if memory.is_dir() else None)
    return Path(folder)


def held(name: str, content: bytes) -> Path:
    """Put bytes into a file, as a user would hand them in."""
    path = place() / name
    path.write_bytes(content)
    return path


def refusing(read: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Let a target refuse its bytes, as it should: with one sentence of the user's own error."""

    def target(content: bytes) -> None:
        try:
            read(content)
        except UserError as refusal:
            said = str(refusal)
            assert said, "a refusal without a word"
            assert len(said) < 20_000, f"a refusal of {len(said)} characters"

    target.__name__, target.__doc__ = read.__name__, read.__doc__
    return target


def is_whole(split: Split, n_classes: int) -> None:
    """Images and labels are of the types and in the ranges that the rest of the program relies on."""
    assert split.images.dtype == torch.uint8
    assert split.images.shape == (len(split), 3, 32, 32)
    assert split.labels.dtype == torch.int64
    assert split.labels.ndim == 1
    assert len(split) >= 1
    assert 0 <= int(split.labels.min()) <= int(split.labels.max()) < n_classes


def are_whole(contents: Contents) -> None:
    assert all(isinstance(name, str) for name in contents.classes)
    for split in (contents.train, contents.test):
        is_whole(split, len(contents.classes))


@refusing
def batches(content: bytes) -> None:
    """One file of CIFAR-10's unpacked folder, among others that are whole."""
    whole = [held(name, batch) for name, batch in seeds.batch_files().items()]
    changed = held("changed", content)
    refused = None
    for position in (0, len(whole) - 1):  # a batch; the names of the classes
        paths = [changed if i == position else path for i, path in enumerate(whole)]
        try:
            are_whole(cifar10.BATCHES.read_batches(paths))
        except UserError as error:
            refused = error
    assert refused is not None, "one file was read as a batch and as the names of classes"
    raise refused


@refusing
def archives(content: bytes) -> None:
    """CIFAR-10's archive; what is not compressed is compressed here, so that changes reach what is inside."""
    packed = content if content[:2] == b"\x1f\x8b" else gzip.compress(content, 1, mtime=0)
    are_whole(cifar10.BATCHES.read_archive([held("cifar-10-python.tar.gz", packed)]))


@refusing
def parquets(content: bytes) -> None:
    """A split in Hugging Face's format."""
    is_whole(read_parquet(held("train.parquet", content), 10), 10)


@refusing
def pictures(content: bytes) -> None:
    """A picture of a folder of a user's own."""
    with patch.object(Image, "MAX_IMAGE_PIXELS", MOST_PIXELS):
        picture = open_picture(io.BytesIO(content), "picture")
    assert picture.mode == "RGB"
    assert 1 <= picture.width * picture.height <= MOST_PIXELS
    square = np.asarray(to_square(picture))
    assert (square.shape, square.dtype) == ((32, 32, 3), np.uint8)


@refusing
def checkpoints(content: bytes) -> None:
    """A checkpoint of the published program, in either format, or the pickle in it among numbers that are whole."""
    whole = content.startswith((b"PK", seeds.checkpoint(zipped=False, whole=False)[:14]))
    file = held("trained.pth", content if whole else seeds.described(content))
    try:
        run = import_checkpoint(file, dataset="digits", limit=10, out=place() / "imported")
        cortex = snapshots.load(run)
    finally:
        shutil.rmtree(place() / "imported", ignore_errors=True)
    assert all(bool(weight.isfinite().all()) for weight in cortex.state_dict().values())


@refusing
def tensors(content: bytes) -> None:
    """A file of tensors: what is read is what was written, bit for bit."""
    found, about = read_tensors(held("state.safetensors", content))
    assert isinstance(about, dict)
    again = place() / "again.safetensors"
    write_tensors(again, found, about)
    assert {name: value.dtype for name, value in read_tensors(again)[0].items()} == {
        name: value.dtype for name, value in found.items()
    }


@refusing
def headers(content: bytes) -> None:
    """The metadata of a file of tensors, which come before its checksum is known."""
    about = content.decode("utf-8", "replace")
    read_tensors(held("headers.safetensors", save({"a": torch.zeros(2)}, {"about": about})))


@refusing
def states(content: bytes) -> None:
    """What a state says about itself, in JSON, under a checksum that is right."""
    folder, config = RunFolder(place() / "run"), seeds.run_config()
    try:
        about = json.loads(content)
        json.dumps(about).encode()
    except (ValueError, RecursionError):
        return
    if not isinstance(about, dict):
        return
    identity = {"run": config.identity(), **about}
    try:
        write_tensors(folder.state, seeds.state_tensors(), identity)
    except (ValueError, UnicodeEncodeError):
        return
    life = TrainingState.initial(config, torch.device("cpu"))
    life.restore(folder, config)
    assert type(life.epochs_done) is type(life.cycles_done) is int
    assert type(life.seconds) is float


@refusing
def tables(content: bytes) -> None:
    """A table of a run folder: what is read is written and read again as it was."""
    columns = MEASURE_COLUMNS if content.startswith(b"dataset") else ("epoch", "cycles", "seconds")
    table = read_table(held("table.csv", content), columns)
    assert tuple(table.columns[: len(columns)]) == columns
    again = read_table(held("again.csv", csv(table)), columns)
    assert table.equals(again), "a table is another one when it is written and read again"


def same_config(content: bytes) -> Config:
    """Read a config; it is the same one when it is written and read again."""
    config = Config.from_yaml(held("config.yaml", content))
    assert Config.from_yaml(held("again.yaml", config.to_yaml().encode())) == config
    return config


@refusing
def configs(content: bytes) -> None:
    """A config file, or an own profile."""
    if content.startswith(b"base"):
        profile(held("own.yaml", content))
    else:
        same_config(content)


def words_of(content: bytes) -> list[str]:
    """Bytes as words of the command line, a line each."""
    return [line.decode("utf-8", "replace") for line in content.split(b"\n") if b"\0" not in line]


@refusing
def settings(content: bytes) -> None:
    """``--set PATH=VALUE`` of a run, of a schedule, of measures or of a profile, by the length of all."""
    words = words_of(content)
    ways: list[Callable[[], object]] = [
        lambda: configure("pad", settings=words),
        lambda: configure(schedule="pad:2,without_rem:4,pad", settings=words),
        lambda: chosen_measures("all", words),
        lambda: profile("demo", words),
    ]
    found = ways[len(content) % len(ways)]()
    if isinstance(found, Config):
        assert same_config(found.to_yaml().encode()) == found


@refusing
def lists(content: bytes) -> None:
    """A schedule, a sweep or a list of snapshots, of a run or of a profile."""
    text = words_of(content)[0] if words_of(content) else ""
    ways: dict[str, list[Callable[[], list[Config]]]] = {
        "=": [lambda: swept(configure(), text), lambda: [*profile("demo").beside(sweeps=[text]).doses][:0]],
        ":": [lambda: [configure(schedule=text)], lambda: [*profile("demo").beside([text]).scheduled][:0]],
        "": [lambda: [configure(training={"snapshots": text})]],
    }
    either = ways[next((mark for mark in "=:" if mark in text), "")]
    for config in either[len(text) % len(either)]():
        assert isinstance(config.training.keeps(3), bool)
        assert same_config(config.to_yaml().encode()) == config


@refusing
def environments(content: bytes) -> None:
    """The record of the machines of a run."""
    folder = RunFolder(place() / "environments")
    folder.path.mkdir(exist_ok=True)
    folder.environment.write_bytes(content)
    sessions = folder.read_environment()["sessions"]
    assert sessions
    assert all(isinstance(session, dict) for session in sessions)


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        *(batches, archives, parquets, pictures, checkpoints),
        *(tensors, headers, states, tables, configs, settings, lists, environments),
    )
}
