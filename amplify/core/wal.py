"""Keeps SQLite's write-ahead log small, by one hand, and looks for damage after a crash.

SQLite up to 3.51.2 can corrupt a WAL database when two connections commit and checkpoint at the same instant
(sqlite.org/wal.html#walresetbug). On such a version no connection checkpoints by itself (core.db); the worker that
holds the lease does it here, in a mode that holds the writer's lock so that nobody commits meanwhile.

The log's file is kept and written over: on a journaling filesystem each commit that makes the file longer costs a
second write, so that appending takes twice as long (docs/measuring.md). Only a file that grew very large is cut.
"""

import bisect
import os
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from amplify.core.db import wal_reset_bug

LEASE = "wal"
LEASE_SECONDS = 60.0
# SQLite's own threshold.
MANY_PAGES = 1_000
# A log that grew beyond this (a long import, a reader that held it up) is given back to the disk.
KEEP_BYTES = 64_000_000
# sqlite.org/fileformat2.html, "WAL File Format".
HEAD_BYTES, FRAME_HEAD_BYTES = 32, 24
# How long a checkpoint may keep writers waiting for a slow reader before it gives up until the next time.
PATIENCE_SECONDS = 1.0
# Above this size only the quick check runs: the full one reads every index entry.
FULL_CHECK_BYTES = 500_000_000


class Damaged(Exception):
    """The database file is damaged; the text says what SQLite found."""


class Mark(NamedTuple):
    """How far the log was written: `salt` is another one each time it starts anew, `pages` have come since."""

    salt: bytes
    pages: int


class State(NamedTuple):
    """How this SQLite's log is kept: `by` is "worker" (affected version) or "sqlite"; the file's size in bytes."""

    version: str
    by: str
    log_bytes: int


def file_of(database: str) -> Path | None:
    """The SQLite file behind a database address; None for PostgreSQL."""
    url = sa.make_url(database)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def state(file: Path) -> State:
    """What /readyz tells about the log."""
    return State(sqlite3.sqlite_version, "worker" if wal_reset_bug() else "sqlite", log_bytes(file))


def log_bytes(file: Path) -> int:
    """Size of the write-ahead log, 0 if there is none."""
    log = file.with_name(file.name + "-wal")
    return log.stat().st_size if log.exists() else 0


def mark(file: Path) -> Mark:
    """Where the log stands: another mark after each commit of anybody. No lock guards it: a hint.

    Read from the log alone. Whoever opens and closes the database or the log's index in a process that uses them lets
    go of all its locks, and two writers damage the file (sqlite.org/howtocorrupt.html).
    """
    try:
        with file.with_name(file.name + "-wal").open("rb", buffering=0) as log:
            head = log.read(HEAD_BYTES)
            if len(head) < HEAD_BYTES:
                return Mark(b"", 0)
            page_bytes, salt = int(struct.unpack_from(">I", head, 8)[0]), head[16:24]
            frame_bytes = FRAME_HEAD_BYTES + page_bytes
            frames = range((os.fstat(log.fileno()).st_size - HEAD_BYTES) // frame_bytes)

            def is_older(frame: int) -> bool:
                return os.pread(log.fileno(), 8, HEAD_BYTES + frame * frame_bytes + 8) != salt

            # Frames of this round of the log come first; behind them stand those of earlier rounds.
            return Mark(salt, bisect.bisect_left(frames, True, key=is_older))
    except FileNotFoundError:
        return Mark(b"", 0)


def needs_checkpoint(now: Mark, moved: Mark) -> bool:
    """Whether much was written since the mark of the last checkpoint, and nobody but us will move it."""
    return wal_reset_bug() and now.pages > MANY_PAGES and now != moved


def checkpoint(file: Path, patience_seconds: float = PATIENCE_SECONDS) -> bool:
    """Move the log into the database, so that it starts anew; False if a reader was in the way for too long.

    Only for the holder of the lease, outside any transaction.
    """
    mode = "RESTART" if log_bytes(file) <= KEEP_BYTES else "TRUNCATE"
    # sqlite3's timeout is the busy handler: how long to wait for readers with the writer's lock in hand.
    with closing(sqlite3.connect(file, timeout=patience_seconds, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("PRAGMA synchronous=FULL")
        try:
            busy, _frames, _moved = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        except sqlite3.OperationalError:  # a writer kept the lock all the time
            return False
    return not busy


def was_left_open(file: Path) -> bool:
    """Whether the last process to use the file did not close it: its log is still there, with content."""
    return file.exists() and log_bytes(file) > 0


def check(file: Path) -> str:
    """Search the whole file for damage; says which check ran. Raises Damaged."""
    kind = "integrity_check" if file.stat().st_size <= FULL_CHECK_BYTES else "quick_check"
    try:
        with closing(sqlite3.connect(file, timeout=15.0, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_autocheckpoint=0")
            found = [row[0] for row in connection.execute(f"PRAGMA {kind}(5)")]
    except sqlite3.DatabaseError as error:
        raise Damaged(str(error)) from error
    if found != ["ok"]:
        raise Damaged("; ".join(found))
    return kind
