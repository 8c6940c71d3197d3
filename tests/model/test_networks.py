"""The cortex: its size, its equality with a plain DCGAN, and its initial weights."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from dreaming.config.config import Networks
from dreaming.errors import UserError
from dreaming.model.cortex import Cortex
from dreaming.model.networks import Encoder, Generator

BIG = {"latent_dim": 256, "base_channels": 64}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def paper():
    """A cortex of the paper's size."""
    return Cortex(random=seeded())


def size(module):
    return sum(weight.numel() for weight in module.parameters())


def plain_encoder(encoder, head):
    """Figure 8 as a list of PyTorch's own layers, with the weights of an encoder."""
    layers = []
    for layer in encoder.trunk:
        mine = nn.Conv2d(layer.in_channels, layer.out_channels, 4, stride=2, padding=1)
        mine.load_state_dict(layer.state_dict())
        layers += [mine, nn.LeakyReLU(0.2)]
    last = nn.Conv2d(head.weight.shape[1], head.weight.shape[0], 4)
    last.load_state_dict(head.state_dict())
    return nn.Sequential(*layers, last, nn.Flatten())


def plain_generator(generator):
    layers = []
    for i, layer in enumerate(generator.layers):
        geometry = {"stride": 1, "padding": 0} if i == 0 else {"stride": 2, "padding": 1}
        mine = nn.ConvTranspose2d(layer.weight.shape[0], layer.weight.shape[1], 4, **geometry)
        mine.load_state_dict(layer.state_dict())
        layers += [mine, nn.LeakyReLU(0.2)]
    return nn.Sequential(nn.Unflatten(1, (-1, 1, 1)), *layers[:-1], nn.Tanh())


@pytest.fixture
def noise_in_the_globals_is_restored():
    """Torch's own layers draw their first weights from the global generator."""
    with torch.random.fork_rng(devices=[]):
        yield


