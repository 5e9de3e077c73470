"""Writes requirements/*.txt: every package Amplify runs on, pinned and hashed, for Python 3.11 and later.

    python tools/lock.py              after a change of pyproject.toml: keeps every pin that still fits
    python tools/lock.py --upgrade    takes the newest versions that pyproject.toml allows
    python tools/lock.py --check      only says whether the lock still answers to pyproject.toml

Resolving for all systems and Python versions at once is uv's work (`pip install uv`, in any environment);
installing needs nothing but pip. The index is uv's own configuration, so no file here names one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
FINGERPRINT = "# answers to pyproject.toml "
# Resolved in this order, each within the versions of the first: `test` holds everything of `base`; `build` is
# what run.py installs before them, as it builds nothing in an isolated (hence unpinned) environment.
LOCKS = ("test", "base", "build")
# Published without a wheel; everything else is installed from wheels only.
SOURCE_ONLY = ("flask-principal",)
SOURCE_BUILDER = "setuptools>=80"


def wanted(name: str, pyproject: Path = ROOT / "pyproject.toml") -> list[str]:
    """The requirements that the lock `name` answers to, as pyproject.toml states them."""
    content = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    project = content["project"]
    stated = {
        "base": project["dependencies"],
        "test": project["dependencies"] + project["optional-dependencies"]["test"],
        "build": [*content["build-system"]["requires"], SOURCE_BUILDER],
    }
    return sorted(stated[name])


def fingerprint(name: str, pyproject: Path = ROOT / "pyproject.toml") -> str:
    """A short digest of what the lock `name` was made from."""
    return hashlib.sha256(json.dumps(wanted(name, pyproject)).encode()).hexdigest()[:16]


def is_current(name: str, pyproject: Path = ROOT / "pyproject.toml") -> bool:
    """Whether the lock `name` was made from the requirements that pyproject.toml states today."""
    lock = REQUIREMENTS / f"{name}.txt"
    head = lock.read_text(encoding="utf-8").splitlines()[:3] if lock.exists() else []
    return f"{FINGERPRINT}{fingerprint(name, pyproject)}" in head


def find_uv() -> list[str]:
    """The command that starts uv, from the PATH or beside this interpreter."""
    beside = Path(sys.executable).parent / "uv"
    found = shutil.which("uv") or (str(beside) if beside.exists() else None)
    if found is None:
        raise SystemExit("tools/lock.py needs uv: `pip install uv` in any environment, then run it again.")
    return [found]


def formats() -> list[str]:
    """Options that uv and pip share. The order counts: pip forgets what stands before `:all:`."""
    return ["--only-binary=:all:", *(f"--no-binary={package}" for package in SOURCE_ONLY)]


def resolve(name: str, upgrade: bool) -> None:
    """Write requirements/<name>.txt."""
    lock = REQUIREMENTS / f"{name}.txt"
    command = [*find_uv(), "pip", "compile", "-", "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-header", "--no-annotate", "--quiet", "--output-file", str(lock)]
    command += formats()
    if upgrade:
        command.append("--upgrade")
    if name != LOCKS[0]:
        command += ["--constraint", str(REQUIREMENTS / f"{LOCKS[0]}.txt")]
    subprocess.run(command, input="\n".join(wanted(name)), text=True, check=True, cwd=ROOT)
    head = ["# Made by tools/lock.py; do not edit.", FINGERPRINT + fingerprint(name), *formats(), ""]
    lock.write_text("\n".join(head) + lock.read_text(encoding="utf-8"), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Pins and hashes what Amplify runs on.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    parser.add_argument("--check", action="store_true", help="only say whether the lock is current")
    options = parser.parse_args()
    if options.check:
        stale = [name for name in LOCKS if not is_current(name)]
        raise SystemExit(f"stale: {', '.join(stale)}; run tools/lock.py" if stale else 0)
    for name in LOCKS:
        resolve(name, options.upgrade)
        pins = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8").count("==")
        print(f"requirements/{name}.txt: {pins} packages")


if __name__ == "__main__":
    main()
