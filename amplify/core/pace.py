"""How much a round of the worker moves in one transaction, and how long it then leaves the database to others.

PostgreSQL lets a worker write beside everybody else: there a round with a heap of work moves more in each transaction,
which costs less for each row, as long as a transaction is short enough for boards that are live. But processors are
few, and the server works for a worker as eagerly as for those who click: after such a turn a round steps back.
SQLite has one writer: whoever holds it keeps the clicks waiting, so there rounds take turns, hold it for some
hundredths of a second, and step aside while somebody else wants it; while nobody does, a turn may be longer.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amplify.core import wal

MOST_ROWS = 500
# Fewer are hardly quicker: what a round looks up before its first row takes up to 25 ms.
LEAST_ROWS = 50
# How long SQLite's writer may be held while others want it: people wait for it when they click. And while nobody does.
TURN_SECONDS, QUIET_TURN_SECONDS = 0.04, 0.12
# Others get this many times as long as a turn took, unless nobody wrote anything for LOOK_SECONDS of it.
REST = 3.5
LOOK_SECONDS = 0.02


# On PostgreSQL: how long a transaction may take, and how many rows it may move. One that took less than IDLE_SECONDS
# had little to do, and says nothing about how long many rows take.
FREE_SECONDS, FREE_ROWS, IDLE_SECONDS = 0.4, 5_000, 0.02
# How many times as long a round then rests.
FREE_REST = 1.0


class Free:
    """Nobody is kept waiting for a lock."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._rows: dict[str, float] = {}

    @contextmanager
    def turn(self, name: str) -> Iterator[int]:
        """A turn of the round of this name; gives the number of rows it may move."""
        rows = self._rows.get(name, MOST_ROWS)
        began = time.monotonic()
        yield int(rows)
        took = time.monotonic() - began
        if took > IDLE_SECONDS:
            self._rows[name] = _within(rows * min(2.0, FREE_SECONDS / took), FREE_ROWS)
            self._stopping.wait(min(took, FREE_SECONDS) * FREE_REST)


def _within(rows: float, most: int) -> float:
    return min(most, max(LEAST_ROWS, rows))


class Polite:
    """Turns on one SQLite file, one at a time in this process."""

    def __init__(self, file: Path, stopping: threading.Event) -> None:
        self._file, self._stopping = file, stopping
        self._lock = threading.Lock()
        self._seconds = TURN_SECONDS
        # Of each round its last turn: how many rows, and how long it took.
        self._last: dict[str, tuple[float, float]] = {}

    @contextmanager
    def turn(self, name: str) -> Iterator[int]:
        """The same, one at a time. The rest belongs to the turn: no other round may use it."""
        with self._lock:
            rows, took = self._last.get(name, (LEAST_ROWS, self._seconds))
            rows = _within(rows * min(2.0, self._seconds / max(took, 0.001)), MOST_ROWS)
            began = time.monotonic()
            yield int(rows)
            took = time.monotonic() - began
            self._last[name] = rows, took
            self._seconds = QUIET_TURN_SECONDS if self._rest(took * REST) else TURN_SECONDS

    def _rest(self, seconds: float) -> bool:
        """Until the time is over, or nobody writes; whether nobody does."""
        until = time.monotonic() + seconds
        seen = wal.mark(self._file)
        while time.monotonic() < until and not self._stopping.wait(LOOK_SECONDS):
            now = wal.mark(self._file)
            if now == seen:
                return True
            seen = now
        return False


def pace_for(file: Path | None, stopping: threading.Event) -> Free | Polite:
    """`file` is SQLite's; None on PostgreSQL."""
    return Free(stopping) if file is None else Polite(file, stopping)
