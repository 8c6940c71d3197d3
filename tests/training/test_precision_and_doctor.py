"""What auto stands for, by rule or as measured; and a doctor who sees what is wrong."""

import json

import pytest
import torch

from dreaming.cli.main import main
from dreaming.config.configure import configure
from dreaming.errors import UserError
from dreaming.rng import Random
from dreaming.system import hardware, threads
from dreaming.training import doctor, timing
from dreaming.training import precision as advice
from dreaming.training.loop import captures
from dreaming.training.precision import Advice
from dreaming.training.timing import Timing

CPU = torch.device("cpu")


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "kept" / "advice.json"
    monkeypatch.setenv("DREAMING_ADVICE", str(path))
    return path


@pytest.fixture(params=[True, False], ids=["fast bfloat16", "none"])
def instructions(request, monkeypatch):
    monkeypatch.setattr(hardware, "fast_bfloat16", lambda: request.param)
    return request.param


class TestByRule:
    def test_bfloat16_is_for_wide_networks_where_there_are_instructions(self, file, instructions):
        wide, narrow = advice.precision("auto", CPU, 64), advice.precision("auto", CPU, 16)
        assert (wide, narrow) == ("bfloat16" if instructions else "float32", "float32")

    def test_a_precision_that_is_named_is_taken(self, file, instructions):
        assert advice.precision("float32", CPU, 64) == "float32"
        assert advice.precision("bfloat16", CPU, 2) == "bfloat16"

    def test_tf32_on_a_cpu_is_refused(self, file):
        with pytest.raises(UserError, match="tf32 is a precision of GPUs; on a CPU use float32"):
            advice.precision("tf32", CPU)

    def test_runs_at_once_are_as_many_as_cores(self, file):
        found = advice.advice(CPU)
        assert (found.workers, found.measured) == (threads.cores(), False)

    @pytest.mark.parametrize(
        ("processor", "flags", "fast"),
        [
            ("AMD EPYC", {"avx512_bf16"}, True),
            ("Intel(R) Xeon(R) Processor", {"avx512_bf16"}, False),
            ("Intel(R) Xeon(R) Processor", {"avx512_bf16", "amx_bf16"}, True),
            ("Neoverse", {"bf16"}, True),
            ("AMD EPYC", {"avx512f"}, False),
        ],
    )
    def test_instructions_count_where_they_are_fast(self, monkeypatch, processor, flags, fast):
        monkeypatch.setattr(hardware, "processor", lambda: processor)
        monkeypatch.setattr(hardware, "_cpu_flags", lambda: flags)
        assert hardware.fast_bfloat16() is fast


class TestAsMeasured:
    def test_what_is_kept_is_followed(self, file):
        kept = advice.by_rule(CPU).model_copy(update={"bfloat16_from": 5, "workers": 7, "measured": True})
        assert kept.save() == file
        assert advice.advice(CPU) == kept
        assert [advice.precision("auto", CPU, width) for width in (4, 5)] == ["float32", "bfloat16"]

    def test_where_it_never_paid_auto_is_float32(self, file):
        advice.by_rule(CPU).model_copy(update={"bfloat16_from": None}).save()
        assert advice.precision("auto", CPU, 512) == "float32"

    @pytest.mark.parametrize("of", ["processor", "device", "torch"])
    def test_advice_for_another_machine_is_left_aside(self, file, of):
        advice.by_rule(CPU).model_copy(update={of: "another", "workers": 99}).save()
        assert advice.advice(CPU) == advice.by_rule(CPU)

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"processor": 3}', b"\xff"])
    def test_a_damaged_file_is_named(self, file, content):
        file.parent.mkdir()
        file.write_bytes(content)
        with pytest.raises(UserError, match="is no advice that dreaming can read; run dreaming doctor again"):
            advice.advice(CPU)

    @pytest.mark.parametrize("value", [0, -1])
    def test_nonsense_is_no_advice(self, file, value):
        values = advice.by_rule(CPU).model_dump() | {"workers": value}
        file.parent.mkdir()
        file.write_text(json.dumps(values))
        with pytest.raises(UserError):
            advice.advice(CPU)


@pytest.fixture
def quick(monkeypatch):
    """Fewer cycles, no timing of wide networks and of processes, which take long; what is checked stays."""
    monkeypatch.setattr(doctor, "CYCLES", 4)
    monkeypatch.setattr(timing, "CYCLES", 4)
    slow, fast = Timing("2 runs at once", (9.0, 9.0)), Timing("all threads", (5.0, 5.0))
    monkeypatch.setattr(doctor, "_bfloat16_from", lambda *_: 32)
    monkeypatch.setattr(doctor, "at_once", lambda *_: (slow, fast))
    monkeypatch.setattr(doctor, "_in_a_process", doctor._on_one_thread)
    return ["doctor", "--base-channels", "8", "--batch-size", "8", "--rounds", "2", "--seeds", "2"]


def disturbed(function, by):
    """The same function, one of whose numbers is a little off."""

    def wrapped(*words, **named):
        records, lives = function(*words, **named)
        by(records, lives, *words, **named)
        return records, lives

    return wrapped


