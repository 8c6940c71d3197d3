"""What tests of the command line share, for those on full disks and damaged runs."""

from tests.cli.conftest import (  # noqa: F401 - fixtures are found where they are imported
    _elsewhere,
    _evaluated,
    _trained,
    _whole_runs,
    dreaming_does,
    dreaming_refuses,
    evaluated,
    trained,
)
