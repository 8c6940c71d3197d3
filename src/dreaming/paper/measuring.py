"""Which measures the figures need, with the options of a profile."""

from dreaming.evaluation.measure import Measure
from dreaming.evaluation.measuring import MEASURES
from dreaming.paper.profiles import Profile


def measures_of(profile: Profile) -> dict[str, Measure]:
    """Return the measures of a profile, by the names that `dreaming.paper.panels` uses.

    Examples
    --------
    >>> from dreaming.paper.profiles import PROFILES
    >>> sorted(measures_of(PROFILES["paper"]))
    ['organisation', 'projection', 'readout', 'realism', 'robustness']
    """
    options = {"realism": {"features": profile.features, "samples": profile.samples}}
    return {name: measure(**options.get(name, {})) for name, measure in MEASURES.items()}
