"""The wake-sleep cycle a second time, from the equations alone: numpy, float64, backward passes by hand.

It is the oracle of the tests, so it shares no code with the package and is meant to be read, not to be fast.
Parameters are dicts from name to float64 array. A step binds the dict's names to new arrays and never writes
into an old array, so `dict(parameters)` is a snapshot.
"""

import numpy as np

SLOPE = 0.2
KERNEL = 4
SIDE = 32

# What each phase does to (encoder, generator): +1 descends the phase's loss, -1 ascends it, 0 is not plastic.
PLASTICITY = {"wake": (+1, +1), "nrem": (+1, 0), "rem": (+1, -1)}

DEFAULTS = {
    "wake": {
        "image_weight": 1,
        "kl_weight": 1,
        "externality_weight": 1,
        "latent_noise": 0.0,
        "reduction": "mean",
    },
    "nrem": {"weight": 1, "past": 0, "noise": 0, "first_night": "with_noise", "reduction": "mean"},
    "rem": {"weight": 1, "past": 0.5, "noise": 0.5, "first_night": "with_noise"},
}


# ---------------------------------------------------------------------------------------------------- layers


def conv2d(x, w, b, stride, padding):
    """y[n, o, i, j] = b[o] + sum over c, ky, kx of w[o, c, ky, kx] x[n, c, stride i + ky, stride j + kx]."""
    x = pad(x, padding)
    height = (x.shape[2] - KERNEL) // stride + 1
    width = (x.shape[3] - KERNEL) // stride + 1
    y = np.zeros((x.shape[0], w.shape[0], height, width))
    for ky in range(KERNEL):
        for kx in range(KERNEL):
            seen = x[:, :, ky : ky + stride * height : stride, kx : kx + stride * width : stride]
            y += np.einsum("ncij,oc->noij", seen, w[:, :, ky, kx])
    return y + b[None, :, None, None]


def conv2d_backward(dy, x, w, stride, padding):
    """Gradients of a loss with respect to x, w and b, from its gradient with respect to the output."""
    x = pad(x, padding)
    height, width = dy.shape[2:]
    dx = np.zeros_like(x)
    dw = np.zeros_like(w)
    for ky in range(KERNEL):
        for kx in range(KERNEL):
            rows = slice(ky, ky + stride * height, stride)
            columns = slice(kx, kx + stride * width, stride)
            dw[:, :, ky, kx] = np.einsum("noij,ncij->oc", dy, x[:, :, rows, columns])
            dx[:, :, rows, columns] += np.einsum("noij,oc->ncij", dy, w[:, :, ky, kx])
    return crop(dx, padding), dw, dy.sum(axis=(0, 2, 3))


def conv_transpose2d(x, w, b, stride, padding):
    """Each x[n, c, i, j] adds w[c, o, ky, kx] times itself to y[n, o, stride i + ky, stride j + kx]."""
    height, width = x.shape[2:]
    y = np.zeros((x.shape[0], w.shape[1], stride * (height - 1) + KERNEL, stride * (width - 1) + KERNEL))
    for ky in range(KERNEL):
        for kx in range(KERNEL):
            rows = slice(ky, ky + stride * height, stride)
            columns = slice(kx, kx + stride * width, stride)
            y[:, :, rows, columns] += np.einsum("ncij,co->noij", x, w[:, :, ky, kx])
    return crop(y, padding) + b[None, :, None, None]


def conv_transpose2d_backward(dy, x, w, stride, padding):
    """Gradients of a loss with respect to x, w and b, from its gradient with respect to the output."""
    height, width = x.shape[2:]
    db = dy.sum(axis=(0, 2, 3))
    dy = pad(dy, padding)
    dx = np.zeros_like(x)
    dw = np.zeros_like(w)
    for ky in range(KERNEL):
        for kx in range(KERNEL):
            reached = dy[:, :, ky : ky + stride * height : stride, kx : kx + stride * width : stride]
            dw[:, :, ky, kx] = np.einsum("noij,ncij->co", reached, x)
            dx += np.einsum("noij,co->ncij", reached, w[:, :, ky, kx])
    return dx, dw, db


def pad(x, padding):
    """Zeros around the two image axes."""
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


def crop(x, padding):
    """The inverse of `pad`."""
    return x[:, :, padding : x.shape[2] - padding, padding : x.shape[3] - padding]


def leaky_relu(a):
    """LeakyReLU with slope 0.2."""
    return np.where(a > 0, a, SLOPE * a)


def leaky_relu_backward(dy, a):
    """The gradient with respect to the input `a` of the nonlinearity."""
    return np.where(a > 0, dy, SLOPE * dy)


def tanh(a):
    """Hyperbolic tangent."""
    return np.tanh(a)


