"""Runs every verb of the command line in turn, for `test_no_connections`; prints what each came to as JSON.

Arguments: a folder, and a list of verbs and their words as JSON.
"""

import contextlib
import io
import json
import os
import sys


def live(verbs):
    os.environ["DREAMING_WATCHED"] = "(import)"
    from dreaming.cli.main import main

    for name, words in verbs:
        os.environ["DREAMING_WATCHED"] = name
        out, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            try:
                status = main([*name.split(), *words])
            except SystemExit as stop:
                status = stop.code
        yield name, (status, error.getvalue(), out.getvalue())


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    print(json.dumps(dict(live(json.loads(sys.argv[2])))))
