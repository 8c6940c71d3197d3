"""How hard properties are tried: the same few examples each time; with DREAMING_PROPERTIES=long, many others."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite",
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("long", settings.get_profile("suite"), max_examples=3000, derandomize=False)
settings.load_profile(os.environ.get("DREAMING_PROPERTIES", "suite"))
