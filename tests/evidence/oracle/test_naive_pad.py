"""The oracle against finite differences, and its layers and its optimiser against PyTorch's."""

import numpy as np
import pytest
import torch
from tests.evidence.oracle import naive_pad as naive
from torch.nn import functional

N_Z, CHANNELS, BATCH = 4, 2, 3


@pytest.fixture
def rng():
    return np.random.default_rng(20220406)


def random_parameters(shapes, rng, scale=0.3):
    return {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}


@pytest.fixture
def encoder(rng):
    return random_parameters(naive.encoder_shapes(N_Z, CHANNELS), rng)


@pytest.fixture
def generator(rng):
    return random_parameters(naive.generator_shapes(N_Z, CHANNELS), rng)


@pytest.fixture
def x(rng):
    return rng.uniform(-1, 1, (BATCH, 3, 32, 32))


def normal(rng):
    return rng.standard_normal((BATCH, N_Z))


def slope(function, array, index, h=1e-6):
    """The central difference of `function()` with respect to one element of `array`, which it reads."""
    value = array[index]
    array[index] = value + h
    above = function()
    array[index] = value - h
    below = function()
    array[index] = value
    return (above - below) / (2 * h)


def assert_gradient(function, array, gradient, rng, n=2):
    assert gradient.shape == array.shape
    rounding = 2e-9 * max(10, abs(function()))
    for _ in range(n):
        index = tuple(int(rng.integers(size)) for size in array.shape)
        assert gradient[index] == pytest.approx(slope(function, array, index), rel=2e-6, abs=rounding)


def assert_gradients(function, params, grads, rng):
    for name, gradient in grads.items():
        assert_gradient(function, params[name], gradient, rng)


# ------------------------------------------------------------------------------------- layers, against torch


@pytest.mark.parametrize(("stride", "padding", "size"), [(2, 1, 8), (2, 1, 6), (1, 0, 4), (1, 0, 7)])
@pytest.mark.parametrize("transposed", [False, True])
def test_layers_agree_with_torch(rng, stride, padding, size, transposed):
    x = rng.standard_normal((2, 3, size, size))
    w = rng.standard_normal((3, 5, 4, 4) if transposed else (5, 3, 4, 4))
    b = rng.standard_normal(5)
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, w, b)]
    theirs = functional.conv_transpose2d if transposed else functional.conv2d
    ours = naive.conv_transpose2d if transposed else naive.conv2d
    backward = naive.conv_transpose2d_backward if transposed else naive.conv2d_backward

    expected = theirs(*tensors, stride=stride, padding=padding)
    y = ours(x, w, b, stride, padding)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-12, atol=1e-12)

    dy = rng.standard_normal(y.shape)
    expected.backward(torch.tensor(dy))
    for mine, tensor in zip(backward(dy, x, w, stride, padding), tensors, strict=True):
        np.testing.assert_allclose(mine, tensor.grad.numpy(), rtol=1e-11, atol=1e-11)


def test_nonlinearities_agree_with_torch(rng):
    a, dy = rng.standard_normal((2, 50))
    for theirs, y, da in [
        (lambda t: functional.leaky_relu(t, 0.2), naive.leaky_relu(a), naive.leaky_relu_backward(dy, a)),
        (torch.tanh, naive.tanh(a), naive.tanh_backward(dy, naive.tanh(a))),
    ]:
        tensor = torch.tensor(a, requires_grad=True)
        expected = theirs(tensor)
        expected.backward(torch.tensor(dy))
        np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-14)
        np.testing.assert_allclose(da, tensor.grad.numpy(), rtol=1e-12)


# ----------------------------------------------------------------------- networks, against finite differences


def test_parameter_counts_of_the_paper():
    def count(shapes, start=""):
        return sum(int(np.prod(shape)) for name, shape in shapes.items() if name.startswith(start))

    assert count(naive.encoder_shapes(256, 64)) == 1_711_809
    assert count(naive.encoder_shapes(256, 64), "externality_head") == 4_097
    assert count(naive.generator_shapes(256, 64)) == 1_707_459


