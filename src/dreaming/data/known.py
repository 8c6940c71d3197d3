"""The data sets that have names: one line of registration each."""

from pathlib import Path

from dreaming.data.readers import cifar10, cifar100, digits, house_digits, stl10, svhn
from dreaming.data.sources import Source
from dreaming.errors import UserError, nearest, spelled

SOURCES: dict[str, Source] = {
    each.SOURCE.name: each.SOURCE for each in (digits, house_digits, cifar10, cifar100, stl10, svhn)
}


def names() -> tuple[str, ...]:
    """Return the names of the data sets that are known; ``folder:PATH`` is taken wherever such a name is.

    Examples
    --------
    >>> names()
    ('digits', 'house_digits', 'cifar10', 'cifar100', 'stl10', 'svhn')
    """
    return tuple(SOURCES)


def source_called(name: str) -> Source:
    """Return the data set of a known name, whatever the case in which it is given.

    Examples
    --------
    >>> source_called("CIFAR10").label
    'CIFAR-10'
    """
    return SOURCES[spelled(name, SOURCES)]


def image_folder(name: str, *others: str) -> Path | None:
    """Return PATH of ``folder:PATH``; None for every other known name, and an error for an unknown one.

    ``others`` are names that may be meant too, though they are none of data sets.
    """
    if name.startswith("folder:"):
        path = name.removeprefix("folder:")
        if not path:
            raise UserError("folder: names no folder; write folder:PATH")
        return Path(path)
    if spelled(name, SOURCES) not in SOURCES:
        known = (*names(), *others, "folder:PATH")
        meant = f"did you mean 'folder:{name}'?" if Path(name).is_dir() else nearest(name, known)
        raise UserError(f"no data set is called {name!r}; {meant}")
    return None
