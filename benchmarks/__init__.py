"""How fast the laboratory is, measured beside its baselines: ``python -m benchmarks --help``."""

settled: dict[str, str] = {}
"""What the start of the benchmarks added to their environment; what they are compared with does without."""
