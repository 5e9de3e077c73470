"""The database: one declarative base, the column types every floor shares, and how SQLite and PostgreSQL are opened.

SQLite runs in WAL mode with synchronous=FULL: what was acknowledged survives a power cut. Versions with the
WAL-reset bug (sqlite.org/wal.html#walresetbug) never checkpoint by themselves; `amplify.core.wal` does it safely.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

import sqlalchemy as sa
from flask_sqlalchemy_lite import SQLAlchemy
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
BUSY_TIMEOUT_MS = 15_000
# SQLite's own waiting grows to steps of 100 ms, in which the writer's lock is free again and again. Ours stay short.
LOCK_STEP_SECONDS, LONGEST_LOCK_STEP_SECONDS = 0.0005, 0.004
# Of SQLite's file, for each connection. Its own 2 MB are enough for pages; a worker's transaction changes thousands of
# places, and what does not fit is written to the log and read again while it lasts.
PAGES_KB, WORKER_PAGES_KB = 2_000, 32_000


class _SqliteInstant(sa.types.TypeEngine[datetime]):
    """The text that SQLAlchemy stores and reads itself, made faster: every click, entry and push carries one."""

    __visit_name__ = "DATETIME"

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], str | None]:
        def text(value: datetime | None) -> str | None:
            # Without its zone, which is UTC.
            return None if value is None else _in_utc(value).isoformat(" ", "microseconds")[:26]

        return text

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], datetime | None]:
        # With its zone written behind it: to replace() it takes five times as long.
        return lambda text: None if text is None else datetime.fromisoformat(f"{text}+00:00")


class _PostgresInstant(sa.types.TypeEngine[datetime]):
    """timestamptz, which comes back in the session's zone."""

    __visit_name__ = "TIMESTAMP"
    timezone = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], datetime | None]:
        return lambda value: None if value is None else _in_utc(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[datetime | None], datetime | None]:
        return lambda value: None if value is None else value.astimezone(UTC)


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        raise ValueError("an instant without a time zone cannot be stored")
    return value.astimezone(UTC)


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An instant: aware UTC in Python, timestamptz on PostgreSQL, naive UTC text on SQLite. Refuses naive values."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(_SqliteInstant() if dialect.name == "sqlite" else _PostgresInstant())


BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite autoincrements only an INTEGER primary key
Json = sa.JSON().with_variant(JSONB(), "postgresql")

PrimaryKey = Annotated[int, mapped_column(BigId, primary_key=True, autoincrement=True)]
Text40 = Annotated[str, mapped_column(sa.String(40))]
Text80 = Annotated[str, mapped_column(sa.String(80))]
Text200 = Annotated[str, mapped_column(sa.String(200))]
Instant = Annotated[datetime, mapped_column(UtcDateTime)]


class Base(DeclarativeBase):
    """Every table of ours. Constraint names are fixed: SQLite's batch migrations cannot drop what has no name."""

    metadata = sa.MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: sa.BigInteger,
        dict[str, Any]: Json,
        list[Any]: Json,
        list[str]: Json,
        str: sa.Text,
    }


db = SQLAlchemy(
    # No values in error texts: they end in logs.
    engine_options={"pool_pre_ping": True, "hide_parameters": True},
    session_options={"expire_on_commit": False},
)

_reading: ContextVar[bool] = ContextVar("amplify_reading", default=False)


@contextmanager
def reading() -> Iterator[None]:
    """Transactions begun inside only read: on SQLite they do not take the writer's lock."""
    token = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(token)


_pages_kb = PAGES_KB


def keep_more_pages() -> None:
    """For a worker: connections that this process opens from now on keep more of SQLite's file in memory."""
    global _pages_kb
    _pages_kb = WORKER_PAGES_KB


def set_reading(value: bool) -> None:
    """For a whole request: see `reading`."""
    _reading.set(value)


def wal_reset_bug(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> bool:
    """Whether this SQLite can corrupt a WAL database when two connections checkpoint and commit at once."""
    if version >= (3, 51, 3):
        return False
    return not ((3, 50, 7) <= version < (3, 51, 0) or (3, 44, 6) <= version < (3, 45, 0))


@sa.event.listens_for(Engine, "connect")
def _open_sqlite(connection: Any, record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None  # we send BEGIN ourselves, see below
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        f"cache_size=-{_pages_kb}",
        *(("wal_autocheckpoint=0", "mmap_size=0") if wal_reset_bug() else ()),
    ):
        connection.execute(f"PRAGMA {pragma}")


@sa.event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once (and waits for it): a deferred one that upgrades later fails with SQLITE_BUSY.
    # `driver_begins`: a library's own migrations say BEGIN themselves.
    if connection.dialect.name != "sqlite" or connection.get_execution_options().get("driver_begins"):
        return
    if _reading.get():
        connection.exec_driver_sql("BEGIN")
    else:
        _begin_to_write(connection)


def is_busy(error: sqlite3.OperationalError) -> bool:
    """Whether somebody else holds SQLite's lock; while it recovers from a crash, too (SQLITE_BUSY_RECOVERY)."""
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # sqlite.org/rescode.html: the lower byte is the kind


def _begin_to_write(connection: Connection) -> None:
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA busy_timeout=0")
    until, step = time.monotonic() + BUSY_TIMEOUT_MS / 1000, LOCK_STEP_SECONDS
    try:
        while time.monotonic() < until:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    break
            time.sleep(step)
            step = min(LONGEST_LOCK_STEP_SECONDS, 1.5 * step)
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # SQLAlchemy knows what each error means for the connection
    finally:
        driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


def is_sqlite(session: Session) -> bool:
    """Which of the two databases this session talks to."""
    return session.get_bind().dialect.name == "sqlite"


def fence_sql(name: str) -> str:
    """What a writer of an append-only table says first on PostgreSQL. `name` is ours, never a user's."""
    return f"SELECT pg_advisory_xact_lock_shared(hashtext('amplify.{name}'))"


def enter_fence(session: Session, name: str) -> None:
    """A writer of an append-only table announces itself until its commit. See `horizon`."""
    if not is_sqlite(session):
        session.execute(sa.text(fence_sql(name)))


def close_fence(session: Session, name: str) -> None:
    """Wait for the writers inside the fence and keep others out until our commit: what we read then, we may act on."""
    if not is_sqlite(session):
        lock = sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))")
        session.execute(lock, {"name": f"amplify.{name}"})


def horizon(session: Session, name: str, key: Any) -> int:
    """The highest id below which no row can still appear: waits for the writers inside the fence, then reads max(id).

    PostgreSQL hands out ids before commit, so a reader with a cursor would skip a row that commits late.
    SQLite has one writer at a time, so its max(id) is already true.
    """
    highest = sa.select(sa.func.coalesce(sa.func.max(key), 0))
    if is_sqlite(session):
        return int(session.scalar(highest) or 0)
    lock = {"name": f"amplify.{name}"}
    session.execute(sa.text("SELECT pg_advisory_lock(hashtext(:name))"), lock)
    try:
        return int(session.scalar(highest) or 0)
    finally:  # released at once: writers must not wait for the reader's whole transaction
        session.execute(sa.text("SELECT pg_advisory_unlock(hashtext(:name))"), lock)
