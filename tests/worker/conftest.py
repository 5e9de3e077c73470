"""Worker processes on a real database of their own, which outlives them."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.core import jobs, schema
from amplify.core.db import reading
from tests.worker import program

PATIENCE_SECONDS = 60.0


class Site:
    """A database and the workers on it."""

    def __init__(self, database: str, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.engine: Engine = sa.create_engine(database)
        self.workers: list[subprocess.Popen[bytes]] = []
        schema.upgrade(self.engine)
        program.traces.metadata.create_all(self.engine)

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.worker.program", self.database, str(self.folder)]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("AMPLIFY_")}
        with (self.folder / f"worker-{len(self.workers)}.log").open("wb") as log:
            self.workers.append(subprocess.Popen(command, stderr=log, env=environ))  # noqa: S603
        return self.workers[-1]

    def until(self, said: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
        """Wait until it is true; the last answer. Fails the test, with what the workers said, when it never is."""
        end = time.monotonic() + seconds
        while not (answer := said()):
            logs = "\n".join(self.log(number)[-2000:] for number in range(len(self.workers)))
            assert time.monotonic() < end, f"waited in vain; the workers said:\n{logs}"
            time.sleep(0.05)
        return answer

    def log(self, number: int = -1) -> str:
        number = number % len(self.workers)
        return (self.folder / f"worker-{number}.log").read_text()

    def enqueue(self, count: int, **payload: Any) -> None:
        with Session(self.engine) as session:
            for number in range(count):
                key = f"{payload.get('name', 'job')}-{number}"
                jobs.enqueue(session, "trace", payload | {"key": key}, key=key)
            session.commit()

    def traces(self, kind: str) -> list[Any]:
        with reading(), self.engine.connect() as connection:
            return list(connection.execute(sa.select(program.traces).where(program.traces.c.kind == kind)))

    def keys_done(self) -> set[str]:
        return {row.key for row in self.traces("job")}

    def counts(self) -> dict[str, int]:
        with Session(self.engine) as session:
            return jobs.count(session)

    def freeze(self, worker: subprocess.Popen[bytes]) -> None:
        """Stop it in its tracks, but not with SQLite's writer lock in its hand: nobody could go on then."""
        worker.send_signal(signal.SIGSTOP)
        while not self._can_write():
            worker.send_signal(signal.SIGCONT)
            time.sleep(0.02)
            worker.send_signal(signal.SIGSTOP)

    def _can_write(self) -> bool:
        if self.engine.dialect.name != "sqlite":
            return True
        with closing(sqlite3.connect(str(self.engine.url.database), timeout=0.2)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            return True

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
            worker.wait(10)
        self.engine.dispose()


@pytest.fixture
def site(new_database: Callable[[], str], tmp_path: Path) -> Iterator[Site]:
    made = Site(new_database(), tmp_path)
    yield made
    made.close()
