"""The watch in runs: it changes nothing, keeps what it finds across stops and faults, and shows it."""

import io
import shutil
import signal

import pytest
import torch
from rich.console import Console

import dreaming
from dreaming.errors import RunsFailed, Stopped, UserError
from dreaming.model.conditions import conditions
from dreaming.runs import findings
from dreaming.runs.findings import COLLAPSED, DEAD, NOT_FINITE, WON, Finding
from dreaming.runs.folder import RunFolder
from dreaming.runs.tensors import read_tensors, write_tensors
from dreaming.system.progress import NoProgress, TerminalProgress
from dreaming.training import health
from dreaming.training import run as training_run
from dreaming.training.population import train_together

pytestmark = pytest.mark.usefixtures("without_drawing", "shapes_unchecked")


def kinds(folder):
    return {(finding.phase, finding.term, finding.kind) for finding in findings.so_far(folder)}


def changed(folder, change):
    """Change the cortex in the state of a run, as no training would."""
    tensors, about = read_tensors(folder.state)
    change(tensors)
    write_tensors(folder.state, tensors, about)


def results(folder):
    """What a run came to, but for seconds and findings."""
    tensors, about = read_tensors(folder.state)
    about["position"].pop("seconds")
    weights = {name: value.numpy().tobytes() for name, value in tensors.items()}
    return weights, about, folder.read_losses().drop(columns="seconds").to_csv()


STILL = ("optimizer.learning_rate=1e-12", "phases.wake.weight=1")  # what was put into a cortex stays in it


def outshout_three(tensors):
    """All latents but three hear a thousand times what they did; silent ones would make L_KL infinite."""
    tensors["cortex.encoder.latent_head.weight"][3:] *= 1e3


def align_latents(tensors):
    """All latents hear the same."""
    head = tensors["cortex.encoder.latent_head.weight"]
    head[:] = head[:1].clone()


def silence_latents(tensors):
    """What all latents hear is below the rounding of their size."""
    tensors["cortex.encoder.latent_head.weight"] *= 1e-3
    tensors["cortex.encoder.latent_head.bias"] *= 1e-4


def know_all(tensors):
    """All that is seen is external."""
    tensors["cortex.encoder.externality_head.bias"][:] = 30.0


class TestNothingIsFoundWhereAllIsWell:
    @pytest.mark.parametrize("name", conditions())
    def test_of_any_condition(self, name, trained):
        folder = trained(name, epochs=2)
        assert not folder.findings.exists()

    def test_training_is_the_same_to_the_bit_without_the_watch(self, trained, tmp_path, monkeypatch):
        watched = results(trained(epochs=3, out=tmp_path / "watched"))
        monkeypatch.setattr(training_run, "_found", lambda *_: [])
        assert results(trained(epochs=3, out=tmp_path / "unwatched")) == watched

    def test_the_watch_draws_nothing_and_changes_no_weight(self, tiny_config, tiny_dataset):
        cortex = tiny_config().networks.build(0)
        before = {name: value.clone() for name, value in cortex.state_dict().items()}
        state = torch.get_rng_state()
        z = health.watched_latents(cortex, tiny_dataset.train.images)
        assert not z.requires_grad
        assert torch.equal(torch.get_rng_state(), state)
        assert all(torch.equal(value, cortex.state_dict()[name]) for name, value in before.items())


class TestFound:
    @pytest.mark.parametrize(
        ("change", "term", "kind"),
        [
            (outshout_three, "latents", DEAD),
            (align_latents, "dimension", COLLAPSED),
            (silence_latents, "spread", COLLAPSED),
        ],
    )
    def test_latents(self, change, term, kind, trained):
        folder = trained(settings=STILL, epochs=1)
        assert not folder.findings.exists()
        changed(folder, change)
        found = findings.so_far(trained(settings=STILL, epochs=3))
        assert [(each.epoch, each.phase, each.term, each.kind) for each in found] == [
            (epoch, "cortex", term, kind) for epoch in (2, 3)
        ]
        if kind == DEAD:
            assert found[0].value == 3 / 8

    def test_a_discriminator_that_has_won(self, trained, monkeypatch):
        """It takes what it sees for external, and no dream: E_d reads dreams as if each bore a mark."""
        plain = dreaming.model.networks.Encoder.externality  # REM's way in; awake both heads are read at once
        monkeypatch.setattr(dreaming.model.networks.Encoder, "externality", lambda e, x: plain(e, x) - 60)
        settings = ("optimizer.learning_rate=1e-12",)
        folder = trained(settings=settings, epochs=1)
        assert not folder.findings.exists()  # awake it does not know yet
        changed(folder, know_all)
        (found,) = findings.so_far(trained(settings=settings, epochs=2))
        assert (found.epoch, found.phase, found.term, found.kind) == (2, "rem", "externality", WON)
        assert 0 <= found.value < 0.01

    def test_numbers_lost_by_a_huge_step(self, trained, tmp_path):
        with pytest.raises(UserError, match=r"^\w+\.\w+ became (nan|inf) in epoch 1, so training stops"):
            trained(settings=("optimizer.learning_rate=1e30",))
        assert NOT_FINITE in {kind for *_, kind in kinds(RunFolder(tmp_path / "digits/pad/seed-0"))}