def weights_off(records, lives, configs, plain=False):
    if len(configs) == 1 and not plain:
        with torch.no_grad():
            lives[0].cortex.encoder.trunk[0].bias[0] += 1e-7


def ensemble_off(records, lives, configs, plain=False):
    if len(configs) > 1:
        records[3]["rem.externality"][0] *= 1.2


def lost(records, lives, configs, plain=False):
    if configs[0].training.precision == "bfloat16":
        records[3]["wake.kl"] *= float("nan")


class TestDoctor:
    def test_all_is_right_and_the_advice_is_kept(self, quick, file, capsys):
        assert main(quick) == 0
        said = capsys.readouterr().out
        assert said.count("  right\n") == 7
        assert "auto: bfloat16 from 32 channels; 1 run at once" in said
        assert f"kept in {file}" in said
        kept = Advice.model_validate_json(file.read_bytes())
        assert (kept.measured, kept.workers, kept.bfloat16_from) == (True, 1, 32)
        assert kept.processor == hardware.processor()

    @pytest.mark.parametrize(
        ("by", "path"), [(weights_off, "program"), (ensemble_off, "ensemble of 2"), (lost, "bfloat16")]
    )
    def test_what_is_wrong_is_seen(self, by, path, quick, file, capsys, monkeypatch):
        monkeypatch.setattr(doctor, "_lived", disturbed(doctor._lived, by))
        with pytest.raises(SystemExit) as stop:
            main(quick)
        assert stop.value.code == 1
        said = capsys.readouterr()
        assert said.out.count("  WRONG\n") >= 1
        assert said.err.startswith(f"dreaming: {path}")
        assert not Advice.model_validate_json(
            file.read_bytes()
        ).measured  # on a GPU, auto stays plain by that
        if path == "bfloat16":
            assert "auto: float32; 1 run at once" in said.out

    def test_chance_that_is_not_repeated_is_seen_in_each_precision(self, quick, file, capsys, monkeypatch):
        other, plain = torch.Generator().manual_seed(0), Random.normal

        def normal(random, *words):
            drawn = plain(random, *words)
            return drawn + 1e-6 * torch.randn(drawn.shape, generator=other)

        monkeypatch.setattr(Random, "normal", normal)
        with pytest.raises(SystemExit):
            main([*quick, "--dry-run"])
        said = capsys.readouterr()
        wrong = {line.split("  ")[0].strip() for line in said.out.splitlines() if line.endswith("WRONG")}
        assert wrong >= {"repeated", "bfloat16 again"}
        assert "bfloat16" not in wrong  # no more than rounding, and seen only by its bits
        assert "auto: float32" in said.out

    def test_bits_are_compared_and_not_only_values(self):
        zero = {"weight": torch.zeros(2)}
        assert doctor._difference(zero, zero) == 0
        assert doctor._difference({"weight": torch.tensor([0.0, -0.0])}, zero) > 0

    def test_a_life_that_is_not_taken_up_where_it_was_is_seen(self, quick, file, capsys, monkeypatch):
        monkeypatch.setattr(doctor.TrainingState, "restore", lambda life, folder, config: None)
        with pytest.raises(SystemExit):
            main([*quick, "--dry-run"])
        assert "dreaming: resumed: wrong on this machine" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("option", "value", "said"),
        [
            ("--rounds", "1", "at least 2 rounds"),
            ("--seeds", "0", "1 seed"),
            ("--base-channels", "0", "base_channels"),
            ("--batch-size", "1", "batch_size"),
            ("--device", "abacus", "abacus"),
        ],
    )
    def test_what_cannot_be_is_refused(self, option, value, said, file, capsys):
        assert main(["doctor", option, value]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
        assert not file.exists()


class TestAGPUThatNobodyExamined:
    """What never ran on a device is not its default: auto is the plain path there until the doctor has passed."""

    @pytest.fixture(autouse=True)
    def gpu(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda where: "a GPU")
        return torch.device("cuda")

    def test_is_plain_and_in_float32(self, gpu, file):
        assert advice.precision("auto", gpu, 512) == "float32"
        assert not captures(configure(training={"device": "cuda"}))

    def test_is_fast_once_the_doctor_has_passed(self, gpu, file):
        advice.by_rule(gpu).model_copy(update={"bfloat16_from": 5, "measured": True}).save()
        assert advice.precision("auto", gpu, 512) == "bfloat16"
        assert captures(configure(training={"device": "cuda"}))

    def test_on_which_the_doctor_found_something_wrong_stays_plain(self, gpu, file):
        advice.by_rule(gpu).model_copy(update={"bfloat16_from": 5, "measured": False}).save()
        assert advice.precision("auto", gpu, 512) == "float32"
        assert not captures(configure(training={"device": "cuda"}))

    def test_does_what_is_asked_by_name(self, gpu, file):
        assert captures(configure(training={"device": "cuda", "path": "captured"}))
        assert not captures(configure(training={"device": "cpu"}))
