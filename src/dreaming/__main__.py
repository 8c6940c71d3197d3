"""The program ``dreaming``: it hears signals and settles its process before it imports what the command needs."""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # python -m looks in the working folder first, where a user may have a queue.py of their own.
    sys.path.append(sys.path.pop(0))

import os
import signal

from dreaming.errors import shown
from dreaming.system.output import settle_output
from dreaming.system.signals import SIGNALS, end_at_signals
from dreaming.system.threads import settle


def main() -> int:
    """Run the command line; see `dreaming.cli.main.main`."""
    settle_output()
    end_at_signals()
    settle()
    _say_what_starts(sys.argv[1:])
    from dreaming.cli import main as cli

    status = cli.main()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # all is done and said: it ends by itself
    if status == cli.STOPPED:  # and at once: to take down an interpreter with all its libraries takes seconds
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def _say_what_starts(words: list[str]) -> None:
    """Say on a terminal which command starts, at once: to import what it needs takes seconds."""
    if words and not words[0].startswith("-") and not {"-h", "--help"} & set(words) and sys.stderr.isatty():
        print(f"dreaming {shown(words[0])}: loading its libraries", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
