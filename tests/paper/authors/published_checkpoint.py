"""Checkpoints in the layout of the published program, of networks built from the paper's figure 8."""

import io
import zipfile

import numpy as np
import torch
from torch import nn
from torch.nn import functional

LOSSES = {"d_losses": 1.3, "g_losses": -0.7, "r_losses_real": 0.2, "r_losses_fake": 0.9, "kl_losses": 0.3}


def layer(kind, into, out, stride, padding):
    """One layer in a container, as the program's names `LAYER.0.weight` have it."""
    return nn.Sequential(kind(into, out, 4, stride, padding))


class PublishedDiscriminator(nn.Module):
    def __init__(self, latents, width, channels):
        super().__init__()
        for n, (into, out) in enumerate([(channels, width), (width, 2 * width), (2 * width, 4 * width)], 1):
            setattr(self, f"conv{n}", layer(nn.Conv2d, into, out, 2, 1))
        self.conv4 = layer(nn.Conv2d, 4 * width, latents, 2, 0)
        self.dis = layer(nn.Conv2d, 4 * width, 1, 2, 0)

    def forward(self, images):
        activity = images
        for n in (1, 2, 3):
            activity = functional.leaky_relu(getattr(self, f"conv{n}")(activity), 0.2)
        return self.conv4(activity).flatten(1), torch.sigmoid(self.dis(activity)).flatten()


class PublishedGenerator(nn.Module):
    def __init__(self, latents, width, channels):
        super().__init__()
        self.tconv1 = layer(nn.ConvTranspose2d, latents, 4 * width, 1, 0)
        for n, (into, out) in enumerate([(4 * width, 2 * width), (2 * width, width), (width, channels)], 2):
            setattr(self, f"tconv{n}", layer(nn.ConvTranspose2d, into, out, 2, 1))

    def forward(self, latents):
        activity = latents[:, :, None, None]
        for n in (1, 2, 3):
            activity = functional.leaky_relu(getattr(self, f"tconv{n}")(activity), 0.2)
        return torch.tanh(self.tconv4(activity))


class Published:
    """Networks with two epochs of made-up losses, and optimisers that have stepped."""

    def __init__(self, latents=8, width=2, channels=3, seed=0):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.discriminator = PublishedDiscriminator(latents, width, channels)
            self.generator = PublishedGenerator(latents, width, channels)
            seen = torch.rand(4, channels, 32, 32) * 2 - 1
        self.optimizers = [
            torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for net in (self.discriminator, self.generator)
        ]
        latents, externality = self.discriminator(seen)
        (self.generator(latents).square().mean() - externality.log().mean()).backward()
        for optimizer in self.optimizers:
            optimizer.step()

    def content(self, epochs=2):
        """What the program saves."""
        return {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "g_optim": self.optimizers[1].state_dict(),
            "d_optim": self.optimizers[0].state_dict(),
            **{name: [np.float64(value / (k + 1)) for k in range(epochs)] for name, value in LOSSES.items()},
        }


def save(content, path, *, zipped=True, numpy_one=False):
    """Save as `torch.save` does, in either format; numpy's scalars by their name of today or of numpy 1."""
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
    written = buffer.getvalue()
    if numpy_one:
        written = renamed(written, zipped)
    path.write_bytes(written)
    return path


def renamed(written, zipped):
    """Rename numpy's module in the pickle of a file."""
    if not zipped:
        return written.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    return rezipped(
        written,
        lambda name, content: (
            content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
            if name.endswith("data.pkl")
            else content
        ),
    )


def rezipped(written, change, **kwargs):
    """Write a zip anew with the content of each entry changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(written)) as old, zipfile.ZipFile(buffer, "w", **kwargs) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return buffer.getvalue()


def without(content, *names):
    """The content without some of its entries."""
    return {name: value for name, value in content.items() if name not in names}
