"""YAML, JSON, CSV and tensors of a run folder that somebody else wrote: no command, no traceback, one sentence."""

import json
import os
import shutil
import struct

import pytest
import torch
import yaml
from tests.paper.authors.published_checkpoint import Published, save

from dreaming.cli.main import main
from dreaming.config.config import Config
from dreaming.errors import UserError
from dreaming.paper.authors.checkpoint import import_checkpoint
from dreaming.paper.plan.presets import profile
from dreaming.runs.folder import RunFolder
from dreaming.runs.tensors import read_tensors, write_tensors
from dreaming.system.texts import LARGEST, yaml_of


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("made")
    path = save(Published().content(), place / "trained.pth")
    return import_checkpoint(path, dataset="digits", limit=128, out=place / "runs")


@pytest.fixture
def run(made, tmp_path):
    """A run folder of the test's own, and a way to write one of its files with its checksum, as an attacker can."""
    folder = RunFolder(shutil.copytree(made, tmp_path / "runs/digits/pad/seed-0"))

    def write(name, content):
        path = folder.path / name
        folder.write(path, content if isinstance(content, bytes) else content.encode())
        return folder

    return write


def refused(capsys, *words):
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("dreaming: ")
    assert said.count("\n") == 1
    assert len(said) < 2000
    assert said[:-1].isprintable()
    return said


def laughs(levels=30):
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, levels))]
    return "\n".join(lines) + f"\ncondition: *a{levels - 1}\n"


def merges(levels=25):
    lines = ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, levels))]
    return "\n".join(lines)


TEXTS = {
    "apply": "condition: !!python/object/apply:os.system ['touch {ran}']",
    "new": "condition: !!python/object/new:subprocess.Popen [['touch', '{ran}']]",
    "name": "condition: !!python/name:os.system ''",
    "laughs": laughs(),
    "merges": merges(),
    "deep": "condition: " + "[" * 50_000,
    "deep and closed": "condition: " + "[" * 5000 + "]" * 5000,
    "deep mapping": "condition: " + "{a: " * 3000 + "1" + "}" * 3000,
    "digits": "seed: " + "9" * 5000,
    "hexadecimal": "seed: 0x" + "f" * 50_000,
    "sexagesimal": "seed: 1" + ":59" * 5000,
    "no number as a key": ".nan: 1",
    "list as a key": "? [a]\n: 1",
    "no date": "condition: 2001-99-99",
    "no base64": "condition: !!binary '*'",
    "long key": "k" * 100_000 + ": 1",
    "too long": "condition: pad #" + "x" * 2**20,
    "no text": b"\xff\xfe\x00\xd8",
    "control codes": "condition: '\x01'",
    "escaped codes": r'condition: "\x1b[2J"',
}


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_yaml_is_one_sentence_in_a_config_and_in_a_profile(name, run, tmp_path, capsys):
    ran = tmp_path / "ran"
    text = TEXTS[name]
    content = text if isinstance(text, bytes) else text.replace("{ran}", str(ran)).encode()
    folder = run("config.yaml", content)
    said = refused(capsys, "dream", folder.path)
    assert "config.yaml" in said
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    assert "mine.yaml" in refused(capsys, "reproduce", "--profile", path, "--dry-run")
    assert not ran.exists()


def test_yaml_of_plain_values_is_read_as_ever():
    text = "a: [1, 2.5, yes]\nb: {c: null, d: 'x'}\ne: &anchor 3\n"
    assert yaml_of(text) == yaml.safe_load(text)
    whole = Config().to_yaml()
    assert yaml_of(whole) == yaml.safe_load(whole)


@pytest.mark.parametrize("value", ["[" * 5000, "9" * 5000, "&a [*a]", "2001-99-99"])
def test_a_hostile_setting_is_one_sentence(value, capsys):
    assert "cannot read the value" in refused(capsys, "describe", "--set", f"seed={value}")


def test_a_cortex_too_large_for_any_memory_is_not_built(run, capsys):
    folder = run("config.yaml", run("losses.csv", "epoch\n").read_config().to_yaml())
    wide = (folder.path / "config.yaml").read_text().replace("base_channels: 2", "base_channels: 100000000")
    run("config.yaml", wide)
    assert "more than 268,435,456 weights" in refused(capsys, "dream", folder.path)
    assert "weights" in refused(capsys, "describe", "--set", "networks.latent_dim=1000000000000")


