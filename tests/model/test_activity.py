"""What a cortex infers, generates and does in each layer, given images and latents as people have them."""

import numpy as np
import pytest
import torch
from torch import nn

import dreaming
from dreaming.data import to_activity
from dreaming.errors import UserError
from dreaming.model.activity import encoder_activity, generator_activity

PIXELS = torch.randint(256, (7, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
LAYERS = ["layer_1", "layer_2", "layer_3", "latent", "externality"]


@pytest.fixture
def cortex():
    """A cortex whose every layer has something to say."""
    cortex = dreaming.Cortex(latent_dim=8, base_channels=2, random=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for weight in cortex.parameters():
            weight.mul_(5)
    return cortex


@pytest.mark.parametrize(
    "given",
    [
        PIXELS.permute(0, 2, 3, 1),
        PIXELS.numpy(),
        PIXELS.permute(0, 2, 3, 1).numpy(),
        np.frombuffer(PIXELS.numpy().tobytes(), np.uint8).reshape(PIXELS.shape),
        np.ascontiguousarray(PIXELS.numpy()[..., ::-1])[..., ::-1],
        PIXELS.tolist(),
        PIXELS.to(torch.int64),
        PIXELS.numpy().astype(np.uint16),
        PIXELS.numpy().astype(">i4"),
    ],
    ids=[
        "last",
        "numpy",
        "numpy, last",
        "not to be written",
        "backwards",
        "lists",
        "int64",
        "uint16",
        "big-endian",
    ],
)
def test_latents_do_not_depend_on_how_pixels_are_given(given, cortex):
    wanted = cortex.encoder(to_activity(PIXELS))[0]
    assert torch.equal(cortex.infer(PIXELS), wanted)
    assert torch.equal(cortex.infer(given), wanted)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16])
def test_floats_are_pixels_from_0_to_1_and_are_not_rounded_to_such(kind, cortex):
    close = {"rtol": 1e-2, "atol": 1e-2} if kind == np.float16 else {"rtol": 1e-4, "atol": 1e-5}
    floats = PIXELS.numpy().astype(kind) / kind(255)
    torch.testing.assert_close(cortex.infer(floats), cortex.infer(PIXELS), **close)
    half_a_step = np.full((1, 32, 32, 3), 0.5 / 255, np.float32)
    black, lowest = (cortex.infer(np.full((1, 32, 32, 3), x, np.uint8)) for x in (0, 1))
    found = cortex.infer(half_a_step)
    assert not torch.equal(found, black)
    assert not torch.equal(found, lowest)


@pytest.mark.parametrize(
    ("given", "because"),
    [
        (
            2 * torch.rand(2, 3, 32, 32) - 1,
            r"images run from -0.* to_activity makes it, goes to cortex.encoder",
        ),
        (PIXELS[0], r"shape \[3, 32, 32\], and may be 3 images, given as images\[:, None\], or one"),
        (PIXELS[..., :28, :28], r"sees images of 32 x 32, and these are \[7, 3, 28, 28\]"),
    ],
)
def test_what_may_be_something_else_is_refused_in_a_sentence(given, because, cortex):
    with pytest.raises(UserError, match=because):
        cortex.infer(given)
    with pytest.raises(UserError, match=because):
        cortex.activity(given)


def test_images_of_other_channels_are_brought_to_those_that_the_cortex_sees(cortex):
    grey = PIXELS[:, :1]
    assert torch.equal(cortex.infer(grey[:, 0]), cortex.infer(grey))
    assert torch.equal(cortex.infer(grey), cortex.infer(grey.repeat(1, 3, 1, 1)))
    one = dreaming.Cortex(8, 2, image_channels=1, random=torch.Generator().manual_seed(1))
    assert torch.equal(one.infer(PIXELS), one.encoder(to_activity(PIXELS, 1))[0])
    assert one.generate(torch.zeros(2, 8)).shape == (2, 1, 32, 32)


def test_no_images_have_no_latents(cortex):
    assert cortex.infer(PIXELS[:0]).shape == (0, 8)


def test_occlusion_silences_the_lowest_level(cortex):
    masks = (torch.rand(7, 1, 32, 32, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    wanted = cortex.encoder(to_activity(PIXELS) * masks)[0]
    torch.testing.assert_close(cortex.infer(PIXELS, masks=masks, batch=3), wanted)
    torch.testing.assert_close(cortex.activity(PIXELS, masks=masks, batch=3)["latent"], wanted)


def test_generated_pixels_are_those_nearest_to_what_the_generator_says(cortex):
    z = torch.randn(7, 8, generator=torch.Generator().manual_seed(3))
    exact = (cortex.generator(z).detach().double() + 1) * 127.5
    for given in (z, z.numpy(), z.double().numpy()):
        found = cortex.generate(given, batch=3)
        assert found.dtype == torch.uint8
        assert (found - exact).abs().max() <= 0.5 + 1e-4
    assert torch.equal(cortex.infer(cortex.generate(z)), cortex.encoder(to_activity(found))[0])
    with pytest.raises(UserError, match=r"latents of this cortex are \[n, 8\], and these \[7, 9\]"):
        cortex.generate(torch.zeros(7, 9))


def test_both_work_in_the_precision_and_the_type_of_the_cortex(cortex):
    exact = cortex.infer(PIXELS)
    cortex.precision = torch.bfloat16
    rough = cortex.infer(PIXELS)
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, rtol=0.1, atol=0.1)
    assert {each.dtype for each in cortex.activity(PIXELS).values()} == {torch.float32}
    cortex.precision = None
    cortex.double()
    torch.testing.assert_close(cortex.infer(PIXELS).float(), exact, rtol=1e-4, atol=1e-5)
    assert cortex.generate(torch.zeros(2, 8)).dtype == torch.uint8


def test_activity_names_every_layer_from_the_images_to_the_outputs(cortex):
    found = cortex.activity(PIXELS, batch=3)
    assert list(found) == LAYERS
    z, d_logit = cortex.encoder(to_activity(PIXELS))
    torch.testing.assert_close(found["latent"], z)
    torch.testing.assert_close(found["externality"], torch.sigmoid(d_logit))
    x = to_activity(PIXELS)
    for number, layer in enumerate(cortex.encoder.trunk, 1):  # as torch's own layers compute it
        x = nn.functional.leaky_relu(
            nn.functional.conv2d(x, layer.weight, layer.bias, stride=2, padding=1), 0.2
        )
        torch.testing.assert_close(found[f"layer_{number}"], x, rtol=1e-4, atol=1e-5)
    whole = cortex.activity(PIXELS)
    assert torch.equal(whole["latent"], cortex.infer(PIXELS))


def test_activity_of_the_generator_ends_with_the_image(cortex):
    z = torch.randn(7, 8, generator=torch.Generator().manual_seed(3))
    found = cortex.activity(latents=z, batch=3)
    assert {name: list(each.shape) for name, each in found.items()} == {
        "layer_1": [7, 8, 4, 4],
        "layer_2": [7, 4, 8, 8],
        "layer_3": [7, 2, 16, 16],
        "image": [7, 3, 32, 32],
    }
    torch.testing.assert_close(found["image"], cortex.generator(z))
    x = z[:, :, None, None]
    for number, layer in enumerate(cortex.generator.layers[:3], 1):
        step = {} if number == 1 else {"stride": 2, "padding": 1}
        x = nn.functional.conv_transpose2d(x, layer.weight, layer.bias, **step)
        x = nn.functional.leaky_relu(x, 0.2)
        torch.testing.assert_close(found[f"layer_{number}"], x, rtol=1e-4, atol=1e-5)


def test_layers_are_chosen_by_name_and_an_unknown_one_is_refused_with_the_nearest(cortex):
    assert list(cortex.activity(PIXELS, layers=["layer_2"])) == ["layer_2"]
    with pytest.raises(UserError, match="there is no layer 'layer2'; did you mean 'layer_2'"):
        cortex.activity(PIXELS, layers=["layer2"])
    with pytest.raises(UserError, match="of images or of latents; give one of the two"):
        cortex.activity()
    with pytest.raises(UserError, match="of images or of latents; give one of the two"):
        cortex.activity(PIXELS, latents=torch.zeros(1, 8))


def test_gradients_are_recorded_unless_torch_is_told_otherwise(cortex):
    images = (PIXELS / 255).requires_grad_()
    cortex.activity(images, batch=3)["layer_2"].sum().backward()
    assert images.grad.abs().sum() > 0
    assert cortex.encoder.trunk[1].weight.grad.abs().sum() > 0
    assert cortex.encoder.trunk[2].weight.grad is None
    with torch.no_grad():
        assert not cortex.activity(images)["layer_2"].requires_grad
    assert not cortex.infer(images).requires_grad
    z = torch.zeros(2, 8, requires_grad=True)
    cortex.activity(latents=z)["image"].sum().backward()
    assert z.grad.abs().sum() > 0
    assert not cortex.generate(z).requires_grad


class Own(nn.Module):
    """An encoder of somebody's: a layer that writes into its input, one that drops out, one called twice."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.twice, self.drop = nn.LeakyReLU(0.5), nn.Dropout(0.5)
        self.table = nn.Embedding(3, 2)  # its output has no row an image
        self.z = nn.Linear(4 * 64, 8)

    def forward(self, images):
        seen = self.twice(self.twice(self.body(images) - 1))
        self.table(torch.arange(2))
        z = self.z(self.drop(seen).flatten(1))
        return z, z[:, 0]

    def latents(self, images):
        return self(images)[0]


@pytest.fixture
def own():
    with torch.random.fork_rng(devices=[]):  # torch's layers draw their weights from the global generator
        torch.manual_seed(0)
        return Own()


def test_layers_of_an_encoder_of_ones_own_are_its_submodules(own, cortex):
    cortex.encoder = own
    statistics = own.body[1].running_mean.clone()
    found = cortex.activity(PIXELS, batch=3)
    assert list(found) == [
        *("body.0", "body.1", "body.2", "body", "twice", "drop", "z", "latent", "externality")
    ]
    assert found["body.1"].min() < 0  # as it was, before the next layer wrote into it
    torch.testing.assert_close(found["body.2"], found["body.1"].relu())
    lower = found["body"] - 1
    torch.testing.assert_close(found["twice"], torch.where(lower < 0, lower / 4, lower))  # its last call
    assert torch.equal(found["drop"], found["twice"])  # nothing drops out
    torch.testing.assert_close(found["latent"], cortex.infer(PIXELS))
    torch.testing.assert_close(found["externality"], found["latent"][:, 0].sigmoid())
    assert torch.equal(own.body[1].running_mean, statistics)
    assert all(each.training for each in own.modules())
    assert not any(each._forward_hooks for each in own.modules())
    found["body.0"].sum().backward()
    assert own.body[0].weight.grad.abs().sum() > 0


def test_hooks_are_taken_off_where_a_network_fails(own):
    with pytest.raises(RuntimeError):
        encoder_activity(own, torch.zeros(1, 2, 8, 8))
    assert not any(each._forward_hooks for each in own.modules())


def test_a_network_with_an_activity_of_its_own_is_asked_for_it(own):
    class Telling(Own):
        def activity(self, images):
            return {"told": images.sum(dim=(1, 2, 3))}

    own.__class__ = Telling
    found = encoder_activity(own, torch.ones(2, 3, 32, 32))
    assert found["told"].tolist() == [3 * 32 * 32] * 2


def test_layers_of_a_generator_of_ones_own_are_its_submodules():
    with torch.random.fork_rng(devices=[]):
        found = generator_activity(nn.Sequential(nn.Linear(8, 3), nn.Tanh()), torch.ones(2, 8))
    assert list(found) == ["0", "1", "image"]
    assert torch.equal(found["image"], found["0"].tanh())
