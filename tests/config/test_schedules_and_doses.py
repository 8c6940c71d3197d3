"""A condition that changes by epoch, and phases that happen in a share of the cycles or several times in one."""

import itertools
import math

import pytest
import torch

import dreaming
from dreaming.cli.main import main
from dreaming.config.config import Config
from dreaming.config.configure import configure, swept
from dreaming.errors import UserError
from dreaming.model.conditions import condition
from dreaming.model.cycle import active_phases, draw, run_cycle, sleep_wake_cycle, steps_of
from dreaming.model.phases import NREM, REM, Wake
from dreaming.rng import Random
from dreaming.runs.folder import RunFolder
from dreaming.runs.snapshots import load
from dreaming.system.progress import TerminalProgress
from dreaming.training.captured import CapturedCycle
from dreaming.training.loop import train
from dreaming.training.population import train_together
from dreaming.training.state import TrainingState

pytestmark = pytest.mark.usefixtures("without_drawing", "shapes_unchecked")
SCHEDULE = "pad:1,without_rem:3,pad"


class Spindle(NREM):
    """A phase of a user's own: a second NREM."""

    name: str = "spindle"


@pytest.fixture(scope="module")
def images(dataset_of):
    """Five cycles of eight an epoch."""
    return dataset_of(train=40, test=10)


@pytest.fixture
def make(tiny_config):
    def configured(*settings, seed=0, schedule=None, epochs=4):
        base = tiny_config("pad", training={"epochs": epochs, "snapshots": "all"}, seed=seed)
        if schedule is None:
            return base.but(list(settings))
        scheduled = configure(schedule=schedule, settings=settings)
        update = {name: getattr(scheduled, name) for name in ("condition", "phases", "schedule")}
        return base.model_copy(update=update)

    return configured


def weights(run, epoch):
    return load(run, epoch).state_dict()


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


class TestDose:
    @pytest.mark.parametrize("dose", [0, 0.1, 0.25, 1 / 3, 0.5, 0.7, 0.99, 1])
    @pytest.mark.parametrize("cycles", [1, 7, 30, 781])
    def test_a_phase_happens_in_its_share_of_the_cycles_evenly_spread(self, dose, cycles):
        days = [cycle for cycle in range(cycles) if REM(dose=dose).is_active(cycle)]
        assert len(days) == math.ceil(round(cycles * dose, 9))
        assert days[:1] == ([0] if dose else [])
        gaps = [after - before for before, after in itertools.pairwise(days)]
        assert not gaps or max(gaps) - min(gaps) <= 1

    def test_a_phase_of_weight_0_never_happens(self):
        assert not REM(weight=0).is_active(0)

    @pytest.mark.parametrize("dose", [-0.1, 1.1, math.nan])
    def test_a_share_is_between_0_and_1(self, dose):
        with pytest.raises(UserError, match="dose"):
            REM(dose=dose)

    def test_a_dose_of_0_is_the_phase_left_out(self, make, images, tmp_path):
        none, out = (
            make("phases.nrem.dose=0", epochs=1),
            make(epochs=1).model_copy(update={"phases": (Wake(), REM())}),
        )
        runs = [
            train(each, out=tmp_path / name, dataset=images) for name, each in (("0", none), ("out", out))
        ]
        assert same(weights(runs[0], 1), weights(runs[1], 1))
        assert "nrem.latent" not in RunFolder(runs[0]).read_losses()

    def test_losses_are_means_over_the_cycles_in_which_the_phase_happens(self, make, images, tmp_path):
        config = make("phases.rem.dose=0.4", epochs=1)
        run = train(config, out=tmp_path, dataset=images)
        found = RunFolder(run).read_losses().iloc[0]
        life = TrainingState.initial(config, torch.device("cpu"))
        seen: dict = {}
        order = dreaming.data.epoch_order(40, 8, dreaming.rng.generator(0, "order", 1))
        for cycle in range(5):
            activity = dreaming.data.to_activity(images.train.images[order[cycle]], 3)
            phases = (Wake(), NREM(), REM()) if cycle in (0, 2) else (Wake(), NREM())
            life.hippocampus, terms = sleep_wake_cycle(
                life.cortex, life.synapses, activity, life.hippocampus, phases, Random(0, (1, cycle))
            )
            for name, value in terms.items():
                seen.setdefault(name, []).append(value.double().item())
        assert len(seen["rem.externality"]) == 2
        for name, values in seen.items():
            assert found[name] == pytest.approx(sum(values) / len(values), rel=1e-12)


