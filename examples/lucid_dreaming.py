"""A phase of your own, in one screen: lucid dreaming.

In a lucid dream the sleeper knows that the dream is internal, and steers it: here E learns, as in REM, that
the dream of two mixed memories is internal, and in the same dream recovers the memory mixture that drives it,
while G learns to make that mixture legible (sign +1, where REM has -1).

Let it follow PAD's phases:

    dreaming train --phases examples/lucid_dreaming.py:LucidDream --epochs 2

or be part of a whole cycle of your own:

    dreaming train --phases examples/lucid_dreaming.py:without_rem_but_lucid --epochs 2
"""

from typing import ClassVar

from torch import Tensor

import dreaming
from dreaming import losses


class LucidDream(dreaming.Phase):
    """The dreamer knows it is dreaming, and remembers of what."""

    plasticity: ClassVar = dreaming.Plasticity(encoder=+1, generator=+1)

    name: str = "lucid"
    """What the phase is called in the config and in losses.csv."""
    replay: dreaming.Replay = dreaming.Replay(past=0.5)
    """Which memories drive the dream. Any field can be set: ``--set phases.lucid.replay.past=0.3``."""

    def objective(
        self,
        cortex: dreaming.Cortex,
        images: Tensor,
        hippocampus: dreaming.Hippocampus,
        draws: dreaming.Draws,
    ) -> dreaming.Outcome:
        """Minimise -log(1 - d) + (z_mix - E_z(G(z_mix)))²."""
        memory = self.replay.recall(hippocampus)
        z, d_logit = cortex.encoder(cortex.generator(memory))
        terms = {
            "externality": losses.externality(d_logit, external=False),
            "latent": losses.latent_reconstruction(memory, z),
        }
        return dreaming.Outcome(terms["externality"] + terms["latent"], terms)


without_rem_but_lucid = (dreaming.Wake(), dreaming.NREM(), LucidDream())
