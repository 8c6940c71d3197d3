"""The names that DESIGN.md promises mean the same, whatever was asked for before them."""

import subprocess
import sys

PUBLIC = [
    *("Encoder", "Generator", "Cortex", "Hippocampus", "Wake", "NREM", "REM"),
    *("condition", "conditions", "train", "load", "losses", "configure", "Config"),
]

ORDERS = ["dreaming.condition", "dreaming.train"]

LOOK = """
import sys
for first in {orders}:
    for name in [name for name in sys.modules if name.partition(".")[0] == "dreaming"]:
        del sys.modules[name]  # as in a new process; torch stays
    import dreaming
    eval(first)
    assert len(dreaming.conditions()) == 11, dreaming.conditions
    assert dreaming.condition("pad")[0] == dreaming.Wake()
    assert callable(dreaming.train) and callable(dreaming.load) and callable(dreaming.configure)
    for name in {names}:
        assert hasattr(dreaming, name) and name in dir(dreaming) and name in dreaming.__all__, name
"""


def test_public_names_do_not_depend_on_what_was_asked_for_before():
    program = LOOK.format(orders=ORDERS, names=PUBLIC)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
