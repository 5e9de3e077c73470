#!/usr/bin/env python3
"""Starts Amplify from a checkout, on a machine with nothing but Python 3.11 or later.

    python3 run.py demo [--port N] [--reset]     the whole product with made-up data, and links to click
    python3 run.py test [pytest's arguments]     every check and test, on SQLite and on PostgreSQL
    python3 run.py bench NAME [...]              measures one thing
    python3 run.py faults NAME [--kills N]       breaks things on purpose, and counts what was lost

It makes `.venv` beside this file, installs the pinned and hashed packages of requirements/ with pip as this
machine has it configured, and hands over. Once that is done, later starts hand over at once.
Standard library only; old Pythons must be able to read this file as far as `main`.
"""

from __future__ import annotations

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - run by whatever python3 the machine has
    sys.exit("Amplify needs Python 3.11 or later, not " + sys.version.split()[0] + ". Try: python3.11 run.py")

import compileall
import hashlib
import importlib.util
import json
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "amplify.json"
LOG = VENV / "install.log"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
# Debian's and Ubuntu's package that holds pip as one file, which Python can run as it is.
PIP_PACKAGE = "python3-pip-whl"


class Command(NamedTuple):
    """What one word on the command line needs, and what it hands over to."""

    lock: str
    arguments: tuple[str, ...]


COMMANDS = {
    "demo": Command("base", ("-m", "amplify", "demo")),
    "test": Command("test", ("-m", "tools.check")),
    "bench": Command("test", ("-m", "bench")),
    "faults": Command("test", ("-m", "tests.faults")),
}


class Refused(Exception):
    """Something this script cannot mend; the text says what is wrong and how to mend it."""


def say(text: str) -> None:
    print(f"amplify: {text}", flush=True)


# --- what is installed --------------------------------------------------------------------------------------


def requirements(lock: str) -> Path:
    return ROOT / "requirements" / f"{lock}.txt"


def digest(lock: str) -> str:
    """What an installation answers to: the locks and the project's own description."""
    files = (requirements("build"), requirements(lock), ROOT / "pyproject.toml")
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def read_stamp() -> dict[str, object]:
    """What the last installation wrote down; empty if there was none, or its note cannot be read."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(state: str, *locks: str) -> None:
    """Replace the note in one step, so that a kill leaves the old one or the new one."""
    installed = {lock: digest(lock) for lock in locks}
    stamp = {"state": state, "checkout": str(ROOT), "python": VERSION, "installed": installed}
    fresh = STAMP.with_suffix(".new")
    fresh.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    fresh.replace(STAMP)


def is_ready(lock: str) -> bool:
    """Whether `.venv` was made here, by this Python version, from the lock as it is now."""
    stamp = read_stamp()
    installed = stamp.get("installed")
    return (
        stamp.get("state") == "ready"
        and stamp.get("checkout") == str(ROOT)
        and stamp.get("python") == VERSION
        and isinstance(installed, dict)
        and installed.get(lock) == digest(lock)
        and PYTHON.exists()
    )


def why_remake() -> str | None:
    """Why the `.venv` that stands here cannot be used, or None. One made by hand is kept if it works."""
    stamp = read_stamp()
    if stamp.get("state") == "installing":
        return "an installation was interrupted"
    if stamp and stamp.get("checkout") != str(ROOT):
        return "the checkout was moved"
    probe = [str(PYTHON), "-c", "import sys; print(f'{sys.version_info.major}.{sys.version_info.minor}')"]
    try:
        found = subprocess.run(probe, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "it does not work"
    return None if found == VERSION else f"it is of Python {found}"


@contextmanager
def only_one_installer() -> Iterator[int]:
    """Hold the checkout's lock. pip holds it too: a killed run.py does not free it under a live pip."""
    import fcntl

    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run.py that is installing")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(folder)


def install(lock: str) -> None:
    """Bring `.venv` to what the lock says, whatever stands there now."""
    with only_one_installer() as handle:
        if is_ready(lock):  # another run.py did it while this one waited
            return
        began = time.monotonic()
        reason = why_remake() if VENV.exists() else None
        if reason:
            say(f"making .venv again: {reason}")
            shutil.rmtree(VENV)
        is_new = not VENV.exists()
        VENV.mkdir(exist_ok=True)
        write_stamp("installing")
        if is_new:
            make_environment(handle)
        install_packages(lock, handle)
        # The test lock holds everything of the base lock, in the same versions.
        write_stamp("ready", *({"base", lock}))
        say(f"installed in {time.monotonic() - began:.0f} s, {megabytes(VENV):.0f} MB in .venv")


