"""One target under libFuzzer, in a process of its own.

``python -m tests.robustness.fuzz.hunt TARGET LIBFUZZER-OPTION...``
"""

import sys
import warnings

import pandas
import pyarrow.parquet
import scipy.stats
import sklearn.linear_model
import torch

# Loaded before, and so not followed: that would take minutes, and tell nothing of our own reading.
BESIDE = (pandas, pyarrow, scipy, sklearn, torch)
GUIDED_BY = ["dreaming", "PIL", "yaml", "tarfile", "zipfile", "gzip", "pickle"]
"""Whose branches tell the fuzzer that an input is new; of these, what is not compiled."""


def main() -> None:
    """Hunt until the options say that it is enough."""
    import atheris  # of the extra `fuzz`; the tests do without

    name, *options = sys.argv[1:]
    for loaded in ("tarfile", "zipfile", "gzip", "pickle"):  # a copy of our own is followed
        sys.modules.pop(loaded, None)
    # Only configs are searched for how YAML may be written: followed, its library takes ten times as long.
    guides = [guide for guide in GUIDED_BY if guide != "yaml" or name == "configs"]
    with atheris.instrument_imports(include=guides):
        from tests.robustness.fuzz.targets import TARGETS
    warnings.simplefilter("error")  # what is only a warning here is a second line for the user
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
