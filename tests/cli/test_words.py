"""Any words on the command line: done, or refused with one line and status 2; never a traceback."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dreaming.cli.main import main

VERBS = [
    "describe",
    "compare",
    "dream",
    "evaluate",
    "data",
    "list",
    "check",
    "reproduce",
    "--dry-run",
    "train",
]
OPTIONS = [
    *(
        "--condition",
        "--set",
        "--schedule",
        "--name",
        "--dataset",
        "--limit",
        "--seed",
        "--epochs",
        "--precision",
    ),
    *("--device", "--snapshots", "--phases", "--measures", "--epoch", "--count", "--to", "--only", "--sweep"),
    *(
        "--profile",
        "--data-dir",
        "--trust-data",
        "--out",
        "--help",
        "-h",
        "--",
        "-",
        "--no-set",
        "--set=",
        "-x=1",
    ),
]
VALUES = [
    *(
        "pad",
        "wake_only",
        "digits",
        "cifar10",
        "folder:",
        "folder:~nobody-here/x",
        "0",
        "1",
        "-1",
        "1,2",
        "all",
    ),
    *(
        "networks.base_channels=2",
        "networks.latent_dim=8",
        "phases.rem.dose=0,1",
        "pad:1,wake_only",
        "x.py:y",
    ),
    *("cpu", "cuda:9", "rem", "demo", "x.yaml", "readout", "a" * 300, "a/" * 3000, "ends", "..", ""),
    *("\udcff", "\x1b[31m\n", "9" * 5000),
]
JUNK = st.text(st.characters(blacklist_characters="\0/"), max_size=6)  # no path leads out of the test
WORDS = st.lists(st.one_of(st.sampled_from(OPTIONS), st.sampled_from(VALUES), JUNK), max_size=5)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DREAMING_DATA", raising=False)


def sensible(words):
    """Keep what trains out: nothing here may take long, and that is for other tests."""
    match words:
        case ["train", *_]:
            return [*words, "--epochs", "-1"]
        case ["reproduce", *_]:
            return [*words, "--only", "no-such-figure"]
        case ["describe", *rest]:  # of a small network
            return ["describe", "--set", "networks.base_channels=1", "--set", "networks.latent_dim=2", *rest]
    return words


@given(
    verb=st.sampled_from([["describe"], ["data", "check"], ["data"], *([verb] for verb in VERBS)]), rest=WORDS
)
@example(verb=["describe"], rest=["--set", "seed=2001-99-99"])
@example(verb=["describe"], rest=["--set", "seed=[\n"])
@example(verb=["describe"], rest=["--schedule", f"pad:{'9' * 5000},pad"])
@example(verb=["describe"], rest=["--set", "schedule=3"])
@example(verb=["describe"], rest=["--sweep", "a\udcff=1"])
@example(verb=["data", "check"], rest=["folder:~nobody-here/x"])
@example(verb=["data", "check"], rest=["cifar10", "--data-dir", "a" * 300])
@example(verb=["compare"], rest=["a" * 300])
@example(verb=["dream"], rest=["a\nb\x1b[31m"])
@example(verb=["train"], rest=["--name", "a" * 300, "--set", "networks.base_channels=2"])
def test_any_words_are_done_or_refused_in_one_line(verb, rest, capsys):
    capsys.readouterr()
    try:
        status = main(sensible([*verb, *rest]))
    except SystemExit as stop:  # help was printed
        status = stop.code or 0
        assert {"-h", "--help"} & set(rest)
    error = capsys.readouterr().err
    assert status in (0, 2)
    if status == 2:
        assert error.startswith("dreaming: ")
        assert error.count("\n") == 1
        assert error.endswith("\n")
        assert error[:-1].isprintable()
    else:
        assert error == ""
