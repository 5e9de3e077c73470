"""The rows of the job engine, seen from a transaction of ours: put work in, look at it, take it out, run it here."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.core.jobs.registry import Job, Payload, Permanent, describe, find

if TYPE_CHECKING:
    from dbos import DBOSClient

APPLICATION = "amplify"
QUEUE = "amplify"
SCHEMA = "dbos"  # on PostgreSQL; SQLite has no schemas
# Fixed: work enqueued before an upgrade is done by the code after it.
VERSION = "1"

PARKED = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


class JsonSerializer:
    """Payloads as JSON: rows of the database are never unpickled."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data, default=_plain, separators=(",", ":"))

    def deserialize(self, text: str) -> Any:
        return json.loads(text)

    def name(self) -> str:
        return "json"


def _plain(value: Any) -> str:
    if isinstance(value, BaseException):
        return describe(value)
    raise TypeError(f"a payload is JSON; {type(value).__name__} is not")


@dataclass(frozen=True)
class Try:
    """One attempt of one job: what the engine's row says. `first` is the attempt at which the budget began."""

    job: str
    key: str
    payload: Payload
    attempt: int = 1
    first: int = 1

    @property
    def id(self) -> str:
        return f"{self.job}/{self.attempt}/{self.key}"

    def next(self) -> "Try":
        return Try(self.job, self.key, self.payload, self.attempt + 1, self.first)

    def is_last(self, job: Job) -> bool:
        return self.attempt - self.first + 1 >= job.attempts

    @classmethod
    def of(cls, job: str, inputs: str) -> "Try":
        """The attempt whose inputs the engine stored."""
        return cls(job, *json.loads(inputs)["args"])


@dataclass(frozen=True)
class Parked:
    """A job that will not run again by itself, and why."""

    id: str
    job: str
    key: str
    attempt: int
    error: str
    parked_at: datetime


_clients: "WeakKeyDictionary[Engine, DBOSClient]" = WeakKeyDictionary()


def client(engine: Engine) -> "DBOSClient":
    """The engine's own client: it only writes rows, starts no thread and connects to nothing but this database."""
    from dbos import DBOSClient

    if engine not in _clients:
        _clients[engine] = DBOSClient(
            system_database_engine=engine,
            dbos_system_schema=SCHEMA,
            application_name=APPLICATION,
            serializer=JsonSerializer(),  # type: ignore[arg-type]  # the same three methods
            lazy=True,
        )
    return _clients[engine]


def warm_up() -> None:
    """Import the engine's library (half a second) before the first request has to wait for it."""
    import dbos  # noqa: F401


def options(one: Try, job: Job, delay_seconds: float = 0.0) -> Any:
    """How the engine is told to keep this attempt."""
    said: dict[str, Any] = {
        "workflow_name": one.job,
        "workflow_id": one.id,
        "queue_name": QUEUE,
        "app_version": VERSION,
        "application_name": APPLICATION,
        "priority": job.priority,
    }
    return said | ({"delay_seconds": delay_seconds} if delay_seconds > 0 else {})


def enqueue(session: Session, name: str, payload: Payload, *, key: str, not_before: datetime | None = None) -> None:
    """Put the job `name` into the caller's transaction, due at once or at `not_before` (aware).

    A key that this job had before is ignored. Raises LookupError for a job that nobody registered and TypeError
    for a payload that is not JSON.
    """
    wait = (not_before - clock.now()).total_seconds() if not_before else 0.0
    _put(session, Try(name, key, payload), wait)


def _put(session: Session, one: Try, delay_seconds: float = 0.0) -> None:
    said = options(one, find(one.job), delay_seconds)
    engine = session.get_bind().engine
    client(engine).enqueue_in_transaction(session.connection(), said, one.key, one.payload, one.attempt, one.first)


@cache
def _tables() -> Any:
    from dbos._schemas.system_database import SystemSchema

    return SystemSchema


