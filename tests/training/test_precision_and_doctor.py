"""What auto stands for, by rule; and a doctor who sees what is wrong."""

import pytest
import torch

import dreaming
from dreaming.cli.main import main
from dreaming.config.configure import configure
from dreaming.errors import UserError
from dreaming.rng import Random
from dreaming.runs.folder import RunFolder
from dreaming.system import hardware
from dreaming.training import doctor, precision
from dreaming.training.population import train_together
from dreaming.training.precision import auto_path, auto_precision, passed, resolved

pytestmark = pytest.mark.usefixtures("shapes_unchecked")

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def as_resolved(**training):
    return resolved(configure(training={"device": "cpu", **training})).training


def together(config, out):
    (run,) = train_together([config], out=out)
    return run


class TestByRule:
    def test_bfloat16_is_for_wide_networks_where_there_are_instructions(self, monkeypatch):
        for fast in (True, False):
            monkeypatch.setattr(hardware, "fast_bfloat16", lambda fast=fast: fast)
            wide, narrow = auto_precision(CPU, 64), auto_precision(CPU, 16)
            assert (wide, narrow) == ("bfloat16" if fast else "float32", "float32")

    def test_what_is_asked_for_by_name_is_done(self, monkeypatch):
        monkeypatch.setattr(hardware, "fast_bfloat16", lambda: True)
        assert as_resolved(precision="float32").precision == "float32"
        assert as_resolved(precision="bfloat16", path="captured").path == "captured"
        assert as_resolved().path == "plain"

    def test_tf32_is_not_for_a_cpu(self):
        with pytest.raises(UserError, match="tf32 is a precision of GPUs; on a CPU use float32"):
            as_resolved(precision="tf32")

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


class TestARunThatHasBegun:
    """Goes on in the precision that auto stood for where it began."""

    @pytest.fixture
    def config(self, monkeypatch):
        monkeypatch.setattr(precision, "WIDE", 8)
        return configure(
            networks={"base_channels": 8, "latent_dim": 16},
            dataset={"limit": 64},
            training={"epochs": 1, "device": "cpu", "batch_size": 16, "snapshots": "0"},
        )

    @pytest.mark.parametrize("train", [lambda config, out: dreaming.train(config, out=out), together])
    @pytest.mark.parametrize("began_fast", [True, False])
    def test_where_auto_stands_for_another_now(self, began_fast, train, config, tmp_path, monkeypatch):
        monkeypatch.setattr(hardware, "fast_bfloat16", lambda: began_fast)
        folder = RunFolder(dreaming.train(config, out=tmp_path))
        monkeypatch.setattr(hardware, "fast_bfloat16", lambda: not began_fast)
        train(config.but(["training.epochs=2"]), tmp_path)
        began, other = ("bfloat16", "float32") if began_fast else ("float32", "bfloat16")
        assert folder.read_config().training.precision == began
        assert folder.read_losses()["epoch"].tolist() == [1, 2]
        with pytest.raises(
            UserError, match=f"its training.precision is {began} and this command says {other}"
        ):
            train(config.but([f"training.precision={other}"]), tmp_path)

    def test_in_tf32_is_refused_on_a_cpu(self, config, tmp_path):
        folder = RunFolder(dreaming.train(config, out=tmp_path))
        folder.write_config(config.but(["training.precision=tf32"]))
        with pytest.raises(UserError, match=r"tf32 is a precision of GPUs; .* another --out"):
            dreaming.train(config, out=tmp_path)


class TestAGPU:
    """What never ran on a device is not its default: auto is the plain path there until the doctor has passed."""

    @pytest.fixture(autouse=True)
    def _gpu(self, monkeypatch, tmp_path):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda where: "a GPU")
        monkeypatch.setenv("DREAMING_STATE", str(tmp_path))

    def test_that_nobody_examined_is_plain_and_in_float32(self):
        assert (auto_precision(GPU, 512), auto_path(GPU)) == ("float32", "plain")

    def test_captures_once_the_doctor_has_passed(self):
        passed(GPU).touch()
        assert (auto_precision(GPU, 512), auto_path(GPU)) == ("float32", "captured")

    def test_of_another_kind_or_under_another_torch_is_examined_anew(self, monkeypatch):
        passed(GPU).touch()
        with monkeypatch.context() as other:
            other.setattr(torch.cuda, "get_device_name", lambda where: "another GPU")
            assert auto_path(GPU) == "plain"
        monkeypatch.setattr(torch, "__version__", "99.0")
        assert auto_path(GPU) == "plain"