def grown(network):
    """The network with weights large enough that every layer matters to the last digit."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(4)
    return network.double()


def test_the_paper_s_parameter_counts(paper):
    assert size(paper.encoder) == 1_711_809
    assert size(paper.generator) == 1_707_459
    assert size(paper.encoder.externality_head) == 4_097
    assert size(paper.encoder) - size(paper.encoder.externality_head) == 1_707_712


def test_the_defaults_are_the_paper_s_size():
    assert Networks().model_dump() == {
        "latent_dim": 256,
        "base_channels": 64,
        "image_channels": 3,
        "image_size": 32,
    }
    assert size(Networks().build(0)) == 1_711_809 + 1_707_459


@pytest.mark.parametrize(
    ("latent_dim", "base_channels", "image_channels", "image_size"),
    [(8, 4, 3, 32), (5, 2, 1, 32), (256, 64, 3, 32), (8, 4, 3, 16), (8, 4, 3, 64), (8, 2, 1, 128)],
)
@pytest.mark.usefixtures("noise_in_the_globals_is_restored")
class TestPlainDCGAN:
    def test_the_encoder_equals_plain_convolutions_in_value_and_gradient(
        self, latent_dim, base_channels, image_channels, image_size
    ):
        encoder = grown(Encoder(latent_dim, base_channels, image_channels, seeded(), image_size))
        shape = 3, image_channels, image_size, image_size
        x = 2 * torch.rand(shape, generator=seeded(1), dtype=torch.float64) - 1
        z, d_logit = encoder(x)
        for found, head in ((z, encoder.latent_head), (d_logit[:, None], encoder.externality_head)):
            plain = plain_encoder(encoder, head).double()
            expected = plain(x)
            assert found.shape == expected.shape
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
            gradient = torch.autograd.grad(found.square().sum(), encoder.trunk[0].weight, retain_graph=True)
            plain_gradient = torch.autograd.grad(expected.square().sum(), plain[0].weight)
            torch.testing.assert_close(gradient, plain_gradient, rtol=1e-9, atol=1e-12)

    def test_the_generator_equals_plain_transposed_convolutions_in_value_and_gradient(
        self, latent_dim, base_channels, image_channels, image_size
    ):
        generator = grown(Generator(latent_dim, base_channels, image_channels, seeded(), image_size))
        plain = plain_generator(generator).double()
        z = torch.randn(3, latent_dim, generator=seeded(1), dtype=torch.float64)
        found, expected = generator(z), plain(z)
        assert found.shape == (3, image_channels, image_size, image_size)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
        mine = torch.autograd.grad(found.square().sum(), list(generator.parameters()))
        theirs = torch.autograd.grad(expected.square().sum(), list(plain.parameters()))
        for gradient, plain_gradient in zip(mine, theirs, strict=True):
            torch.testing.assert_close(gradient, plain_gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("precision", [None, torch.bfloat16])
@pytest.mark.parametrize("image_size", [16, 64, 128])
@pytest.mark.usefixtures("noise_in_the_globals_is_restored")
def test_wide_networks_of_every_size_are_plain_ones_but_for_rounding(image_size, precision):
    """Wide enough that on a CPU maps are tiled wherever they are large enough."""
    cortex = Cortex(8, 32, 3, seeded(), image_size)
    cortex.precision = precision
    x = 2 * torch.rand(4, 3, image_size, image_size, generator=seeded(1)) - 1
    z = torch.randn(4, 8, generator=seeded(2))
    plain = plain_encoder(cortex.encoder, cortex.encoder.latent_head), plain_generator(cortex.generator)
    tolerance = 1e-4 if precision is None else 0.05
    with torch.no_grad():
        for found, expected in (
            (cortex.encoder.latents(x), plain[0](x)),
            (cortex.generator(z), plain[1](z)),
        ):
            assert (found - expected).norm() <= tolerance * expected.norm()


@pytest.mark.parametrize(("image_size", "layers"), [(16, 2), (32, 3), (64, 4), (128, 5)])
def test_each_doubling_of_the_image_takes_one_more_layer_of_twice_the_width(image_size, layers):
    cortex = Networks(latent_dim=4, base_channels=2, image_size=image_size).build(0)
    widths = [2 * 2**layer for layer in range(layers)]
    assert [layer.out_channels for layer in cortex.encoder.trunk] == widths
    assert [layer.out_channels for layer in cortex.generator.layers] == [*reversed(widths), 3]
    assert cortex.image_size == image_size


def test_the_layers_of_larger_images_count_among_the_weights_that_are_too_many():
    assert size(Networks(base_channels=128, image_size=64).build(0)) > 2**24
    with pytest.raises(UserError, match="image_size 128 have more than 268,435,456 weights"):
        Networks(base_channels=220, image_size=128)
    assert Networks(base_channels=220).image_size == 32


@pytest.mark.parametrize("image_size", [0, 8, 28, 48, 256])
def test_other_sizes_are_refused(image_size):
    with pytest.raises(UserError, match="16, 32, 64 or 128"):
        Networks(image_size=image_size)


def test_each_head_alone_says_what_both_say_together(cortex, images):
    z, d_logit = cortex.encoder(images)
    assert torch.equal(cortex.encoder.latents(images), z)
    assert torch.equal(cortex.encoder.externality(images), d_logit)


def test_inputs_are_left_as_they_are(cortex, images):
    x, z = images.clone(), torch.randn(4, 8, generator=seeded())
    z_before = z.clone()
    cortex.encoder(x)
    cortex.generator(z)
    assert torch.equal(x, images)
    assert torch.equal(z, z_before)


@pytest.mark.parametrize("pathway", ["encoder", "generator"])
def test_initial_weights_are_normal_with_deviation_0_02(paper, pathway):
    weights = [w for name, w in getattr(paper, pathway).named_parameters() if name.endswith("weight")]
    for weight in weights:
        values = weight.detach().flatten().double()
        n = len(values)
        assert abs(values.mean()) < 5 * 0.02 / math.sqrt(n)
        assert values.std().item() == pytest.approx(0.02, abs=5 * 0.02 / math.sqrt(2 * n))
        assert stats.kstest(values[:5000].numpy() / 0.02, "norm").pvalue > 0.001


def test_initial_biases_are_pytorch_s_default(paper):
    """U(-1/√fan_in, 1/√fan_in), by the fan that PyTorch counts, wrong as it is for a transposed layer."""
    scaled = []
    for layer in paper.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            fan_in, _ = nn.init._calculate_fan_in_and_fan_out(layer.weight)
            scaled.append(layer.bias.detach().numpy() * math.sqrt(fan_in))
    every = np.concatenate(scaled)
    assert len(scaled) == 9
    assert abs(every).max() <= 1
    assert all(abs(biases).max() > 0.9 for biases in scaled if len(biases) >= 64)
    assert stats.kstest(every, stats.uniform(-1, 2).cdf).pvalue > 0.001


@pytest.mark.usefixtures("noise_in_the_globals_is_restored")
def test_pytorch_s_default_biases_reach_to_the_same_bound():
    for ours, theirs in (
        (Encoder(**BIG, random=seeded()).trunk[1], nn.Conv2d(64, 128, 4)),
        (Generator(**BIG, random=seeded()).layers[2], nn.ConvTranspose2d(128, 64, 4)),
    ):
        assert ours.bias.abs().max().item() == pytest.approx(theirs.bias.abs().max().item(), rel=0.1)


def test_the_seed_decides_every_initial_weight():
    small = Networks(latent_dim=4, base_channels=2)
    first, again, other = (small.build(seed).state_dict() for seed in (3, 3, 4))
    for name, weight in first.items():
        assert torch.equal(weight, again[name])
        assert not torch.equal(weight, other[name])


def test_building_from_a_seed_neither_reads_nor_moves_the_global_random_numbers():
    small = Networks(latent_dim=4, base_channels=2)
    before = torch.get_rng_state()
    first = small.build(0)
    assert torch.equal(torch.get_rng_state(), before)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(12345)
        again = small.build(0)
    assert torch.equal(first.encoder.latent_head.weight, again.encoder.latent_head.weight)


def test_bfloat16_computes_otherwise_and_hands_back_float32(cortex, images):
    exact, _ = cortex.encoder(images)
    cortex.precision = torch.bfloat16
    z, d_logit = cortex.encoder(images)
    dream = cortex.generator(z)
    assert {z.dtype, d_logit.dtype, dream.dtype} == {torch.float32}
    assert not torch.equal(z, exact)
    torch.testing.assert_close(z, exact, rtol=0, atol=0.02 * exact.abs().max().item())
    assert {weight.dtype for weight in cortex.parameters()} == {torch.float32}


@pytest.mark.parametrize("batch", [0, -1])
def test_portions_of_no_rows_are_refused(batch):
    cortex, z = Cortex(8, 2, random=torch.Generator()), torch.zeros(3, 8)
    for call in (cortex.infer, cortex.activity):
        with pytest.raises(UserError, match=f"batch is {batch}; at least one"):
            call(cortex.generate(z), batch=batch)
    for call in (cortex.generate, lambda z, batch: cortex.activity(latents=z, batch=batch)):
        with pytest.raises(UserError, match=f"batch is {batch}; at least one"):
            call(z, batch=batch)
