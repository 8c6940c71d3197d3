"""`dreaming describe`: the whole config, phases, signs, size and cost; nothing is run and nothing written."""

import pytest
import yaml
from tests.cli.tiny_runs import tree

import dreaming
from dreaming.cli.main import Describe
from dreaming.config.config import Config


def parts(said):
    """The config, the rows of the table, and the lines after it."""
    lines = said.splitlines()
    blank = lines.index("")
    rows = [
        [cell.strip() for cell in line.strip("│|").replace("|", "│").split("│")] for line in lines[blank:]
    ]
    return "\n".join(lines[:blank]), [row for row in rows if len(row) == 4], lines


def test_it_shows_config_phases_signs_size_and_cost_and_writes_nothing(dreaming_does, tmp_path):
    before = tree(tmp_path)
    config, rows, lines = parts(dreaming_does("describe"))
    assert tree(tmp_path) == before
    assert Config.model_validate(yaml.safe_load(config)) == Config()
    signs = {row[0]: row[1:3] for row in rows if row[0] in ("wake", "nrem", "rem")}
    assert signs == {"wake": ["+1", "+1"], "nrem": ["+1", "0"], "rem": ["+1", "-1"]}
    assert "encoder: 1,711,809 weights" in lines
    assert "generator: 1,707,459 weights" in lines
    costs = {row[0]: row[3] for row in rows}
    assert costs["wake"].endswith(" G")
    each = [float(costs[name].removesuffix(" G")) for name in ("wake", "nrem", "rem")]
    assert float(costs[""].removesuffix(" G")) == pytest.approx(sum(each), abs=0.02)


# Forward multiply-accumulates of one image: 4 x 4 kernels at each output (encoder) or input (generator) position.
ENCODER = 16 * (16**2 * 3 * 64 + 8**2 * 64 * 128 + 4**2 * 128 * 256)
HEADS = 16 * 256 * 257
GENERATOR = 16 * (256 * 256 + 4**2 * 256 * 128 + 8**2 * 128 * 64 + 16**2 * 64 * 3)
FIRST = 16 * 16**2 * 3 * 64  # its input, the image, needs no gradient where the image is given


def test_the_multiply_accumulates_are_those_counted_by_hand(dreaming_does):
    _, rows, _ = parts(dreaming_does("describe"))
    shown = {row[0]: float(row[3].removesuffix(" G")) for row in rows if row[3].endswith(" G")}
    # Backward costs twice forward: once for the weights, once for the inputs.
    wake = 3 * (ENCODER + HEADS + GENERATOR) - FIRST
    assert shown["wake"] == pytest.approx(64 * wake / 1e9, rel=0.02)


def test_settings_and_conditions_show(dreaming_does):
    said = dreaming_does(
        "describe", "--condition", "without_rem", "--set", "phases.nrem.weight=0.7", "--seed", "9"
    )
    config, rows, _ = parts(said)
    shown = yaml.safe_load(config)
    assert (shown["condition"], shown["seed"]) == ("without_rem+nrem.weight-0.7", 9)
    assert list(shown["phases"]) == ["wake", "nrem"]
    assert shown["phases"]["nrem"]["weight"] == 0.7
    assert [row[0] for row in rows if row[0] in ("wake", "nrem", "rem")] == ["wake", "nrem"]


def test_a_narrow_cortex_has_fewer_weights(dreaming_does):
    said = dreaming_does("describe", "--set", "networks.base_channels=2", "--set", "networks.latent_dim=8")
    c, n = 2, 8
    encoder = 16 * (3 * c + 2 * c * c + 8 * c * c + 4 * c * (n + 1)) + 7 * c + n + 1
    generator = 16 * (n * 4 * c + 8 * c * c + 2 * c * c + 3 * c) + 7 * c + 3
    assert f"encoder: {encoder:,} weights" in said
    assert f"generator: {generator:,} weights" in said


NETWORKS = """
import dreaming


def own(latent_dim: int = 8, image_channels: int = 3, image_size: int = 64):
    sizes = latent_dim, 2, image_channels
    return tuple(kind(*sizes, image_size=image_size) for kind in (dreaming.Encoder, dreaming.Generator))
"""


def test_networks_of_ones_own_keep_their_image_size_unless_one_says_another(tmp_path):
    (tmp_path / "own.py").write_text(NETWORKS)
    spec = f"{tmp_path / 'own.py'}:own"
    own, said = Describe(networks=spec), Describe(networks=spec, image_size=16)
    assert own.config(0).content() == dreaming.configure(networks=spec).content()
    assert [each.config(0).networks.image_size for each in (own, said, Describe())] == [64, 16, 32]
