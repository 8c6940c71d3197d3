"""Pickles that would run a command, or take any amount of memory or time: nothing runs, and it is one sentence."""

import io
import os
import pickle
import struct
import tracemalloc
import zipfile

import pytest
import torch
from tests.paper.authors.published_checkpoint import Published, rezipped, save

from dreaming.data.readers.cifar10 import MEMBERS, read_batches
from dreaming.errors import UserError
from dreaming.paper.authors.checkpoint import import_checkpoint
from dreaming.paper.authors.torch_file import TorchFile

MOST = 40 * 1024**2  # bytes that reading any of these may take at its peak


class Reduced:
    def __init__(self, *reduction):
        self.reduction = reduction

    def __reduce__(self):
        return self.reduction


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def attacks(ran):
    """Pickles that, loaded by pickle itself, make the file `ran` or worse, each with what the sentence names."""
    touch = f"touch {ran}"
    code = f"open({str(ran)!r}, 'w').close()"
    called = b"(" + text(touch) + b"tR"
    return {
        "os.system": (pickle.dumps(Reduced(os.system, (touch,)), 2), "posix.system"),
        "builtins.eval": (b"\x80\x02cbuiltins\neval\n(" + text(code) + b"tR.", "builtins.eval"),
        "Python 2's": (b"c__builtin__\neval\n(" + text(code) + b"tR.", "__builtin__.eval"),
        "protocol 0": (b"cos\nsystem\n(S'" + touch.encode() + b"'\ntR.", "os.system"),
        "inst": (b"(S'" + touch.encode() + b"'\nios\nsystem\n.", "os.system"),
        "obj": (b"(cos\nsystem\n" + text(touch) + b"o.", "os.system"),
        "stack global": (b"\x80\x04" + text("os") + text("system") + b"\x93" + called + b".", "os.system"),
        "newobj": (b"\x80\x02csubprocess\nPopen\n(" + text(touch) + b"t\x81.", "subprocess.Popen"),
        "by way of numpy": (b"\x80\x02cnumpy.testing._private.utils\nrunstring\n.", "runstring"),
        "numpy's own load": (b"\x80\x02cnumpy\nload\n.", "numpy.load"),
        "a dotted name": (
            b"\x80\x04" + text("numpy") + text("dtype.__class__") + b"\x93.",
            "dtype.__class__",
        ),
        "state of a class": (b"\x80\x02ccollections\nUserDict\n)\x81}X\x01\x00\x00\x00aK\x01sb.", "UserDict"),
        "extension": (b"\x80\x02\x82\x01)R.", "EXT1"),
        "extension of four bytes": (b"\x80\x02\x84\x01\x00\x00\x00)R.", "EXT4"),
        "persistent id in text": (b"\x80\x02Pos.system\n.", "PERSID"),
        "out-of-band buffer": (b"\x80\x05\x97.", "NEXT_BUFFER"),
        "a terminal's codes": (b"\x80\x02cos\x1b[2J\nsystem\n.", "os"),
    }


NAMES = list(attacks("x"))


def greedy():
    """Pickles of a few bytes, or a megabyte, that ask for gigabytes or for ever."""
    doubled = b"K\x00\x85q\x00" + b"h\x00h\x00\x86q\x00" * 100  # 2¹⁰⁰ numbers, to whoever walks through
    return {
        "memo of number 4 thousand million": b"\x80\x02]r\xff\xff\xff\xff.",
        "text of 4 GB": b"\x80\x02X\xff\xff\xff\xff.",
        "bytes of 2 EB": b"\x80\x04\x8e" + struct.pack("<Q", 2**61) + b".",
        "frame of 2 EB": b"\x80\x04\x95" + struct.pack("<Q", 2**61) + b"N.",
        "integer of 2 GB": b"\x80\x02\x8b\xff\xff\xff\x7f.",
        "bytearray by number": b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
        "bytearray by length": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",
        "tensor by number": b"\x80\x02ctorch\nFloatTensor\nJ\xff\xff\xff\x7f\x85R.",
        "doubled tuples as a key": b"\x80\x02}q\x01" + doubled + b"h\x01h\x00K\x01s.",
        "doubled tuples as all there is": b"\x80\x02" + doubled + b".",
        "nested five thousand deep": b"\x80\x02" + b"]" * 5_000 + b"a" * 4_999 + b".",
        "nested tuples as a key": b"\x80\x02}K\x00" + b"\x85" * 5_000 + b"K\x01s.",
        "ten thousand marks": b"\x80\x02" + b"(" * 10_000 + b".",
        "too many values": b"\x80\x02" + b"N" * 20_000 + b".",
        "digits without end": b"I" + b"9" * 1_000_000 + b"\n.",
    }


GREEDY = greedy()


def batch(tmp_path, content):
    for name in MEMBERS:
        (tmp_path / name).write_bytes(content)
    return lambda: read_batches([tmp_path / name for name in MEMBERS])


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("honest")
    content = Published().content()
    return {z: save(content, folder / f"{z}.pth", zipped=z).read_bytes() for z in (True, False)}


def zipped(tmp_path, content, honest):
    path = tmp_path / "trained.pth"
    swap = rezipped(honest[True], lambda name, own: content if name.endswith("data.pkl") else own)
    path.write_bytes(swap)
    return lambda: import_checkpoint(path, dataset="digits", out=tmp_path / "runs")