def _execute(session: Session, statement: Any, rows: Any = None) -> Any:
    """Run a statement on the engine's tables, wherever this database keeps them."""
    placeholder = _tables().metadata_obj.schema
    connection = session.connection()
    schema = SCHEMA if connection.dialect.name == "postgresql" else None
    # In place: a session's connection is already in use, and only then does the option still count.
    known = connection.get_execution_options().get("schema_translate_map") or {}
    connection.execution_options(schema_translate_map={**known, placeholder: schema})
    return connection.execute(statement, rows)


def dispatched(session: Session, one: Try) -> int:
    """How often a worker has begun with this attempt: more than once if one died with it."""
    status = _tables().workflow_status
    times = sa.select(status.c.recovery_attempts).where(status.c.workflow_uuid == one.id)
    return int(_execute(session, times).scalar() or 1)


def drain(session: Session, limit: int = 1000) -> int:
    """Run the due jobs in this process, in this thread, in the caller's application context; returns how many ran.

    The small real implementation of the worker, for tests and for the demo's history. Like the engine it
    commits after each job, notes failures and puts the next attempt in.
    """
    for done in range(limit):
        session.commit()
        row = _execute(session, _due()).first()
        session.commit()  # the job has transactions of its own: SQLite's writer must be free for them
        if row is None:
            return done
        _perform(session, Try.of(row.name, row.inputs))
    return limit


def _due() -> Any:
    status, inputs = _tables().workflow_status, _tables().workflow_input
    now_ms = int(clock.now().timestamp() * 1000)
    due = (status.c.status == "ENQUEUED") | ((status.c.status == "DELAYED") & (status.c.delay_until_epoch_ms <= now_ms))
    return (
        sa.select(status.c.name, inputs.c.inputs)
        .join(inputs, inputs.c.workflow_uuid == status.c.workflow_uuid)
        .where(due, status.c.application_name == APPLICATION)
        .order_by(status.c.priority, status.c.created_at, status.c.workflow_uuid)
        .limit(1)
    )


def _perform(session: Session, one: Try) -> None:
    job = find(one.job)
    try:
        job(one.payload)
        session.commit()
    except Exception as error:
        session.rollback()
        if isinstance(error, Permanent) or one.is_last(job):
            _note(session, one, "ERROR", describe(error))
            return
        _put(session, one.next(), job.wait_seconds(one.attempt, error))
    _note(session, one, "SUCCESS", None)


def _note(session: Session, one: Try, state: str, error: str | None) -> None:
    status, output = _tables().workflow_status, _tables().workflow_output
    now_ms = int(time.time() * 1000)
    done = {"status": state, "completed_at": now_ms, "updated_at": now_ms}
    _execute(session, sa.update(status).where(status.c.workflow_uuid == one.id).values(done))
    if error is not None:
        serialized = JsonSerializer().serialize(error)
        _execute(
            session,
            sa.insert(output).values(workflow_uuid=one.id, error=serialized, retention_timestamp=now_ms),
        )
    session.commit()


def count(session: Session) -> dict[str, int]:
    """How many jobs are in each state: waiting, delayed, running, parked."""
    status = _tables().workflow_status
    words = {"ENQUEUED": "waiting", "DELAYED": "delayed", "PENDING": "running"} | dict.fromkeys(PARKED, "parked")
    states = (
        sa.select(status.c.status, sa.func.count())
        .where(status.c.status.in_(words), status.c.application_name == APPLICATION)
        .group_by(status.c.status)
    )
    counted = dict.fromkeys(words.values(), 0)
    for state, number in _execute(session, states):
        counted[words[state]] += number
    return counted


def parked(session: Session, limit: int = 100) -> Sequence[Parked]:
    """The parked jobs, the latest first."""
    status, inputs, output = _tables().workflow_status, _tables().workflow_input, _tables().workflow_output
    rows = _execute(
        session,
        sa.select(status, inputs.c.inputs.label("given"), output.c.error.label("reason"))
        .join(inputs, inputs.c.workflow_uuid == status.c.workflow_uuid)
        .outerjoin(output, output.c.workflow_uuid == status.c.workflow_uuid)
        .where(status.c.status.in_(PARKED), status.c.application_name == APPLICATION)
        .order_by(status.c.completed_at.desc())
        .limit(limit),
    )
    return [_parked(row) for row in rows]


