"""Clicks by group commit: whatever waits is stored in one transaction, and nobody is answered before it is on disk.

A turn of the event loop collects the clicks that came in it; one commit makes them all durable. While commits are
fast they run on the loop itself, which costs no hand-over; when the disk is slow (or the database is elsewhere) they
run in one writer thread, and the loop goes on collecting. The switch follows what commits took lately.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Engine
from sqlalchemy.pool import PoolProxiedConnection

from amplify.core.db import fence_sql
from amplify.tracking.models import Click

TABLE = sa.inspect(Click).local_table
COLUMNS = [column for column in TABLE.columns if not column.primary_key]
# The values of COLUMNS in their order, as the model has them.
Row = tuple[Any, ...]
Write = Callable[[Sequence[Row]], None]

# An fsync of a millisecond stalls every connection of the loop for as long: from there on a thread is cheaper.
SLOW_SECONDS = 0.001
MOST_ROWS = 1_000
# How much the newest commit counts in the running mean.
FRESHNESS = 0.1

log = structlog.get_logger(__name__)


class Writer:
    """Stores clicks on a connection of its own, one transaction a call, through the driver.

    An insert of 64 rows through SQLAlchemy costs more than its fsync. So SQLAlchemy gives the names and the
    conversions of the columns, once, and stays out of the way.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: PoolProxiedConnection | None = None
        dialect = engine.dialect
        mark = "?" if dialect.name == "sqlite" else "%s"
        names, marks = ", ".join(c.name for c in COLUMNS), ", ".join(mark for _ in COLUMNS)
        self._insert = f"INSERT INTO {Click.__tablename__} ({names}) VALUES ({marks})"  # noqa: S608  our own names only
        self._begin = "BEGIN IMMEDIATE" if dialect.name == "sqlite" else fence_sql("clicks")
        converters = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in COLUMNS]
        self._convert = [(place, convert) for place, convert in enumerate(converters) if convert]

    def __call__(self, rows: Sequence[Row]) -> None:
        """Store all of these rows or none. Raises the driver's error."""
        ready = [self._ready(row) for row in rows]
        try:
            if self._connection is None:
                self._connection = self._engine.raw_connection()
            cursor = self._connection.cursor()
            cursor.execute(self._begin)
            cursor.executemany(self._insert, ready)
            self._connection.commit()
        except Exception:
            self.close()  # in whatever state it is: the next group gets another
            raise

    def _ready(self, row: Row) -> list[Any]:
        values = list(row)
        for place, convert in self._convert:
            values[place] = convert(values[place])
        return values

    def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            with suppress(Exception):
                self._connection.invalidate()
            self._connection = None


class Recorder:
    """Collects clicks on one event loop and stores them in groups. `lost` counts those that could not be stored."""

    def __init__(self, write: Write, loop: asyncio.AbstractEventLoop, *, inline: bool) -> None:
        self._write, self._loop = write, loop
        self._may_inline = inline
        self._mean_seconds = 0.0
        self._rows: list[Row] = []
        self._waiting: list[asyncio.Future[bool]] = []
        self._is_busy = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="clicks")
        self.lost = 0

    def record(self, row: Row) -> "asyncio.Future[bool]":
        """Store this click with the next group. The future says whether it is on disk."""
        stored: asyncio.Future[bool] = self._loop.create_future()
        self._rows.append(row)
        self._waiting.append(stored)
        if not self._is_busy:
            self._is_busy = True
            self._loop.call_soon(self._flush)
        return stored

    def _flush(self) -> None:
        rows, self._rows = self._rows[:MOST_ROWS], self._rows[MOST_ROWS:]
        waiting, self._waiting = self._waiting[:MOST_ROWS], self._waiting[MOST_ROWS:]
        if self._may_inline and self._mean_seconds < SLOW_SECONDS:
            self._done(waiting, *self._commit(rows))
            return
        commit = self._loop.run_in_executor(self._thread, self._commit, rows)
        commit.add_done_callback(lambda done: self._done(waiting, *done.result()))

    def _commit(self, rows: Sequence[Row]) -> tuple[bool, float]:
        began = time.perf_counter()
        try:
            self._write(rows)
        except Exception as error:  # whatever it is: people are led on, and the loss is said
            log.exception("clicks lost", clicks=len(rows), error=type(error).__name__)
            return False, time.perf_counter() - began
        return True, time.perf_counter() - began

    def _done(self, waiting: Sequence["asyncio.Future[bool]"], stored: bool, seconds: float) -> None:
        self._mean_seconds += FRESHNESS * (seconds - self._mean_seconds)
        self.lost += 0 if stored else len(waiting)
        for future in waiting:
            if not future.done():  # a visitor who hung up does not wait any more; the click is a fact all the same
                future.set_result(stored)
        self._is_busy = bool(self._rows)
        if self._is_busy:
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Store what waits, then stop."""
        if self._rows:
            self._done(self._waiting, *self._commit(self._rows))
            self._rows, self._waiting = [], []
        self._thread.shutdown()
