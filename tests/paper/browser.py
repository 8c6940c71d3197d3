"""The browser that pages are looked at with: one of the system, or one that is installed for the tests.

``python tests/paper/browser.py`` installs one where none is; `make test` does so.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--no-sandbox",
)


def of_the_system():
    """The program of a browser such as Chromium, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def of_the_tests(playwright):
    """The program of the browser that Playwright has installed, or None."""
    found = playwright.chromium.executable_path
    return found if Path(found).exists() else None


def launched(playwright):
    """A running headless browser."""
    program = of_the_system() or of_the_tests(playwright)
    if program is None:
        raise AssertionError("no Chromium is here to look at the report with; `make test` installs one")
    return playwright.chromium.launch(executable_path=program, headless=True, args=list(QUIET))


def install():
    """Install a browser where there is none: the system's own if we may, or else Playwright's."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        if of_the_system() or of_the_tests(playwright):
            return
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "chromium"]):
            if subprocess.run(
                ["apt-get", *words], env=environment, stdout=sys.stderr, check=False
            ).returncode:
                break
        else:
            return
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


if __name__ == "__main__":
    install()