def legacy(tmp_path, content, honest):
    path, head = tmp_path / "trained.pth", honest[False]
    stream = io.BytesIO(head)
    for _ in range(3):
        pickle.load(stream)
    path.write_bytes(head[: stream.tell()] + content)
    return lambda: import_checkpoint(path, dataset="digits", out=tmp_path / "runs")


def places(tmp_path, content, honest):
    first = tmp_path / "first.pth"
    first.write_bytes(content)  # also where the magic number should be
    return [
        batch(tmp_path, content),
        zipped(tmp_path, content, honest),
        legacy(tmp_path, content, honest),
        lambda: TorchFile(first),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_no_pickle_runs_anything_wherever_it_stands(name, honest, tmp_path):
    ran = tmp_path / "ran"
    content, asked = attacks(ran)[name]
    for read in places(tmp_path, content, honest):
        with pytest.raises(UserError, match=r"asks for .*nothing of it was run") as refused:
            read()
        assert asked in str(refused.value)
    assert not ran.exists()
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "protocol 0", "inst", "obj", "stack global"])
def test_these_pickles_do_run_where_pickle_itself_loads_them(name, tmp_path):
    pickle.loads(attacks(tmp_path / "ran")[name][0])
    assert (tmp_path / "ran").exists()


def test_a_state_cannot_turn_a_record_into_a_call(honest, tmp_path):
    ran = tmp_path / "ran"
    hostile = {"generator": Reduced(torch._utils._rebuild_tensor_v2, (), {"of": "os.system"}), "d": {}}
    inner = pickle.dumps(hostile | {"discriminator": hostile["generator"]}, 2)
    with pytest.raises(UserError):
        zipped(tmp_path, inner, honest)()
    assert not ran.exists()


@pytest.mark.parametrize("name", GREEDY)
def test_no_pickle_takes_more_than_its_size_allows(name, honest, tmp_path, monkeypatch):
    monkeypatch.setattr("dreaming.system.pickles.MOST_INSTRUCTIONS", 12_000)
    reads = places(tmp_path, GREEDY[name], honest)
    for read in reads[:3]:
        tracemalloc.start()
        try:
            with pytest.raises(UserError) as refused:
                read()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < MOST, f"{peak / 1e6:.0f} MB"
        assert len(str(refused.value)) < 800
    assert not (tmp_path / "runs").exists()


def names_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.namelist()


def overlapping(content):
    """Every entry of the directory points to one place."""
    directory = content.index(b"PK\x01\x02")
    end = content.rindex(b"PK\x05\x06")
    entry = content[directory : content.index(b"PK\x01\x02", directory + 1)]
    copies = [entry.replace(b"data.pkl", f"dat{n:05d}".encode()) for n in range(2000)]
    middle = b"".join([content[directory:end], *copies])
    count = len(names_of(content)) + 2000
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(middle), directory, 0)
    return content[:directory] + middle + tail


@pytest.mark.parametrize(
    ("attack", "sentence"),
    [
        (lambda c: rezipped(c, lambda n, own: own, compression=zipfile.ZIP_DEFLATED), "is compressed"),
        (
            lambda c: rezipped(
                c,
                lambda n, own: bytes(5 * 10**7) if n.endswith("version") else own,
                compression=zipfile.ZIP_DEFLATED,
            ),
            "is compressed",
        ),
        (overlapping, "claim more bytes|reaches beyond|damaged"),
        (lambda c: c.replace(b"/data/0", b"/../../0"[:7]), "an entry is called|another folder|damaged"),
        (lambda c: c.replace(b"/version", b"/../evil"), "an entry is called '[^']*/../evil'"),
        (lambda c: c.replace(names_of(c)[0][:4].encode() + b"", b"/etc"), "an entry is called|more than one"),
        (lambda c: c.replace(b"/version", b"/data/1\x00"), "an entry is called|two of one name|damaged"),
    ],
    ids=["deflated", "bomb", "overlapping", "upwards", "upwards too", "absolute", "twice"],
)
def test_a_zip_such_as_torch_does_not_write_is_refused_before_anything_is_unpacked(
    attack, sentence, honest, tmp_path
):
    path = tmp_path / "trained.pth"
    content = attack(honest[True])
    assert content != honest[True]
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=sentence):
            import_checkpoint(path, dataset="digits", out=tmp_path / "runs")
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["trained.pth"]


@pytest.mark.parametrize(
    "arguments",
    [
        (0, (8, 8, 4, 4), (0, 0, 0, 0)),  # one number for all
        (0, (8, 8, 4, 4), (2**60, 16, 4, 1)),
        (10**6, (8, 8, 4, 4), (128, 16, 4, 1)),
        (-5, (8, 8, 4, 4), (128, 16, 4, 1)),
        (0, (8, 8, 4, 4), (-1, 16, 4, 1)),
        (0, (2**30, 8, 4, 4), (128, 16, 4, 1)),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_tensor_that_reaches_beyond_what_is_stored_is_refused(arguments, zipped, tmp_path):
    offset, shape, stride = arguments
    stored = torch.zeros(8, 8, 4, 4 if stride[0] else 1)
    content = Published().content()
    for name, parameters in (("conv4.0.weight", (offset, shape, stride)),):
        content["discriminator"] = {**content["discriminator"], name: _Claiming(stored, *parameters)}
    path = tmp_path / "trained.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"trained\.pth"):
        import_checkpoint(path, dataset="digits", out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


class _Claiming:
    """Is pickled as a tensor of any shape on the storage of another."""

    def __init__(self, stored, offset, shape, stride):
        self.stored, self.claims = stored, (offset, shape, stride)

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, (self.stored._typed_storage(), *self.claims, False, {})
