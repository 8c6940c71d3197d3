"""From Ctrl-C or SIGTERM to the end: soon, with status 3 and one sentence, wherever it comes."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext, suppress
from multiprocessing import active_children

import pytest
from tests.cli.tiny_runs import tree

import dreaming
from dreaming.cli.main import main
from dreaming.errors import Stopped
from dreaming.runs import folder as runs
from dreaming.system.progress import NoProgress
from dreaming.system.signals import INTERRUPTED, SIGNALS, listening, stopping
from dreaming.training import population
from dreaming.training.processes import in_processes

LONG = 600.0  # seconds; how soon everything ends where there is a core for it, benchmarks/interruption.py measures
BEFORE_IT_IS_NEEDED = """
import os, signal, sys
class Signals:
    def find_spec(self, name, path=None, target=None):
        if name == "{name}":
            os.kill(os.getpid(), signal.{number})
sys.meta_path.insert(0, Signals())
sys.argv = ["dreaming", "train", "--out", "{out}"]
from dreaming.__main__ import main
sys.exit(main())
"""
IN_A_LONG_CALL = """
import os, signal, threading
import numpy as np
from dreaming.system.signals import end_at_signals
matrix = np.random.default_rng(0).standard_normal((1500, 1500))
end_at_signals()
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
np.linalg.eig(matrix)
print("the call returned")
"""
WHERE_NOTHING_CAN_BE_RAISED = """
import signal, time
from dreaming.system.signals import end_at_signals
class Ends:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
end_at_signals()
Ends()
time.sleep(600)
"""
WHILE_MEASURING = """
import os, signal, sys
from dreaming.evaluation import readout
order, calls = readout.epoch_order, []
def in_the_thirtieth_epoch(*words):
    calls.append(words)
    if len(calls) == 30:
        os.kill(os.getpid(), signal.SIGTERM)
    return order(*words)
readout.epoch_order = in_the_thirtieth_epoch
sys.argv = ["dreaming", "evaluate", "{run}", "--device", "cpu"]
from dreaming.__main__ import main
sys.exit(main())
"""
WITH_CHILDREN = """
import os, signal, threading, time
from pathlib import Path
from dreaming.system.signals import end_at_signals
from dreaming.training.processes import in_processes
def work(path):
    Path(path).touch()
    time.sleep(600)
def interrupt(paths):
    while not all(Path(path).exists() for path in paths):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
paths = ["{place}/a", "{place}/b"]
end_at_signals()
threading.Thread(target=interrupt, args=(paths,)).start()
in_processes(work, paths)
"""
TOO_LATE = """
import signal
from dreaming.system.signals import end_at_signals, listening
end_at_signals()
with listening():
    signal.raise_signal(signal.SIGINT)
    print("saved", flush=True)
print("begun anew")
"""


def ended(code):
    """Run a program; give its status, what it said, and its errors."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LONG, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("name", ["tyro", "torch"])
def test_an_import_is_left_at_once(name, number, tmp_path):
    code = BEFORE_IT_IS_NEEDED.format(name=name, number=number.name, out=tmp_path / "runs")
    assert ended(code) == (3, "", INTERRUPTED + "\n")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("code", [IN_A_LONG_CALL, WHERE_NOTHING_CAN_BE_RAISED], ids=["call", "finalizer"])
def test_a_program_ends_although_a_library_hears_nothing(code):
    assert ended(code) == (3, "", INTERRUPTED + "\n")


def test_children_end_with_a_program_and_say_nothing(tmp_path):
    begin = time.monotonic()
    # It waits for the children.
    assert ended(WITH_CHILDREN.format(place=tmp_path)) == (3, "", INTERRUPTED + "\n")
    assert time.monotonic() - begin < LONG


def test_a_wish_too_late_for_what_saves_ends_the_program():
    assert ended(TOO_LATE) == (3, "saved\n", INTERRUPTED + "\n")


def test_an_error_after_a_signal_is_the_signal_and_others_stay():
    def read(signals):
        with stopping("reading"):
            with suppress(KeyboardInterrupt):
                for number in signals:
                    signal.raise_signal(number)
            raise TypeError("could not determine the shape")

    with pytest.raises(Stopped, match="stopped while reading"):
        read([signal.SIGTERM])
    with pytest.raises(TypeError):
        read([])


def signals_after(count, number=signal.SIGTERM):
    """A function that sends this process a signal when it is called so many times."""
    left = iter(range(count, -1, -1))

    def call():
        if next(left, 0) == 1:
            signal.raise_signal(number)

    return call


def before(call, function):
    def called(*words, **more):
        call()
        return function(*words, **more)

    return called


def test_measuring_ends_within_a_measure_and_goes_on(tmp_path):
    run = dreaming.train(configured(0).but(["training.epochs=0"]), out=tmp_path)
    status, _, error = ended(WHILE_MEASURING.format(run=run))
    assert (status, error) == (3, INTERRUPTED + "\n")
    header, *rows = (run / "measures.csv").read_text().splitlines()
    assert len(rows) == 1  # the pixels' readout took 20 epochs, that of the components was in its tenth
    assert main(["evaluate", str(run), "--device", "cpu"]) == 0
    assert {header, *rows} < set((run / "measures.csv").read_text().splitlines())


def test_a_write_that_is_interrupted_leaves_what_stood_there(monkeypatch, tmp_path):
    runs.write(tmp_path / "file", b"old")
    monkeypatch.setattr(os, "fsync", before(signals_after(1), os.fsync))
    with pytest.raises(dreaming.Stopped, match=r"^stopped while writing$"), stopping("writing"):
        runs.write(tmp_path / "file", b"new")
    assert tree(tmp_path)["file"] == b"old"
    assert not list(tmp_path.glob(".*"))


def configured(seed):
    return dreaming.configure(
        networks={"base_channels": 2, "latent_dim": 8, "image_channels": 1},
        dataset={"limit": 80},
        training={"epochs": 2, "batch_size": 16, "device": "cpu", "snapshots": "ends"},
        seed=seed,
    )


def test_children_that_still_import_are_not_waited_for(monkeypatch, tmp_path):
    monkeypatch.setattr(population, "Child", before(signals_after(2), population.Child))
    configs = [configured(seed) for seed in range(4)]
    with (
        listening(),
        pytest.raises(dreaming.Stopped, match=r"0 of 4 .* 0 stopped on their way and 4 not begun"),
    ):
        population.train_all(configs, out=tmp_path, workers=2)
    assert not active_children()
    assert not list(tmp_path.iterdir())


def test_a_wish_too_late_for_one_run_stops_before_the_next(tmp_path):
    class InTheLastCycle(NoProgress):
        cycle = staticmethod(signals_after(10))

    with pytest.raises(
        dreaming.Stopped, match="1 of 2 runs finished, 0 stopped on their way and 1 not begun"
    ):
        population.train_all(
            [configured(0), configured(1)], out=tmp_path, workers=1, progress=InTheLastCycle()
        )
    assert [path.name for path in tmp_path.glob("digits/pad/*")] == ["seed-0"]


def test_processes_end_with_the_call_that_waits_for_them():
    ctrl_c = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    begin = time.monotonic()
    with pytest.raises(dreaming.Stopped), stopping("waiting"), nullcontext(ctrl_c.start()):
        in_processes(time.sleep, [LONG])
    assert time.monotonic() - begin < LONG
    assert not active_children()


def test_within_the_command_a_wish_of_two_blocks_is_passed_outwards():
    with listening() as outer:
        with listening() as inner:
            signal.raise_signal(signal.SIGTERM)
        assert inner.requested
        assert outer.requested
