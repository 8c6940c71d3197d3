"""Whatever class of a user's own takes the place of a group of parameters: recorded, read back, or refused."""

from typing import ClassVar

import pandas as pd
import pytest
import torch
import yaml
from torch import nn

import dreaming
from dreaming import NREM, REM, Wake
from dreaming.config.config import Config, validated
from dreaming.config.custom import check_networks
from dreaming.data import to_activity
from dreaming.model.dreams import dream, remember
from dreaming.model.parameters import Recorded
from dreaming.rng import Random, seeded
from dreaming.system.source_code import source_of
from dreaming.training.health import watched_latents
from dreaming.training.population import train_together

pytestmark = pytest.mark.usefixtures("without_drawing", "shapes_unchecked")


class Mosaic(dreaming.Replay):
    """Put memories together of pieces of two days."""

    pieces: int = 4

    def recall(self, hippocampus, noise=None):
        today, yesterday = hippocampus.today, hippocampus.yesterday
        if yesterday is None:
            return today
        piece = torch.arange(today.shape[-1]) % self.pieces == 0
        return torch.where(piece, yesterday, today)


class Stripes(dreaming.Occlusion):
    """Silence every second column."""

    def draw(self, random, batch_size, *size):
        mask = super().draw(random, batch_size, *size)
        mask[..., ::2] = 0
        return mask


class Gentle(dreaming.Optimizer):
    """An optimiser with a note."""

    note: str = "gently"


class Twice(dreaming.Networks):
    """The paper's networks, of twice the width that is asked for."""

    def build(self, seed):
        size = 2 * self.base_channels
        return dreaming.Cortex(self.latent_dim, size, self.image_channels, image_size=self.image_size)


def flat(latent_dim: int = 8, image_channels: int = 3, hidden: int = 16):
    return FlatEncoder(latent_dim, image_channels, hidden), dreaming.Generator(latent_dim, 2, image_channels)


class FlatEncoder(nn.Module):
    def __init__(self, latent_dim, image_channels, hidden):
        super().__init__()
        self.hidden = nn.Linear(image_channels * 32 * 32, hidden)
        self.heads = nn.Linear(hidden, latent_dim + 1)

    def forward(self, images):
        found = self.heads(self.hidden(images.flatten(1)).relu())
        return found[:, 1:], found[:, 0]


CYCLES = {
    "replay": (Wake(), NREM(), REM(replay=Mosaic())),
    "occlusion": (Wake(), NREM(occlusion=Stripes()), REM()),
}


def kinds(content):
    found = {content["kind"]} if isinstance(content, dict) and "kind" in content else set()
    inner = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return found.union(*map(kinds, inner))


@pytest.mark.parametrize(("place", "kind"), [("replay", "Mosaic"), ("occlusion", "Stripes")])
def test_a_part_of_a_phase_is_recorded_as_what_it_is(place, kind, tiny_config, small_dataset, tmp_path):
    config = dreaming.configure(phases=CYCLES[place], name="own", **sections(tiny_config))
    assert kinds(config.identity()) == {kind}
    plain = dreaming.configure("without_memory_mix", name="own", **sections(tiny_config))
    assert config.identity() != plain.identity()
    run = dreaming.train(config, out=tmp_path, dataset=small_dataset)
    values = yaml.safe_load((run / "config.yaml").read_text())
    own = values["phases"]["rem" if place == "replay" else "nrem"][place]
    assert own["source"] == source_of(config.own()[kind]).record()
    with pytest.raises(dreaming.UserError, match="holds a run of another config"):
        dreaming.train(plain, out=tmp_path, dataset=small_dataset)


def sections(tiny_config):
    config = tiny_config()
    return {name: getattr(config, name).model_dump() for name in ("networks", "training")}


@pytest.fixture
def small_dataset(tiny_dataset):
    return tiny_dataset


GROUPS = {
    "a replay": lambda: {"phases": CYCLES["replay"]},
    "an occlusion": lambda: {"phases": CYCLES["occlusion"]},
    "an optimiser": lambda: {"optimizer": Gentle(note="slowly")},
    "a class of networks": lambda: {"networks": Twice(latent_dim=8, base_channels=2)},
    "networks of a function": lambda: {"networks": flat},
}


@pytest.fixture(params=GROUPS)
def own(request, tiny_config):
    given = {**sections(tiny_config), **GROUPS[request.param]()}
    return dreaming.configure(name="own", **given)


def test_it_is_read_back_as_that_class_and_without_it_as_a_record(own, tmp_path):
    content = yaml.safe_load(own.to_yaml())
    assert validated(content, "here", own.own()) == own
    known = Config.model_validate(content)
    assert any(isinstance(group, Recorded) for group in known.groups())
    assert known.identity() == own.identity()
    assert known.difference(own) is None


