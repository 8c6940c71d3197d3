"""How fast the laboratory is, measured beside its baselines: ``python -m benchmarks --help``."""