@pytest.mark.parametrize("heads", ["both", "latent", "externality"])
def test_encoder_backward(encoder, x, rng, heads):
    dz = None if heads == "externality" else normal(rng)
    dd = None if heads == "latent" else rng.standard_normal(BATCH)

    def loss():
        z, d_logit, _ = naive.encoder_forward(encoder, x)
        return (0 if dz is None else (z * dz).sum()) + (0 if dd is None else (d_logit * dd).sum())

    z, d_logit, tape = naive.encoder_forward(encoder, x)
    assert z.shape == (BATCH, N_Z)
    assert d_logit.shape == (BATCH,)
    grads, dx = naive.encoder_backward(tape, dz, dd)
    silent = {"both": "no head", "latent": "externality_head", "externality": "latent_head"}[heads]
    assert set(grads) == {name for name in encoder if not name.startswith(silent)}
    assert_gradients(loss, encoder, grads, rng)
    assert_gradient(loss, x, dx, rng, n=6)


def test_encoder_without_errors_is_refused(encoder, x):
    _, _, tape = naive.encoder_forward(encoder, x)
    with pytest.raises(ValueError, match="without any error"):
        naive.encoder_backward(tape, None, None)


def test_generator_backward(generator, rng):
    z = normal(rng)
    image, tape = naive.generator_forward(generator, z)
    assert image.shape == (BATCH, 3, 32, 32)
    dimage = rng.standard_normal(image.shape)
    grads, dz = naive.generator_backward(tape, dimage)

    def loss():
        return (naive.generator_forward(generator, z)[0] * dimage).sum()

    assert set(grads) == set(generator)
    assert_gradients(loss, generator, grads, rng)
    assert_gradient(loss, z, dz, rng, n=6)


# ---------------------------------------------------------------------------------------------------- losses


@pytest.mark.parametrize("reduction", ["mean", "squared_norm"])
def test_square_loss(rng, reduction):
    target, y = rng.standard_normal((2, BATCH, 5))
    loss, gradient = naive.square_loss(target, y, reduction)
    mean = functional.mse_loss(torch.tensor(y), torch.tensor(target)).item()
    assert loss == pytest.approx(mean * (5 if reduction == "squared_norm" else 1))
    assert_gradient(lambda: naive.square_loss(target, y, reduction)[0], y, gradient, rng, n=10)


def test_kl_loss(rng):
    z = 0.3 + 1.7 * normal(rng)
    loss, gradient = naive.kl_loss(z)
    tensor = torch.tensor(z)
    mu, sigma = tensor.mean(0), tensor.std(0)
    assert loss == pytest.approx((0.5 * (mu**2 + sigma**2 - 1 - torch.log(sigma**2))).mean().item())
    assert_gradient(lambda: naive.kl_loss(z)[0], z, gradient, rng, n=12)


@pytest.mark.parametrize(("target", "function"), [(1.0, naive.real_loss), (0.0, naive.rem_loss)])
def test_adversarial_losses(rng, target, function):
    a = 3 * rng.standard_normal(BATCH)
    loss, gradient = function(a)
    tensor = torch.tensor(a)
    expected = functional.binary_cross_entropy_with_logits(tensor, torch.full_like(tensor, target))
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    assert_gradient(lambda: function(a)[0], a, gradient, rng, n=8)


def test_adversarial_losses_are_stable():
    loss, gradient = naive.real_loss(np.array([-2000.0, 2000.0]))
    assert loss == 1000
    np.testing.assert_array_equal(gradient, [-0.5, 0])
    loss, gradient = naive.rem_loss(np.array([-2000.0, 2000.0]))
    assert loss == 1000
    np.testing.assert_array_equal(gradient, [0, 0.5])


# -------------------------------------------------------------- the phases' gradients, by finite differences


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"latent_noise": 0.5, "externality_weight": 0},
        {"image_weight": 0.3, "kl_weight": 2.0, "externality_weight": 0.7, "reduction": "squared_norm"},
        {"image_weight": 0},
        {"kl_weight": 0, "externality_weight": 0},
        {"image_weight": 0, "kl_weight": 0},
    ],
)
def test_wake_gradients(encoder, generator, x, rng, changes):
    phase = naive.complete({"kind": "wake", **changes})
    draws = {"noise": normal(rng)}
    weights = {
        name: phase[f"{name.removeprefix('wake.')}_weight"]
        for name in ("wake.image", "wake.kl", "wake.externality")
    }

    def loss():
        terms = naive.wake_gradients(encoder, generator, x, phase, draws)[1]
        return sum(weights[name] * value for name, value in terms.items())

    _, terms, de, dg = naive.wake_gradients(encoder, generator, x, phase, draws)
    assert set(terms) == {name for name, weight in weights.items() if weight != 0}
    assert any("externality" in name for name in de) == (phase["externality_weight"] != 0)
    assert set(dg) == (set(generator) if phase["image_weight"] != 0 else set())
    assert_gradients(loss, encoder, de, rng)
    assert_gradients(loss, generator, dg, rng)


