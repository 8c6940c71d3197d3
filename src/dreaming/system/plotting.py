"""matplotlib under settings of our own, whatever a notebook, an environment or a user's matplotlibrc says.

It is imported when something is drawn: whatever draws nothing does without.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from dreaming.errors import UserError

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

Panel: TypeAlias = "matplotlib.axes.Axes"
Picture: TypeAlias = "matplotlib.figure.Figure"
BACKEND = "MPLBACKEND"


@contextmanager
def own_settings(style: Mapping[Any, Any] | None = None) -> Iterator[None]:
    """Draw within the block as matplotlib does by default, but for a style; what is the user's stays as it is.

    Parameters
    ----------
    style
        Settings, by matplotlib's names.

    Raises
    ------
    UserError
        If matplotlib cannot be imported because of a file of the user's.

    Examples
    --------
    >>> import matplotlib
    >>> with matplotlib.rc_context({"font.size": 30}):
    ...     with own_settings():
    ...         inside = matplotlib.rcParams["font.size"]
    ...     inside, matplotlib.rcParams["font.size"]
    (10.0, 30.0)
    """
    _import()
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(style or {})
        yield


def _import() -> None:
    """Import matplotlib as if no backend were chosen: that of a notebook may not be installed, and we need none."""
    if "matplotlib" in sys.modules:
        return
    chosen = os.environ.pop(BACKEND, None)
    try:
        import matplotlib as mpl
    except (ValueError, OSError) as error:  # it says so of a file that it reads
        raise UserError(f"matplotlib cannot be used ({error}); mend or move your matplotlibrc") from error
    finally:
        if chosen is not None:
            os.environ[BACKEND] = chosen
    if chosen is not None:
        with suppress(ValueError):  # there is no such backend, which is no matter of ours
            mpl.rcParams["backend"] = chosen
