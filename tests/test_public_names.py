"""The names that DESIGN.md promises mean the same, whatever was asked for before them."""

import subprocess
import sys

import pytest

PUBLIC = [
    *("Encoder", "Generator", "Cortex", "Hippocampus", "Wake", "NREM", "REM"),
    *("condition", "conditions", "train", "load", "losses", "configure", "Config"),
]

ORDERS = {
    "condition first": "dreaming.condition",
    "train first": "dreaming.train",
}

LOOK = """
import dreaming
{before}
assert len(dreaming.conditions()) == 10, dreaming.conditions
assert dreaming.condition("pad")[0] == dreaming.Wake()
assert callable(dreaming.train) and callable(dreaming.load) and callable(dreaming.configure)
for name in {names}:
    assert hasattr(dreaming, name) and name in dir(dreaming) and name in dreaming.__all__, name
"""


@pytest.mark.parametrize("order", ORDERS)
def test_public_names_do_not_depend_on_what_was_asked_for_before(order):
    program = LOOK.format(before=ORDERS[order], names=PUBLIC)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
