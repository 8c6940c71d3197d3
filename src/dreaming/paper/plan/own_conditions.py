"""Conditions of the user's own beside the paper's: schedules of sleep, and doses of a field of PAD's config."""

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


def sweep_doses(sweep: str) -> list[Dose]:
    """Return the doses of a sweep of PAD.

    Parameters
    ----------
    sweep
        ``PATH=VALUE,VALUE,...``, as `dreaming.config.configure.swept` reads it.

    Raises
    ------
    UserError
        If the sweep cannot be read, the path names no field, or a value does not fit.

    Examples
    --------
    >>> [dose.condition for dose in sweep_doses("phases.rem.dose=0,0.5,1")]
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


def schedule_config(schedule: str, epochs: int) -> Config:
    """Return the config of a schedule that ends within some epochs.

    Raises
    ------
    UserError
        If the schedule cannot be read, or changes when training is over.

    Examples
    --------
    >>> schedule_config("pad:1,without_rem:2,pad", 3).condition
    'pad-1-without_rem-2-pad'
    """
    config = configure(schedule=schedule)
    last = config.schedule[-1].after
    if last >= epochs:
        raise UserError(f"'{schedule}' changes after epoch {last}, and runs end after epoch {epochs}")
    return config
