"""The data sets that have names: one line of registration each."""

from pathlib import Path

from dreaming.data.readers import cifar10, cifar100, digits, house_digits, stl10, svhn
from dreaming.errors import UserError, nearest

SOURCES = {each.SOURCE.name: each.SOURCE for each in (digits, house_digits, cifar10, cifar100, stl10, svhn)}


def names() -> tuple[str, ...]:
    """Return the names of the data sets that are known; ``folder:PATH`` is taken wherever such a name is.

    Examples
    --------
    >>> names()
    ('digits', 'house_digits', 'cifar10', 'cifar100', 'stl10', 'svhn')
    """
    return tuple(SOURCES)


def image_folder(name: str, *others: str) -> Path | None:
    """Return PATH of ``folder:PATH``; None for every other known name, and an error for an unknown one.

    ``others`` are names that may be meant too, though they are none of data sets.
    """
    if name.startswith("folder:"):
        path = name.removeprefix("folder:")
        if not path:
            raise UserError("folder: names no folder; write folder:PATH")
        return Path(path)
    if name not in names():
        known = (*names(), *others, "folder:PATH")
        meant = f"did you mean 'folder:{name}'?" if Path(name).is_dir() else nearest(name, known)
        raise UserError(f"no data set is called {name!r}; {meant}")
    return None
