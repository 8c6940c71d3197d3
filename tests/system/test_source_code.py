"""The text that defines a user's class or function: found, complete, and executable by itself."""

import linecache
import sys
import types

import pytest

from dreaming.errors import UserError
from dreaming.system.source_code import OWN_MODULE, SourceCode, execute, source_of

CELLS = [
    "import math\nfrom collections import OrderedDict as Ordered\nfrom typing import ClassVar\nSCALE = 3\n",
    "def half(x):\n    return x / 2\n",
    "class Base:\n    factor: ClassVar = SCALE\n\n    def doubled(self):\n        return self.factor * half(4.0)\n",
    "def unused():\n    return open_file\n\n\n"
    'class Own(Base):\n    """One."""\n\n    kept = Ordered(a=1)\n\n'
    "    def area(self):\n        return math.pi * self.doubled()\n",
]


@pytest.fixture
def notebook(monkeypatch):
    """What a notebook has in memory after its cells were executed."""
    module = types.ModuleType("session")
    monkeypatch.setitem(sys.modules, "session", module)
    module.In = []

    def run(*cells):
        for cell in cells:
            name = f"<cell {len(module.In)}>"
            linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
            module.In.append(cell)
            exec(compile(cell, name, "exec"), vars(module))
        return module

    return run


def executed(source, tmp_path):
    file = tmp_path / source.file
    file.write_bytes(source.content)
    return execute(file)


def test_a_class_of_a_notebook_is_cut_out_with_all_it_refers_to(notebook, tmp_path):
    own = notebook(*CELLS).Own
    source = source_of(own)
    again = executed(source, tmp_path).Own
    assert source.file == "Own.py"
    assert again().area() == own().area()
    assert again.kept == {"a": 1}
    assert "unused" not in source.content.decode()


def test_the_last_cell_that_defines_a_name_is_the_one(notebook, tmp_path):
    module = notebook("class Plain:\n    depth = 1\n", "class Plain:\n    depth = 2\n")
    assert executed(source_of(module.Plain), tmp_path).Plain.depth == 2


def test_a_cell_with_a_magic_is_passed_over(notebook, tmp_path):
    module = notebook("class Plain:\n    depth = 1\n")
    module.In.append("%matplotlib inline")
    assert executed(source_of(module.Plain), tmp_path).Plain.depth == 1


def test_a_class_below_the_magic_of_a_cell_is_found(notebook, tmp_path):
    module = notebook("SCALE = 3\n")
    cell = "class Timed:\n    depth = SCALE\n"
    module.In.append(f"get_ipython().run_cell_magic('time', '', {cell!r})\n")
    exec(compile(cell, "<timed exec>", "exec"), vars(module))
    assert executed(source_of(module.Timed), tmp_path).Timed.depth == 3


def test_the_same_cells_have_the_same_checksum_in_another_notebook(notebook):
    first = source_of(notebook(*CELLS).Own)
    assert source_of(notebook(*CELLS).Own) == first
    assert source_of(notebook(CELLS[0].replace("3", "4"), *CELLS[1:]).Own) != first


def test_what_a_class_refers_to_and_cannot_be_written_down_is_named(notebook):
    module = notebook("handle = object()\n", "class Own:\n    def read(self):\n        return handle\n")
    with pytest.raises(UserError, match=r"^Own refers to handle, which cannot be recorded; .*FILE\.py:Own$"):
        source_of(module.Own)


def test_a_class_without_a_source_is_refused_in_a_sentence():
    made = type("Nowhere", (), {"__module__": "nowhere"})
    with pytest.raises(
        UserError,
        match=r"^Nowhere cannot be recorded: .* a cell or a script, once$",
    ):
        source_of(made)


def test_what_comes_from_a_file_is_the_whole_file(tmp_path):
    content = b"# coding: latin-1\nNAME = '\xe9'\nclass Own:\n    name = NAME\n"
    (tmp_path / "mine.py").write_bytes(content)
    module = execute(tmp_path / "mine.py")
    assert source_of(module.Own) == SourceCode.of("mine.py", content)
    assert source_of(module.Own).content == content
    assert module.Own.name == "é"
    assert module.__name__.startswith(f"{OWN_MODULE}mine_")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.py"]


