"""Notebooks' settings, logs, full disks, readers that leave, homes and odd folders: commands work or say why."""

import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.tiny_runs import SMALL, TINY

from dreaming.cli.main import main
from dreaming.system import disk

DREAMING = (sys.executable, "-m", "dreaming")


def does(*words, **more):
    """Run a command in a process of its own; return it when it has ended."""
    env = {**os.environ, **more.pop("env", {})}
    return subprocess.run(
        [*DREAMING, *map(str, words)],
        **{"stdout": subprocess.PIPE, **more},
        env=env,
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )


def test_figures_and_tables_are_ours_whatever_matplotlib_is_told_and_a_log_can_hold(evaluated, dreaming_does):
    dreaming_does("compare", evaluated, "--to", "usual")
    Path("matplotlibrc").write_text("figure.facecolor: red\nfont.size: 30\ntext.usetex: True\n")
    odd = {"MPLBACKEND": "module://no_such_notebook.backend", "PYTHONIOENCODING": "ascii"}
    done = does("compare", evaluated, "--to", "odd", env=odd)
    assert (done.returncode, done.stderr) == (0, "")
    assert "mean +- SEM" in done.stdout
    assert done.stdout.isascii()
    for name in ("comparison.png", "table.csv"):
        assert Path("odd", name).read_bytes() == Path("usual", name).read_bytes()


