"""Makes sure of a Chromium for the tests. They are never skipped: without one, this says the remedy.

It takes the one that AMPLIFY_CHROMIUM names, else the system's, else Playwright's own if it is there, else
installs Debian's package when root may, else Playwright's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

SYSTEM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REMEDY = """The tests need Chromium, and there is none.
Remedy: install your system's package (sudo apt-get install chromium), or name one:
AMPLIFY_CHROMIUM=/path/to/chromium python3 run.py test"""


class Missing(Exception):
    """There is no browser, and none could be installed; the text says the remedy."""


def find() -> str | None:
    """The path of a Chromium that is installed, or None. Raises Missing if AMPLIFY_CHROMIUM names none."""
    named = os.environ.get("AMPLIFY_CHROMIUM")
    if named and not os.access(named, os.X_OK):
        raise Missing(f"AMPLIFY_CHROMIUM names {named}, which is not a program.")
    return named or next(filter(None, map(shutil.which, SYSTEM)), None) or find_playwrights()


def find_playwrights() -> str | None:
    """The path of the Chromium that Playwright installed for this user, or None."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.access(path, os.X_OK) else None


def install() -> None:
    """Try Debian's package (as root), then Playwright's own; what they print is the reader's to see."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("No Chromium here: installing the system's package.", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", "-qq", *arguments], env=environment, check=False)
    if find() is None:
        print("No Chromium here: asking Playwright for its own.", flush=True)
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def provide() -> str:
    """The path of a Chromium, installed now if need be. Raises Missing, with the remedy."""
    if find() is None:
        install()
    path = find()
    if path is None:
        raise Missing(REMEDY)
    return path
