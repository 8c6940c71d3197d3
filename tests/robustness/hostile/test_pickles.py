"""Pickles that would run a command, or claim what is not there: nothing runs, and it is one sentence."""

import io
import os
import pickle
import struct
import tracemalloc

import pytest
import torch
from tests.paper.authors.published_checkpoint import Published, rezipped, save

from dreaming.data.readers.cifar10 import BATCHES
from dreaming.errors import UserError
from dreaming.paper.authors.checkpoint import import_checkpoint

MOST = 40 * 1024**2  # bytes that reading any of these may take at its peak


class Reduced:
    def __init__(self, *reduction):
        self.reduction = reduction

    def __reduce__(self):
        return self.reduction


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def attacks(ran):
    """Pickles that, loaded by pickle itself, make the file `ran` or worse."""
    touch = f"touch {ran}"
    code = f"open({str(ran)!r}, 'w').close()"
    called = b"(" + text(touch) + b"tR"
    return {
        "os.system": pickle.dumps(Reduced(os.system, (touch,)), 2),
        "builtins.eval": b"\x80\x02cbuiltins\neval\n(" + text(code) + b"tR.",
        "Python 2's": b"c__builtin__\neval\n(" + text(code) + b"tR.",
        "protocol 0": b"cos\nsystem\n(S'" + touch.encode() + b"'\ntR.",
        "inst": b"(S'" + touch.encode() + b"'\nios\nsystem\n.",
        "obj": b"(cos\nsystem\n" + text(touch) + b"o.",
        "stack global": b"\x80\x04" + text("os") + text("system") + b"\x93" + called + b".",
        "newobj": b"\x80\x02csubprocess\nPopen\n(" + text(touch) + b"t\x81.",
        "by way of numpy": b"\x80\x02cnumpy.testing._private.utils\nrunstring\n(" + text(code) + b"}tR.",
        "numpy's own load": b"\x80\x02cnumpy\nload\n.",
        "a dotted name": b"\x80\x04" + text("numpy") + text("dtype.__class__") + b"\x93.",
        "extension": b"\x80\x02\x82\x01)R.",
        "persistent id in text": b"\x80\x02Pos.system\n.",
        "out-of-band buffer": b"\x80\x05\x97.",
        "a terminal's codes": b"\x80\x02cos\x1b[2J\nsystem\n.",
    }


CLAIMS = {
    "memo of number 4 thousand million": b"\x80\x02]r\xff\xff\xff\xff.",
    "text of 4 GB": b"\x80\x02X\xff\xff\xff\xff.",
    "bytes of 2 EB": b"\x80\x04\x8e" + struct.pack("<Q", 2**61) + b".",
    "frame of 2 EB": b"\x80\x04\x95" + struct.pack("<Q", 2**61) + b"N.",
    "an array of any type": b"\x80\x02cnumpy\ndtype\nU\x01O\x85R.",
    "nested five thousand deep": b"\x80\x02" + b"]" * 5_000 + b"a" * 4_999 + b".",
    "ten thousand marks": b"\x80\x02" + b"(" * 10_000 + b".",
    "digits without end": b"I" + b"9" * 1_000_000 + b"\n.",
}


def batch(tmp_path, content):
    for name in BATCHES.members:
        (tmp_path / name).write_bytes(content)
    return lambda: BATCHES.read_batches([tmp_path / name for name in BATCHES.members])


def checkpoints(tmp_path, content):
    """The pickle in a checkpoint of today's format, and of that before PyTorch 1.6."""
    today = save(Published().content(), tmp_path / "today.pth")
    before = save(Published().content(), tmp_path / "before.pth", zipped=False)
    swapped = rezipped(today.read_bytes(), lambda name, own: content if name.endswith("data.pkl") else own)
    today.write_bytes(swapped)
    stream = io.BytesIO(before.read_bytes())
    for _ in range(3):  # what stands before the pickle
        pickle.load(stream)
    before.write_bytes(stream.getvalue()[: stream.tell()] + content)
    return [
        lambda path=path: import_checkpoint(path, dataset="digits", out=tmp_path / "runs")
        for path in (today, before)
    ]


@pytest.mark.parametrize("name", attacks("x"))
def test_no_pickle_runs_anything_wherever_it_stands(name, tmp_path):
    ran = tmp_path / "ran"
    content = attacks(ran)[name]
    for read in (batch(tmp_path, content), *checkpoints(tmp_path, content)):
        with pytest.raises(UserError) as refused:
            read()
        assert len(str(refused.value)) < 800
    assert not ran.exists()
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "protocol 0", "inst", "obj", "stack global"])
def test_these_pickles_do_run_where_pickle_itself_loads_them(name, tmp_path):
    pickle.loads(attacks(tmp_path / "ran")[name])
    assert (tmp_path / "ran").exists()


def test_what_a_pickle_asks_for_is_named(tmp_path):
    content = attacks("x")["os.system"]
    for read in (batch(tmp_path, content), *checkpoints(tmp_path, content)):
        with pytest.raises(UserError, match=r"asks for posix\.system, which no .*nothing of it was run"):
            read()


@pytest.mark.parametrize("name", CLAIMS)
def test_a_batch_takes_no_more_memory_than_its_size_allows(name, tmp_path):
    tracemalloc.start()
    try:
        with pytest.raises(UserError) as refused:
            batch(tmp_path, CLAIMS[name])()
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
    assert len(str(refused.value)) < 800


class Claiming:
    """Is pickled as a tensor of any shape on the storage of another."""

    def __init__(self, stored, offset, shape, stride):
        self.stored, self.claims = stored, (offset, shape, stride)

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, (self.stored._typed_storage(), *self.claims, False, {})


@pytest.mark.parametrize(
    "claims",
    [
        (0, (8, 8, 4, 4), (0, 0, 0, 0)),  # one number for all
        (10**6, (8, 8, 4, 4), (128, 16, 4, 1)),
        (0, (2**30, 8, 4, 4), (128, 16, 4, 1)),
        (0, (2**30, 8, 4, 4), (0, 0, 0, 0)),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_tensor_that_reaches_beyond_what_is_stored_is_refused(claims, zipped, tmp_path):
    content = Published().content()
    stored = torch.zeros(8, 8, 4, 4 if claims[2][0] else 1)
    content["discriminator"] = {**content["discriminator"], "conv4.0.weight": Claiming(stored, *claims)}
    path = tmp_path / "trained.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"trained\.pth"):
        import_checkpoint(path, dataset="digits", out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
