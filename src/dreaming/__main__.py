"""The program ``dreaming``: it hears signals and settles its process before it imports what the command needs."""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # python -m looks in the working folder first, where a user may have a queue.py of their own.
    sys.path.append(sys.path.pop(0))

import os
import signal

from dreaming.system.output import settle_output
from dreaming.system.signals import SIGNALS, end_at_signals
from dreaming.system.threads import settle


def main() -> int:
    """Run the command line; see `dreaming.cli.main.main`."""
    settle_output()
    end_at_signals()
    settle()
    from dreaming.cli import main as cli

    status = cli.main()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # all is done and said: it ends by itself
    if status == cli.STOPPED:  # and at once: to take down an interpreter with all its libraries takes seconds
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


if __name__ == "__main__":
    sys.exit(main())
