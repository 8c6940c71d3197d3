"""The option list is frozen: a new option, or another default, must be entered here."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dreaming import __version__
from dreaming.cli import arguments
from dreaming.cli.main import VERBS, main
from dreaming.model.conditions import conditions

WHICH_RUN = {
    "--condition": "pad",
    "--phases": None,
    "--networks": None,
    "--schedule": None,
    "--name": None,
    "--dataset": "digits",
    "--limit": None,
    "--image-size": None,
    "--seed": 0,
    "--epochs": 50,
    "--precision": "auto",
    "--device": "auto",
    "--snapshots": "all",
    "--set": (),
}
WHICH_DATA = {"--data-dir": None, "--trust-data": False}
REQUIRED = object()

OPTIONS = {
    "train": {
        **WHICH_RUN,
        "--seeds": 1,
        "--sweep": None,
        "--workers": None,
        "--log": None,
        **WHICH_DATA,
        "--out": Path("runs"),
    },
    "evaluate": {
        "RUN": REQUIRED,
        "--measures": "readout",
        "--set": (),
        "--epochs": "all",
        **WHICH_DATA,
        "--device": "auto",
    },
    "dream": {
        "RUN": REQUIRED,
        "--as": "sheet",
        "--of": None,
        "--phase": None,
        "--epoch": None,
        "--count": None,
        **WHICH_DATA,
        "--to": None,
    },
    "trust": {"RUN": REQUIRED},
    "latents": {
        "RUN": REQUIRED,
        "--out": None,
        "--rdm": None,
        "--split": "test",
        "--layers": None,
        "--count": None,
        "--occlusion": 0.0,
        "--epoch": None,
        **WHICH_DATA,
        "--device": "auto",
    },
    "compare": {"RUN": REQUIRED, "--to": Path("comparison"), "--measures": "", "--paired-with": None},
    "import": {
        "FILE": REQUIRED,
        "--condition": "pad",
        "--name": None,
        "--dataset": "cifar10",
        "--limit": None,
        "--seed": 0,
        "--epoch": None,
        "--out": Path("runs"),
        **WHICH_DATA,
    },
    "describe": {**WHICH_RUN, "--yaml": False},
    "doctor": {
        "--device": "auto",
        "--base-channels": 64,
        "--batch-size": 64,
        "--seeds": 3,
    },
    "reproduce": {
        "--profile": "demo",
        "--only": (),
        "--schedule": (),
        "--sweep": (),
        "--dry-run": False,
        "--workers": None,
        "--device": "auto",
        "--data-dir": None,
        "--trust-data": False,
        "--out": None,
        "--set": (),
        "--runs": None,
        "--no-training": False,
    },
    "data list": {},
    "data fetch": {"NAME": REQUIRED, "--data-dir": Path("data")},
    "data check": {"NAME": REQUIRED, "--data-dir": Path("data")},
}
POSITIONALS = {"run": "RUN", "runs": "RUN", "name": "NAME", "file": "FILE"}
SHOWN_AS = {"dream": "PATH", "latents": "PATH", "trust": "PATH", "data fetch": "STR", "data check": "STR"}


def verbs(tree, path=()):
    for name, verb in tree.items():
        if isinstance(verb, dict):
            yield from verbs(verb, (*path, name))
        else:
            yield " ".join((*path, name)), verb


def default_of(field):
    if field.default is not dataclasses.MISSING:
        return field.default
    return REQUIRED if field.default_factory is dataclasses.MISSING else field.default_factory()


def test_the_verbs_are_these():
    assert {name for name, _ in verbs(VERBS)} == set(OPTIONS)


@pytest.mark.parametrize("verb", OPTIONS)
def test_the_options_of_a_verb_and_their_defaults_are_these(verb):
    found = {}
    for field in dataclasses.fields(dict(verbs(VERBS))[verb]):
        default = default_of(field)
        option = (
            POSITIONALS[field.name] if default is REQUIRED else "--" + field.name.strip("_").replace("_", "-")
        )
        found[option] = default
    assert found == OPTIONS[verb]


@pytest.mark.parametrize("verb", OPTIONS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_of_a_verb_names_each_option_and_ends_with_status_0(verb, flag, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*verb.split(), flag])
    assert stop.value.code == 0
    said = capsys.readouterr()
    assert said.err == ""
    words = said.out.replace(",", " ").split()
    for option in OPTIONS[verb]:
        shown = option if option.startswith("--") else SHOWN_AS.get(verb, option)
        assert shown in said.out, f"{option} is not in the help"
    shown = {word for word in words if word.startswith("--") and word.strip("-")}
    assert shown == {"--help", *(option for option in OPTIONS[verb] if option.startswith("--"))}


def help_of(verb, capsys):
    with pytest.raises(SystemExit):
        main([*verb.split(), "--help"])
    return capsys.readouterr().out


@pytest.mark.parametrize("verb", OPTIONS)
def test_help_fits_into_100_columns_and_says_no_default_of_what_has_none(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    said = help_of(verb, capsys)
    assert max(map(len, said.splitlines())) <= 100
    assert "default: None" not in " ".join(said.replace("│", " ").split())
    assert "default: False" not in " ".join(said.replace("│", " ").split())


@pytest.mark.parametrize("verb", sorted(set(OPTIONS) - {"data list"}))
def test_help_shows_two_examples_that_the_program_takes(verb, capsys):
    _, _, rest = help_of(verb, capsys).partition("Examples:\n")
    examples = [line.split() for line in rest.partition("\n\n")[0].splitlines()]
    assert len(examples) == 2
    for words in examples:
        assert words[: 1 + len(verb.split())] == ["dreaming", *verb.split()]
        assert type(arguments.read(VERBS, words[1:], "dreaming", "")) is dict(verbs(VERBS))[verb]


def test_help_of_a_training_is_in_groups_and_says_what_each_condition_is(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    said = help_of("train", capsys)
    for group in ("options", "sleep options", "data options", "training options", "image options"):
        assert f" {group} " in said
    for name, line in conditions().items():
        assert f"{name}: {line}" in said


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("data", "--help")])
def test_help_of_the_program_names_each_verb(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    assert stop.value.code == 0
    said = capsys.readouterr().out
    for verb in VERBS if len(words) == 1 else VERBS["data"]:
        assert verb in said


def test_help_works_before_as_well_as_after_other_words(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "--epochs", "3", "--help"])
    assert stop.value.code == 0
    assert "--snapshots" in capsys.readouterr().out


def test_the_program_run_as_a_program_shows_its_help_with_status_0():
    done = subprocess.run(
        [sys.executable, "-m", "dreaming", "--help"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: dreaming")


def test_neither_help_nor_a_mistyped_option_waits_for_torch():
    script = f"""
