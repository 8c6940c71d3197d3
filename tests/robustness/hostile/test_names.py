"""Names that lead out of a folder, or would be taken for markup, formulas or a terminal's codes."""

import xml.etree.ElementTree as ET

import pandas as pd
import pytest
import yaml
from PIL import Image
from tests.cli.tiny_runs import tree
from tests.paper import made_up

from dreaming.cli.main import main
from dreaming.config.config import Config
from dreaming.errors import UserError
from dreaming.paper.claims.numbers import numbers_table
from dreaming.paper.plan.plan import make_plan
from dreaming.paper.plan.presets import PROFILES
from dreaming.paper.plan.profile import profile_of
from dreaming.paper.report import report
from dreaming.paper.reproduction import make_figures
from dreaming.paper.results import Attempts
from dreaming.runs.folder import RunFolder, run_path
from dreaming.system.progress import NoProgress

LEADING_OUT = [
    "../../evil",
    "/evil",
    "a/b",
    "..",
    ".",
    "",
    "a\\b/c",
    "a\x00b",
    "a\nb",
    "a\x1b[2Jb",
    "-rf",
    "~",
]
MARKUP = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "[/red]",
    "$\\frac{$ $x^$",
]


def refuses(capsys, *words):
    capsys.readouterr()
    assert main(list(words)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said[:-1].isprintable()
    return said


@pytest.mark.parametrize("name", LEADING_OUT)
@pytest.mark.parametrize("option", ["--name", "--condition", "--dataset"])
def test_no_name_on_the_command_line_leads_out(option, name, tmp_path, monkeypatch, capsys):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before = tree(tmp_path)
    refuses(capsys, "train", f"{option}={name}", "--epochs=0", "--out=runs", "--set=networks.base_channels=2")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", LEADING_OUT)
def test_no_name_in_a_config_or_a_profile_leads_out(name, tmp_path):
    plain = Config().model_dump(mode="json")
    for changed in ({"condition": name}, {"dataset": {"name": name, "limit": None}}):
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({**plain, **changed}))
        with pytest.raises(UserError, match=r"config\.yaml"):
            Config.from_yaml(path)
    with pytest.raises(UserError):
        make_plan(
            profile_of({**PROFILES["paper"].model_dump(), "datasets": (name,)}, "mine.yaml"), (), tmp_path
        )
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(
    "name", ["folder:..", "folder:.", "folder:/", "folder:../..", "folder:/a/..", "folder:a\\..\\b"]
)
def test_a_folder_of_any_name_has_a_run_folder_within(name, tmp_path):
    path = run_path(tmp_path, name, "pad", 0)
    assert path.resolve().is_relative_to(tmp_path)
    assert len(path.relative_to(tmp_path).parts) == 3


@pytest.mark.parametrize("name", MARKUP)
def test_a_comparison_shows_names_as_they_are(name, tmp_path, capsys):
    folder = RunFolder(tmp_path / "run")
    dataset = f"folder:/data/{name}\x1b[2J".replace("\x1b", "")
    row = (dataset, "pad", 0, 1, "readout_accuracy", "latent", 0.5)
    columns = ["dataset", "condition", "seed", "epoch", "measure", "parameter", "value"]
    folder.write_config(Config(dataset={"name": dataset}))
    folder.write_table(folder.measures, pd.DataFrame([row, (*row[:3], 0, *row[4:])], columns=columns))
    assert main(["compare", str(folder.path), "--to", str(tmp_path / "to")]) == 0
    said = "".join(capsys.readouterr().out.split())
    assert "".join(name.split())[:4] in said
    root = ET.parse(tmp_path / "to/comparison.svg").getroot()
    assert {element.tag.rpartition("}")[2] for element in root.iter()}.isdisjoint({"script", "img", "image"})
    assert not [key for element in root.iter() for key in element.attrib if key.startswith("on")]


def test_codes_in_the_names_of_a_table_do_not_reach_the_terminal(tmp_path, capsys):
    folder = RunFolder(tmp_path / "run")
    row = ("digits\x1b]0;evil\x07", "pad\x1b[31m", 0, 1, "readout_accuracy", "latent", 0.5)
    columns = ["dataset", "condition", "seed", "epoch", "measure", "parameter", "value"]
    folder.write_config(Config())
    folder.write_table(folder.measures, pd.DataFrame([row], columns=columns))
    assert main(["compare", str(folder.path), "--to", str(tmp_path / "to")]) == 2
    said = capsys.readouterr().err
    assert r"it has the dataset digits\x1b]0;evil\x07 and" in said
    assert said[:-1].isprintable()


def test_the_report_shows_names_and_configs_as_they_are(dataset_of, tmp_path):
    root = tmp_path / f"{MARKUP[1]}{MARKUP[2]}"
    for place in ("train/ant", "train/cat", "test/ant", "test/cat"):
        (root / place).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(root / place / "1.png")
    datasets = ("cifar10", f"folder:{root}")
    own = made_up.PROFILE.model_copy(
        update={"datasets": datasets, "seeds": 2, "figures": ("table-1", "figure-4")}
    )
    plan, attempts = make_plan(own, (), tmp_path), Attempts(NoProgress())
    for each in MARKUP:
        attempts.note(f"run {each}", f"why {each}")
    tables = made_up.tables(dataset_of, own)
    drawn = make_figures(plan, tables, attempts)
    found = numbers_table({figure.name: figure.table for figure in drawn}, own)
    page = report(plan, tables, drawn, found, attempts.failures)
    for active in ("<script", "<img src=x"):
        assert active not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{7*7}}" in page
    assert ">49<" not in page
    assert root.name not in page, "it is escaped"