def _parked(row: Any) -> Parked:
    one = Try.of(row.name, row.given)
    crashed = "its worker died with it again and again"
    error = str(json.loads(row.reason)) if row.reason else crashed
    at = datetime.fromtimestamp((row.completed_at or row.updated_at) / 1000, UTC)
    return Parked(row.workflow_uuid, one.job, one.key, one.attempt, error, at)


def retry(session: Session, job_id: str) -> bool:
    """Put a parked job back with a fresh budget of attempts; False if no such job is parked."""
    tables = _tables()
    status, inputs = tables.workflow_status, tables.workflow_input
    row = _execute(
        session,
        sa.select(status.c.name, inputs.c.inputs)
        .join(inputs, inputs.c.workflow_uuid == status.c.workflow_uuid)
        .where(status.c.workflow_uuid == job_id, status.c.status.in_(PARKED))
        .with_for_update(of=status),
    ).first()
    if row is None:
        return False
    old = Try.of(row.name, row.inputs)
    _delete(session, [job_id])
    _put(session, Try(old.job, old.key, old.payload, old.attempt, first=old.attempt))
    return True


def _delete(session: Session, ids: Sequence[str]) -> None:
    tables = _tables()
    for table in (tables.workflow_input, tables.workflow_output, tables.workflow_status):
        _execute(session, sa.delete(table).where(table.c.workflow_uuid.in_(ids)))


def adopt(session: Session, executor_id: str) -> int:
    """Give the unfinished jobs of a dead worker back to the queue; returns how many. Safe to repeat."""
    status = _tables().workflow_status
    back: dict[str, Any] = {"status": "ENQUEUED", "owner_xid": None, "queue_name": QUEUE, "started_at_epoch_ms": None}
    orphans = sa.update(status).where(status.c.status == "PENDING", status.c.executor_id == executor_id)
    return int(_execute(session, orphans.values(back | {"updated_at": int(time.time() * 1000)})).rowcount)


def unfinished_of(session: Session) -> dict[str, int]:
    """Executor -> how many jobs it is running, or was when it died."""
    status = _tables().workflow_status
    rows = _execute(
        session,
        sa.select(status.c.executor_id, sa.func.count())
        .where(status.c.status == "PENDING", status.c.application_name == APPLICATION)
        .group_by(status.c.executor_id),
    )
    return {executor: number for executor, number in rows if executor}


def forget_done(session: Session, older_than: timedelta, limit: int = 5000) -> int:
    """Delete finished jobs (never parked ones) whose end is longer ago; returns how many. Their keys are free again."""
    status = _tables().workflow_status
    before_ms = int((clock.now() - older_than).timestamp() * 1000)
    old = (
        sa.select(status.c.workflow_uuid)
        .where(status.c.status == "SUCCESS", status.c.completed_at < before_ms)
        .where(status.c.application_name == APPLICATION)
        .limit(limit)
    )
    ids = [row[0] for row in _execute(session, old)]
    if ids:
        _delete(session, ids)
    return len(ids)


def create_tables(engine: Engine) -> None:
    """Create or upgrade the engine's own tables (schema `dbos` on PostgreSQL). Safe to repeat."""
    _owner(engine).run_migrations()


def tables_are_current(engine: Engine) -> bool:
    """Whether `create_tables` has nothing to do."""
    from dbos._error import DBOSInitializationError

    try:
        _owner(engine).verify_migrations()
    except (DBOSInitializationError, sa.exc.DBAPIError):
        return False
    return True


def _owner(engine: Engine) -> Any:
    from dbos._sys_db import SystemDatabase

    return SystemDatabase.create(
        # The engine below is the one used; this address only tells the two kinds apart.
        system_database_url=f"{engine.dialect.name}://",
        engine_kwargs={},
        # The engine's migrations begin their own transactions on SQLite.
        engine=engine.execution_options(driver_begins=True),
        schema=SCHEMA,
        serializer=JsonSerializer(),  # type: ignore[arg-type]
        executor_id=None,
        use_listen_notify=False,
    )


def table_names() -> set[str]:
    """The engine's own tables, which on SQLite stand among ours."""
    return {table.name for table in _tables().metadata_obj.tables.values()} | {"dbos_migrations"}