def test_a_setting_changes_it_and_keeps_its_class(tiny_config):
    config = dreaming.configure(
        phases=CYCLES["replay"],
        networks=flat,
        settings=["phases.rem.replay.pieces=2", "networks.hidden=3"],
    )
    assert config.phases[2].replay == Mosaic(pieces=2)
    assert config.networks.hidden == 3
    with pytest.raises(dreaming.UserError, match="has no 'piece'; did you mean 'pieces'"):
        config.but(["phases.rem.replay.piece=2"])
    with pytest.raises(dreaming.UserError, match="has no 'base_channels'"):
        config.but(["networks.base_channels=2"])


def test_it_trains_goes_on_and_is_loaded_bit_for_bit(own, tiny_dataset, tmp_path):
    several = own.but(["training.epochs=2"])
    at_once = dreaming.train(several, out=tmp_path / "at once", dataset=tiny_dataset)
    dreaming.train(own.but(["training.epochs=1"]), out=tmp_path / "parts", dataset=tiny_dataset)
    parts = dreaming.train(several, out=tmp_path / "parts", dataset=tiny_dataset)
    one, other = dreaming.load(at_once), dreaming.load(parts)
    assert one.state_dict().keys() == other.state_dict().keys()
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())
    table = dreaming.evaluate(parts, dataset=tiny_dataset, epochs="last", measures="organisation")
    assert len(table) == 2


def test_side_by_side_a_run_is_what_it_is_alone(own, tiny_dataset, tmp_path):
    alone = dreaming.train(own, out=tmp_path / "alone", dataset=tiny_dataset)
    other = own.model_copy(update={"seed": own.seed + 1})
    together = train_together([own, other], out=tmp_path / "together", dataset=tiny_dataset)[0]
    losses = [pd.read_csv(run / "losses.csv").drop(columns="seconds") for run in (alone, together)]
    pd.testing.assert_frame_equal(*losses, rtol=1e-3, atol=1e-6)


def test_a_record_alone_is_refused_before_anything_is_trained(own, tiny_dataset, tmp_path):
    known = Config.model_validate(yaml.safe_load(own.to_yaml()))
    with pytest.raises(dreaming.UserError, match=r"is defined in test_own_classes\.py|is defined in \w+\.py"):
        dreaming.train(known, out=tmp_path / "runs", dataset=tiny_dataset)
    assert not list((tmp_path / "runs").rglob("*.safetensors"))


def test_two_classes_of_one_name_are_refused():
    class Own(dreaming.Replay):
        pass

    first = Own

    class Own(dreaming.Replay):
        pass

    config = dreaming.Config(phases=(Wake(), NREM(replay=first()), REM(replay=Own())))
    with pytest.raises(dreaming.UserError, match="two classes are called Own"):
        config.own()


def test_a_kind_that_nobody_knows_is_refused_where_it_is_written():
    with pytest.raises(dreaming.UserError, match="there is no kind 'Mosaik' of Replay"):
        REM(replay={"kind": "Mosaik"})


class Numbers(dreaming.Networks):
    wrong: ClassVar = "latents"

    def build(self, seed):
        cortex = super().build(seed)
        wrong = {
            "latents": lambda z, d: (z[:, 1:], d),
            "externality": lambda z, d: (z, d[:, None]),
            "gradient": lambda z, d: (z.detach(), d),
            "one": lambda z, d: z,
        }[self.wrong]
        encoder = Wrapped(cortex.encoder, wrong)
        return dreaming.Cortex.of(encoder, cortex.generator, self.latent_dim, self.image_channels)


class Wrapped(nn.Module):
    def __init__(self, inner, wrong):
        super().__init__()
        self.inner, self.wrong = inner, wrong

    def forward(self, images):
        return self.wrong(*self.inner(images))


@pytest.mark.parametrize(
    ("wrong", "because"),
    [
        ("latents", r"gives latents of shape \(3, 7\) for 3 images, and \(3, 8\) is needed"),
        ("externality", r"gives externality of shape \(3, 1\) for 3 images, and \(3,\) is needed"),
        ("gradient", "latents of .* have no gradient"),
        ("one", "the encoder of .* fails with"),
    ],
)
def test_networks_of_the_wrong_make_are_refused_before_training(
    wrong, because, monkeypatch, tmp_path, tiny_dataset
):
    monkeypatch.setattr(Numbers, "wrong", wrong)
    config = dreaming.configure(networks=Numbers(latent_dim=8, base_channels=2), training={"batch_size": 8})
    with pytest.raises(dreaming.UserError, match=because):
        dreaming.train(config, out=tmp_path, dataset=tiny_dataset)


def test_initial_weights_that_depend_on_more_than_the_seed_are_refused():
    import random

    class Chance(dreaming.Networks):
        def build(self, seed):
            cortex = super().build(seed)
            with torch.no_grad():
                cortex.encoder.latent_head.bias.fill_(random.random())
            return cortex

    with pytest.raises(dreaming.UserError, match="depend on more than torch's random numbers"):
        check_networks(dreaming.Config(networks=Chance(latent_dim=8, base_channels=2)))


