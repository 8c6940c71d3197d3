"""Code that a run's maker added: kept in its folder, and executed from there only by whom it is trusted."""

import shutil
import sys

import pytest
import yaml
from tests.cli.tiny_runs import SMALL

import dreaming
from dreaming.cli.main import main
from dreaming.system.disk import state_dir
from dreaming.system.source_code import OWN_MODULE

pytestmark = pytest.mark.usefixtures("without_drawing", "shapes_unchecked")

CODE = """
from pathlib import Path

from dreaming import NREM, REM, Encoder, Generator, Replay, Wake

Path("executed").touch()


class Loud(Replay):
    gain: float = 2.0

    def recall(self, hippocampus, noise=None):
        return self.gain * super().recall(hippocampus, noise)


def narrow(latent_dim: int = 8, image_channels: int = 1, width: int = 2):
    return Encoder(latent_dim, width, image_channels), Generator(latent_dim, width, image_channels)


CYCLE = (Wake(), NREM(), REM(replay=Loud()))
"""
WORDS = ("--limit=64", "--epochs=1", "--set=training.batch_size=16", "--precision=float32")
OWN = ("--phases=mine.py:CYCLE", "--networks=mine.py:narrow", "--name=own")


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    """A run with classes of its maker's, and the state of who made it."""
    here = tmp_path_factory.mktemp("maker")
    (here / "mine.py").write_text(CODE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setenv("DREAMING_STATE", str(here / "state"))
        assert main(["train", *WORDS, *OWN]) == 0
    return here


@pytest.fixture
def run(maker, tmp_path, monkeypatch):
    """The folder of the run, in the hands of somebody else, who looks at it from an empty folder."""
    monkeypatch.setenv("DREAMING_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.startswith(OWN_MODULE)]:
        monkeypatch.delitem(sys.modules, name)  # as in another process
    return shutil.copytree(maker / "runs/digits/own/seed-0", tmp_path / "runs/digits/own/seed-0")


def executed(tmp_path):
    return (tmp_path / "executed").exists()


def test_who_made_it_needs_to_say_nothing(maker, run, tmp_path, monkeypatch):
    monkeypatch.setenv("DREAMING_STATE", str(maker / "state"))
    assert dreaming.load(run).latent_dim == 8
    assert main(["evaluate", str(run), "--epochs", "last"]) == 0
    assert main(["dream", str(run), "--count", "2"]) == 0
    assert executed(tmp_path)


def test_of_somebody_else_it_is_not_executed(run, tmp_path, capsys):
    for words in (["evaluate"], ["dream", "--count=2"], ["latents", "--out=z.npz"]):
        assert main([words[0], str(run), *words[1:]]) == 2
        said = capsys.readouterr().err
        assert "narrow is defined in mine.py, which was not executed" in said
        assert f"say: dreaming trust {run}" in said
    assert main(["compare", str(run)]) == 2  # it is not evaluated
    assert "evaluate" in capsys.readouterr().err
    assert not executed(tmp_path)
    assert run.joinpath("own/mine.py").read_text() == CODE


def test_it_is_after_it_was_trusted(run, tmp_path, capsys):
    assert main(["trust", str(run)]) == 0
    assert capsys.readouterr().out == f"{run}/own/mine.py: trusted\n"
    assert not executed(tmp_path)
    assert dreaming.load(run).latent_dim == 8
    assert executed(tmp_path)


def test_other_code_than_the_run_wasmaker_with_is_neither_trusted_nor_executed(run, tmp_path, capsys):
    dreaming.trust(run)
    (run / "own/mine.py").write_text(CODE + "\nother = 1\n")
    with pytest.raises(dreaming.UserError, match=r"own/mine\.py is damaged: its checksum"):
        dreaming.load(run)
    with pytest.raises(dreaming.UserError, match=r"own/mine\.py is damaged: its checksum"):
        dreaming.trust(run)
    (run / "own/mine.py").unlink()
    with pytest.raises(dreaming.UserError, match=r"own/mine\.py is missing"):
        dreaming.load(run)
    assert not executed(tmp_path)


@pytest.mark.parametrize("name", ["../../../../mine.py", "/mine.py", "..", ""])
def test_a_config_cannot_name_a_file_outside_of_the_folder(name, run, tmp_path):
    content = yaml.safe_load((run / "config.yaml").read_text())
    content["networks"]["source"]["file"] = name
    content["phases"]["rem"]["replay"]["source"]["file"] = name
    (run / "config.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    (tmp_path / "mine.py").write_text(CODE)
    shutil.rmtree(run / "own")
    with pytest.raises(dreaming.UserError, match="own"):
        dreaming.trust(run)
    assert not executed(tmp_path)
    assert not list(tmp_path.rglob("own code/*"))


def test_a_run_of_the_project_s_own_classes_has_nothing_to_trust(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *WORDS, *SMALL]) == 0
    assert not list(tmp_path.rglob("own"))
    with pytest.raises(dreaming.UserError, match="has no code of its maker's own"):
        dreaming.trust(tmp_path / "runs/digits/pad/seed-0")


def test_what_cannot_be_marked_is_said_and_trained_all_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "state").write_text("a file")
    monkeypatch.setenv("DREAMING_STATE", str(tmp_path / "state"))
    assert state_dir() == tmp_path / "state"
    assert main(["train", *WORDS, *OWN]) == 0
    assert "without that, what this run needs of mine.py will not be read again" in capsys.readouterr().out
