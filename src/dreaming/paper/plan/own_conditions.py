"""Conditions of the user's own beside the paper's: schedules of sleep and its loss, and doses."""

from collections.abc import Sequence
from dataclasses import dataclass

from dreaming.config.config import Config
from dreaming.config.configure import configure, swept
from dreaming.errors import UserError


@dataclass(frozen=True)
class Dose:
    """One value of a field of PAD's config.

    Attributes
    ----------
    field
        The field, such as ``phases.rem.dose``.
    value
        As it was written.
    condition
        What the runs of it are called; ``pad`` where the value is the one that PAD has.
    """

    field: str
    value: str
    condition: str


def doses(sweep: str) -> list[Dose]:
    """List the doses of a sweep of PAD.

    Parameters
    ----------
    sweep
        ``PATH=VALUE,VALUE,...``, as `dreaming.conditions.swept` reads it.

    Raises
    ------
    UserError
        If the sweep cannot be read, the path names no field, or a value does not fit.

    Examples
    --------
    >>> [dose.condition for dose in doses("phases.rem.dose=0,0.5,1")]
    ['pad+rem.dose-0', 'pad+rem.dose-0.5', 'pad']
    """
    base = configure("pad")
    field, _, values = sweep.partition("=")
    field, listed = field.strip(), [value.strip() for value in values.split(",")]
    found = []
    for value, config in zip(listed, swept(base, sweep), strict=True):
        same = config.but([f"condition={base.condition}"]) == base
        found.append(Dose(field, value, base.condition if same else config.condition))
    return found


def scheduled(schedule: str, epochs: int) -> Config:
    """Make the config of a schedule, after making sure that all of it happens within some epochs.

    Raises
    ------
    UserError
        If the schedule cannot be read, or changes when training is over.

    Examples
    --------
    >>> scheduled("pad:1,without_rem:2,pad", 3).condition
    'pad-1-without_rem-2-pad'
    """
    config = configure(schedule=schedule)
    last = config.schedule[-1].after
    if last >= epochs:
        raise UserError(f"'{schedule}' changes after epoch {last}, and runs end after epoch {epochs}")
    return config


def stages(name: str) -> list[tuple[str, int | None]]:
    """Read a schedule from its name: conditions, and the epoch that each ends after; empty for another name.

    Examples
    --------
    >>> stages("pad-1-without_rem-2-pad")
    [('pad', 1), ('without_rem', 2), ('pad', None)]
    >>> stages("without_rem")
    []
    """
    parts = name.split("-")
    if len(parts) < 3 or len(parts) % 2 == 0 or not all(part.isdigit() for part in parts[1::2]):
        return []
    return list(zip(parts[::2], [*map(int, parts[1::2]), None], strict=True))


def field_and_value(name: str) -> tuple[str, str]:
    """Read a dose from its name: field and value; empty for another name.

    Examples
    --------
    >>> field_and_value("pad+rem.dose-0.5")
    ('rem.dose', '0.5')
    >>> field_and_value("without_rem")
    ('', '')
    """
    field, _, value = name.removeprefix("pad+").partition("-")
    return (field, value) if name.startswith("pad+") and value else ("", "")


def named_once(names: Sequence[str], what: str) -> None:
    """Make sure that no condition is meant twice.

    Raises
    ------
    ValueError
        If one is.
    """
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{what} names {', '.join(sorted(twice))} twice")
