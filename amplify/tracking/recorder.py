"""Clicks by group commit: whatever waits is stored in one transaction, and nobody is answered before it is on disk.

A turn of the event loop collects the clicks that came in it; one commit makes them all durable. While commits are
fast they run on the loop itself, which costs no hand-over; when the disk is slow (or the database is elsewhere) they
run in one writer thread, and the loop goes on collecting. The switch follows what commits took lately.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Engine

from amplify.core.db import enter_fence
from amplify.tracking.models import Click

Row = dict[str, Any]
Write = Callable[[Sequence[Row]], None]

# An fsync of a millisecond stalls every connection of the loop for as long: from there on a thread is cheaper.
SLOW_SECONDS = 0.001
MOST_ROWS = 1_000
# How much the newest commit counts in the running mean.
FRESHNESS = 0.1

log = structlog.get_logger(__name__)


def writer(engine: Engine) -> Write:
    """Stores rows of clicks in one transaction of their own."""
    insert = sa.insert(Click.__table__)  # type: ignore[arg-type]

    def write(rows: Sequence[Row]) -> None:
        with engine.begin() as connection:
            enter_fence(connection, "clicks")
            connection.execute(insert, rows)

    return write


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
        except sa.exc.SQLAlchemyError as error:
            log.error("clicks lost", clicks=len(rows), error=type(error).__name__)
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