def test_what_is_no_networks_is_refused_in_a_sentence():
    with pytest.raises(dreaming.UserError, match="FlatEncoder is one network; name a function"):
        dreaming.configure(networks=FlatEncoder)
    with pytest.raises(dreaming.UserError, match=r"--networks wants a function .* and got 3"):
        dreaming.configure(networks=3)

    def bare(latent_dim, depth):
        return None

    with pytest.raises(dreaming.UserError, match="parameter 'depth' of bare needs a default"):
        dreaming.configure(networks=bare)


def test_own_networks_keep_the_precision_of_their_weights(tiny_dataset, tmp_path):
    config = dreaming.configure(networks=flat, training={"precision": "bfloat16", "batch_size": 8})
    with pytest.raises(dreaming.UserError, match="FlatEncoder computes in the precision of its weights"):
        dreaming.train(config, out=tmp_path, dataset=tiny_dataset)


def test_phases_given_as_objects_name_the_run():
    assert dreaming.configure(phases=(Wake(), REM())).condition == "wake-rem"
    assert dreaming.configure("wake_only", phases=Wake(name="again")).condition == "wake_only+Wake-again"
    assert dreaming.configure(networks=flat).condition == "pad+flat"
    assert dreaming.configure(networks={"latent_dim": 3}).condition == "pad"


class Moody(nn.Module):
    """An encoder with what behaves otherwise in training: running averages, and units that drop out."""

    def __init__(self, drops):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(drops))
        self.heads = nn.Linear(4 * 64, 9)

    def forward(self, images):
        found = self.heads(self.first(images).flatten(1))
        return found[:, 1:], found[:, 0]


def moody(latent_dim: int = 8, image_channels: int = 3, drops: float = 0.0):
    return Moody(drops), dreaming.Generator(latent_dim, 2, image_channels)


def trained_in_parts(config, dataset, out):
    for epochs in (1, 2):
        run = dreaming.train(config.but([f"training.epochs={epochs}"]), out=out, dataset=dataset)
    return dreaming.load(run).state_dict()


@pytest.mark.parametrize("drops", [0.0, 0.5])
def test_running_averages_and_dropout_are_repeated_and_gone_on_with(
    drops, tiny_config, tiny_dataset, tmp_path
):
    given = {**sections(tiny_config), "networks": moody}
    config = dreaming.configure(**given, settings=["training.epochs=2", f"networks.drops={drops}"])
    at_once = dreaming.load(
        dreaming.train(config, out=tmp_path / "at once", dataset=tiny_dataset)
    ).state_dict()
    with seeded(9, "noise"):  # whatever else is drawn in the process
        parts = trained_in_parts(config, tiny_dataset, tmp_path / "parts")
    assert all(torch.equal(value, parts[name]) for name, value in at_once.items())
    assert not torch.equal(at_once["encoder.first.1.running_mean"], torch.zeros(4))


def test_to_look_at_a_cortex_does_not_move_its_running_averages(tiny_config, tiny_dataset, tmp_path):
    given = {**sections(tiny_config), "networks": moody}
    cortex = dreaming.load(dreaming.train(dreaming.configure(**given), out=tmp_path, dataset=tiny_dataset))
    before = {name: value.clone() for name, value in cortex.state_dict().items()}
    seen = to_activity(tiny_dataset.train.images[:8])
    watched_latents(cortex, tiny_dataset.train.images)
    dream(cortex, NREM(), remember(cortex, seen[:4], seen[4:]), Random(0))
    assert all(torch.equal(value, before[name]) for name, value in cortex.state_dict().items())


def test_dropout_is_refused_where_it_could_not_be_repeated(tiny_config, tiny_dataset, tmp_path):
    given = {**sections(tiny_config), "networks": moody}
    drops = "networks.drops=0.5"
    config = dreaming.configure(**given, settings=["training.path=captured", drops])
    with pytest.raises(dreaming.UserError, match=r"moody draws .* --set training\.path=plain"):
        dreaming.train(config, out=tmp_path, dataset=tiny_dataset)
    pair = [dreaming.configure(**given, seed=seed, settings=[drops]) for seed in (0, 1)]
    with pytest.raises(dreaming.UserError, match=r"moody draws .* one run after another"):
        train_together(pair, out=tmp_path, dataset=tiny_dataset)
    assert not list(tmp_path.rglob("*.safetensors"))


def a_field_of_the_record():
    class Own(dreaming.Replay):
        kind: str = "mine"


def test_words_of_the_record_are_no_fields():
    with pytest.raises(TypeError, match="Own has a field 'kind'"):
        a_field_of_the_record()