@pytest.mark.parametrize(
    "changes", [{}, {"weight": 0.5, "past": 0.5, "noise": 0.5, "reduction": "squared_norm"}]
)
def test_nrem_gradients(encoder, generator, rng, changes):
    phase = naive.complete({"kind": "nrem", **changes})
    memories = {"today": normal(rng), "yesterday": normal(rng)}
    draws = {"noise": normal(rng), "mask": naive.mask(0.4, 5, rng.uniform(size=(32, 32)))}

    def loss():
        terms = naive.nrem_gradients(encoder, generator, memories, phase, draws)[0]
        return phase["weight"] * terms["nrem.latent"]

    _, de, dg = naive.nrem_gradients(encoder, generator, memories, phase, draws)
    assert set(de) == {name for name in encoder if not name.startswith("externality_head")}
    assert dg == {}
    assert_gradients(loss, encoder, de, rng)


@pytest.mark.parametrize("weight", [1, 0.3])
def test_rem_gradients(encoder, generator, rng, weight):
    phase = naive.complete({"kind": "rem", "weight": weight})
    memories = {"today": normal(rng), "yesterday": normal(rng)}
    draws = {"noise": normal(rng)}

    def loss():
        terms = naive.rem_gradients(encoder, generator, memories, phase, draws)[0]
        return weight * terms["rem.externality"]

    _, de, dg = naive.rem_gradients(encoder, generator, memories, phase, draws)
    assert set(de) == {name for name in encoder if not name.startswith("latent_head")}
    assert_gradients(loss, encoder, de, rng)
    assert_gradients(loss, generator, dg, rng)


# ------------------------------------------------------------------------------------------------------ Adam


@pytest.mark.parametrize("idle", ["hold", "coast"])
def test_adam_agrees_with_torch(rng, idle):
    params = {name: rng.standard_normal(5) for name in ("always", "sometimes", "late", "never")}
    start = params["never"]
    adam = naive.Adam()
    theirs = {name: torch.tensor(value.copy(), requires_grad=True) for name, value in params.items()}
    optimizer = torch.optim.Adam(theirs.values(), lr=2e-4, betas=(0.5, 0.999))
    for t in range(12):
        present = ["always"] + ["sometimes"] * (t % 3 == 0) + ["late"] * (t > 5)
        grads = {name: rng.standard_normal(5) for name in present}
        adam.step(params, grads, idle)
        optimizer.zero_grad(set_to_none=idle == "hold")  # coast: the zeros that PyTorch 1.x left
        for name, g in grads.items():
            theirs[name].grad = torch.tensor(g)
        optimizer.step()
        for name, value in params.items():
            np.testing.assert_allclose(value, theirs[name].detach().numpy(), rtol=1e-12, atol=1e-14)
    assert adam.steps == {"always": 12, "sometimes": 4 if idle == "hold" else 12, "late": 6}
    assert params["never"] is start


# ------------------------------------------------------------------------------------------------- the cycle


PAD = [{"kind": "wake"}, {"kind": "nrem"}, {"kind": "rem"}]
NOTHING = {"today": None, "yesterday": None}


def all_draws(rng):
    return {
        "wake": {"noise": normal(rng)},
        "nrem": {"mask": naive.mask(0.3, 4, rng.uniform(size=(32, 32))), "noise": normal(rng)},
        "rem": {"noise": normal(rng)},
    }


def moved(before, after):
    return {name.rpartition(".")[0] for name in before if not np.array_equal(before[name], after[name])}


