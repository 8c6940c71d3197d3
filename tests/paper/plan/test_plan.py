"""A plan shares runs between figures, sees what is there, and refuses what cannot be gone on with."""

import pytest

import dreaming
from dreaming.errors import UserError
from dreaming.evaluation.measuring import evaluate
from dreaming.paper.figures import FIGURES
from dreaming.paper.plan.plan import make_plan
from dreaming.paper.plan.presets import PROFILES
from dreaming.paper.plan.profile import Profile
from dreaming.runs.folder import RunFolder

TINY = Profile(
    name="tiny",
    datasets=("digits",),
    seeds=2,
    epochs=2,
    long_epochs=3,
    limit=64,
    settings=(
        "networks.base_channels=2",
        "networks.latent_dim=8",
        "networks.image_channels=1",
        "training.batch_size=32",
        "training.precision=float32",
    ),
)
pytestmark = pytest.mark.usefixtures("without_drawing")


def planned(out, *only, profile=TINY):
    return {run.title: run for run in make_plan(profile, only, out, "cpu").runs}


def train(out, *only, profile=TINY, titles=None):
    runs = planned(out, *only, profile=profile)
    for title in titles or runs:
        dreaming.train(runs[title].config, out=out / "runs")


def test_the_whole_paper_is_nine_conditions_of_two_data_sets_and_four_seeds_each_run_once():
    plan = make_plan(PROFILES["paper"], out="nowhere")
    titles = [run.title for run in plan.runs]
    assert len(titles) == len(set(titles)) == 9 * 2 * 4
    assert {run.state for run in plan.runs} == {"to do"}


def test_runs_go_on_to_epoch_100_only_where_appendix_figure_3_wants_it():
    for run in planned("nowhere", profile=PROFILES["paper"]).values():
        long = run.config.condition in (
            "pad",
            "without_memory_mix",
            "without_rem",
            "without_nrem",
            "wake_only",
        )
        assert run.config.training.epochs == (100 if long else 50)


def test_a_run_of_pad_serves_every_figure_that_draws_pad():
    run = planned("nowhere")["digits/pad/seed-0"]
    assert set(run.figures) == {
        name for name, of in FIGURES.items() if any("pad" in need.conditions for need in of.needs)
    } - {"appendix-figure-2", "schedules", "measures"}
    assert run.measures["readout"] == (0, 1, 2, 3)
    assert run.measures["robustness"] == (2,)
    assert run.measures["realism"] == (1, 2)
    assert run.measures["organisation"] == (0, 2)
    assert run.config.training.snapshots == "1,2,3"


def test_the_second_seed_is_not_projected_since_one_picture_is_enough():
    runs = planned("nowhere", "figure-6")
    assert "projection" in runs["digits/pad/seed-0"].measures
    assert "projection" not in runs["digits/pad/seed-1"].measures


def test_one_figure_needs_its_own_runs_alone_and_keeps_what_the_others_will_need():
    runs = planned("nowhere", "appendix-figure-6")
    assert set(runs) == {f"digits/{name}/seed-{seed}" for name in ("pad", "nrem_mixed") for seed in (0, 1)}
    assert runs["digits/pad/seed-0"].measures == {"robustness": (2,)}
    assert runs["digits/pad/seed-0"].config.training.snapshots == "1,2"


def test_figure_9_needs_no_run():
    assert planned("nowhere", "figure-9") == {}


