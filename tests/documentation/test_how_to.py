"""Every how-to page is followed block by block, as a reader would: Python in one session, commands in a folder."""

import linecache
import re
import shlex
import sys
import types
from pathlib import Path

import pytest
from tests.documentation.test_documented_commands import FENCE, ROOT, commands

from dreaming.cli import main as cli

pytestmark = pytest.mark.usefixtures("shapes_unchecked", "without_plots")

PAGES = sorted((ROOT / "docs/how-to").glob("*.md"))
COST = re.compile(r"^Cost: .+\.$", re.MULTILINE)
LEADS = re.compile(r"^File: `(?P<name>[\w./-]+)`\n\n\Z", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_it_can_be_followed_to_its_end(page, tmp_path, monkeypatch, capsys):
    """A block below a line ``File: `NAME` `` is saved under that name; other Python is run, and so are commands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    text = page.read_text()
    notebook = types.ModuleType("notebook")
    monkeypatch.setitem(sys.modules, "notebook", notebook)
    notebook.In = []
    for block in FENCE.finditer(text):
        saved, body = LEADS.search(text[: block.start()]), block["body"]
        if saved:
            Path(saved["name"]).write_text(body)
            monkeypatch.delitem(sys.modules, Path(saved["name"]).stem, raising=False)
        elif block["language"] == "python":
            cell = f"{page.name} at {block.start()}"
            linecache.cache[cell] = (len(body), None, body.splitlines(keepends=True), cell)
            notebook.In.append(body)
            exec(compile(body, cell, "exec"), vars(notebook))  # it is our own page
        elif block["language"] == "console":
            for command in commands(body):
                assert cli.main(shlex.split(command)[1:]) == 0, (command, capsys.readouterr().err)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_it_says_what_it_costs(page):
    assert COST.search(page.read_text())
