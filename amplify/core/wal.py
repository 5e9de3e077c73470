"""Keeps SQLite's write-ahead log small, by one hand, and looks for damage after a crash.

SQLite up to 3.51.2 can corrupt a WAL database when two connections commit and checkpoint at the same instant
(sqlite.org/wal.html#walresetbug). On such a version no connection checkpoints by itself (core.db); the worker that
holds the lease does it here, in a mode that holds the writer's lock so that nobody commits meanwhile.

The log's file is kept and written over: on a journaling filesystem each commit that makes the file longer costs a
second write, so that appending takes twice as long (docs/measuring.md). Only a file that grew very large is cut.
"""

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
# In the index of the log (sqlite.org/walformat.html): pages in the log, and how many of them the database has already.
IN_LOG, IN_DATABASE = 16, 96
# How long a checkpoint may keep writers waiting for a slow reader before it gives up until the next time.
PATIENCE_SECONDS = 1.0
# Above this size only the quick check runs: the full one reads every index entry.
FULL_CHECK_BYTES = 500_000_000


class Damaged(Exception):
    """The database file is damaged; the text says what SQLite found."""


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


def waiting_pages(file: Path) -> int:
    """Pages in the log that the database does not have yet. Reads the log's index, which no lock guards: a hint."""
    index = file.with_name(file.name + "-shm")
    try:
        with index.open("rb", buffering=0) as opened:
            head = opened.read(IN_DATABASE + 4)
    except FileNotFoundError:
        return 0
    if len(head) < IN_DATABASE + 4:
        return 0
    return int(struct.unpack_from("=I", head, IN_LOG)[0] - struct.unpack_from("=I", head, IN_DATABASE)[0])


def needs_checkpoint(file: Path) -> bool:
    """Whether much waits in the log and nobody but us will move it."""
    return wal_reset_bug() and waiting_pages(file) > MANY_PAGES


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