@pytest.fixture
def quick(monkeypatch):
    """Fewer cycles, and no process of its own, which takes long."""
    monkeypatch.setattr(doctor, "CYCLES", 4)
    monkeypatch.setattr(doctor, "in_processes", lambda work, tasks: [work(task) for task in tasks])
    return ["doctor", "--base-channels", "8", "--batch-size", "8", "--seeds", "2"]


def disturbed(function, by):
    """The same function, one of whose numbers is a little off."""

    def wrapped(*words, **named):
        losses, states = function(*words, **named)
        by(losses, states, *words, **named)
        return losses, states

    return wrapped


def weights_off(losses, states, configs, plain=False):
    if len(configs) == 1 and not plain:
        with torch.no_grad():
            states[0].cortex.encoder.trunk[0].bias[0] += 1e-7


def ensemble_off(losses, states, configs, plain=False):
    if len(configs) > 1:
        losses[3]["rem.externality"][0] *= 1.2


def lost(losses, states, configs, plain=False):
    if configs[0].training.precision == "bfloat16":
        losses[3]["wake.kl"] *= float("nan")


@pytest.mark.usefixtures("shapes_unchecked")
class TestDoctor:
    @pytest.mark.parametrize("size", [("4", "64"), ("64", "2")], ids=["narrow", "few images"])
    def test_calls_no_machine_wrong_whose_latents_round_to_one_number(self, size, quick, capsys):
        words = ["doctor", "--base-channels", size[0], "--batch-size", size[1], "--seeds", "2"]
        assert main(words) == 0
        said = capsys.readouterr().out
        assert "bfloat16: not tried: latents of so few images or narrow networks round to one" in said
        assert said.count("  right\n") == 5

    def test_finds_all_right(self, quick, capsys):
        assert main(quick) == 0
        assert capsys.readouterr().out.count("  right\n") == 7

    def test_sees_what_is_wrong_and_nothing_else(self, quick, capsys, monkeypatch):
        trained = doctor._trained
        for by in (weights_off, ensemble_off, lost):
            trained = disturbed(trained, by)
        monkeypatch.setattr(doctor, "_trained", trained)
        with pytest.raises(SystemExit) as stop:
            main(quick)
        assert stop.value.code == 1
        said = capsys.readouterr()
        wrong = [line.split("  ")[0].strip() for line in said.out.splitlines() if line.endswith("  WRONG")]
        # Two runs that are lost are not alike either.
        assert wrong == ["captured", "ensemble of 2", "bfloat16", "bfloat16 again"]
        assert said.err.startswith(f"dreaming: {', '.join(wrong)}: wrong on this machine")

    def test_sees_chance_that_is_not_repeated_in_each_precision(self, quick, capsys, monkeypatch):
        other, plain = torch.Generator().manual_seed(0), Random.normal

        def normal(random, *words):
            drawn = plain(random, *words)
            return drawn + 1e-6 * torch.randn(drawn.shape, generator=other)

        monkeypatch.setattr(Random, "normal", normal)
        with pytest.raises(SystemExit):
            main(quick)
        said = capsys.readouterr()
        wrong = {line.split("  ")[0].strip() for line in said.out.splitlines() if line.endswith("WRONG")}
        assert wrong >= {"repeated", "bfloat16 again"}
        assert "bfloat16" not in wrong  # no more than rounding, and seen only by its bits

    def test_compares_bits_and_not_only_values(self):
        zero = {"weight": torch.zeros(2)}
        assert doctor._difference(zero, zero) == 0
        assert doctor._difference({"weight": torch.tensor([0.0, -0.0])}, zero) > 0

    def test_sees_a_state_that_is_not_restored(self, quick, capsys, monkeypatch):
        monkeypatch.setattr(doctor.TrainingState, "restore", lambda state, folder, config: None)
        with pytest.raises(SystemExit):
            main(quick)
        assert "dreaming: resumed: wrong on this machine" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("option", "value", "said"),
        [
            ("--seeds", "1", "at least 2 seeds"),
            ("--base-channels", "0", "base_channels"),
            ("--batch-size", "1", "batch_size"),
            ("--device", "abacus", "abacus"),
        ],
    )
    def test_what_cannot_be_is_refused(self, option, value, said, capsys):
        assert main(["doctor", option, value]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
