"""Clicks by group commit: whatever waits is stored in one transaction, and nobody is answered before it is on disk.

A turn of the event loop collects the clicks that came in it; one commit makes them all durable. While the disk is fast
that happens on the loop itself, which costs no hand-over; when it is slow, another process holds SQLite's lock, or the
database is elsewhere, a thread does it and the loop goes on collecting. Nothing here waits for ever: see PATIENCE.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from itertools import chain
from typing import Any, Protocol

import sqlalchemy as sa
import structlog
from prometheus_client import Counter
from sqlalchemy.engine import Engine
from sqlalchemy.pool import PoolProxiedConnection

from amplify.core.db import fence_sql, is_busy
from amplify.tracking.models import Click

TABLE = sa.inspect(Click).local_table
COLUMNS = [column for column in TABLE.columns if not column.primary_key]
# The values of COLUMNS in their order, as both databases take them: texts and numbers. The token is its 32 hexadecimal
# digits, the instant the text of `text_of`, a truth 0 or 1: of bool, SQLite's driver asks each time what it means, and
# that took as long as a quarter of the statement.
Row = tuple[str | int, ...]
# Told, once and on the loop, whether a click is on disk.
Told = Callable[[bool], None]

# A slow commit stalls every connection of the loop for as long: from there on a thread is cheaper. Not sooner: with a
# thread, loop and writer wait for the interpreter by turns (a group of thirty, of which the disk took 0.3 ms: 9,500
# clicks a second by a thread, 11,500 on the loop).
SLOW_SECONDS = 0.0025
# How much the newest commit counts in the running mean of those on the loop and in the thread; and at most for so long:
# one hiccup of the machine is no slow disk.
FRESHNESS = 0.1
LONGEST_SECONDS = 4 * SLOW_SECONDS
MOST_ROWS = 128
# A person is led on after so long, whatever the database does; it may also wait for its lock so long.
PATIENCE_SECONDS = 4.0
# SQLite's own waiting grows to 100 ms a step. Ours stays short: a click is let in as soon as the lock is free.
LOCK_STEP_SECONDS = 0.0005

STORED = Counter("amplify_clicks_stored", "Clicks on disk")
LOST = Counter("amplify_clicks_lost", "Clicks that were answered without having been stored")

log = structlog.get_logger(__name__)


def text_of(at: datetime) -> str:
    """An aware instant in UTC, as a row has it: without its zone, as SQLite keeps it."""
    return at.isoformat(" ", "microseconds")[:26]


class Writer(Protocol):
    """Stores all rows or raises (Busy, if it may wait no longer for a lock); gives the seconds that the disk took."""

    def __call__(self, rows: Sequence[Row], patience_seconds: float) -> float: ...
    def close(self) -> None: ...


class Busy(Exception):
    """Another process holds the database's lock."""


class _OwnConnection:
    """One connection, kept from group to group until something goes wrong."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: PoolProxiedConnection | None = None

    def _cursor(self) -> Any:
        if self._connection is None:
            self._connection = self._engine.raw_connection()
            self._prepare(self._connection.driver_connection)
        return self._connection.cursor()

    def _prepare(self, driver: Any) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Give the connection up, in whatever state it is; the next group gets another."""
        if self._connection is not None:
            with suppress(Exception):
                self._connection.rollback()  # SQLite keeps a closed connection's lock while a trace refers to a cursor
            with suppress(Exception):
                self._connection.invalidate()
            self._connection = None


class SqliteWriter(_OwnConnection):
    """Stores clicks on a connection of its own, through the driver.

    A group is one statement, which is a transaction by itself. The driver lets go of the interpreter at each step of
    a statement and must then wait for it, while the loop is busy: BEGIN, a step per row and COMMIT took twice as long.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._marks = f"({', '.join('?' for _ in COLUMNS)})"
        names = ", ".join(column.name for column in COLUMNS)
        self._insert = f"INSERT INTO {Click.__tablename__} ({names}) VALUES "  # noqa: S608  our own names only

    def __call__(self, rows: Sequence[Row], patience_seconds: float) -> float:
        """Store these rows. Raises Busy, or the driver's error; then none is stored."""
        # Prepared once for each size of a group: MOST_ROWS is the size of the driver's cache.
        insert = self._insert + ", ".join([self._marks] * len(rows))
        values = list(chain.from_iterable(rows))
        until = time.monotonic() + patience_seconds
        while True:
            try:
                began = time.perf_counter()
                self._cursor().execute(insert, values)
                return time.perf_counter() - began
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    self.close()
                    raise
                if time.monotonic() >= until:
                    raise Busy from error
            except Exception:
                self.close()
                raise
            time.sleep(LOCK_STEP_SECONDS)

    def _prepare(self, driver: Any) -> None:
        driver.execute("PRAGMA busy_timeout=0")


class PostgresWriter(_OwnConnection):
    """The same on PostgreSQL: one statement and one round trip a group, a transaction by itself."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        names = ", ".join(column.name for column in COLUMNS)
        arrays = ", ".join(f"%s::{column.type.compile(engine.dialect)}[]" for column in COLUMNS)
        # The fence comes first, and holds until the commit: see core.db.horizon.
        self._insert = (
            f"WITH fence AS MATERIALIZED ({fence_sql('clicks')}) INSERT INTO {Click.__tablename__} ({names}) "  # noqa: S608  our own names only
            f"SELECT clicks.* FROM fence, unnest({arrays}) AS clicks"
        )

    def __call__(self, rows: Sequence[Row], patience_seconds: float) -> float:
        """Store these rows. Raises the driver's error; then it is not known to have stored any."""
        columns = [_array(values) for values in zip(*rows, strict=True)]
        began = time.perf_counter()
        try:
            self._cursor().execute(self._insert, columns, prepare=True)
        except Exception:
            self.close()
            raise
        return time.perf_counter() - began

    def _prepare(self, driver: Any) -> None:
        driver.autocommit = True
        driver.execute("SET TIME ZONE 'UTC'")  # rows have instants without their zone


