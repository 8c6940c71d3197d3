"""The watch over global state, which fails a test that changes it, is itself able to fail."""

import numpy as np
import pytest
import torch

CHANGES = {
    "torch default dtype": lambda: torch.set_default_dtype(torch.float64),
    "torch grad mode": lambda: torch.set_grad_enabled(False),
    "torch number of threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "torch deterministic algorithms": lambda: torch.use_deterministic_algorithms(True),
    "cudnn benchmark": lambda: setattr(torch.backends.cudnn, "benchmark", True),
    "torch random numbers": lambda: torch.rand(1),
    "numpy random numbers": lambda: np.random.rand(1),  # noqa: NPY002
}


@pytest.fixture
def restored():
    threads, state = torch.get_num_threads(), (torch.get_rng_state(), np.random.get_state())  # noqa: NPY002
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False
    torch.set_rng_state(state[0])
    np.random.set_state(state[1])  # noqa: NPY002


@pytest.mark.changes_global_state
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_global_state_is_seen(name, restored, look_at_global_state):
    before = look_at_global_state()
    CHANGES[name]()
    after = look_at_global_state()
    assert [key for key in before if before[key] != after[key]] == [name]
