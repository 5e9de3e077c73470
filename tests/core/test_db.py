"""SQLite's one writer: who wants to write waits in short steps, and is told when it takes too long."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from amplify.core import db
from amplify.core.db import is_busy, reading


@contextmanager
def held(file: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else writes."""
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        if other.in_transaction:
            other.execute("ROLLBACK")


def insert(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO rows DEFAULT VALUES")


def test_a_writer_goes_on_when_the_lock_is_free(file: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{file}")

    def let_go(other: sqlite3.Connection) -> None:
        time.sleep(0.3)
        other.execute("ROLLBACK")

    insert(engine)
    with held(file) as other:
        thread = threading.Thread(target=let_go, args=(other,))
        thread.start()
        insert(engine)
        thread.join()
    with reading(), engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM rows").scalar_one() == 2
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == db.BUSY_TIMEOUT_MS
    engine.dispose()


def test_a_writer_that_waits_too_long_is_told_and_its_connection_is_as_before(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "BUSY_TIMEOUT_MS", 50)
    engine = sa.create_engine(f"sqlite:///{file}")
    with held(file), pytest.raises(sa.exc.OperationalError, match="locked") as told:
        insert(engine)
    assert isinstance(told.value.orig, sqlite3.OperationalError)
    assert is_busy(told.value.orig)
    insert(engine)
    engine.dispose()


def test_who_only_reads_waits_for_nobody(file: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{file}")
    with held(file), reading(), engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM rows").scalar_one() == 0
    engine.dispose()