def _array(values: Sequence[str | int]) -> str:
    """PostgreSQL's text of an array. JSON's is the same in other brackets, if no text holds a control character."""
    return f"{{{_json(values)[1:-1]}}}"


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Recorder:
    """Collects clicks on one event loop and stores them in groups, as many at a time as there are writers."""

    def __init__(self, writers: Sequence[Writer], loop: asyncio.AbstractEventLoop, *, inline: bool) -> None:
        self._loop, self._may_inline = loop, inline
        self._writers, self._idle = writers, list(writers)
        self._mean_seconds = 0.0
        self._rows: list[Row] = []
        self._told: list[Told] = []
        self._is_called = self._is_stuck = False
        self._threads = ThreadPoolExecutor(len(writers), thread_name_prefix="clicks")

    def record(self, row: Row, told: Told) -> None:
        """Store this click with the next group; `told` hears of it. It must not raise: others wait behind it."""
        if self._is_stuck:
            LOST.inc()
            told(False)
            return
        self._rows.append(row)
        self._told.append(told)
        if not self._is_called:
            self._call()

    def _call(self) -> None:
        if self._rows and self._idle and not self._is_called:
            self._is_called = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_called = False
        if not self._rows:
            return
        rows, self._rows = self._rows[:MOST_ROWS], self._rows[MOST_ROWS:]
        told, self._told = self._told[:MOST_ROWS], self._told[MOST_ROWS:]
        write = self._idle.pop()
        if not (self._is_inline() and self._try_inline(write, rows, told)):
            self._in_thread(write, rows, told)
        self._call()

    def _is_inline(self) -> bool:
        return self._may_inline and self._mean_seconds < SLOW_SECONDS

    def _try_inline(self, write: Writer, rows: Sequence[Row], told: list[Told]) -> bool:
        try:
            seconds = self._commit(write, rows, 0.0)
        except Busy:
            return False
        self._done(write, told, seconds)
        return True

    def _in_thread(self, write: Writer, rows: Sequence[Row], told: list[Told]) -> None:
        alarm = self._loop.call_later(PATIENCE_SECONDS, self._give_up, told)
        commit = self._loop.run_in_executor(self._threads, self._commit_or_lose, write, rows)

        def done(commit: "asyncio.Future[float | None]") -> None:
            alarm.cancel()
            self._done(write, told, commit.result())

        commit.add_done_callback(done)

    def _commit_or_lose(self, write: Writer, rows: Sequence[Row]) -> float | None:
        try:
            return self._commit(write, rows, PATIENCE_SECONDS)
        except Busy:
            self._lose(len(rows), "busy")
            return None

    def _commit(self, write: Writer, rows: Sequence[Row], patience_seconds: float) -> float | None:
        """The seconds that the disk took; None if the clicks are lost. Raises Busy."""
        try:
            seconds = write(rows, patience_seconds)
        except Busy:
            raise
        except Exception as error:  # whatever it is: people are led on, and the loss is said
            self._lose(len(rows), type(error).__name__)
            return None
        STORED.inc(len(rows))
        return seconds

    def _lose(self, clicks: int, reason: str) -> None:
        if clicks:
            LOST.inc(clicks)
            log.error("clicks lost", clicks=clicks, error=reason, exc_info=reason not in ("busy", "patience"))

    def _give_up(self, in_work: list[Told]) -> None:
        """A group is not done after all our patience: lead everybody on, and write nothing more until it is.

        Whether the group itself is stored will be counted when it is known. Nobody is told that it was.
        """
        self._is_stuck = True
        self._lose(len(self._rows), "patience")
        _tell(in_work, False)
        _tell(self._told, False)
        self._rows = []

    def _done(self, write: Writer, told: list[Told], seconds: float | None) -> None:
        """A group is on disk, which took so long; None: it is lost. Who was given up has been told already."""
        if seconds is not None:
            self._mean_seconds += FRESHNESS * (min(seconds, LONGEST_SECONDS) - self._mean_seconds)
        _tell(told, seconds is not None)
        self._idle.append(write)
        self._is_stuck = False
        self._call()

    def close(self) -> None:
        """Store what waits, then stop. Called when the loop does not run any more."""
        self._threads.shutdown()
        for start in range(0, len(self._rows), MOST_ROWS):
            self._commit_or_lose(self._writers[0], self._rows[start : start + MOST_ROWS])
        self._rows, self._told = [], []
        for writer in self._writers:
            writer.close()


def _tell(told: list[Told], stored: bool) -> None:
    """Tell each, and nobody twice."""
    for tell in told:
        tell(stored)
    told.clear()


def recorder_for(engine: Engine, loop: asyncio.AbstractEventLoop) -> Recorder:
    """SQLite has one writer at a time; on PostgreSQL two groups at once keep the network and the disk busy."""
    if engine.dialect.name == "sqlite":
        return Recorder([SqliteWriter(engine)], loop, inline=True)
    return Recorder([PostgresWriter(engine), PostgresWriter(engine)], loop, inline=False)