def test_the_advice_is_against_the_cause(trained, tmp_path):
    with pytest.raises(UserError, match=r"with, for example, a lower optimizer\.learning_rate$"):
        trained(settings=("optimizer.learning_rate=1e30",), out=tmp_path / "step")
    few = ("training.batch_size=2", "training.precision=bfloat16")
    because = r"the same for all 2 images .* larger training\.batch_size .* or with --precision float32$"
    with pytest.raises(UserError, match=because):
        trained(settings=few, out=tmp_path / "few")


class TestLostNumbers:
    @pytest.fixture
    def spoilt(self, trained):
        folder = trained(epochs=2)

        def spoil(tensors):
            tensors["cortex.generator.layers.3.bias"][:] = torch.nan

        changed(folder, spoil)
        return folder

    def test_training_stops_with_the_finding_kept_and_all_else_as_it_was(self, spoilt, trained):
        before = {path: path.read_bytes() for path in spoilt.path.rglob("*") if path.is_file()}
        for _ in range(2):  # going on meets the same, and nothing is doubled
            with pytest.raises(UserError) as told:
                trained(epochs=4)
            said = str(told.value)
            assert said.startswith("wake.image became nan in epoch 3, so training stops")
            assert f"{spoilt.snapshot(2)} is the last good snapshot" in said
            assert "\n" not in said
            assert kinds(spoilt) >= {("wake", "image", NOT_FINITE), ("rem", "externality", NOT_FINITE)}
            found = findings.so_far(spoilt)
            assert len({each.about for each in found}) == len(found)
            assert {each.epoch for each in found} == {3}
        own = {spoilt.findings, spoilt.environment, spoilt.config}  # of a life begun anew
        after = {path: path.read_bytes() for path in spoilt.path.rglob("*") if path.is_file()}
        assert {path for path in after if before.get(path) != after[path]} <= own

    def test_a_weight_lost_by_the_last_step_is_found_before_it_is_kept(self, trained, monkeypatch):
        original = training_run._next_epoch

        def lose(life, cycles, config):
            row = original(life, cycles, config)
            if life.epochs_done == 2:
                with torch.no_grad():
                    life.cortex.generator.layers[0].bias[0] = torch.inf
            return row

        monkeypatch.setattr(training_run, "_next_epoch", lose)
        with pytest.raises(UserError, match=r"^generator\.layers\.0\.bias became inf in epoch 2"):
            trained(epochs=3)

    def test_a_stop_does_not_save_what_is_lost(self, spoilt, trained):
        class Stop(NoProgress):
            def cycle(self):
                signal.raise_signal(signal.SIGTERM)

        state = spoilt.state.read_bytes()
        with pytest.raises(Stopped, match=r"after 1 of 3 cycles; wake\.image became nan, so .* last saved"):
            trained(epochs=4, progress=Stop())
        assert spoilt.state.read_bytes() == state

    def test_a_term_of_a_phase_of_ones_own(self, tmp_path, small_dataset):
        phases = tmp_path / "own.py"
        phases.write_text(
            "import torch\n"
            "from dreaming import Outcome, Phase, Plasticity, Wake\n"
            "class Fever(Phase):\n"
            "    plasticity = Plasticity(encoder=0, generator=0)\n"
            "    def objective(self, cortex, images, hippocampus, draws):\n"
            "        return Outcome(torch.zeros(()), {'heat': torch.tensor(float('inf'))})\n"
            "cycle = (Wake(), Fever())\n"
        )
        config = dreaming.configure(
            phases=f"{phases}:cycle",
            networks={"base_channels": 2, "latent_dim": 8},
            training={"batch_size": 8, "epochs": 1, "device": "cpu", "precision": "float32"},
        )
        with pytest.raises(UserError, match=r"^fever\.heat became inf in epoch 1"):
            dreaming.train(config, out=tmp_path / "out", dataset=small_dataset)
        (table,) = (tmp_path / "out").rglob("findings.csv")
        assert findings.so_far(RunFolder(table.parent)) == [
            Finding(1, "fever", "heat", NOT_FINITE, float("inf"))
        ]

    def test_runs_beside_go_on_and_the_finding_is_kept(self, tiny_config, small_dataset, tmp_path):
        configs = [tiny_config(settings=[f"seed={seed}"], training={"epochs": 2}) for seed in (0, 1)]
        first = [config.but(["training.epochs=1"]) for config in configs]
        folders = [RunFolder(run) for run in train_together(first, out=tmp_path, dataset=small_dataset)]
        changed(folders[0], lambda tensors: tensors["cortex.encoder.trunk.0.bias"].fill_(torch.nan))
        with pytest.raises(RunsFailed):
            train_together(configs, out=tmp_path, dataset=small_dataset)
        assert {each.epoch for each in findings.so_far(folders[0])} == {2}
        assert not folders[1].findings.exists()
        assert folders[1].read_losses()["epoch"].tolist() == [1, 2]


