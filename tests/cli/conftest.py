"""The command line in tests: run in this process, on tiny runs, with everything on the disk watched."""

import re
import shutil
from pathlib import Path

import pytest
from tests.cli.tiny_runs import TINY, tree

from dreaming.cli.main import main


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Nothing outside the test's own folder is read or written, whatever the default paths are."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("DREAMING_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DREAMING_DATA", raising=False)


@pytest.fixture
def dreaming_does(capsys):
    """Runs a command that must succeed; gives what it printed."""

    def run(*words):
        capsys.readouterr()
        status = main([str(word) for word in words])
        said = capsys.readouterr()
        assert (status, said.err) == (0, "")
        return said.out

    return run


def uncached(files):
    """Leaves out the cache."""
    return {name: content for name, content in files.items() if name.split("/")[0] != "cache"}


@pytest.fixture
def dreaming_refuses(capsys, tmp_path):
    """Runs a command that must fail as a mistake of the user's, and leave the disk bit for bit as it was.

    What is cached of images alone, such as the controls, is as good as before and may be added.
    """

    def run(*words, because, may_add=()):
        capsys.readouterr()
        before = uncached(tree(tmp_path))
        status = main([str(word) for word in words])
        error = capsys.readouterr().err
        assert status == 2
        assert error.startswith("dreaming: ")
        assert error.count("\n") == 1, f"more than one line: {error!r}"
        assert error.endswith("\n")
        assert "Traceback" not in error
        for part in [because] if isinstance(because, str) else because:
            assert re.search(part, error), f"{part!r} is not in {error!r}"
        after = {
            name: content
            for name, content in uncached(tree(tmp_path)).items()
            if Path(name).name not in may_add
        }
        assert after == {name: content for name, content in before.items() if Path(name).name not in may_add}
        return error

    return run


@pytest.fixture(scope="session")
def _trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    assert main(["train", *TINY, "--seeds", "2", "--workers", "1", "--epochs", "2", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def _evaluated(_trained, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluated") / "runs"
    shutil.copytree(_trained, out)
    assert main(["evaluate", *(str(out / f"digits/pad/seed-{seed}") for seed in (0, 1))]) == 0
    return out


@pytest.fixture
def trained(_trained, tmp_path):
    """A folder of two finished runs of PAD, digits/pad/seed-0 and seed-1, of two epochs; the test's own copy."""
    return Path(shutil.copytree(_trained, tmp_path / "runs"))


@pytest.fixture
def evaluated(_evaluated, tmp_path):
    """As `trained`, and evaluated."""
    return Path(shutil.copytree(_evaluated, tmp_path / "runs"))


@pytest.fixture(scope="module", autouse=True)
def _whole_runs(shapes_unchecked):
    """Whole runs are trained and measured here; what those call is checked where it is tested itself."""