def test_planning_writes_nothing(tmp_path):
    planned(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_of_50_epochs_goes_on_to_100_in_the_same_folder(tmp_path):
    train(tmp_path, "figure-5", titles=["digits/pad/seed-0"])
    short = planned(tmp_path, "figure-5")["digits/pad/seed-0"]
    long = planned(tmp_path)["digits/pad/seed-0"]
    assert (short.state, short.done, long.state, long.done) == ("finished", 2, "begun", 2)
    assert long.folder.path == short.folder.path
    assert long.lacking == ""
    dreaming.train(long.config, out=tmp_path / "runs")
    assert planned(tmp_path)["digits/pad/seed-0"].state == "finished"
    assert RunFolder(long.folder.path).snapshots() == [0, 1, 2, 3]
    assert planned(tmp_path, "figure-5")["digits/pad/seed-0"].state == "finished"


def test_a_run_that_went_elsewhere_without_an_epoch_that_a_figure_needs_is_named(tmp_path):
    config = planned(tmp_path)["digits/pad/seed-0"].config.but(["training.snapshots=ends"])
    dreaming.train(config, out=tmp_path / "runs")
    run = planned(tmp_path, "figure-4")["digits/pad/seed-0"]
    assert "has no snapshot of epoch 1, 2, which figure-4 needs" in run.lacking
    assert planned(tmp_path, "appendix-figure-1")["digits/pad/seed-0"].lacking == ""


def test_a_run_of_another_config_is_refused_in_one_sentence(tmp_path):
    train(tmp_path, "figure-5", titles=["digits/pad/seed-0"])
    other = TINY.but(["networks.latent_dim=4"])
    with pytest.raises(UserError, match=r"pad/seed-0 holds .* its networks.latent_dim is 8 .* says 4; use"):
        make_plan(other, ["figure-5"], tmp_path, "cpu")


def test_other_images_are_refused_too(tmp_path):
    train(tmp_path, "figure-5", titles=["digits/pad/seed-0"])
    with pytest.raises(UserError, match=r"its dataset.limit is 64 and this command says 96"):
        make_plan(TINY.but(["limit=96"]), ["figure-5"], tmp_path, "cpu")


@pytest.mark.parametrize("name", ["losses", "config"])
def test_a_damaged_run_is_named_and_the_others_are_planned(tmp_path, name):
    train(tmp_path, "figure-5", titles=["digits/pad/seed-0"])
    folder = RunFolder(tmp_path / "runs" / "digits" / "pad" / "seed-0")
    getattr(folder, name).write_bytes(b"nothing of the kind\n")
    runs = planned(tmp_path, "figure-5")
    assert f"{name}." in runs["digits/pad/seed-0"].lacking
    assert "is damaged" in runs["digits/pad/seed-0"].lacking
    assert [run.lacking for run in runs.values()].count("") == len(runs) - 1 == 3


def test_what_is_measured_already_is_not_planned_again(tmp_path):
    train(tmp_path, "figure-5", titles=["digits/pad/seed-0"])
    plan = make_plan(TINY, ["figure-5", "figure-4"], tmp_path, "cpu")
    run = next(run for run in plan.runs if run.title == "digits/pad/seed-0")
    assert run.unmeasured(plan.measures) == {"readout": (0, 1, 2), "robustness": (2,)}
    evaluate(run.folder.path, measures="readout", epochs="0,2", device="cpu")
    assert run.unmeasured(plan.measures) == {"readout": (1,), "robustness": (2,)}


def test_a_data_set_that_there_is_not_is_refused_before_anything_is_run():
    with pytest.raises(UserError, match="no data set is called 'cifar'; did you mean 'cifar10'"):
        make_plan(TINY.but(["datasets=cifar"]), ["figure-5"], "nowhere")


def test_a_run_that_began_where_auto_was_another_precision_is_taken(tmp_path):
    profile = TINY.but(["training.precision=auto"])
    train(tmp_path, "figure-5", titles=["digits/pad/seed-0"])
    folder = RunFolder(tmp_path / "runs/digits/pad/seed-0")
    folder.write_config(folder.read_config().but(["training.precision=bfloat16"]))
    assert planned(tmp_path, "figure-5", profile=profile)["digits/pad/seed-0"].state == "finished"


def test_snapshots_of_what_is_measured_may_be_thrown_away(tmp_path):
    train(tmp_path, "figure-5", titles=["digits/pad/seed-0"])
    folder = planned(tmp_path, "figure-5")["digits/pad/seed-0"].folder
    weights = folder.snapshot(2).read_bytes()
    folder.snapshot(2).unlink()
    lacking = planned(tmp_path, "figure-5")["digits/pad/seed-0"].lacking
    assert "has no snapshot of epoch 2, which figure-5 needs" in lacking
    folder.snapshot(2).write_bytes(weights)
    evaluate(folder.path, measures="robustness", epochs="2", device="cpu")
    folder.snapshot(2).unlink()
    assert planned(tmp_path, "figure-5")["digits/pad/seed-0"].lacking == ""


def test_runs_may_lie_elsewhere(tmp_path):
    plan = make_plan(TINY, ["figure-5"], tmp_path / "out", "cpu", tmp_path / "elsewhere")
    assert {run.folder.path.parents[2] for run in plan.runs} == {tmp_path / "elsewhere"}