import sys
from dreaming.cli.main import main
for words in {[verb.split() for verb in OPTIONS]!r}:
    try:
        main([*words, "--help"])
    except SystemExit as stop:
        assert stop.code == 0, (words, stop.code)
    assert main([*words, "--nonsense"]) == 2, words
slow = sorted({{"torch", "pandas", "matplotlib", "sklearn", "numpy"}} & set(sys.modules))
print("loaded:", slow)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_a_mistake_in_a_real_process_is_one_sentence_and_status_2(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "dreaming", "train", "--epoch", "3", "--out", str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 2
    assert done.stderr.startswith("dreaming: ")
    assert done.stderr.endswith("has no option '--epoch'; did you mean '--epochs'?\n")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("train", "--epochs", "many"), ("--epochs", "'many'")),
        (("train", "--precision", "float16"), ("--precision", "float16", "bfloat16")),
        (("dream",), ("RUN",)),
    ],
)
def test_a_mistake_is_told_in_words_also_where_the_terminal_knows_ascii_alone(words, parts):
    done = subprocess.run(
        [sys.executable, "-m", "dreaming", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "60"},
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    for part in parts:
        assert part.lower() in done.stderr.lower(), done.stderr


def test_alone_it_shows_its_help_and_its_version_is_asked_for(capsys):
    with pytest.raises(SystemExit) as stop:
        main([])
    assert not stop.value.code
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in VERBS)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"dreaming {__version__}\n"


def test_help_names_no_default_of_what_is_needed(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    assert "(default: )" not in capsys.readouterr().out
