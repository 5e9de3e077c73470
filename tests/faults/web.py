"""Kills the web process with kill -9 while clicks pour in; then counts acknowledged clicks that are not on disk.

Acknowledged is a 302 that carries a click's token. A click that was stored but whose answer died with the process is
no fault, and there can be one for each connection and kill. The same is done to a front that acknowledges before its
commit: there the audit must find lost clicks.
"""

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify import front
from amplify.core import schema
from amplify.tracking.models import Click
from amplify.tracking.recorder import Recorder, Row, Told
from bench.contenders import family
from tests.delivery.mailserver import free_port
from tests.faults import worker
from tests.tracking.world import CHROME, make_world

CONNECTIONS = 16
PATIENCE_SECONDS = 60.0
TOKEN = re.compile(rb"amplify_click=([0-9a-f-]{36})")


def hasty() -> front.Front:
    """The planted bug: a front that answers at once and stores a little later."""

    def record(self: Recorder, row: Row, told: Told) -> None:
        self._rows.append(row)
        self._told.append(lambda _stored: None)
        self._loop.call_later(0.05, self._call)
        told(True)

    Recorder.record = record  # type: ignore[method-assign]
    return front.create()


class Clickers:
    """People on their connections, in a thread; each clicks again once answered. `acknowledged`: their tokens."""

    def __init__(self, port: int, code: str) -> None:
        self._port = port
        self._request = f"GET /s/{code} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {CHROME}\r\n\r\n".encode()
        self._stopping = False
        self.acknowledged: list[bytes] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()), daemon=True)

    def __enter__(self) -> "Clickers":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping = True
        self._thread.join(30)

    async def _all(self) -> None:
        await asyncio.gather(*(self._one() for _ in range(CONNECTIONS)))

    async def _one(self) -> None:
        while not self._stopping:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                await self._click_on(reader, writer)
            except (OSError, EOFError, TimeoutError):
                await asyncio.sleep(0.05)

    async def _click_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not self._stopping:
                writer.write(self._request)
                async with asyncio.timeout(10):
                    head = await reader.readuntil(b"\r\n\r\n")
                if found := TOKEN.search(head):
                    self.acknowledged.append(found[1])
        finally:
            writer.close()


class Web:
    """The front under granian, on a port that stays its own."""

    def __init__(self, database: str, folder: Path, target: str) -> None:
        self.port = free_port()
        self._log = folder / "web.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AMPLIFY_", "PROMETHEUS_"))}
        mine = {"AMPLIFY_DATABASE_URL": database, "AMPLIFY_DATA_DIR": str(folder), "AMPLIFY_ENV": "test"}
        self._environ = {**kept, **mine}
        options = ("--interface", "rsgi", "--factory", "--no-ws", "--log-level", "warning")
        self._command = [sys.executable, "-m", "granian", *options, "--port", str(self.port), target]

    def start(self) -> None:
        """By us: granian itself gives up on what dies twice within some seconds."""
        with self._log.open("ab") as log:
            self._granian = subprocess.Popen(self._command, env=self._environ, stdout=log, stderr=log)  # noqa: S603

    def freeze(self) -> None:
        """From the moment this returns, nobody is answered any more."""
        pids = list(family(self._granian.pid))
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        until(lambda: all(_is_still(pid) for pid in pids))

    def die(self) -> None:
        """By kill -9."""
        kill_all(self._granian)

    def stop(self) -> None:
        """As one does."""
        self._granian.terminate()
        try:
            self._granian.wait(20)
        except subprocess.TimeoutExpired:
            self.die()


def _is_still(pid: int) -> bool:
    """Whether each thread of this process is stopped, or waits for the disk and will be when it comes back."""
    states = [file.read_text().rpartition(")")[2].split()[0] for file in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(state in "TtDZ" for state in states)


def kill_all(parent: "subprocess.Popen[bytes]") -> None:
    """kill -9 to a process and its children; to itself first, for it would start them again."""
    for pid in family(parent.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    parent.wait()


@contextmanager
def serving(database: str, folder: Path, target: str) -> Iterator[Web]:
    """The front, which answers until it is killed or the block ends."""
    web = Web(database, folder, target)
    web.start()
    try:
        yield web
    finally:
        web.stop()


def until(what: Callable[[], bool]) -> float:
    """The seconds until it was so. Raises TimeoutError."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise TimeoutError
        time.sleep(0.02)
    return time.monotonic() - began


def audit(engine: Engine, acknowledged: list[bytes], kills: int) -> list[str]:
    """What is wrong with what is on disk."""
    with engine.connect() as connection:
        stored = list(connection.scalars(sa.select(Click.token)))
    told = [UUID(token.decode()) for token in acknowledged]
    found = []
    if lost := set(told) - set(stored):
        found.append(f"{len(lost)} of {len(told)} acknowledged clicks lost")
    if len(set(told)) < len(told) or len(set(stored)) < len(stored):
        found.append("a click was told or stored twice")
    if len(stored) - len(told) > CONNECTIONS * (kills + 1):
        found.append(f"{len(stored)} stored, {len(told)} acknowledged: more than died unanswered")
    return found


def kills(plan: worker.Plan, number: int, bug: str = "") -> worker.Row:
    """`number` kills at random moments under load; with a bug, until its harm is seen."""
    began, dice = time.monotonic(), random.Random(plan.seed)  # noqa: S311 (when to kill, not what to hide)
    folder, database = plan.place(f"web{bug}"), plan.new_database()
    folder.mkdir(parents=True, exist_ok=True)
    engine = engine_of(database)
    code = make_link(engine)
    recoveries: list[float] = []
    wrongs: list[str] = []
    target = "tests.faults.web:hasty" if bug else "amplify.front:create"
    with serving(database, folder, target) as web, Clickers(web.port, code) as people:
        for _kill in range(number):
            seen = len(people.acknowledged)
            recoveries.append(until(lambda: len(people.acknowledged) > seen + CONNECTIONS))  # noqa: B023  called at once
            time.sleep(dice.uniform(0.05, 0.5))
            web.die()
            if bug and (wrongs := audit(engine, people.acknowledged[:], len(recoveries))):
                break
            web.start()
        if not bug:
            seen = len(people.acknowledged)
            until(lambda: len(people.acknowledged) > seen + CONNECTIONS)
    wrongs = wrongs or audit(engine, people.acknowledged, len(recoveries))
    engine.dispose()
    did = f"{len(recoveries)} kills of the web process, {len(people.acknowledged):,} clicks acknowledged"
    took, longest = time.monotonic() - began, max(recoveries[1:], default=0.0)
    return worker.Row(plan.database, "web kill -9", did, wrongs, took, 0, len(recoveries), longest, bug)


def engine_of(database: str) -> Engine:
    """For the auditor's own eyes."""
    address = sa.make_url(database)
    drivername = "postgresql+psycopg" if address.get_backend_name() == "postgresql" else "sqlite"
    return sa.create_engine(address.set(drivername=drivername))


def make_link(engine: Engine) -> str:
    """Tables, a brand and a link of it; its code."""
    schema.upgrade(engine)
    with Session(engine) as session, session.begin():
        world = make_world(session)
        return world.link(world.advocate()).code


def plan_of(database: str, new_database: Callable[[], str], folder: Path, options: Namespace) -> worker.Plan:
    """What the command asks for."""
    return worker.Plan(database, new_database, folder, kills=options.kills or 20, seed=options.seed)


def run(plan: worker.Plan) -> Iterator[worker.Row]:
    """The planted bug first: what does not see it proves nothing."""
    yield kills(plan, 10, bug="told-before-stored")
    yield kills(plan, plan.kills)
