"""The conditions, each as its exact difference from PAD, and the table of signs."""

from itertools import combinations

import numpy as np
import pytest

from dreaming.config.config import Config
from dreaming.config.configure import Cycle, configure
from dreaming.errors import UserError
from dreaming.model.conditions import CONDITIONS, condition, conditions, register
from dreaming.model.hippocampus import Hippocampus
from dreaming.model.phases import NREM, REM, Wake
from dreaming.rng import Random

PAD = {
    "wake": {
        "weight": 1.0,
        "dose": 1.0,
        "steps": 1,
        "image_weight": 1.0,
        "kl_weight": 1.0,
        "externality_weight": 1.0,
        "latent_noise": 0.0,
        "reduction": "mean",
    },
    "nrem": {
        "weight": 1.0,
        "dose": 1.0,
        "steps": 1,
        "replay.past": 0.0,
        "replay.noise": 0.0,
        "replay.first_night": "with_noise",
        "occlusion.probability": (0.0, 1.0),
        "occlusion.tile_size": (1, 8),
        "occlusion.mask_per_image": False,
        "reduction": "mean",
    },
    "rem": {
        "weight": 1.0,
        "dose": 1.0,
        "steps": 1,
        "replay.past": 0.5,
        "replay.noise": 0.5,
        "replay.first_night": "with_noise",
    },
}

# MODEL.md's table: the phases in their order, and every parameter that is not PAD's.
DIFFERENCE = {
    "pad": (["wake", "nrem", "rem"], {}),
    "without_memory_mix": (["wake", "nrem", "rem"], {"rem.replay.past": 0.0, "rem.replay.noise": 0.0}),
    "without_rem": (
        ["wake", "nrem"],
        {"wake.externality_weight": 0.0, "wake.latent_noise": 0.5, "nrem.weight": 0.5},
    ),
    "without_nrem": (["wake", "rem"], {}),
    "wake_only": (["wake"], {"wake.externality_weight": 0.0, "wake.latent_noise": 0.5}),
    "rem_noise_only": (["wake", "nrem", "rem"], {"rem.replay.noise": 1.0}),
    "rem_memories_only": (["wake", "nrem", "rem"], {"rem.replay.noise": 0.0}),
    "rem_before_nrem": (["wake", "rem", "nrem"], {}),
    "nrem_mixed": (["wake", "nrem", "rem"], {"nrem.replay.past": 0.5, "nrem.replay.noise": 0.5}),
    "rem_deprived": (["wake", "nrem"], {}),
    "untrained": ([], {}),
}

# With noise 1, no share of a memory is left: the share of yesterday's in it means nothing.
MEANINGLESS = {"rem_noise_only": {"rem.replay.past"}}


def flat(values, prefix=""):
    found = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def parameters(cycle: Cycle):
    return {phase.name: flat(phase.model_dump(exclude={"name"})) for phase in cycle}


def test_the_table_names_every_condition():
    assert set(conditions()) == set(DIFFERENCE)


def test_pad_is_the_paper_s_cycle():
    assert parameters(condition("pad")) == PAD
    assert list(map(type, condition("pad"))) == [Wake, NREM, REM]


@pytest.mark.parametrize("name", DIFFERENCE)
def test_a_condition_differs_from_pad_by_exactly_its_table_row(name):
    order, expected = DIFFERENCE[name]
    cycle = condition(name)
    assert [phase.name for phase in cycle] == order
    found = {
        f"{phase}.{key}": value
        for phase, values in parameters(cycle).items()
        for key, value in values.items()
        if value != PAD[phase][key]
    }
    meaningless = MEANINGLESS.get(name, set())
    assert {k: v for k, v in found.items() if k not in meaningless} == expected


@pytest.mark.parametrize("name", DIFFERENCE)
def test_a_condition_uses_the_paper_s_phases_and_signs(name):
    signs = {"wake": (+1, +1), "nrem": (+1, 0), "rem": (+1, -1)}
    for phase in condition(name):
        assert type(phase) in (Wake, NREM, REM)
        assert tuple(phase.plasticity.values()) == signs[phase.name]


def test_the_table_of_signs():
    """The paper's claim about neuromodulation: (encoder, generator)."""
    assert Wake.plasticity == {"encoder": +1, "generator": +1}
    assert NREM.plasticity == {"encoder": +1, "generator": 0}
    assert REM.plasticity == {"encoder": +1, "generator": -1}


@pytest.mark.parametrize("name", DIFFERENCE)
def test_a_condition_says_in_a_line_what_it_is(name):
    line = conditions()[name]
    assert line
    assert "\n" not in line


@pytest.mark.parametrize("seen_by", ["label", "colour", "mark"])
def test_conditions_are_told_apart_by_each_of(seen_by):
    assert len({getattr(each, seen_by) for each in CONDITIONS.values()}) == len(CONDITIONS)


DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
"""Of linear red, green and blue (Machado et al. 2009)."""
XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])


def lab(colour, seen_with):
    """CIE Lab of a colour #RRGGBB as somebody sees it."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = seen_with @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ linear.clip(0, 1) / XYZ.sum(axis=1)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("seen_with", [np.eye(3), DEUTERANOPIA], ids=["all cones", "deuteranopia"])
def test_any_two_colours_are_told_apart(seen_with):
    seen = [lab(each.colour, seen_with) for each in CONDITIONS.values()]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 20


@pytest.mark.parametrize("name", DIFFERENCE)
def test_phases_name_the_terms_that_their_objectives_return(name, cortex, days):
    night = Hippocampus().store(cortex.encoder(days[0])[0]).store(cortex.encoder(days[1])[0])
    for phase in condition(name):
        draws = phase.draw(Random(0, (phase.name,)), 8, 8)
        assert tuple(phase.objective(cortex, days[2], night, draws).terms) == phase.terms


def test_a_file_of_its_own_registers_a_condition_in_a_line(monkeypatch):
    monkeypatch.setattr("dreaming.model.conditions.CONDITIONS", dict(CONDITIONS))

    @register("Naps", "#123456", "p")
    def naps():
        """Two NREM phases."""
        return Wake(), NREM(), NREM(name="nap")

    assert [phase.name for phase in configure("naps").phases] == ["wake", "nrem", "nap"]
    assert conditions()["naps"] == "Two NREM phases."


def test_a_file_cannot_replace_a_condition_of_another():
    def pad():
        return (Wake(),)

    with pytest.raises(ValueError, match=r"dreaming\.model\.conditions has a condition 'pad' already"):
        register("PAD", "#000000", "o")(pad)


def test_an_unknown_condition_is_refused_and_the_nearest_suggested():
    with pytest.raises(UserError, match="'wihtout_rem'; did you mean 'without_rem'"):
        condition("wihtout_rem")


@pytest.mark.parametrize("name", DIFFERENCE)
def test_a_config_of_a_condition_survives_its_file(name, tmp_path):
    config = configure(name, settings=["seed=3"])
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    again = Config.from_yaml(tmp_path / "config.yaml")
    assert again == config
    assert [type(phase) for phase in again.phases] == [type(phase) for phase in config.phases]


def test_the_untrained_condition_has_no_epochs():
    assert configure("untrained", training={"epochs": 7}).training.epochs == 0
    assert configure("wake_only", training={"epochs": 7}).training.epochs == 7