def tanh_backward(dy, y):
    """The gradient with respect to the input, from the output `y`."""
    return dy * (1 - y**2)


# -------------------------------------------------------------------------------------------------- networks


def encoder_shapes(n_z, base_channels):
    """Name and shape of each parameter of E."""
    c = base_channels
    return {
        "trunk.0.weight": (c, 3, 4, 4),
        "trunk.0.bias": (c,),
        "trunk.1.weight": (2 * c, c, 4, 4),
        "trunk.1.bias": (2 * c,),
        "trunk.2.weight": (4 * c, 2 * c, 4, 4),
        "trunk.2.bias": (4 * c,),
        "latent_head.weight": (n_z, 4 * c, 4, 4),
        "latent_head.bias": (n_z,),
        "externality_head.weight": (1, 4 * c, 4, 4),
        "externality_head.bias": (1,),
    }


def generator_shapes(n_z, base_channels):
    """Name and shape of each parameter of G."""
    c = base_channels
    return {
        "layers.0.weight": (n_z, 4 * c, 4, 4),
        "layers.0.bias": (4 * c,),
        "layers.1.weight": (4 * c, 2 * c, 4, 4),
        "layers.1.bias": (2 * c,),
        "layers.2.weight": (2 * c, c, 4, 4),
        "layers.2.bias": (c,),
        "layers.3.weight": (c, 3, 4, 4),
        "layers.3.bias": (3,),
    }


def encoder_forward(params, x):
    """Z, the logit of d, and the tape: what the backward pass needs."""
    inputs, sums = [], []
    h = np.asarray(x, dtype=np.float64)
    for i in range(3):
        inputs.append(h)
        a = conv2d(h, params[f"trunk.{i}.weight"], params[f"trunk.{i}.bias"], stride=2, padding=1)
        sums.append(a)
        h = leaky_relu(a)
    z = conv2d(h, params["latent_head.weight"], params["latent_head.bias"], stride=1, padding=0)
    d = conv2d(h, params["externality_head.weight"], params["externality_head.bias"], stride=1, padding=0)
    tape = {"params": dict(params), "inputs": inputs, "sums": sums, "trunk": h}
    return z[:, :, 0, 0], d[:, 0, 0, 0], tape


def encoder_backward(tape, dz, dd_logit):
    """Gradients of E's parameters and of x; a head whose gradient is None gets no entry."""
    if dz is None and dd_logit is None:
        raise ValueError("an encoder without any error at its outputs has no gradient")
    params = tape["params"]
    grads = {}
    dh = np.zeros_like(tape["trunk"])
    if dz is not None:
        w = params["latent_head.weight"]
        dx, dw, db = conv2d_backward(dz[:, :, None, None], tape["trunk"], w, stride=1, padding=0)
        grads["latent_head.weight"], grads["latent_head.bias"] = dw, db
        dh = dh + dx
    if dd_logit is not None:
        w = params["externality_head.weight"]
        dx, dw, db = conv2d_backward(dd_logit[:, None, None, None], tape["trunk"], w, stride=1, padding=0)
        grads["externality_head.weight"], grads["externality_head.bias"] = dw, db
        dh = dh + dx
    for i in (2, 1, 0):
        da = leaky_relu_backward(dh, tape["sums"][i])
        w = params[f"trunk.{i}.weight"]
        dh, dw, db = conv2d_backward(da, tape["inputs"][i], w, stride=2, padding=1)
        grads[f"trunk.{i}.weight"], grads[f"trunk.{i}.bias"] = dw, db
    return grads, dh


def generator_geometry(i):
    """Stride and padding of layer i of G."""
    return (1, 0) if i == 0 else (2, 1)


def generator_forward(params, z):
    """The image G(z), and the tape: what the backward pass needs."""
    inputs, sums = [], []
    h = np.asarray(z, dtype=np.float64)[:, :, None, None]
    for i in range(4):
        stride, padding = generator_geometry(i)
        inputs.append(h)
        a = conv_transpose2d(h, params[f"layers.{i}.weight"], params[f"layers.{i}.bias"], stride, padding)
        sums.append(a)
        h = tanh(a) if i == 3 else leaky_relu(a)
    return h, {"params": dict(params), "inputs": inputs, "sums": sums, "image": h}


def generator_backward(tape, dimage):
    """Gradients of G's parameters and of z."""
    grads = {}
    dh = dimage
    for i in (3, 2, 1, 0):
        da = tanh_backward(dh, tape["image"]) if i == 3 else leaky_relu_backward(dh, tape["sums"][i])
        stride, padding = generator_geometry(i)
        w = tape["params"][f"layers.{i}.weight"]
        dh, dw, db = conv_transpose2d_backward(da, tape["inputs"][i], w, stride, padding)
        grads[f"layers.{i}.weight"], grads[f"layers.{i}.bias"] = dw, db
    return grads, dh[:, :, 0, 0]


