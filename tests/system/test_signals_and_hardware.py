"""Signals are heard as a wish; the machine is described as it is."""

import signal
import subprocess
import sys
import threading

import pytest
import torch

from dreaming.errors import UserError
from dreaming.system import hardware
from dreaming.system.signals import SIGNALS, listening, stopping


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_a_wish_and_handlers_are_put_back(number):
    before = [signal.getsignal(each) for each in SIGNALS]
    with listening() as interrupt:
        assert not interrupt.requested
        signal.raise_signal(number)
        assert interrupt.requested
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_handlers_are_put_back_after_an_error():
    before = [signal.getsignal(each) for each in SIGNALS]
    with pytest.raises(ZeroDivisionError), listening():
        raise ZeroDivisionError
    assert [signal.getsignal(each) for each in SIGNALS] == before


def interrupted(*numbers):
    with listening():
        for number in numbers:
            signal.raise_signal(number)


def test_asking_twice_by_ctrl_c_stops_at_once():
    interrupted(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        interrupted(signal.SIGINT, signal.SIGINT)


def test_asking_twice_by_sigterm_is_still_one_wish():
    interrupted(signal.SIGTERM, signal.SIGTERM)
    interrupted(signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def handlers():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_what_whoever_began_the_process_ignores_stays_ignored(number, handlers):
    signal.signal(number, signal.SIG_IGN)
    with listening() as interrupt, stopping("testing"):
        signal.raise_signal(number)
        assert not interrupt.requested
    code = (
        "import signal; from dreaming.system.signals import end_at_signals\n"
        f"end_at_signals(); signal.raise_signal({int(number)}); print('goes on')"
    )  # which inherits it
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "goes on\n", "")


@pytest.mark.parametrize("number", [each for each in SIGNALS if each not in (signal.SIGINT, signal.SIGTERM)])
def test_a_handler_of_the_users_own_is_left_alone(number, handlers):
    heard = []
    signal.signal(number, lambda *_: heard.append(number))  # as a scheduler's, which queues the job anew
    with listening() as interrupt:
        signal.raise_signal(number)
    assert (heard, interrupt.requested) == ([number], False)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_wish_too_late_for_a_block_is_passed_on_to_the_one_around_it(number):
    with listening() as outer:
        with listening():
            signal.raise_signal(number)
        assert outer.requested


def test_outside_the_main_thread_nothing_is_heard_and_nothing_breaks():
    heard, before = [], signal.getsignal(signal.SIGTERM)

    def work():
        with listening() as interrupt:
            heard.append((interrupt.requested, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heard == [(False, before)]


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused():
    assert hardware.device("auto") == torch.device("cpu")
    for name in ("cuda", "cuda:1"):
        with pytest.raises(UserError, match=f"no device '{name}'.*0 CUDA devices"):
            hardware.device(name)


def test_the_record_of_a_machine_says_versions_processor_and_threads():
    record = hardware.record(torch.device("cpu"))
    assert record["versions"]["torch"] == torch.__version__
    assert {"dreaming", "python", "numpy", "safetensors"} <= set(record["versions"])
    assert record["machine"]["device"] == "cpu"
    assert record["machine"]["threads"] == torch.get_num_threads()
    assert record["machine"]["processor"]


def test_the_record_names_the_build_of_torch_where_its_package_does_not(monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.13.0+cu130")
    monkeypatch.setattr(hardware.metadata, "version", lambda name: "2.13.0")
    assert hardware.record(torch.device("cpu"))["versions"]["torch"] == "2.13.0+cu130"