def test_a_cycle_is_its_phases_one_after_another(encoder, generator, x, rng):
    """The cycle's first day written out, with PyTorch's Adam in the place of ours."""
    draws = all_draws(rng)
    tensors = [{k: torch.tensor(v.copy()) for k, v in p.items()} for p in (encoder, generator)]
    optimizers = [torch.optim.Adam(t.values(), lr=2e-4, betas=(0.5, 0.999)) for t in tensors]

    def arrays():
        return ({k: t.numpy() for k, t in network.items()} for network in tensors)

    def step(grads, signs):
        for network, optimizer, g, sign in zip(tensors, optimizers, grads, signs, strict=True):
            optimizer.zero_grad()
            for name, value in g.items():
                network[name].grad = sign * torch.tensor(value)
            optimizer.step()

    wake, nrem, rem = map(naive.complete, PAD)
    z, _, *grads = naive.wake_gradients(*arrays(), x, wake, draws["wake"])
    step(grads, (1, 1))
    night = {"today": z, "yesterday": None}
    _, *grads = naive.nrem_gradients(*arrays(), night, nrem, draws["nrem"])
    step(grads, (1, 0))
    _, *grads = naive.rem_gradients(*arrays(), night, rem, draws["rem"])
    step(grads, (1, -1))

    memories, terms = naive.cycle(encoder, generator, naive.Adam(), naive.Adam(), x, NOTHING, PAD, draws)
    np.testing.assert_array_equal(memories["today"], z)
    assert memories["yesterday"] is None
    assert set(terms) == {"wake.image", "wake.kl", "wake.externality", "nrem.latent", "rem.externality"}
    for network, expected in zip((encoder, generator), arrays(), strict=True):
        for name, value in network.items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-12, atol=1e-14)


def test_who_learns_when(encoder, generator, x, rng):
    draws = all_draws(rng)
    memories = {"today": normal(rng), "yesterday": normal(rng)}
    trunk = {"trunk.0", "trunk.1", "trunk.2"}
    layers = {f"layers.{i}" for i in range(4)}
    for phase, encoder_moves, generator_moves in [
        ({"kind": "wake"}, {*trunk, "latent_head", "externality_head"}, layers),
        ({"kind": "wake", "externality_weight": 0}, {*trunk, "latent_head"}, layers),
        ({"kind": "nrem"}, {*trunk, "latent_head"}, set()),
        ({"kind": "rem"}, {*trunk, "externality_head"}, layers),
        ({"kind": "nrem", "weight": 0}, set(), set()),
        ({"kind": "rem", "weight": 0}, set(), set()),
    ]:
        e, g = dict(encoder), dict(generator)
        naive.cycle(e, g, naive.Adam(), naive.Adam(), x, memories, [phase], draws)
        assert moved(encoder, e) == encoder_moves
        assert moved(generator, g) == generator_moves


def test_rem_makes_the_encoder_descend_and_the_generator_ascend(encoder, generator, x, rng):
    draws = all_draws(rng)
    memories = {"today": normal(rng), "yesterday": normal(rng)}
    e, g = dict(encoder), dict(generator)
    _, before = naive.cycle(e, g, naive.Adam(1e-5), naive.Adam(1e-5), x, memories, [{"kind": "rem"}], draws)
    phase = naive.complete({"kind": "rem"})
    for networks, sign in [((e, generator), -1), ((encoder, g), +1)]:
        after = naive.rem_gradients(*networks, memories, phase, draws["rem"])[0]
        assert np.sign(after["rem.externality"] - before["rem.externality"]) == sign


def test_wake_stores_the_clean_latents_from_before_its_update(encoder, generator, x, rng):
    first = naive.encoder_forward(encoder, x)[0]
    wake = [{"kind": "wake", "latent_noise": 0.5}]
    adams = naive.Adam(), naive.Adam()
    memories, _ = naive.cycle(encoder, generator, *adams, x, NOTHING, wake, all_draws(rng))
    np.testing.assert_array_equal(memories["today"], first)
    second = naive.encoder_forward(encoder, x)[0]
    memories, _ = naive.cycle(encoder, generator, *adams, x, memories, wake, all_draws(rng))
    np.testing.assert_array_equal(memories["today"], second)
    np.testing.assert_array_equal(memories["yesterday"], first)
    assert not np.array_equal(first, second)