def megabytes(folder: Path) -> float:
    return sum(file.lstat().st_size for file in folder.rglob("*")) / 1e6


# --- making the environment ---------------------------------------------------------------------------------


def make_environment(handle: int) -> None:
    """Make `.venv`, with pip in it, or with the machine's own pip to fill it from outside."""
    say(f"making .venv with Python {VERSION}")
    if importlib.util.find_spec("venv") is None:
        raise Refused(f"this Python lacks its venv module.\n{remedy()}")
    has_own_pip = importlib.util.find_spec("ensurepip") is not None
    options = [] if has_own_pip else ["--without-pip"]
    run([sys.executable, "-m", "venv", *options, str(VENV)], handle)
    if not has_own_pip and importlib.util.find_spec("pip") is None:
        pip_from_debian(handle)


def pip_from_debian(handle: int) -> None:
    """Debian splits ensurepip off into python3-venv. Fetch that package's pip, as apt is configured
    here; this needs no root and leaves the system as it is."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Refused(f"this Python has neither ensurepip nor pip.\n{remedy()}")
    say(f"this Python has no pip: fetching Debian's {PIP_PACKAGE}")
    with tempfile.TemporaryDirectory() as folder:
        wheel = fetch_pip_wheel(Path(folder), handle)
        run([str(PYTHON), f"{wheel}/pip", *pip_options(), "install", "--no-index", str(wheel)], handle)


def fetch_pip_wheel(folder: Path, handle: int) -> Path:
    """The path of pip's wheel, unpacked from the package. apt keeps its lists in `folder`, not in /var."""
    state, cache = folder / "state", folder / "cache"
    for path in (state / "lists" / "partial", cache / "archives" / "partial"):
        path.mkdir(parents=True)
    apt = ["apt-get", "-qq", "-o", f"Dir::State::Lists={state / 'lists'}", "-o", f"Dir::Cache={cache}"]
    if os.geteuid() == 0:
        apt += ["-o", "APT::Sandbox::User=root"]
    try:
        run([*apt, "update"], handle, cwd=folder)
        run([*apt, "download", PIP_PACKAGE], handle, cwd=folder)
        run(["dpkg-deb", "-x", *map(str, folder.glob("*.deb")), str(folder / "root")], handle)
        return next((folder / "root").rglob("pip-*.whl"))
    except (Refused, StopIteration) as problem:
        raise Refused(f"{problem}\n{remedy()}") from problem


def remedy() -> str:
    if shutil.which("apt-get"):
        return f"Remedy: sudo apt-get install python{VERSION}-venv, then run the same command again."
    return f"Remedy: install the venv and pip of Python {VERSION}, then run the same command again."


# --- filling it ---------------------------------------------------------------------------------------------


def pip_options() -> list[str]:
    return ["--disable-pip-version-check", "--no-input"]


