"""Runs every check and every test, on SQLite and on PostgreSQL: what `python3 run.py test` and CI run.

    python -m tools.check                  everything
    python -m tools.check tests/tracking   the checks, and these tests on both databases
    python -m tools.check --db sqlite      the checks, and the tests on this database only

Arguments go to pytest. Every stage runs, also after one that failed; the exit code is 0 only if all passed.
The last lines are pytest's own, then the sum: a test counts once per database, a check once.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tools import browser

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CHECKS = {
    "lock": [sys.executable, "-m", "tools.lock", "--check"],
    "ruff check": [str(BIN / "ruff"), "check", "."],
    "ruff format": [str(BIN / "ruff"), "format", "--check", "."],
    "mypy": [str(BIN / "mypy")],
    "import-linter": [str(BIN / "lint-imports"), "--no-logo"],
    "translations": [sys.executable, "-m", "tools.i18n", "--check"],
    "vendored files": [sys.executable, "-m", "tools.vendor", "--check"],
}
DATABASES = ("sqlite", "postgresql")
# What these see does not depend on the database: how pages look in a browser, the checkout's tools. Once is enough;
# the pages' queries are asked of both databases by the features' own tests, and the story is lived on both.
ONCE = ("tests/e2e", "tests/tools", "tests/test_run.py", "tests/test_wheel.py", "tests/test_architecture.py")
# As many at once as there are cores; a file stays with one, so its servers and demo are made once. `-n 0` undoes it.
AT_ONCE = ["-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadfile"]
# pytest's last line: "=== 3 failed, 120 passed, 1 error in 12.34s ==="
CLOSING = re.compile(r"^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s.*$", re.MULTILINE)


class Stage(NamedTuple):
    """What one stage came to; `closing` is pytest's last line, None if it never came so far."""

    name: str
    code: int
    seconds: float
    closing: str | None = None


def run(name: str, command: list[str]) -> Stage:
    """Run one stage with its output shown as it comes. A Ctrl-C or SIGTERM reaches the child too."""
    print(f"\n--- {name} {'-' * (90 - len(name))}", flush=True)
    began = time.monotonic()
    closing = None
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        try:
            for line in child.stdout or ():
                print(line, end="", flush=True)
                if CLOSING.match(line):
                    closing = line.strip()
        except BaseException:
            child.terminate()
            child.wait()
            raise
    return Stage(name, child.returncode, time.monotonic() - began, closing)


def stages(arguments: list[str]) -> list[tuple[str, list[str]]]:
    """The name and command of each stage, cheapest first."""
    pytest = [sys.executable, "-m", "pytest", "--color=no", *AT_ONCE, *arguments]
    if any(argument.split("=")[0] == "--db" for argument in arguments):
        return [*CHECKS.items(), ("pytest", pytest)]
    first, *others = DATABASES
    once = [] if arguments else [f"--ignore={path}" for path in ONCE]
    on_others = [(f"pytest on {name}", [*pytest, *once, "--db", name]) for name in others]
    return [*CHECKS.items(), (f"pytest on {first}", [*pytest, "--db", first]), *on_others]


def count(done: list[Stage]) -> Counter[str]:
    """Tests and checks, by outcome. A test stage that failed without failing a test counts as one failure."""
    total: Counter[str] = Counter()
    for stage in done:
        outcomes = Counter[str]()
        for number, outcome in re.findall(r"(\d+) ([a-z]+)", stage.closing or ""):
            outcomes["failed" if outcome.startswith("error") else outcome] += int(number)
        if stage.code and not outcomes["failed"]:
            outcomes["failed"] += 1
        elif stage.name in CHECKS:
            outcomes["passed"] += 1
        total += outcomes
    return total


def report(done: list[Stage]) -> None:
    """A table of the stages, pytest's closing lines, and the sum."""
    print(f"\n--- result {'-' * 84}")
    for stage in done:
        print(f"{'ok' if stage.code == 0 else 'FAILED':<8}{stage.name:<24}{stage.seconds:8.1f} s")
    print()
    for stage in done:
        if stage.closing:
            print(stage.closing)
    total = count(done)
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {total['failed']} failed{skipped}", flush=True)


def stop(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, stop)
    try:
        os.environ["AMPLIFY_CHROMIUM"] = browser.provide()
    except browser.Missing as missing:
        print(missing, file=sys.stderr)
        return 1
    done = [run(name, command) for name, command in stages(arguments)]
    report(done)
    return 1 if any(stage.code for stage in done) else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
