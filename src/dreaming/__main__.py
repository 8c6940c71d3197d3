"""The program ``dreaming``: it hears signals before it imports what the command line needs."""

import signal
import sys

from dreaming.interrupts import SIGNALS, leave


def main() -> int:
    """Do what the command line says; see `dreaming.cli.main`."""
    for number in SIGNALS:
        signal.signal(number, leave)
    from dreaming import cli

    status = cli.main()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)  # all is done and said: no second sentence, and no traceback
    return status


if __name__ == "__main__":
    sys.exit(main())