class TestOutput:
    @pytest.mark.parametrize("words", [("--version",), ("--help",), ("train", *TINY)])
    def test_on_a_full_disk_is_one_sentence(self, words):
        with Path("/dev/full").open("w") as full:
            done = does(*words, stdout=full)
        assert done.returncode == 2
        assert re.fullmatch(
            r"dreaming: what is to be shown cannot be written \(No space.*give the same command again\n",
            done.stderr,
        )

    def test_whose_reader_has_left_ends_the_command_without_a_word(self):
        words = ("train", *TINY, "--epochs", "200")
        command = subprocess.Popen(
            [*DREAMING, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert "200 epochs" in command.stdout.readline()
        command.stdout.close()
        assert (command.stderr.read(), command.wait(300)) == ("", 141)
        command.stderr.close()
        (run,) = Path("runs/digits/pad").iterdir()
        assert (run / "state.safetensors").exists()
        assert not (run / ".lock").exists()

    def test_that_was_closed_is_done_without(self):
        closed = " ".join((*DREAMING, "describe", ">&-"))
        done = subprocess.run(["sh", "-c", closed], stderr=subprocess.PIPE, timeout=300, check=False)
        assert (done.returncode, done.stderr) == (0, b"")


class TestHome:
    @pytest.fixture
    def home(self, tmp_path, monkeypatch):
        (tmp_path / "home").mkdir()
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        return tmp_path / "home"

    def test_every_path_that_an_option_names_may_begin_with_it(self, home, dreaming_does, monkeypatch):
        (home / "own.py").write_text(
            "import dreaming\nclass Nap(dreaming.NREM):\n    pass\ndef one(cortex, dataset):\n    return 1.0\n"
        )
        dreaming_does("train", *TINY, "--phases", "~/own.py:Nap", "--out=~/runs")
        run = "~/runs/digits/Nap/seed-0"
        monkeypatch.setenv("DREAMING_CACHE", "~/cache")
        dreaming_does("evaluate", run, "--measures", "readout,~/own.py:one")
        dreaming_does("compare", "~/runs", "--to=~/comparison")
        dreaming_does("dream", run, "--count=2", "--to=~/dreams.png")
        dreaming_does("latents", run, "--out=~/latents.npz")
        dreaming_does("trust", run)
        assert {path.name for path in home.iterdir()} >= {
            *("runs", "cache", "comparison", "dreams.png", "latents.npz")
        }
        assert not list(Path().iterdir())

    def test_files_and_profiles_are_looked_for_there(self, home, capsys, monkeypatch):
        archive = home / "data/cifar-10-python.tar.gz"
        archive.parent.mkdir()
        archive.write_bytes(b"")
        monkeypatch.setenv("DREAMING_DATA", "~/data")
        for words in (["data", "check", "cifar10"], ["data", "check", "cifar10", "--data-dir=~/data"]):
            assert main(words) == 2
            assert f"{archive}: other checksum" in capsys.readouterr().out
        assert main(["import", "~/trained.pth"]) == 2
        assert f"{home}/trained.pth" in capsys.readouterr().err
        (home / "mine.yaml").write_text("base: demo\nmeasures: ~/none.py:one\n")
        assert main(["reproduce", "--dry-run", "--profile", "~/mine.yaml"]) == 2
        assert f"there is no file {home}/none.py" in capsys.readouterr().err

    @pytest.mark.parametrize("word", ["--out=~no-one/runs", "--data-dir=~no-one", "--phases=~no-one/x.py:X"])
    def test_of_a_user_that_there_is_not_is_refused(self, word, dreaming_refuses):
        dreaming_refuses(
            "train", *TINY, "--dataset=cifar10", word, because="there is no such user's home here"
        )

    @pytest.fixture
    def no_home(self, monkeypatch):
        def nobody(*_):
            raise KeyError("getpwuid(): uid not found")

        for name in ("HOME", "DREAMING_CACHE", "DREAMING_STATE", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(pwd, "getpwuid", nobody)

    def test_is_not_needed(self, no_home, dreaming_does):
        Path("own.py").write_text("import dreaming\nclass Nap(dreaming.NREM):\n    pass\n")
        said = dreaming_does("train", *TINY, "--phases", "own.py:Nap")
        assert "no home is known; set DREAMING_STATE" in said
        said = dreaming_does("evaluate", "runs/digits/Nap/seed-0")
        assert "the control is not kept for other runs: cannot write /dev/null/no home is known" in said
        assert {path.name for path in Path().iterdir()} == {"own.py", "runs"}


class TestWhatCannotBeWrittenIsFoundOutBefore:
    @pytest.fixture(autouse=True)
    def _nothing_is_computed(self, monkeypatch):
        def computed(*_, **__):
            raise AssertionError("the work has begun")

        for place in ("evaluation.measuring", "evaluation.representations", "runs.dream_pictures"):
            monkeypatch.setattr(f"dreaming.{place}.images_of_run", computed)

    @pytest.mark.parametrize(
        "words", [("dream", "--count=2", "--to"), ("latents", "--out"), ("compare", "--to")]
    )
    def test_in_a_place_that_is_a_file_or_a_folder(self, words, evaluated, dreaming_refuses):
        Path("file").write_text("")
        verb, *options = words
        run = evaluated if verb == "compare" else evaluated / "digits/pad/seed-0"
        dreaming_refuses(verb, run, *options, "file/x.npz", because="file takes no files; nothing was begun")
        if verb != "compare":
            Path("x.npz").mkdir()
            dreaming_refuses(verb, run, *options, "x.npz", because="x.npz: it is a folder; nothing was begun")

    def test_in_a_run_folder(self, trained, dreaming_refuses, monkeypatch):
        run = trained / "digits/pad/seed-0"
        monkeypatch.setattr(disk.os, "access", lambda place, _: Path(place) != run)
        dreaming_refuses("evaluate", run, because=rf"cannot write {run}/measures.csv: .* takes no files")


def test_a_queue_py_in_the_working_folder_is_not_ours_and_what_workers_notice_is_said_once():
    Path("queue.py").write_text("raise RuntimeError('this is the queue of the user')")
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        Path("pets", name).mkdir(parents=True)
        for i in range(10):
            Image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(f"pets/{name}/{i}.png")
    done = does("train", *SMALL, "--epochs=1", "--dataset=folder:pets", "--seeds=2", "--workers=2")
    assert done.returncode == 0, done.stderr
    said = "pets: no train and test are there, so one image in 5 of each class is for testing"
    assert done.stderr == f"dreaming: {said}\n"
    assert sorted(path.name for path in Path("runs/folder-pets/pad").iterdir()) == ["seed-0", "seed-1"]