def test_a_file_that_was_edited_is_another_module(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("class Own:\n    depth = 1\n")
    before = execute(file).Own
    file.write_text("class Own:\n    depth = 2\n")
    after = execute(file).Own
    assert (before.depth, after.depth) == (1, 2)
    assert source_of(before) != source_of(after)


def test_a_module_of_one_file_is_that_file_as_for_file_and_name(tmp_path, monkeypatch):
    (tmp_path / "neighbour.py").write_text("class Own:\n    depth = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import neighbour

    assert source_of(neighbour.Own) == source_of(execute(tmp_path / "neighbour.py").Own)
    monkeypatch.delitem(sys.modules, "neighbour")


def test_files_beside_it_that_it_imports_are_part_of_it(tmp_path):
    (tmp_path / "mine.py").write_text("import gains\nclass Own:\n    gain = gains.GAIN\n")
    (tmp_path / "gains.py").write_text("from house.room import GAIN\n")
    (tmp_path / "house").mkdir()
    (tmp_path / "house/__init__.py").write_text("")
    (tmp_path / "house/room.py").write_text("GAIN = 1\n")
    (tmp_path / "other.py").write_text("raise RuntimeError\n")
    before = execute(tmp_path / "mine.py").Own
    assert [name for name, _ in source_of(before).beside] == [
        "gains.py",
        "house/__init__.py",
        "house/room.py",
    ]
    (tmp_path / "house/room.py").write_text("GAIN = 20\n")
    after = execute(tmp_path / "mine.py").Own
    assert (before.gain, after.gain) == (1, 20)
    assert source_of(before).sha256 != source_of(after).sha256
    for name in ("gains", "house", "house.room"):
        del sys.modules[name]


def test_a_module_that_was_edited_after_its_import_is_refused(tmp_path, monkeypatch):
    (tmp_path / "edited_later.py").write_text("class Own:\n    def depth(self):\n        return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import edited_later

    (tmp_path / "edited_later.py").write_text("class Own:\n    def depth(self):\n        return 2\n")
    with pytest.raises(UserError, match=r"edited_later\.py was edited after Own was imported from it"):
        source_of(edited_later.Own)
    monkeypatch.delitem(sys.modules, "edited_later")


def test_one_of_several_of_a_name_is_refused(notebook):
    module = notebook(
        "def make(depth):\n    class Own:\n        pass\n    return Own\none = make(1)\n",
        "other = lambda: 1\nclass Outer:\n    class Inner:\n        pass\n",
    )
    for thing in (module.one, module.other, module.Outer.Inner):
        with pytest.raises(UserError, match="cannot be recorded: another of its name could be made"):
            source_of(thing)


def test_a_class_that_was_defined_anew_is_not_taken_for_the_new_one(notebook):
    module = notebook("class Own:\n    share = 1\n")
    old = module.Own
    notebook("class Own:\n    share = 2\n")
    with pytest.raises(UserError, match="cannot be recorded"):
        source_of(old)


def test_only_what_it_reads_of_its_module_goes_along(notebook):
    module = notebook(
        "images = object()\nk = 7\nword = 'Own'\n",
        "class Own:\n    def f(self, images):\n        k = images\n        return k, 'word'\n",
    )
    assert source_of(module.Own).content.decode() == f"\n\n{module.In[-1]}"


def test_aliases_and_made_groups_go_along_as_they_were_written(notebook, tmp_path):
    module = notebook(
        "from dreaming import Replay\ndef f():\n    return 1\ng = f\nDepth = int | None\nmix = Replay(past=0.25)\n",
        "class Own:\n    depth: 'Depth' = None\n    def f(self):\n        return g(), mix.past\n",
    )
    assert executed(source_of(module.Own), tmp_path).Own().f() == (1, 0.25)


@pytest.mark.parametrize(
    ("file", "sha256"), [("../a.py", "0" * 64), ("a\0.py", "0" * 64), ("a.py", "/etc"), ("", "")]
)
def test_what_is_no_name_and_no_checksum_is_no_source(file, sha256):
    with pytest.raises(ValueError, match="a source is the name of a Python file and its sha256"):
        SourceCode(file, sha256)
