"""YAML, JSON, CSV and tensors of a run folder that somebody else wrote: no command, no traceback, one sentence."""

import json
import shutil
import struct

import pytest
import torch
from tests.paper.authors.published_checkpoint import Published, save

from dreaming.cli.main import main
from dreaming.errors import UserError
from dreaming.paper.authors.checkpoint import import_checkpoint
from dreaming.runs.folder import RunFolder
from dreaming.runs.tensors import read_tensors, write_tensors


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("made")
    path = save(Published().content(), place / "trained.pth")
    return import_checkpoint(path, dataset="digits", limit=128, out=place / "runs")


@pytest.fixture
def run(made, tmp_path):
    """A run folder of the test's own."""
    return RunFolder(shutil.copytree(made, tmp_path / "runs/digits/pad/seed-0"))


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


TEXTS = {
    "apply": "condition: !!python/object/apply:os.system ['touch {ran}']",
    "new": "condition: !!python/object/new:subprocess.Popen [['touch', '{ran}']]",
    "name": "condition: !!python/name:os.system ''",
    "laughs": laughs(),
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
    "no text": b"\xff\xfe\x00\xd8",
    "control codes": "condition: '\x01'",
    "escaped codes": r'condition: "\x1b[2J"',
}


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_yaml_is_one_sentence_in_a_config_and_in_a_profile(name, run, tmp_path, capsys):
    ran = tmp_path / "ran"
    text = TEXTS[name]
    content = text if isinstance(text, bytes) else text.replace("{ran}", str(ran)).encode()
    run.config.write_bytes(content)
    said = refused(capsys, "dream", run.path)
    assert "config.yaml" in said
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    assert "mine.yaml" in refused(capsys, "reproduce", "--profile", path, "--dry-run")
    assert not ran.exists()


@pytest.mark.parametrize("value", ["[" * 5000, "9" * 5000, "2001-99-99"])
def test_a_hostile_setting_is_one_sentence(value, capsys):
    assert "cannot read the value" in refused(capsys, "describe", "--set", f"seed={value}")


def test_a_cortex_too_large_for_any_memory_is_not_built(run, capsys):
    run.config.write_text(run.config.read_text().replace("base_channels: 2", "base_channels: 100000000"))
    assert "more than 268,435,456 weights" in refused(capsys, "dream", run.path)
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
def test_hostile_json_is_one_sentence(name, run, capsys):
    content = JSONS[name]
    run.environment.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert "environment.json" in refused(capsys, "evaluate", run.path)


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
    run.measures.write_text("epoch,cycles,seconds\n" + rows + "\n")
    assert "measures.csv" in refused(capsys, "compare", run.path)


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
    tensors, about = read_tensors(run.snapshot(2))
    write_tensors(run.snapshot(2), tensors, {**about, "seed": ["\x1b[2J"] * 100_000})
    assert "belongs to another run" in refused(capsys, "dream", run.path)


def test_the_snapshot_that_these_tests_change_is_whole_before(made):
    assert all(torch.isfinite(value).all() for value in read_tensors(RunFolder(made).snapshot(2))[0].values())


def test_an_alias_is_refused_before_what_it_stands_for_is_made(run, capsys):
    run.config.write_text(f"{run.config.read_text()}{laughs()}".replace("condition: *a29", "name: *a29"))
    assert "it has an alias, *NAME; write out" in refused(capsys, "dream", run.path)
    assert "cannot read the value" in refused(capsys, "describe", "--set", "seed=[&a 1, *a]")
