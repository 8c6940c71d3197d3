"""What is the user's own is tried before anything is written: each mistake is one sentence."""

from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.nn import functional

import dreaming
from dreaming import Outcome, Plasticity, Wake
from dreaming.config.custom import check_networks
from dreaming.config.description import describe
from dreaming.config.schedule import Stage
from dreaming.config.trial import check_phases
from dreaming.errors import UserError
from dreaming.model.cortex import Cortex
from dreaming.rng import seeded
from dreaming.training import precision
from dreaming.training.population import train_together

pytestmark = pytest.mark.usefixtures("without_drawing", "shapes_unchecked")


class Mine(dreaming.Phase):
    """A phase that does what a test says."""

    plasticity: ClassVar = Plasticity(encoder=+1, generator=0)
    does: ClassVar

    def objective(self, cortex, images, hippocampus, draws):
        return type(self).does(cortex, images, hippocampus)


def doing(does, **training):
    Mine.does = staticmethod(does)
    return configured(phases=(Wake(), Mine()), **training)


def configured(phases=None, networks=None, **training):
    return dreaming.configure(
        phases=phases,
        networks=networks or {"base_channels": 2, "latent_dim": 8},
        training={"batch_size": 8, "epochs": 1, "device": "cpu", "path": "plain", **training},
    )


def loss_of(cortex, images):
    return cortex.latents(images).square().mean()


def writes_images(cortex, images, hippocampus):
    loss = loss_of(cortex, images)
    images.mul_(0.5)
    return Outcome(loss.detach(), {})


def writes_weights(cortex, images, hippocampus):
    with torch.no_grad():
        next(cortex.generator.parameters()).mul_(0.5)
    return Outcome(loss_of(cortex, images), {})


