"""A file of a user's: phases with organs of their own."""

from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

import dreaming


class Contrast(dreaming.Phase):
    """Two dreams of one gist are mapped together by a projector, those of others apart."""

    plasticity: ClassVar = dreaming.Plasticity(encoder=+1, generator=0, projector=+1)
    terms: ClassVar = ("nt_xent",)
    normalised: bool = True
    bias: bool = True
    scale: bool = True

    def organs(self, cortex):
        n = cortex.latent_dim
        norm = nn.BatchNorm1d(n) if self.normalised else nn.Identity()
        projector = nn.Sequential(nn.Linear(n, n, bias=self.bias), norm, nn.ReLU(), nn.Linear(n, 4))
        if self.scale:
            projector.register_parameter("temperature", nn.Parameter(torch.tensor(0.5)))
        return {"projector": projector}

    def draw(self, random, batch_size, latent_dim):
        return {"around": random.normal("noise", (2, batch_size, latent_dim))}

    def objective(self, cortex, images, hippocampus, draws):
        z = hippocampus.today + 0.25 * draws["around"]
        dreams = cortex.generator(z.flatten(0, 1)).detach()
        head = cortex.organs["projector"]
        h = functional.normalize(head(cortex.latents(dreams)), dim=1)
        logits = h @ h.T / (head.temperature if self.scale else 0.5)
        b = len(images)
        logits = logits - 1e9 * torch.eye(2 * b, dtype=h.dtype, device=h.device)
        partner = torch.arange(2 * b, device=h.device).roll(b)
        loss = functional.cross_entropy(logits, partner)
        return dreaming.Outcome(loss, {"nt_xent": loss})


class Critic(dreaming.Phase):
    """REM with a critic of its own, which the generator works against."""

    plasticity: ClassVar = dreaming.Plasticity(encoder=0, generator=-1, critic=+1)
    terms: ClassVar = ("dream",)

    def organs(self, cortex):
        return {"critic": nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 1))}

    def objective(self, cortex, images, hippocampus, draws):
        head = cortex.organs["critic"]
        real, dreamt = head(images), head(cortex.generator(hippocampus.today))
        loss = functional.softplus(-real).mean() + functional.softplus(dreamt).mean()
        return dreaming.Outcome(loss, {"dream": loss})


class Supervised(dreaming.Phase):
    """A classifier of the phase's own learns labels, and E with it."""

    plasticity: ClassVar = dreaming.Plasticity(encoder=+1, generator=0, classifier=+1)
    terms: ClassVar = ("cross_entropy",)
    sees_labels: ClassVar = True

    def organs(self, cortex):
        return {"classifier": nn.Linear(cortex.latent_dim, 10)}

    def objective(self, cortex, images, hippocampus, draws, labels=None):
        found = cortex.organs["classifier"](cortex.latents(images))
        loss = functional.cross_entropy(found, labels)
        return dreaming.Outcome(loss, {"cross_entropy": loss})


supervised = (dreaming.Wake(), Supervised())


class Silent(Critic):
    """Its critic gets no gradient but 0."""

    def objective(self, cortex, images, hippocampus, draws):
        loss = 0 * cortex.organs["critic"](images).mean()
        return dreaming.Outcome(loss, {"dream": loss})


class Lost(Critic):
    """Its critic gets a gradient that is no number, which no term shows."""

    def objective(self, cortex, images, hippocampus, draws):
        return dreaming.Outcome(cortex.organs["critic"](images).mean() * torch.inf, {})


class Forgotten(dreaming.NREM):
    """It has a sign for an organ that it does not bring."""

    plasticity: ClassVar = dreaming.Plasticity(encoder=+1, generator=0, head=+1)


silent = (dreaming.Wake(), Silent())
lost = (dreaming.Wake(), Lost())
forgotten = (dreaming.Wake(), Forgotten())
contrast = (dreaming.Wake(), dreaming.NREM(), Contrast())
both = (dreaming.Wake(), Contrast(), Critic())