class TestSteps:
    def test_each_step_has_chance_of_its_own_and_the_first_is_that_of_one_step(self):
        one, three = (draw(steps_of((REM(steps=steps),)), Random(0), 4, 8) for steps in (1, 3))
        assert list(three) == ["rem", "rem.1", "rem.2"]
        assert torch.equal(three["rem"]["noise"], one["rem"]["noise"])
        assert not torch.equal(three["rem"]["noise"], three["rem.1"]["noise"])

    def test_two_steps_are_the_phase_twice(self, tiny_config):
        config = tiny_config("pad")
        seen = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
        ends = []
        for phases in ((Wake(), NREM(steps=2)), (Wake(), NREM(), NREM(name="again"))):
            life = TrainingState.initial(config, torch.device("cpu"))
            draws = draw(steps_of((Wake(), NREM(steps=2))), Random(0), 8, 8)
            draws["again"] = draws["nrem.1"]
            _, terms = run_cycle(
                life.cortex, life.synapses, seen, dreaming.Hippocampus(), steps_of(phases), draws
            )
            ends.append((life.cortex.state_dict(), terms))
        assert same(ends[0][0], ends[1][0])
        mean = (ends[1][1]["nrem.latent"] + ends[1][1]["again.latent"]) / 2
        torch.testing.assert_close(ends[0][1]["nrem.latent"], mean)

    def test_no_step_is_refused(self):
        with pytest.raises(UserError, match="steps"):
            NREM(steps=0)


class TestEveryPath:
    @pytest.mark.parametrize("settings", [("phases.rem.dose=0.4", "phases.nrem.steps=2"), ()])
    def test_a_program_lives_doses_and_stages_as_the_plain_path_does(self, settings, make, images, tmp_path):
        config = make(*settings, schedule=SCHEDULE)
        plain = train(config, out=tmp_path / "plain", dataset=images)
        captured = config.but(["training.path=captured"])
        programmed = train(captured, out=tmp_path / "program", dataset=images)
        for epoch in range(5):
            assert same(weights(plain, epoch), weights(programmed, epoch))
        losses = [RunFolder(run).read_losses().drop(columns="seconds") for run in (plain, programmed)]
        assert losses[0].equals(losses[1])

    def test_an_ensemble_lives_them_too(self, make, images, tmp_path):
        configs = [
            make("phases.rem.dose=0.4", "phases.nrem.steps=2", schedule=SCHEDULE, seed=s) for s in (0, 1)
        ]
        together = train_together(configs, out=tmp_path / "together", dataset=images)
        for config, run in zip(configs, together, strict=True):
            alone = train(config, out=tmp_path / "alone", dataset=images)
            mine, theirs = (RunFolder(r).read_losses().drop(columns="seconds") for r in (run, alone))
            assert torch.allclose(
                torch.tensor(mine.to_numpy(float)),
                torch.tensor(theirs.to_numpy(float)),
                rtol=1e-2,
                atol=1e-5,
                equal_nan=True,
            )

    def test_a_graph_is_of_one_kind_of_cycle(self, make, images):
        config = make("phases.rem.dose=0.4")
        program = CapturedCycle(
            [TrainingState.initial(config, torch.device("cpu"))], [config], images.train.images
        )
        program.run(lambda: True, lambda: None)
        assert program.counts == {("wake", "nrem", "rem"): 2, ("wake", "nrem"): 3}