def pip() -> list[str]:
    """The pip inside `.venv` if it has one, else the machine's, told to work there."""
    has_own = any(VENV.glob("lib/python*/site-packages/pip"))
    outside = [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    return ([str(PYTHON), "-m", "pip"] if has_own else outside) + pip_options()


def install_packages(lock: str, handle: int) -> None:
    """What builds, then the locked packages, then the checkout itself, so that `.venv/bin/amplify` exists.
    The locks take wheels only; what is published without one is built by what was installed first."""
    say(f"installing the packages of requirements/{lock}.txt")
    pinned = [*pip(), "install", "--no-user", "--require-hashes", "--no-deps", "--progress-bar", "off"]
    run([*pinned, "-r", str(requirements("build"))], handle)
    unisolated = ["--no-build-isolation", "--use-pep517"]
    run([*pinned, *unisolated, "-r", str(requirements(lock))], handle, Progress())
    itself = ["--no-deps", "--no-index", "--no-build-isolation", "--editable", str(ROOT)]
    run([*pip(), "install", "--no-user", *itself], handle)


class Progress:
    """Sums up pip's lines: one line that grows on a terminal, one line in ten seconds elsewhere."""

    # pip says "Processing" of a file that is on this machine already.
    SIZE = re.compile(r"(?:Downloading|Using cached) \S+ \(([\d.]+) ([kMG]?B)\)")
    UNITS = MappingProxyType({"B": 1e-6, "kB": 1e-3, "MB": 1.0, "GB": 1e3})

    def __init__(self) -> None:
        self.began = self.shown = time.monotonic()
        self.packages = 0
        self.size = 0.0
        self.is_terminal = sys.stdout.isatty()

    def read(self, line: str) -> None:
        """Take one line of pip's output into account, and show the sum if it is time."""
        self.packages += line.startswith(("Collecting ", "Processing "))
        match = self.SIZE.search(line)
        if match:
            self.size += float(match[1]) * self.UNITS[match[2]]
        if line.startswith("Installing collected packages"):
            self.show("fetched; unpacking them")
        elif time.monotonic() - self.shown > (0.1 if self.is_terminal else 10):
            self.show("")

    def show(self, doing: str) -> None:
        self.shown = time.monotonic()
        seconds = self.shown - self.began
        text = f"  {self.packages} packages, {self.size:.0f} MB, {seconds:.0f} s {doing}".rstrip()
        end = "\r" if self.is_terminal and not doing else "\n"
        print(f"{text:<60}" if self.is_terminal else text, end=end, flush=True)


def run(command: list[str], handle: int, progress: Progress | None = None, cwd: Path = ROOT) -> None:
    """Run one step of the installation; its output goes to .venv/install.log.
    Raises Refused with the last lines if it fails."""
    lines: list[str] = []
    child = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=[handle],
    )
    try:
        for line in child.stdout or ():
            lines.append(line.rstrip())
            if progress:
                progress.read(line.strip())
    except BaseException:
        child.terminate()
        raise
    finally:
        child.wait()
        if child.stdout:
            child.stdout.close()
        with LOG.open("a", encoding="utf-8") as log:
            log.write("\n".join(["$ " + shlex.join(command), *lines, ""]))
    if child.returncode:
        tail = "\n  ".join(lines[-12:])
        raise Refused(f"{shlex.join(command[:6])} ... failed:\n  {tail}\nThe whole log: {LOG}")


# --- handing over -------------------------------------------------------------------------------------------


def environment() -> dict[str, str]:
    """This environment without what would lead the interpreter of `.venv` astray."""
    astray = ("PYTHONHOME", "__PYVENV_LAUNCHER__")
    return {name: value for name, value in os.environ.items() if name not in astray}


def compile_package() -> None:
    """Compile what is new in the package, as pip does with its packages, also where PYTHONDONTWRITEBYTECODE is set.

    Each of the demo's three processes would otherwise spend a second on it, at every start. A checkout that cannot be
    written to stays as it is.
    """
    compileall.compile_dir(ROOT / "amplify", quiet=2)


def hand_over(command: Command, arguments: list[str]) -> NoReturn:
    """Become the command: signals and the exit code are then its own."""
    compile_package()
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execve(PYTHON, [str(PYTHON), *command.arguments, *arguments], environment())


def leave_own_environment() -> None:
    """Started by `.venv`'s own Python: start again with the one it was made from, as it may be made again."""
    if Path(sys.prefix) == VENV:
        base = str(getattr(sys, "_base_executable", ""))
        if base and Path(base) != Path(sys.executable):
            os.execv(base, [base, *sys.argv])


def stop(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def main(arguments: list[str]) -> NoReturn:
    if os.name != "posix":
        raise Refused("run.py works on Linux and macOS; on Windows use WSL.")
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help"):
        print((__doc__ or "").split("\nIt makes")[0])
        raise SystemExit(0 if arguments else 2)
    if name not in COMMANDS:
        raise Refused(f"there is no command {name!r}; there are: {', '.join(COMMANDS)}.")
    command = COMMANDS[name]
    leave_own_environment()
    signal.signal(signal.SIGTERM, stop)
    if not is_ready(command.lock):
        install(command.lock)
    hand_over(command, arguments[1:])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refused as refusal:
        sys.exit(f"amplify: {refusal}")
    except KeyboardInterrupt:
        print("\namplify: stopped. The same command picks it up again.", file=sys.stderr)
        sys.exit(130)
