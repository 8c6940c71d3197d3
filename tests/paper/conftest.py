"""The paper's part in tests: made-up tables, and no way to the world outside the test's folder."""

import pytest
from tests.paper import made_up


@pytest.fixture
def tables_of(dataset_of):
    """Makes tables such as runs would leave: (profile, lacking)."""

    def make(*args, **kwargs):
        return made_up.tables(dataset_of, *args, **kwargs)

    return make


@pytest.fixture(scope="module", autouse=True)
def _whole_runs(shapes_unchecked):
    """Whole runs are trained and measured here; what those call is checked where it is tested itself."""
