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
# Playwright brings its own Node, which needs this library; a bare Debian lacks it.
DRIVER_PACKAGE = "libatomic1"


class Missing(Exception):
    """There is no browser, and none could be installed; the text says the remedy."""


def has_driver() -> bool:
    """Whether the program through which Playwright speaks to a browser starts on this machine."""
    asked = [sys.executable, "-m", "playwright", "--version"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def find() -> str | None:
    """The path of a Chromium that is installed, or None. Raises Missing if AMPLIFY_CHROMIUM names none."""
    named = os.environ.get("AMPLIFY_CHROMIUM")
    if named and not os.access(named, os.X_OK):
        raise Missing(f"AMPLIFY_CHROMIUM names {named}, which is not a program.")
    return named or next(filter(None, map(shutil.which, SYSTEM)), None) or find_playwrights()


def find_playwrights() -> str | None:
    """The path of the Chromium that Playwright installed for this user, or None."""
    from playwright.sync_api import sync_playwright

    if not has_driver():
        return None
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.access(path, os.X_OK) else None


def lacking() -> list[str]:
    """The Debian packages that would bring what is not here."""
    return ([] if has_driver() else [DRIVER_PACKAGE]) + ([] if find() else ["chromium"])


def install(packages: list[str]) -> None:
    """Try Debian's packages (as root), then Playwright's own Chromium; what they print is the reader's to see."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"For the browser's tests: installing {', '.join(packages)}.", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            command = ["apt-get", "-qq", *arguments]
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
    if has_driver() and find() is None:
        print("For the browser's tests: asking Playwright for its own Chromium.", flush=True)
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def provide() -> str:
    """The path of a Chromium, installed now if need be. Raises Missing, with the remedy."""
    packages = lacking()
    if packages:
        install(packages)
    packages, path = lacking(), find()
    if packages or path is None:
        raise Missing(
            "The tests drive a real browser, and this machine lacks what that needs.\n"
            f"Remedy: sudo apt-get install {' '.join(packages)} (or your system's packages of that name).\n"
            "A Chromium elsewhere is named so: AMPLIFY_CHROMIUM=/path/to/chromium python3 run.py test"
        )
    return path
