"""A laboratory for dreaming neural networks.

A model of the visual cortex, an encoder and a generator, learns in cycles: awake it reconstructs what it sees,
in NREM sleep it recovers memories from perturbed dreams, in REM sleep it learns to tell dreams from reality
while the dreams learn to be convincing (Deperrois, Petrovici, Senn, Jordan, eLife 2022).

Examples
--------
>>> import dreaming
>>> [phase.name for phase in dreaming.condition("without_rem")]
['wake', 'nrem']
"""

import lazy_loader

__version__ = "0.1.0"

# Names are imported when they are first asked for, so that `dreaming --help` need not wait for torch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