class TestSchedule:
    def test_each_epoch_has_the_phases_of_its_stage(self):
        config = configure(schedule="pad:10,without_rem:20,wake_only")
        assert config.condition == "pad-10-without_rem-20-wake_only"
        for epoch, name in (
            (1, "pad"),
            (10, "pad"),
            (11, "without_rem"),
            (20, "without_rem"),
            (21, "wake_only"),
        ):
            assert config.phases_in(epoch) == condition(name)

    def test_deprivation_and_recovery_are_the_epochs_of_those_conditions(self, make, images, tmp_path):
        scheduled = train(make(schedule=SCHEDULE), out=tmp_path / "scheduled", dataset=images)
        pad = train(make(), out=tmp_path / "pad", dataset=images)
        assert same(weights(scheduled, 1), weights(pad, 1))
        assert not same(weights(scheduled, 2), weights(pad, 2))
        losses = RunFolder(scheduled).read_losses()
        assert losses["rem.externality"].isna().tolist() == [False, True, True, False]
        assert losses["nrem.latent"].notna().all()

    def test_stopped_in_a_stage_it_goes_on_in_it(self, make, images, tmp_path):
        whole = train(make(schedule=SCHEDULE), out=tmp_path / "whole", dataset=images)
        for epochs in (2, 3, 4):
            parts = train(make(schedule=SCHEDULE, epochs=epochs), out=tmp_path / "parts", dataset=images)
        assert same(weights(whole, 4), weights(parts, 4))
        one, other = (RunFolder(run).read_losses().drop(columns="seconds") for run in (whole, parts))
        assert one.equals(other)

    def test_it_is_written_and_read_as_it_is(self, tmp_path):
        config = configure(schedule=SCHEDULE, settings=["phases.nrem.weight=0.7"])
        assert [stage.phases[1].weight for stage in config.schedule] == [0.7, 0.7]
        path = tmp_path / "config.yaml"
        path.write_text(config.to_yaml())
        assert Config.from_yaml(path) == config

    def test_a_setting_changes_the_phase_wherever_it_is(self):
        config = configure(schedule="wake_only:1,pad", settings=["phases.rem.dose=0.5"])
        assert config.schedule[0].phases[2].dose == 0.5
        assert config.phases == condition("wake_only")
        with pytest.raises(UserError, match="did you mean 'rem'"):
            configure(schedule=SCHEDULE, settings=["phases.ren.dose=0.5"])

    def test_another_schedule_is_another_run(self, make, images, tmp_path):
        first = make(schedule=SCHEDULE, epochs=1)
        train(first, out=tmp_path, dataset=images)
        later = first.schedule[0].model_copy(update={"after": 2})
        other = first.model_copy(update={"schedule": (later, *first.schedule[1:])})
        with pytest.raises(UserError, match="holds a run of another config: its schedule"):
            train(other, out=tmp_path, dataset=images)

    @pytest.mark.parametrize(
        "text",
        [
            "pad",
            "pad:3",
            "pad,without_rem",
            "pad:x,pad",
            "pad:0,pad",
            "pad:5,without_rem:5,pad",
            "pad:5,pad:3,pad",
            "",
        ],
    )
    def test_what_is_no_schedule_is_refused(self, text):
        with pytest.raises(UserError, match="--schedule wants CONDITION:EPOCH"):
            configure(schedule=text)

    def test_a_condition_that_does_not_exist_is_refused_with_the_nearest(self):
        with pytest.raises(UserError, match="did you mean 'without_rem'"):
            configure(schedule="pad:3,witout_rem:5,pad")

    def test_stages_out_of_order_are_refused(self):
        stage = configure(schedule="pad:3,wake_only").schedule[0]
        with pytest.raises(UserError, match="out of order"):
            dreaming.config.config.validated({"schedule": (stage, stage)}, "config")

    def test_a_condition_beside_a_schedule_is_refused(self):
        with pytest.raises(UserError, match="names its conditions itself"):
            configure("wake_only", schedule=SCHEDULE)

    def test_a_phase_of_ones_own_follows_every_condition(self, make, tmp_path, images):
        for own in (Spindle, Spindle()):
            config = configure(schedule=SCHEDULE, phases=own, settings="phases.spindle.weight=0.5")
            assert config.condition == "pad-1-without_rem-3-pad+Spindle+spindle.weight-0.5"
            assert [[phase.name for phase in cycle] for cycle in config.cycles()] == [
                ["wake", "nrem", "rem", "spindle"],
                ["wake", "nrem", "spindle"],
                ["wake", "nrem", "rem", "spindle"],
            ]
            assert {cycle[-1].weight for cycle in config.cycles()} == {0.5}
        update = {name: getattr(config, name) for name in ("condition", "phases", "schedule")}
        run = train(make().model_copy(update=update), out=tmp_path, dataset=images)
        assert RunFolder(run).read_losses()["spindle.latent"].notna().all()
        assert RunFolder(run).read_config(own=True).content()["schedule"] == config.content()["schedule"]

    def test_a_phase_that_a_condition_has_already_cannot_follow_it(self):
        with pytest.raises(UserError, match="two phases have one name"):
            configure(schedule="without_rem:1,pad", phases=REM)

    def test_a_whole_cycle_cannot_follow_conditions(self):
        with pytest.raises(UserError, match=r"a single phase of --phases may follow .*dreaming\.Stage"):
            configure(schedule=SCHEDULE, phases=(Wake(), Spindle()))

    @pytest.mark.parametrize("epochs", [1, 2, 3, 4])
    def test_a_stage_that_is_never_reached_is_told_of(self, epochs, make, images, tmp_path, capsys):
        config = make(schedule=SCHEDULE, epochs=epochs)
        train(config, out=tmp_path, dataset=images, progress=TerminalProgress())
        said = {
            1: "without_rem begins after epoch 1",
            2: "pad begins after epoch 3",
            3: "pad begins after epoch 3",
        }
        line = f"{said.get(epochs)}, and the last epoch is {epochs}; ask for more --epochs"
        shown = capsys.readouterr().out
        assert (line in shown) == (epochs < 4)
        assert shown.count("begins after") == (epochs < 4)


