"""The durable engine itself, for worker processes: runs what is due, many at once, and notes what became of it."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, NoReturn

import sqlalchemy as sa
import structlog
from prometheus_client import Counter
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.core.db import reading
from amplify.core.jobs.queue import (
    APPLICATION,
    QUEUE,
    SCHEMA,
    VERSION,
    JsonSerializer,
    Try,
    client,
    dispatched,
    options,
)
from amplify.core.jobs.registry import CRASHES, Job, JobParked, Permanent, describe, find, names

POLL_SECONDS = 0.25
# What we do not use is asked about seldom: cron schedules, and messages between jobs.
SELDOM_SECONDS = 3600.0
QUIET_SECONDS = 10.0

ATTEMPTS = Counter("amplify_job_attempts", "Attempts of durable jobs.", ["job", "outcome"])

log = structlog.get_logger(__name__)

_running: list[Engine] = []
_deaths: ContextVar[int] = ContextVar("amplify_job_deaths", default=0)


def deaths() -> int:
    """How often a worker has died with the job that runs here. A job of many things that sees some deaths should part
    them: what kills is then parked alone."""
    return _deaths.get()


class _Seldom(logging.Filter):
    """Lets a kind of line through once in ten seconds: while the database is away, the engine says so all the time."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind, now = record.getMessage()[:40], time.monotonic()
        if now - self._said.get(kind, -QUIET_SECONDS) < QUIET_SECONDS:
            return False
        self._said[kind] = now
        return True


def run_engine(
    database: str,
    executor_id: str,
    context: Callable[[], AbstractContextManager[Any]],
    *,
    threads: int = 4,
) -> None:
    """Start working on jobs in background threads; each job runs inside its own `context()`.

    `executor_id` names this start of this worker: a second one under the same name would take its work for orphaned.
    The tables must be there. Raises when the database is away.
    """
    from dbos import DBOS

    engine = sa.create_engine(database, pool_size=4, max_overflow=threads + 4, pool_pre_ping=True, hide_parameters=True)
    _running.append(engine)
    _quieten()
    try:
        DBOS(config=_config(engine, executor_id, threads))
        _quieten()
        for name in names():
            _register(find(name), engine, context)
        DBOS.listen_queues([QUEUE])
        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=threads, polling_interval_sec=POLL_SECONDS)
    except BaseException:
        stop_engine(0)
        raise


def stop_engine(wait_seconds: int = 10) -> None:
    """Take no new jobs, let the running ones finish for at most `wait_seconds`, and stop the threads."""
    from dbos import DBOS

    DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=wait_seconds)
    while _running:
        _running.pop().dispose()


def _config(engine: Engine, executor_id: str, threads: int) -> Any:
    return {
        "name": APPLICATION,
        "system_database_engine": engine,
        "dbos_system_schema": SCHEMA,
        "application_version": VERSION,
        "executor_id": executor_id,
        "serializer": JsonSerializer(),
        "run_migrations": False,
        "use_listen_notify": False,
        # Nothing leaves this machine: no telemetry, no remote console, no self-upgrade.
        "enable_otlp": False,
        "conductor_key": None,
        "auto_upgrade": False,
        "log_level": "WARNING",
        "notification_listener_polling_interval_sec": 1.0,
        "scheduler_polling_interval_sec": SELDOM_SECONDS,
    }


def _quieten() -> None:
    """The engine's own log lines go the way of all others, from warnings up."""
    engine_log = logging.getLogger("dbos")
    engine_log.handlers.clear()
    engine_log.addHandler(logging.NullHandler())
    engine_log.filters[:] = [_Seldom()]
    engine_log.propagate = True
    engine_log.setLevel(logging.WARNING)


def _register(job: Job, engine: Engine, context: Callable[[], AbstractContextManager[Any]]) -> None:
    from dbos import DBOS

    def attempt(key: str, payload: dict[str, Any], number: int, first: int) -> str:
        return _attempt(Try(job.name, key, payload, number, first), job, engine, context)

    attempt.__qualname__ = job.name
    DBOS.workflow(name=job.name, max_recovery_attempts=CRASHES)(attempt)


def _attempt(one: Try, job: Job, engine: Engine, context: Callable[[], AbstractContextManager[Any]]) -> str:
    with reading(), Session(engine) as session:
        _deaths.set(dispatched(session, one) - 1)
    try:
        with context():
            job(one.payload)
    except Exception as error:
        if isinstance(error, Permanent) or one.is_last(job):
            _park(one, error)
        return _again(one, job, engine, error)
    ATTEMPTS.labels(one.job, "done").inc()
    return "done"


def _park(one: Try, error: Exception) -> NoReturn:
    ATTEMPTS.labels(one.job, "parked").inc()
    log.error("job parked", job=one.job, key=one.key, attempt=one.attempt, error=describe(error), exc_info=error)
    raise JobParked(describe(error)) from None


def _again(one: Try, job: Job, engine: Engine, error: Exception) -> str:
    wait = job.wait_seconds(one.attempt, error)
    # A row of its own, not a sleeping thread: the wait survives us and holds nobody up.
    client(engine).enqueue(options(one.next(), job, wait), one.key, one.payload, one.attempt + 1, one.first)
    ATTEMPTS.labels(one.job, "again").inc()
    said = {"job": one.job, "key": one.key, "attempt": one.attempt, "wait_seconds": round(wait, 1)}
    log.warning("job failed, will be tried again", **said, error=describe(error), exc_info=error)
    return "again"
