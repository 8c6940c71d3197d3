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

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str

    from dreaming import losses as losses
    from dreaming.conditions import condition as condition
    from dreaming.conditions import conditions as conditions
    from dreaming.conditions import configure as configure
    from dreaming.config import Config as Config
    from dreaming.errors import Stopped as Stopped
    from dreaming.errors import UserError as UserError
    from dreaming.evaluation.comparison import compare as compare
    from dreaming.evaluation.measuring import evaluate as evaluate
    from dreaming.hippocampus import Hippocampus as Hippocampus
    from dreaming.hippocampus import Replay as Replay
    from dreaming.networks import Cortex as Cortex
    from dreaming.networks import Encoder as Encoder
    from dreaming.networks import Generator as Generator
    from dreaming.occlusion import Occlusion as Occlusion
    from dreaming.phases import NREM as NREM
    from dreaming.phases import REM as REM
    from dreaming.phases import Draws as Draws
    from dreaming.phases import Outcome as Outcome
    from dreaming.phases import Phase as Phase
    from dreaming.phases import Wake as Wake
    from dreaming.phases import sleep_wake_cycle as sleep_wake_cycle
    from dreaming.plasticity import Optimizer as Optimizer
    from dreaming.plasticity import Plasticity as Plasticity
    from dreaming.plasticity import Synapses as Synapses
    from dreaming.population import train_all as train_all
    from dreaming.published_program import import_checkpoint as import_checkpoint
    from dreaming.rng import Random as Random
    from dreaming.snapshots import load as load
    from dreaming.training import train as train

# Names are imported when they are first asked for, so that `dreaming --help` need not wait for torch.
_HOME = {
    "conditions": ("condition", "conditions", "configure"),
    "config": ("Config",),
    "errors": ("Stopped", "UserError"),
    "evaluation.comparison": ("compare",),
    "evaluation.measuring": ("evaluate",),
    "hippocampus": ("Hippocampus", "Replay"),
    "networks": ("Cortex", "Encoder", "Generator"),
    "occlusion": ("Occlusion",),
    "phases": ("NREM", "REM", "Draws", "Outcome", "Phase", "Wake", "sleep_wake_cycle"),
    "plasticity": ("Optimizer", "Plasticity", "Synapses"),
    "population": ("train_all",),
    "published_program": ("import_checkpoint",),
    "rng": ("Random",),
    "snapshots": ("load",),
    "training": ("train",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = list(_MODULE_OF)
__all__ += ["losses"]


def __getattr__(name: str) -> Any:
    if name == "losses":
        return import_module("dreaming.losses")
    if name == "__version__":
        from importlib import metadata  # slow, and signals are not heard yet while this package is imported

        return metadata.version("dreaming")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'dreaming' has no attribute {name!r}")
    # Kept under its name, also where a module is called the same, as `conditions` is.
    found = globals()[name] = getattr(import_module(f"dreaming.{_MODULE_OF[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
