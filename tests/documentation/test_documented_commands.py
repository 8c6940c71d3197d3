"""What the documentation tells a reader to type is typed here."""

import re
import shlex
from pathlib import Path

import pytest

import dreaming
from dreaming.cli import arguments
from dreaming.cli import main as cli
from dreaming.training import population

pytestmark = pytest.mark.usefixtures("shapes_unchecked", "without_plots")

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page, language):
    return [m["body"] for m in FENCE.finditer(page.read_text()) if m["language"] == language]


def commands(body):
    lines = body.replace("\\\n", " ").splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


DOCUMENTED = [
    (page.name, command) for page in PAGES for body in blocks(page, "console") for command in commands(body)
]
OURS = [(page, command) for page, command in DOCUMENTED if command.startswith("dreaming ")]


def test_the_documentation_has_commands_to_check():
    assert len(OURS) > 10


@pytest.mark.parametrize(("page", "command"), OURS)
def test_every_documented_command_is_understood(page, command, monkeypatch):
    monkeypatch.chdir(ROOT)
    verb = arguments.read(cli.VERBS, shlex.split(command)[1:], "dreaming", "")
    if isinstance(verb, cli.Train | cli.Describe):
        verb.config(verb.seed)


@pytest.mark.parametrize(("page", "command"), [(p, c) for p, c in DOCUMENTED if c.startswith("make ")])
def test_every_documented_make_target_exists(page, command):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert shlex.split(command)[1] in targets


def test_the_torch_of_the_readme_is_the_one_that_make_would_take():
    """Another one would be replaced, by one with CUDA."""
    (named,) = re.findall(r"torch==\S+", (ROOT / "README.md").read_text())
    assert named in (ROOT / "constraints.txt").read_text().splitlines()


def test_the_first_hour_of_the_readme_can_be_lived(tmp_path, monkeypatch, capsys):
    first_hour = next(body for body in blocks(ROOT / "README.md", "console") if "describe" in body)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(population, "cores", lambda: 1)  # runs one after another, in this process
    for command in commands(first_hour):
        words = shlex.split(command)[1:]
        words += ("--limit", "128") if words[0] == "train" else ()  # an hour is long
        assert cli.main(words) == 0, (command, capsys.readouterr().err)
    assert {path.name for path in (tmp_path / "comparison").iterdir()} >= {
        "comparison.md",
        "comparison.png",
        "table.csv",
    }
    assert (tmp_path / "runs/digits/pad/seed-0/dreams/film.gif").exists()


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    configure = dreaming.configure
    few = {"dataset": {"limit": 320}}
    monkeypatch.setattr(dreaming, "configure", lambda *words, **more: configure(*words, **{**few, **more}))
    for body in blocks(ROOT / "README.md", "python"):
        names: dict[str, object] = {}
        exec(compile(body, "README.md", "exec"), names)  # it is our own README
        assert names["table"] is not None


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted((ROOT / "docs/how-to").glob("*.md"))], ids=lambda page: page.name
)
def test_every_link_to_a_file_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", FENCE.sub("", page.read_text())):
        assert (page.parent / target).exists(), target


def test_no_page_has_a_placeholder_left():
    assert not [page.name for page in PAGES if "@@" in page.read_text()]