# ---------------------------------------------------------------------------------------------------- losses


def square_loss(target, y, reduction="mean"):
    """Equations 2 and 6, and their gradient with respect to y.

    "mean" divides by the number of elements, "squared_norm" by the number of samples alone.
    """
    if reduction not in ("mean", "squared_norm"):
        raise ValueError(f"unknown reduction {reduction!r}")
    n = y.size if reduction == "mean" else y.shape[0]
    return float(((target - y) ** 2).sum() / n), 2 * (y - target) / n


def kl_loss(z):
    """Equation 4, with the standard deviation of n - 1, and its gradient with respect to z."""
    b, n_z = z.shape
    mu = z.mean(axis=0)
    variance = ((z - mu) ** 2).sum(axis=0) / (b - 1)
    loss = 0.5 * (mu**2 + variance - 1 - np.log(variance)).sum() / n_z
    dmu = mu / n_z
    dvariance = 0.5 * (1 - 1 / variance) / n_z
    # mu moves by 1 / b with each z; the variance by 2 (z - mu) / (b - 1), its way through mu being zero.
    return float(loss), dmu / b + dvariance * 2 * (z - mu) / (b - 1)


def sigmoid(a):
    """1 / (1 + exp(-a)), without overflow."""
    return np.exp(-np.logaddexp(0, -a))


def real_loss(d_logit):
    """Equation 5, -mean log d, and its gradient with respect to the logit a; -log d = log(1 + exp(-a))."""
    b = d_logit.shape[0]
    return float(np.logaddexp(0, -d_logit).sum() / b), -sigmoid(-d_logit) / b


def rem_loss(d_logit):
    """Equation 8, -mean log(1 - d), and its gradient with respect to the logit."""
    b = d_logit.shape[0]
    return float(np.logaddexp(0, d_logit).sum() / b), sigmoid(d_logit) / b


# ------------------------------------------------------------------------------------------------------ Adam


class Adam:
    """Adam with a step count for each parameter; a parameter has state from its first gradient on."""

    def __init__(self, lr=2e-4, betas=(0.5, 0.999), eps=1e-8):
        self.lr, self.betas, self.eps = lr, betas, eps
        self.steps, self.first, self.second = {}, {}, {}

    def step(self, params, grads, idle="hold"):
        """Descend. A parameter without a gradient holds still, or coasts on a zero one if it has state."""
        if idle not in ("hold", "coast"):
            raise ValueError(f"unknown idle mode {idle!r}")
        for name in params:
            if name in grads:
                self.move(params, name, grads[name])
            elif idle == "coast" and name in self.steps:
                self.move(params, name, np.zeros_like(params[name]))

    def move(self, params, name, g):
        """One Adam step of one parameter."""
        beta1, beta2 = self.betas
        t = self.steps.get(name, 0) + 1
        m = beta1 * self.first.get(name, 0) + (1 - beta1) * g
        v = beta2 * self.second.get(name, 0) + (1 - beta2) * g**2
        self.steps[name], self.first[name], self.second[name] = t, m, v
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        params[name] = params[name] - self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


# ------------------------------------------------------------------------------------------------- the cycle


def replay(phase, memories, draws):
    """(1 - noise) ((1 - past) z + past z_old) + noise eps; other rules where there is no z_old yet."""
    z, z_old = memories["today"], memories["yesterday"]
    past, noise = phase["past"], phase["noise"]
    if noise == 1:
        return draws["noise"]
    if z_old is None and phase["first_night"] == "memory_alone":
        return z
    if z_old is None and phase["first_night"] != "with_noise":
        raise ValueError(f"unknown first night {phase['first_night']!r}")
    memory = z if z_old is None or past == 0 else (1 - past) * z + past * z_old
    return memory if noise == 0 else (1 - noise) * memory + noise * draws["noise"]


def wake_gradients(encoder, generator, x, phase, draws):
    """Equations 1, 2 (or 12), 4, 5: the latents, the losses, and the gradients of E and G."""
    terms = {}
    generator_grads = {}
    dz, dd_logit = None, None
    z, d_logit, encoder_tape = encoder_forward(encoder, x)
    if phase["image_weight"] != 0:
        s = phase["latent_noise"]
        source = z if s == 0 else z + s * draws["noise"]
        reconstruction, generator_tape = generator_forward(generator, source)
        terms["wake.image"], d = square_loss(x, reconstruction, phase["reduction"])
        generator_grads, dz = generator_backward(generator_tape, phase["image_weight"] * d)
    if phase["kl_weight"] != 0:
        terms["wake.kl"], d = kl_loss(z)
        dz = phase["kl_weight"] * d + (0 if dz is None else dz)
    if phase["externality_weight"] != 0:
        terms["wake.externality"], d = real_loss(d_logit)
        dd_logit = phase["externality_weight"] * d
    encoder_grads, _ = encoder_backward(encoder_tape, dz, dd_logit)
    return z, terms, encoder_grads, generator_grads


