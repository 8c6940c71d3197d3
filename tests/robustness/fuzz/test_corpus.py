"""The corpus through every target: whole inputs, what reached something new, and what once broke a target."""

import json
import pickle
import tarfile

import pytest
from tests.robustness.fuzz import __main__ as fuzz
from tests.robustness.fuzz.seeds import CORPUS, inputs, kept
from tests.robustness.fuzz.targets import TARGETS

from dreaming.errors import UserError
from dreaming.runs.folder import RunFolder

VARYING = ("parquets", "archives", "pictures", "checkpoints")  # which name times, versions and places
DEEP = 100_000 * b"["
ARRAY = b"\x80\x02}U\x04datacnumpy\nndarray\n)R(K\x01%s\x86cnumpy\ndtype\nU\x02u1\x85RK\x00U\x00tbs."


def header(name=b"x", size=b"00000000000\0", kind=b"0"):
    """A header of a tar archive, with whatever size, and its right checksum."""
    fields = bytearray(tarfile.TarInfo(name.decode()).tobuf(tarfile.USTAR_FORMAT))
    fields[124:136], fields[156:157], fields[148:156] = size, kind, 8 * b" "
    fields[148:156] = b"%06o\0 " % sum(fields)
    return bytes(fields)


FOUND = {
    "an array with no rows of more bytes than there are": (
        "batches",
        ARRAY % (b"K\x00\x8a\x09" + 8 * b"\0" + b"\x10"),
    ),
    "an array of seventy axes": ("batches", ARRAY.replace(b"(K\x01", b"(K\x01(" + 68 * b"K\x00") % b"K\x00t"),
    "a far place in the memory of pickle": ("batches", b"Nr\xff\xff\xff\x0f."),
    "a name with a backslash": ("batches", b"\x80\x02c\\codecs\nencode\n."),
    "a member of negative size": (
        "archives",
        header() + header(b"y", 10 * b"\xff" + b"\xfe\0") + 1024 * b"\0",
    ),
    "a member of absurd size": ("archives", header(b"y", b"\x80" + 11 * b"\xff") + 1024 * b"\0"),
    "long names without end": (
        "archives",
        1100 * (header(b"L", b"00000000001\0", b"L") + b"a" + 511 * b"\0"),
    ),
    "a size in words": (
        "archives",
        header(b"p", b"00000000016\0", b"x") + b"14 size=1e10\n\n" + 498 * b"\0" + header(),
    ),
    "a header larger than memory": (
        "archives",
        header(b"p", b"\x80" + 6 * b"\0" + 5 * b"\xff", b"x") + header(),
    ),
    "tensors that say a list about themselves": ("headers", b"[]"),
    "tensors that say something endless": ("headers", DEEP),
    "an endless record of machines": ("environments", DEEP),
    "a state after infinite epochs": (
        "states",
        b'{"position": {"epochs": 1e999, "cycles": 1, "seconds": 1, "terms": []}}',
    ),
    "a row longer than the header": ("tables", b"epoch,cycles,seconds\n1,2,3,4\n"),
    "an infinite whole number": ("tables", b"epoch,cycles,seconds\ninf,2,3\n"),
    "an endless config": ("configs", DEEP),
    "phases that are a number": ("configs", b"phases: 3"),
    "phases that are nothing": ("configs", b"phases:"),
    "a phase that is a number": ("configs", b"phases: [3]"),
    "phases that hold themselves": ("configs", b"phases: &a [*a]"),
    "a name of a phase that is a number": ("configs", b"phases: {1: {}}"),
    "a parameter whose name is a number": ("configs", b"phases: {wake: {1: 2}}"),
    "a phase with a second name": ("configs", b"phases: {own: {kind: X, name: y}}"),
    "a phase of bytes": ("configs", b"phases: {own: {kind: X, a: !!binary //79}}"),
    "a phase of a set": ("configs", b"phases: {own: {kind: X, a: !!set {b}}}"),
    "a phase of a date": ("configs", b"phases: {own: {kind: X, a: 2001-01-01}}"),
    "a phase of no number": ("configs", b"phases: {own: {kind: X, a: .nan}}"),
    "a stage whose phases are a number": ("configs", b"schedule: [{phases: 3}]"),
    "a day that never was": ("configs", b"seed: 2001-99-99"),
    "a time that is none": ("configs", b"seed: !!timestamp x"),
    "a truth that is none": ("configs", b"seed: !!bool x"),
    "a number that is none": ("configs", b"seed: !!int x"),
    "a number of thousands of digits": ("configs", b"seed: 0x" + 5000 * b"f"),
    "a setting of a day that never was": ("settings", b"seed=2001-99-99 "),
    "an endless setting": ("settings", b"seed=" + 99_999 * b"["),
    "a schedule set to a number": ("settings", b"schedule=3\n "),
    "a schedule set to a list of numbers": ("settings", b"schedule=[1]"),
    "a schedule set to nothing": ("settings", b"schedule=null\n  "),
    "a time that is none, in a profile": ("settings", b"seeds=!!timestamp x"),
    "an epoch of thousands of digits": ("lists", b"pad:" + 5000 * b"9" + b",pad"),
    "a sweep of thousands of digits": ("lists", b"seed=" + 5000 * b"9"),
}


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_is_read_whole_or_refused(target):
    contents = kept(target)
    assert len(contents) >= 2
    for content in contents.values():
        TARGETS[target](content)


@pytest.mark.parametrize("name", FOUND)
def test_what_once_broke_a_reader_is_read_whole_or_refused(name):
    target, content = FOUND[name]
    TARGETS[target](content)


def test_the_seeds_are_those_that_are_made():
    made = {target: set(contents) for target, contents in inputs().items()}
    for target, contents in made.items():
        there = {content for name, content in kept(target).items() if name.startswith("seed-")}
        assert len(there) == len(contents)
        if target not in VARYING:
            assert there == contents


def test_every_target_is_hunted_in_and_the_corpus_is_small():
    assert list(TARGETS) == list(fuzz.TARGETS) == sorted(inputs(), key=list(inputs()).index)
    assert CORPUS.stat().st_size < 300_000


@pytest.mark.parametrize("break_it", [lambda: 1 / 0, lambda: json.loads("{"), lambda: pickle.loads(b"")])
def test_a_target_lets_nothing_but_a_refusal_pass(break_it, monkeypatch):
    """A target that swallowed every error would find nothing."""
    monkeypatch.setattr("tests.robustness.fuzz.targets.read_tensors", lambda path: break_it())
    with pytest.raises((ArithmeticError, ValueError, EOFError)):
        TARGETS["headers"](b"{}")


def test_a_snapshot_whose_number_is_no_digit_of_ours_is_passed_over(tmp_path):
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots/²².safetensors").write_bytes(b"")
    assert RunFolder(tmp_path).snapshots() == []


def test_a_refusal_is_short_whatever_was_given():
    from dreaming.config.configure import configure

    for value in (10**5000, 100_000 * "x", [[[[list(range(100))] * 100] * 100] * 100]):
        with pytest.raises(UserError) as refused:
            configure(seed=value)
        assert len(str(refused.value)) < 1000
