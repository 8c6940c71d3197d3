"""Profiles: what they say, how they are changed, and what is refused."""

import pytest

from dreaming.errors import UserError
from dreaming.paper.figures import FIGURES
from dreaming.paper.plan.presets import PROFILES

DEMO, QUICK, PAPER = (PROFILES[name] for name in ("demo", "quick", "paper"))


def test_the_papers_profile_is_the_papers_protocol():
    assert (PAPER.epochs, PAPER.long_epochs, PAPER.seeds) == (50, 100, 4)
    assert PAPER.datasets == ("cifar10", "svhn")
    assert PAPER.deviations() == []
    assert set(PAPER.figures) == set(FIGURES) - {"schedules", "doses", "measures"}
    config = PAPER.config("cifar10", "pad", 0, 50, "all")
    assert (config.networks.latent_dim, config.networks.base_channels) == (256, 64)
    assert (config.training.batch_size, config.dataset.limit) == (64, None)


def test_demo_is_small_and_needs_no_download_and_quick_is_one_data_set():
    assert DEMO.datasets == ("digits",)
    assert QUICK.datasets == ("cifar10",)
    assert DEMO.deviations()
    assert QUICK.deviations() == [f"{QUICK.epochs} epochs in place of 50"]


@pytest.mark.parametrize(
    ("when", "epochs"),
    [
        ("end", (10,)),
        ("start and end", (0, 10)),
        ("early and end", (1, 10)),
        ("curve", (0, 1, 4, 8, 10)),
        ("long curve", (0, 1, 4, 8, 10, 12, 14)),
        ("trained", tuple(range(1, 11))),
    ],
)
def test_epochs_of_a_figure_follow_from_the_profile(when, epochs):
    assert PAPER.but(["epochs=10", "long_epochs=14", "every=4"]).epochs_of(when) == epochs


def test_set_changes_the_profile_or_the_runs():
    changed = PAPER.but(
        ["seeds=2", "datasets=cifar10", "networks.base_channels=8", "figures=figure-4,table-1"]
    )
    assert (changed.seeds, changed.datasets, changed.figures) == (2, ("cifar10",), ("figure-4", "table-1"))
    assert changed.config("cifar10", "pad", 1, 3, "1,3").networks.base_channels == 8
    assert changed.deviations() == ["networks.base_channels=8"]


def test_precision_is_no_deviation_from_the_protocol():
    assert PAPER.but(["training.precision=bfloat16"]).deviations() == []


def test_a_setting_of_a_phase_passes_over_conditions_without_it_and_no_other_mistake_does():
    changed = PAPER.but(["phases.rem.replay.noise=0.3"])
    assert changed.config("cifar10", "pad", 0, 1, "1").phases[2].replay.noise == 0.3
    phases = changed.config("cifar10", "without_rem", 0, 1, "1").phases
    assert [phase.name for phase in phases] == ["wake", "nrem"]
    with pytest.raises(UserError, match="rme"):
        PAPER.but(["phases.rme.replay.noise=0.3"]).config("cifar10", "without_rem", 0, 1, "1")


@pytest.mark.parametrize(
    ("setting", "because"),
    [
        ("sedes=2", "did you mean 'seeds'"),
        ("seeds", "PATH=VALUE"),
        ("seeds=none", "seeds"),
        ("seeds=0", "seeds"),
        ("seeds=[", "cannot read the value"),
        ("epochs=1", "epochs"),
        ("early=50", "early is 50, and should be less than epochs, 50"),
        ("long_epochs=20", "long_epochs is 20, which is less than epochs, 50"),
        ("figures=figur-4", "there is no 'figur-4' to be drawn; did you mean 'figure-4'"),
        ("figures=figure-4,figure-4", "figures names figure-4 twice"),
        ("datasets=svhn,svhn", "datasets names svhn twice"),
        ("seed=3", "what the plan decides on"),
        ("training.epochs=3", "what the plan decides on"),
        ("dataset.name=svhn", "what the plan decides on"),
        ("name=other", "neither the profile nor a run's config has 'name'"),
        ("features=incption", "features"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(setting, because):
    with pytest.raises(UserError, match=because) as refusal:
        PAPER.but([setting])
    assert "\n" not in str(refusal.value)