def nrem_gradients(encoder, generator, memories, phase, draws):
    """Equation 6: the loss and the gradients of E; G has none."""
    z = replay(phase, memories, draws)
    dream, _ = generator_forward(generator, z)
    seen, _, tape = encoder_forward(encoder, dream * draws["mask"])
    loss, d = square_loss(z, seen, phase["reduction"])
    encoder_grads, _ = encoder_backward(tape, phase["weight"] * d, None)
    return {"nrem.latent": loss}, encoder_grads, {}


def rem_gradients(encoder, generator, memories, phase, draws):
    """Equation 8: the loss and its gradients for E and for G, no sign switched yet."""
    dream, generator_tape = generator_forward(generator, replay(phase, memories, draws))
    _, d_logit, encoder_tape = encoder_forward(encoder, dream)
    loss, d = rem_loss(d_logit)
    encoder_grads, ddream = encoder_backward(encoder_tape, None, phase["weight"] * d)
    generator_grads, _ = generator_backward(generator_tape, ddream)
    return {"rem.externality": loss}, encoder_grads, generator_grads


def complete(phase):
    """The phase with its defaults filled in."""
    kind = phase["kind"]
    unknown = set(phase) - set(DEFAULTS[kind]) - {"kind"}
    if unknown:
        raise ValueError(f"{kind} knows no {sorted(unknown)}")
    return DEFAULTS[kind] | phase


def is_on(phase):
    """Whether the phase happens: NREM and REM of weight 0 do not. Wake always does."""
    return phase["kind"] == "wake" or phase["weight"] != 0


def cycle(encoder, generator, adam_e, adam_g, x, memories, phases, draws, idle="hold"):
    """One day: the phases in their order change both networks; returns the new memories and the losses."""
    phases = [phase for phase in map(complete, phases) if is_on(phase)]
    has_nrem = any(phase["kind"] == "nrem" for phase in phases)
    memories = dict(memories)
    terms = {}
    for phase in phases:
        kind = phase["kind"]
        drawn = draws.get(kind, {})
        if kind == "wake":
            z, losses, de, dg = wake_gradients(encoder, generator, x, phase, drawn)
            memories = {"yesterday": memories["today"], "today": z}
        elif kind == "nrem":
            losses, de, dg = nrem_gradients(encoder, generator, memories, phase, drawn)
        else:
            losses, de, dg = rem_gradients(encoder, generator, memories, phase, drawn)
        terms |= losses

        encoder_sign, generator_sign = PLASTICITY[kind]
        if encoder_sign != 0:
            adam_e.step(encoder, {name: encoder_sign * g for name, g in de.items()}, idle)
        if generator_sign != 0:
            adam_g.step(generator, {name: generator_sign * g for name, g in dg.items()}, idle)

        if kind == "wake" and idle == "coast" and not has_nrem:
            adam_e.step(encoder, {}, idle)  # the optimiser still steps where NREM would have been
    return memories, terms


# ---------------------------------------------------------------------------------------- occlusion, readout


def mask(p, s, uniforms):
    """The [32, 32] mask of s x s tiles from the top left; tile (i, j) is 0 if uniforms[i, j] < p, else 1."""
    omega = np.ones((SIDE, SIDE))
    for row in range(SIDE):
        for column in range(SIDE):
            if uniforms[row // s, column // s] < p:
                omega[row, column] = 0
    return omega


def naive_readout(features, labels, test_features, test_labels, weight0, bias0, orders, lr=0.2, batch=64):
    """Softmax regression by SGD, an epoch for each permutation: test accuracy in [0, 1], weight, bias."""
    weight = np.array(weight0, dtype=np.float64)  # [classes, n_z]
    bias = np.array(bias0, dtype=np.float64)
    for order in orders:
        for start in range(0, len(order) - batch + 1, batch):
            dweight = np.zeros_like(weight)
            dbias = np.zeros_like(bias)
            for i in order[start : start + batch]:
                y = weight @ features[i] + bias
                p = np.exp(y - y.max())
                p /= p.sum()
                p[labels[i]] -= 1  # the gradient of -log p[label] with respect to y
                dweight += np.outer(p, features[i]) / batch
                dbias += p / batch
            weight -= lr * dweight
            bias -= lr * dbias
    right = 0
    for z, label in zip(test_features, test_labels, strict=True):
        right += int(np.argmax(weight @ z + bias) == label)
    return right / len(test_labels), weight, bias