JSONS = {
    "deep": "[" * 100_000,
    "deep within": '{"sessions": [{"dataset": ' + "[" * 100_000,
    "digits": '{"sessions": [{"a": ' + "9" * 5000 + "}]}",
    "a session of numbers": '{"sessions": [{"dataset": 3}]}',
    "versions that are none": '{"sessions": [{"versions": []}]}',
    "no text": b"\xff\xfe\xfd",
}


@pytest.mark.parametrize("name", JSONS)
@pytest.mark.parametrize("file", ["environment.json", "checksums.json"])
def test_hostile_json_is_one_sentence(file, name, run, capsys):
    folder = run("losses.csv", "epoch,cycles,seconds\n")
    if file == "checksums.json":
        content = JSONS[name]
        folder.checksums.write_bytes(content if isinstance(content, bytes) else content.encode())
    else:
        run(file, JSONS[name])
    assert file in refused(capsys, "evaluate", folder.path)


@pytest.mark.parametrize(
    "rows",
    [
        "1e999,1,1",
        "1,nan,nan,1,1",
        "x",
        "9" * 5000 + ",1,1",
        '"' * 5001,
        "\x00",
        "1,2,3,4,5,6,7,8,9,10,11,12",
    ],
)
def test_hostile_tables_are_one_sentence(rows, run, capsys):
    folder = run("measures.csv", "epoch,cycles,seconds\n" + rows + "\n")
    assert "measures.csv" in refused(capsys, "compare", folder.path)


def tensors_file(header, content=b""):
    return struct.pack("<Q", len(header)) + header + content


HEADERS = {
    "length of 16 EB": struct.pack("<Q", 2**64 - 1) + b"{}",
    "length of 1 GB": struct.pack("<Q", 2**30) + b"{}",
    "absurd shape": tensors_file(
        b'{"a":{"dtype":"F32","shape":[4611686018427387904,16],"data_offsets":[0,4]}}', b"1234"
    ),
    "beyond the end": tensors_file(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
    "unknown type": tensors_file(b'{"a":{"dtype":"O","shape":[1],"data_offsets":[0,4]}}', b"1234"),
    "deep header": tensors_file(b'{"a":' + b"[" * 50_000),
    "deep metadata": tensors_file(
        json.dumps({"__metadata__": {"about": "[" * 100_000 + "]" * 100_000}}).encode()
    ),
    "metadata of digits": tensors_file(json.dumps({"__metadata__": {"about": "9" * 5000}}).encode()),
    "metadata of a list": tensors_file(json.dumps({"__metadata__": {"about": "[1]"}}).encode()),
    "deep but readable metadata": tensors_file(
        json.dumps({"__metadata__": {"about": '{"a":' * 900 + "1" + "}" * 900}}).encode()
    ),
}


@pytest.mark.parametrize("name", HEADERS)
def test_hostile_tensors_are_one_sentence(name, tmp_path):
    path = tmp_path / "state.safetensors"
    path.write_bytes(HEADERS[name])
    with pytest.raises(UserError, match=r"state\.safetensors is damaged"):
        read_tensors(path)


def test_metadata_of_another_run_is_said_in_brief(run, capsys):
    folder = run("losses.csv", "epoch,cycles,seconds\n")
    tensors, about = read_tensors(folder.snapshot(2))
    write_tensors(folder.snapshot(2), tensors, {**about, "seed": ["\x1b[2J"] * 100_000})
    assert "belongs to another run" in refused(capsys, "dream", folder.path)


@pytest.mark.parametrize(
    "file", ["config.yaml", "environment.json", "checksums.json", "snapshots/0002.safetensors"]
)
def test_a_pipe_is_not_waited_for(file, run, capsys):
    folder = run("losses.csv", "epoch,cycles,seconds\n")
    (folder.path / file).unlink()
    os.mkfifo(folder.path / file)
    refused(capsys, "dream" if file.startswith("snapshots") else "evaluate", folder.path)


def test_a_file_too_large_for_a_text_is_not_read(run, tmp_path, capsys):
    folder = run("losses.csv", "epoch,cycles,seconds\n")
    with (folder.path / "environment.json").open("r+b") as file:
        file.truncate(LARGEST + 1)
    assert f"more than {LARGEST}" in refused(capsys, "evaluate", folder.path)
    large = tmp_path / "large.yaml"
    with large.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(UserError, match="more than"):
        profile(large)
    with (tmp_path / "large.pth").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(UserError, match="too many for a checkpoint"):
        import_checkpoint(tmp_path / "large.pth", dataset="digits", out=tmp_path / "out")


def test_the_snapshot_that_these_tests_change_is_whole_before(made):
    assert all(torch.isfinite(value).all() for value in read_tensors(RunFolder(made).snapshot(2))[0].values())