class StopAfter(NoProgress):
    def __init__(self, cycles):
        self.left = cycles

    def cycle(self):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGTERM)


class TestResume:
    """A run with findings, stopped or broken off and gone on with, is the run that never was."""

    @pytest.fixture
    def begun(self, trained):
        """One epoch, and then dead latents."""
        folder = trained(settings=STILL, epochs=1)
        changed(folder, outshout_three)
        return folder

    @pytest.fixture
    def copy(self, begun, tmp_path):
        return RunFolder(shutil.copytree(begun.path, tmp_path / "copy/digits/pad/seed-0"))

    @pytest.mark.parametrize("cycles", [1, 3, 4])
    def test_a_stop_loses_and_doubles_no_row(self, cycles, begun, copy, trained, tmp_path):
        whole = trained(settings=STILL, epochs=3)
        with pytest.raises(Stopped):
            trained(settings=STILL, epochs=3, out=tmp_path / "copy", progress=StopAfter(cycles))
        trained(settings=STILL, epochs=3, out=tmp_path / "copy")
        assert copy.findings.read_bytes() == whole.findings.read_bytes()
        assert results(copy) == results(whole)
        assert len(findings.so_far(copy)) == 2

    @pytest.mark.parametrize("broken", ["losses.csv", "state.safetensors", "0002.safetensors"])
    def test_the_power_goes_between_two_files(self, broken, begun, copy, trained, tmp_path, monkeypatch):
        whole = trained(settings=STILL, epochs=3)
        replaced = dreaming.runs.folder.Path.replace

        def fails(path, target):
            if target.name == broken and findings.so_far(copy):
                raise OSError(28, "No space left on device")
            return replaced(path, target)

        with monkeypatch.context() as patch:
            patch.setattr(dreaming.runs.folder.Path, "replace", fails)
            with pytest.raises(UserError, match="No space left"):
                trained(settings=STILL, epochs=3, out=tmp_path / "copy")
        assert [each.epoch for each in findings.so_far(copy)] == [2]
        trained(settings=STILL, epochs=3, out=tmp_path / "copy")
        assert copy.findings.read_bytes() == whole.findings.read_bytes()
        assert results(copy) == results(whole)

    def test_a_record_that_somebody_corrected_is_kept_and_goes_on(self, begun, trained):
        trained(settings=STILL, epochs=2)
        corrected = begun.findings.read_bytes().replace(b"dead", b"live")
        begun.findings.write_bytes(corrected)
        trained(settings=STILL, epochs=3)
        assert begun.findings.read_bytes().startswith(corrected)
        assert [each.epoch for each in findings.so_far(begun)] == [2, 3]


def test_it_is_said_once_and_when_it_is_over(trained):
    said = io.StringIO()
    show = TerminalProgress(Console(file=said, width=300))
    folder = trained(settings=STILL, epochs=1)
    changed(folder, outshout_three)
    trained(settings=STILL, epochs=3, progress=show)
    trained(settings=STILL, epochs=4, progress=show)
    assert said.getvalue().count("dead latents") == 1
    assert "digits/pad/seed-0: epoch 2: dead latents: 3 of 8 (38 %)" in said.getvalue()

    changed(folder, lambda tensors: tensors["cortex.encoder.latent_head.weight"][:3].mul_(1e3))
    trained(settings=STILL, epochs=5, progress=show)
    assert "epoch 5: no more dead latents" in said.getvalue()