class TestSweep:
    def test_each_value_is_a_condition_of_its_own(self):
        found = swept(configure("without_rem"), "phases.nrem.weight=0.5, 1")
        assert [each.condition for each in found] == [
            "without_rem+nrem.weight-0.5",
            "without_rem+nrem.weight-1",
        ]
        assert [each.phases[1].weight for each in found] == [0.5, 1.0]

    @pytest.mark.parametrize("text", ["phases.rem.dose", "phases.rem.dose=", "phases.rem.dose=0,,1"])
    def test_what_is_no_sweep_is_refused(self, text):
        with pytest.raises(UserError, match="--sweep wants PATH=VALUE"):
            swept(configure(), text)

    def test_a_value_that_does_not_fit_is_refused(self):
        with pytest.raises(UserError, match="dose is 2"):
            swept(configure(), "phases.rem.dose=1,2")

    def test_the_command_line_trains_each(self, tmp_path, capsys):
        small = ("networks.base_channels=2", "networks.latent_dim=8", "training.batch_size=16")
        words = [
            "train",
            "--limit",
            "64",
            "--epochs",
            "1",
            "--sweep",
            "phases.rem.dose=0,1",
            "--workers",
            "1",
        ]
        settings = [word for setting in small for word in ("--set", setting)]
        assert main([*words, *settings, "--out", str(tmp_path)]) == 0
        names = sorted(path.name for path in (tmp_path / "digits").iterdir())
        assert names == ["pad+rem.dose-0", "pad+rem.dose-1"]


def test_happening_keeps_the_order():
    assert [phase.name for phase in active_phases((Wake(), REM(dose=0.5), NREM()), 1)] == ["wake", "nrem"]


@pytest.mark.parametrize("together", [False, True])
def test_each_epoch_is_told_with_the_name_of_its_stage(together, tiny_config, images, tmp_path, capsys):
    config = tiny_config(schedule="pad:1,rem_deprived:2,pad", training={"epochs": 3})
    if together:
        configs = [config.model_copy(update={"seed": seed}) for seed in (0, 1)]
        train_together(configs, out=tmp_path, dataset=images, progress=TerminalProgress())
    else:
        train(config, out=tmp_path, dataset=images, progress=TerminalProgress())
    said = capsys.readouterr().out
    for line in ("epoch 1/3 pad ", "epoch 2/3 rem_deprived ", "epoch 3/3 pad "):
        assert line in said
