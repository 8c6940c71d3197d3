"""A fuzzer over everything that is read from a user: targets, a corpus, and ``python -m tests.robustness.fuzz``."""
