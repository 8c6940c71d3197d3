"""A watch over connections, in this process and in all that it starts: as ``sitecustomize`` Python runs it first.

Every attempt to reach another machine, or to ask for its name, is written down in ``$DREAMING_WATCH`` beside the
command that ``$DREAMING_WATCHED`` names, and refused. Sockets of this machine alone (AF_UNIX) are let through.
"""

import errno
import json
import os
import socket
import sys

NAMES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
SOCKETS = ("socket.connect", "socket.sendto", "socket.sendmsg")
ASKED = ("urllib.Request", "http.client.connect", "ftplib.connect", "smtplib.connect", "imaplib.open")


def note(event, about):
    said = {
        "verb": os.environ.get("DREAMING_WATCHED", ""),
        "process": os.getpid(),
        "event": event,
        "about": about,
    }
    line = (json.dumps(said) + "\n").encode()
    with open(os.environ["DREAMING_WATCH"], "ab", buffering=0) as log:  # noqa: PTH123 - pathlib is not there yet
        log.write(line)


def hear(event, args):
    local = event in SOCKETS and args[0].family not in (socket.AF_INET, socket.AF_INET6)
    if event in (*NAMES, *SOCKETS, *ASKED) and not local:
        note(event, repr(args[1:] if event in SOCKETS else args))
        raise OSError(errno.ENETUNREACH, "Network is unreachable")


if __name__ == "sitecustomize":
    note("watched", " ".join(sys.orig_argv))
    sys.addaudithook(hear)
