"""Every how-to page is followed block by block, as a reader would: Python in one session, commands in a folder."""

import re
import shlex
from pathlib import Path

import pytest
from tests.documentation.test_documented_commands import FENCE, ROOT, commands

from dreaming.cli import main as cli

pytestmark = pytest.mark.usefixtures("shapes_unchecked")

PAGES = sorted((ROOT / "docs/how-to").glob("*.md"))
COST = re.compile(r"^Cost: .+\.$", re.MULTILINE)
LEADS = re.compile(r"^File: `(?P<name>[\w./-]+)`\n\n\Z", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_it_can_be_followed_to_its_end(page, tmp_path, monkeypatch, capsys):
    """A block below a line ``File: `NAME` `` is saved under that name; other Python is run, and so are commands."""
    monkeypatch.chdir(tmp_path)
    text = page.read_text()
    session: dict[str, object] = {"__name__": "__main__"}
    for block in FENCE.finditer(text):
        saved, body = LEADS.search(text[: block.start()]), block["body"]
        if saved:
            Path(saved["name"]).write_text(body)
        elif block["language"] == "python":
            exec(compile(body, page.name, "exec"), session)  # it is our own page
        elif block["language"] == "console":
            for command in commands(body):
                assert cli.main(shlex.split(command)[1:]) == 0, (command, capsys.readouterr().err)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_it_says_what_it_costs(page):
    assert COST.search(page.read_text())