MISTAKES = {
    "raises": (lambda c, x, h: 1 / 0, "phase 'mine' fails with ZeroDivisionError: division by zero"),
    "number": (lambda c, x, h: 0.5, r"'mine' returns 0\.5 .* return dreaming\.Outcome.*, or the loss alone"),
    "bare vector": (
        lambda c, x, h: c.latents(x).square().mean(1),
        r"the loss of phase 'mine' is a tensor of .*8",
    ),
    "vector": (
        lambda c, x, h: Outcome(c.latents(x).square().mean(1), {}),
        r"the loss of phase 'mine' is a tensor of float32 of shape \(8,\)",
    ),
    "float": (lambda c, x, h: Outcome(loss_of(c, x), {"a": 0.5}), "term 'a' of phase 'mine' is 0.5"),
    "memory": (
        lambda c, x, h: Outcome(loss_of(c, x), {}, memory=x.flatten(1)),
        r"the memory of phase 'mine' is .* \(8, 8\) are needed",
    ),
    "images": (writes_images, "'mine' writes into the images"),
    "weights": (writes_weights, "objective of phase 'mine' changes weights by itself"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_an_objective_is_said_before_anything_is_written(mistake, tmp_path, tiny_dataset):
    does, said = MISTAKES[mistake]
    with pytest.raises(UserError, match=said):
        dreaming.train(doing(does), out=tmp_path, dataset=tiny_dataset)
    assert not list(tmp_path.rglob("config.yaml"))


def test_a_later_stage_and_a_second_night_are_tried_too():
    def second(cortex, images, hippocampus):
        assert hippocampus.yesterday is None, "no second night"
        return Outcome(loss_of(cortex, images), {})

    config = doing(second)
    stage = Stage(after=1, condition="later", phases=config.phases)
    later = config.model_copy(update={"phases": (Wake(),), "schedule": (stage,)})
    for each in (config, later):
        with pytest.raises(UserError, match="'mine' fails with AssertionError: no second night"):
            check_phases(each)


def dropping(cortex, images, hippocampus):
    return Outcome(functional.dropout(cortex.latents(images)).square().mean(), {})


def test_what_is_drawn_without_a_layer_is_repeated_on_the_plain_path_and_refused_elsewhere(
    tmp_path, tiny_dataset
):
    ends = [
        dreaming.load(dreaming.train(doing(dropping), out=tmp_path / name, dataset=tiny_dataset)).state_dict()
        for name in ("one", "other")
    ]
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())
    with pytest.raises(UserError, match="phase 'mine' draws random numbers by itself"):
        dreaming.train(doing(dropping, path="captured"), out=tmp_path / "no", dataset=tiny_dataset)
    pair = [doing(dropping).model_copy(update={"seed": seed}) for seed in (0, 1)]
    with pytest.raises(UserError, match=r"phase 'mine' draws .* one run after another"):
        train_together(pair, out=tmp_path / "no", dataset=tiny_dataset)
    assert not list((tmp_path / "no").rglob("config.yaml"))


def by_item(cortex, images, hippocampus):
    loss = cortex.latents(images).square().mean()
    return Outcome(loss * (1 + 0 * loss.item()), {})


def by_branch(cortex, images, hippocampus):
    loss = cortex.latents(images).square().mean()
    return Outcome(loss if loss > 1 else 2 * loss, {})


@pytest.mark.parametrize("does", [by_item, by_branch])
def test_what_fails_side_by_side_alone_is_refused_before_anything_is_written(does, tmp_path, tiny_dataset):
    pair = [doing(does).model_copy(update={"seed": seed}) for seed in (0, 1)]
    with pytest.raises(
        UserError, match=r"Mine, side by side with another run, fails with RuntimeError: "
    ) as told:
        train_together(pair, out=tmp_path / "no", dataset=tiny_dataset)
    assert "\n" not in str(told.value)
    assert str(told.value).endswith("train one run after another, with --workers 1")
    assert not (tmp_path / "no").exists()
    assert dreaming.train(pair[0], out=tmp_path / "alone", dataset=tiny_dataset)


class Small(nn.Module):
    """An encoder with a submodule called as a method could be, and tied weights."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.latents = nn.Linear(3 * 64, 8)
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.second.weight = self.first.weight
        self.out = nn.Linear(8, 1)

    def forward(self, images):
        z = self.latents(functional.avg_pool2d(self.norm(images), 4).flatten(1))
        return z, self.out(self.second(self.first(z)).tanh()).squeeze(1)


def small(latent_dim: int = 8):
    return Small(), dreaming.Generator(latent_dim, 2)


def test_tied_weights_and_a_submodule_called_latents_are_trained_and_gone_on_with(tmp_path, tiny_dataset):
    both = [configured(networks=small).model_copy(update={"seed": seed}) for seed in (0, 1)]
    run = dreaming.train(both[0].but(["training.epochs=1"]), out=tmp_path / "parts", dataset=tiny_dataset)
    run = dreaming.train(both[0].but(["training.epochs=2"]), out=tmp_path / "parts", dataset=tiny_dataset)
    whole = dreaming.train(both[0].but(["training.epochs=2"]), out=tmp_path / "whole", dataset=tiny_dataset)
    parts, one = dreaming.load(run), dreaming.load(whole)
    assert all(torch.equal(value, parts.state_dict()[name]) for name, value in one.state_dict().items())
    assert one.encoder.first.weight is one.encoder.second.weight
    for beside in train_together(both, out=tmp_path / "beside", dataset=tiny_dataset):
        dreaming.load(beside)


class Still(dreaming.Phase):
    """The encoder looks at dreams, and stays as it is."""

    plasticity: ClassVar = Plasticity(encoder=0, generator=+1)

    def objective(self, cortex, images, hippocampus, draws):
        return Outcome(loss_of(cortex, cortex.generator(torch.ones_like(images[:, 0, 0, :8]))), {})


def test_running_averages_stay_in_phases_of_sign_0(tmp_path, tiny_dataset):
    for path in ("plain", "captured"):
        config = configured(phases=(Still(),), networks=small, path=path)
        run = dreaming.train(config, out=tmp_path / path, dataset=tiny_dataset)
        first, last = (dreaming.load(run, epoch).state_dict() for epoch in (0, 1))
        assert all(torch.equal(value, last[name]) for name, value in first.items() if "encoder" in name)
        assert not torch.equal(first["generator.layers.3.bias"], last["generator.layers.3.bias"])
    pair = [configured(phases=(Still(),), networks=small).model_copy(update={"seed": s}) for s in (0, 1)]
    for run in train_together(pair, out=tmp_path / "beside", dataset=tiny_dataset):
        assert torch.equal(dreaming.load(run, 1).encoder.norm.running_mean, torch.zeros(3))


def lazy(latent_dim: int = 8):
    encoder = Small()
    encoder.out = nn.LazyLinear(1)
    return encoder, dreaming.Generator(latent_dim, 2)


def double(latent_dim: int = 8):
    return Small().double(), dreaming.Generator(latent_dim, 2)


class Disagreeing(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3 * 64, 9)

    def latents(self, images):
        return 2 * self(images)[0]

    def forward(self, images):
        found = self.head(functional.avg_pool2d(images, 4).flatten(1))
        return found[:, 1:], found[:, 0]


def disagreeing(latent_dim: int = 8):
    return Disagreeing(), dreaming.Generator(latent_dim, 2)


@pytest.mark.parametrize(
    ("networks", "said"),
    [
        (lazy, r"the encoder has a lazy layer, whose 'out\.weight' is not made yet"),
        (double, r"the encoder has weights of float64"),
        (disagreeing, "the method latents of disagreeing gives another latents than a call"),
    ],
)
def test_networks_that_could_not_be_trained_are_refused(networks, said):
    with pytest.raises(UserError, match=said):
        check_networks(configured(networks=networks))


def test_a_method_of_an_own_encoder_sees_images_as_torch_lays_them_out():
    seen = []

    class Watching(Disagreeing):
        def latents(self, images):
            seen.append(images.is_contiguous())
            return super().latents(images)

    with seeded(0, "init"):
        cortex = Cortex.of(Watching(), dreaming.Generator(8, 2), 8)
    cortex.latents(torch.zeros(2, 3, 32, 32).contiguous(memory_format=torch.channels_last))
    assert seen == [True]


def test_auto_is_float32_for_own_networks(monkeypatch):
    monkeypatch.setattr(precision.hardware, "fast_bfloat16", lambda: True)
    assert precision.resolved(configured(networks=small)).training.precision == "float32"
    assert precision.resolved(configured(networks={})).training.precision == "float32"
    wide = dreaming.configure(training={"device": "cpu"})
    assert precision.resolved(wide).training.precision == "bfloat16"


def failing(latent_dim: int = 8):
    raise RuntimeError("no networks")


def test_describe_says_what_fails_and_what_cannot_be_counted():
    with pytest.raises(UserError, match="failing fails with RuntimeError: no networks"):
        describe(configured(networks=failing))
    with pytest.raises(UserError, match="phase 'mine' fails with ZeroDivisionError"):
        describe(doing(MISTAKES["raises"][0]))

    def reading(cortex, images, hippocampus):
        loss = loss_of(cortex, images)
        return Outcome(loss * (2 if loss.item() > 1 else 1), {})

    assert list(describe(doing(reading)).multiply_accumulates) == ["wake"]


def named_kind(kind: int = 1):
    return small()


def named_build(build: int = 1):
    return small()


def class_for_default(act=nn.ReLU):
    return small()


def hidden_type(depth: "Hidden" = 1):
    return small()


@pytest.mark.parametrize(
    ("networks", "said"),
    [
        (named_kind, "parameter 'kind' of named_kind has a name of the config's"),
        (named_build, "parameter 'build' of named_build has a name of the config's"),
        (class_for_default, "the default of 'act' of class_for_default .* no config can hold"),
        (hidden_type, "a type of hidden_type's parameters is not at hand .*'Hidden'"),
    ],
)
def test_parameters_that_no_config_can_hold_are_refused(networks, said):
    with pytest.raises(UserError, match=said):
        configured(networks=networks)


@pytest.mark.parametrize(("terms", "name"), [((), "loss"), (("square",), "square")])
@pytest.mark.parametrize("path", ["plain", "captured"])
def test_an_objective_may_return_its_loss_alone(terms, name, path, tmp_path, tiny_dataset, monkeypatch):
    monkeypatch.setattr(Mine, "terms", terms)
    runs = []
    for place, does in {
        "alone": lambda c, x, h: loss_of(c, x),
        "outcome": lambda c, x, h: Outcome(loss := loss_of(c, x), {name: loss}),
    }.items():
        run = dreaming.train(doing(does, path=path), out=tmp_path / place, dataset=tiny_dataset)
        runs.append((run / "losses.csv").read_text().splitlines()[0])
        assert f"mine.{name}" in runs[-1]
    assert runs[0] == runs[1]
    assert dreaming.load(run).encoder.latent_head.weight.isfinite().all()