def test_coasting_moves_the_idle_head_and_an_absent_nrem(encoder, generator, x, rng):
    draws = all_draws(rng)
    for idle, phases, latent, externality, trunk in [
        ("hold", PAD, 2, 2, 3),
        ("coast", PAD, 3, 3, 3),
        ("hold", [PAD[0], PAD[2]], 1, 2, 2),
        ("coast", [PAD[0], PAD[2]], 3, 3, 3),
        ("coast", [PAD[0], {"kind": "nrem", "weight": 0}, PAD[2]], 3, 3, 3),
        ("hold", [PAD[0]], 1, 1, 1),
        ("coast", [PAD[0]], 2, 2, 2),
        ("coast", [{"kind": "wake", "externality_weight": 0}], 2, None, 2),
    ]:
        adams = naive.Adam(), naive.Adam()
        naive.cycle(dict(encoder), dict(generator), *adams, x, NOTHING, phases, draws, idle)
        steps = adams[0].steps
        assert steps["latent_head.weight"] == latent
        assert steps.get("externality_head.weight") == externality
        assert steps["trunk.0.weight"] == trunk


def test_replay(rng):
    z, old, eps = normal(rng), normal(rng), normal(rng)

    def replay(yesterday, **changes):
        phase = naive.complete({"kind": "rem", **changes})
        return naive.replay(phase, {"today": z, "yesterday": yesterday}, {"noise": eps})

    np.testing.assert_allclose(replay(old), 0.25 * z + 0.25 * old + 0.5 * eps)
    np.testing.assert_allclose(replay(old, past=0.2, noise=0.1), 0.72 * z + 0.18 * old + 0.1 * eps)
    np.testing.assert_allclose(replay(None), 0.5 * z + 0.5 * eps)
    np.testing.assert_array_equal(replay(None, first_night="memory_alone"), z)
    np.testing.assert_array_equal(replay(None, noise=1, first_night="memory_alone"), eps)
    np.testing.assert_array_equal(replay(old, noise=1), eps)
    np.testing.assert_array_equal(replay(old, past=0, noise=0), z)
    np.testing.assert_array_equal(replay(None, noise=0), z)


def test_unknown_settings_are_refused():
    with pytest.raises(ValueError, match="knows no"):
        naive.complete({"kind": "rem", "latent_noise": 1})
    with pytest.raises(ValueError, match="reduction"):
        naive.square_loss(np.zeros((1, 1)), np.zeros((1, 1)), "sum")


# ---------------------------------------------------------------------------------------- occlusion, readout


def test_mask(rng):
    uniforms = rng.uniform(size=(32, 32))
    np.testing.assert_array_equal(naive.mask(0.5, 1, uniforms), uniforms >= 0.5)
    assert naive.mask(0.0, 3, uniforms).min() == 1
    assert naive.mask(1.0, 3, uniforms).max() == 0
    tiles = (uniforms[:5, :5] >= 0.5).astype(float)
    np.testing.assert_array_equal(naive.mask(0.5, 7, uniforms), np.kron(tiles, np.ones((7, 7)))[:32, :32])


@pytest.mark.changes_global_state
def test_readout_agrees_with_torch(rng):
    centres = rng.standard_normal((10, 6))
    labels, test_labels = rng.integers(10, size=150), rng.integers(10, size=40)
    features = centres[labels] + 0.3 * rng.standard_normal((150, 6))
    test_features = centres[test_labels] + 0.3 * rng.standard_normal((40, 6))
    orders = [rng.permutation(150) for _ in range(5)]
    layer = torch.nn.Linear(6, 10, dtype=torch.float64)
    weight0, bias0 = (p.detach().numpy().copy() for p in (layer.weight, layer.bias))
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.2)
    for order in orders:
        for start in (0, 64):
            i = torch.tensor(order[start : start + 64])
            optimizer.zero_grad()
            y = layer(torch.tensor(features)[i])
            functional.cross_entropy(y, torch.tensor(labels)[i]).backward()
            optimizer.step()
    accuracy, weight, bias = naive.naive_readout(
        features, labels, test_features, test_labels, weight0, bias0, orders
    )
    np.testing.assert_allclose(weight, layer.weight.detach().numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(bias, layer.bias.detach().numpy(), rtol=1e-10, atol=1e-12)
    guesses = layer(torch.tensor(test_features)).argmax(1).numpy()
    assert accuracy == (guesses == test_labels).mean()
    assert 0.3 < accuracy <= 1
