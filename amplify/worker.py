"""The process behind the pages: runs the rounds, keeps the clock, works on durable jobs, and looks after its fellows.

Any number may run on one database. Leases see to it that one at a time runs a round, rings the clock and shortens
SQLite's log; jobs are shared among all. A database that is away is waited for; nothing here ends because of it.
"""

import logging
import os
import random
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import Any

import sqlalchemy as sa
import structlog
from flask import Flask
from sqlalchemy.orm import Session

from amplify import wiring
from amplify.app import create_app
from amplify.core import jobs, leases, metrics, pulse, wal
from amplify.core.alarms import Alarm, Clock
from amplify.core.db import db
from amplify.core.failpoints import reach
from amplify.core.pace import pace_for
from amplify.core.settings import Settings

Round = Callable[[Session, int], int]

ROUND_LEASE_SECONDS = 10.0
# A worker that has not been heard of for so long is dead, and its jobs are given back to the queue.
BEAT_SECONDS = 2.0
DEAD_AFTER_SECONDS = 12.0
# Waits after a failure double up to this.
LONGEST_WAIT_SECONDS = 30.0
KEEP_DONE_JOBS = timedelta(days=30)
CHORE_SECONDS = 5.0
# How often SQLite's log is looked at. Writers wait while it is moved: better often and little.
LOG_SECONDS = 0.25
STOP_SECONDS = 20

log = structlog.get_logger(__name__)


def name_of(work: Any) -> str:
    """How a round is called in logs, leases and metrics: "leaderboards.project"."""
    room = str(work.__module__).removeprefix("amplify.").removesuffix(".services")
    return f"{room}.{work.__name__}"


class Waits:
    """How long to wait after the n-th failure in a row: doubling, with jitter, up to LONGEST_WAIT_SECONDS."""

    def __init__(self, first_seconds: float) -> None:
        self._first = first_seconds
        self._failures = 0

    def good(self) -> None:
        self._failures = 0

    def bad(self) -> float:
        wait = min(LONGEST_WAIT_SECONDS, self._first * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return wait * (0.5 + random.random())  # noqa: S311 (spreads load, hides nothing)


class Worker:
    """One worker process. `run` returns when `stop` was called (a signal does)."""

    def __init__(
        self, settings: Settings, *, rounds: Sequence[Round] | None = None, alarms: Sequence[Alarm] | None = None
    ) -> None:
        self.settings = settings
        self.app: Flask = create_app(settings)
        self.rounds = wiring.ROUNDS if rounds is None else rounds
        # Says who to people; the random end makes each start of a process another one.
        self.executor_id = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._file = wal.file_of(settings.database)
        self._moved = wal.Mark(b"", 0)  # how much of SQLite's log is in the database
        self._stopping = threading.Event()
        self._pace = pace_for(self._file, self._stopping)
        self._clock = Clock(wiring.ALARMS if alarms is None else alarms, self.executor_id, self.transaction)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session in the application's context that commits when the block ends well, else rolls back."""
        with self.app.app_context():
            yield db.session
            db.session.commit()

    def stop(self, *_signal: int | FrameType | None) -> None:
        """Finish what is at hand and return from `run`. Said twice: end now; what was at hand is done again later."""
        if self._stopping.is_set():
            os._exit(1)
        self._stopping.set()

    def run(self) -> None:
        """Work until told to stop."""
        log.info("worker starts", worker=self.executor_id)
        if not self._until_it_works("start", self._start):
            return
        threads = [
            self._thread("heartbeat", self._beat, BEAT_SECONDS),
            self._thread("chores", self._chores, CHORE_SECONDS),
            self._thread("log", self._shorten_log, LOG_SECONDS),
            *(self._thread(name_of(work), partial(self._round, work), 0.0) for work in self.rounds),
        ]
        log.info("worker ready", worker=self.executor_id, rounds=[name_of(work) for work in self.rounds])
        self._stopping.wait()
        log.info("worker stops", worker=self.executor_id)
        for thread in threads:
            thread.join(STOP_SECONDS)
        self._end()

    def _start(self) -> None:
        self._beat()
        jobs.run_engine(
            self.settings.database, self.executor_id, self.app.app_context, threads=self.settings.worker_threads
        )
        self._clock.start()

    def _end(self) -> None:
        self._clock.stop()
        jobs.stop_engine(STOP_SECONDS)
        pulse.forget()
        try:
            with self.transaction() as session:
                leases.release(session, self.executor_id)
                self._adopt(session, self.executor_id)
        except Exception as error:
            log.warning("worker not signed off", error=type(error).__name__)
        log.info("worker stopped", worker=self.executor_id)

    # What the threads do.

    def _thread(self, name: str, turn: Callable[[], float | None], pause_seconds: float) -> threading.Thread:
        def loop() -> None:
            waits = Waits(max(pause_seconds, self.settings.worker_poll_seconds))
            while not self._stopping.is_set():
                self._stopping.wait(self._guarded(name, turn, pause_seconds, waits))

        thread = threading.Thread(target=loop, name=name, daemon=True)
        thread.start()
        return thread

    def _guarded(self, name: str, turn: Callable[[], float | None], pause_seconds: float, waits: Waits) -> float:
        try:
            pause = turn()
        except Exception as error:
            wait = waits.bad()
            metrics.ROUND_FAILURES.labels(name).inc()
            # A database that is away needs no stack of ours.
            trace = None if isinstance(error, sa.exc.OperationalError) else error
            said = {"round": name, "error": type(error).__name__, "wait_seconds": round(wait, 1)}
            log.error("round failed", **said, exc_info=trace)
            return wait
        waits.good()
        return pause_seconds if pause is None else pause

    def _until_it_works(self, name: str, turn: Callable[[], None]) -> bool:
        waits = Waits(0.5)
        while not self._stopping.is_set():
            wait = self._guarded(name, turn, 0.0, waits)
            if not wait:
                return True
            self._stopping.wait(wait)
        return False

    def _round(self, work: Round) -> float:
        """One turn of one round; how long to pause: not at all while there is a heap of work.

        A few rows are no heap: to fetch each as it comes would keep the disk, and SQLite's one writer, from the clicks.
        """
        name = name_of(work)
        with self._pace.turn(name) as limit, self.transaction() as session:
            if leases.take(session, f"round:{name}", self.executor_id, ROUND_LEASE_SECONDS) is None:
                return ROUND_LEASE_SECONDS / 4
            moved = work(session, limit)
            if moved:
                reach(f"{name}-before-commit")
        if moved:
            reach(f"{name}-after-commit")
            metrics.MOVED.labels(name).inc(moved)
        return 0.0 if moved >= limit // 2 else self.settings.worker_poll_seconds

    def _beat(self) -> None:
        """Say that we live, and take over from those who do not."""
        self._clock.look_up()
        began = time.monotonic()
        with self.transaction() as session:
            leases.take(session, leases.WORKER + self.executor_id, self.executor_id, DEAD_AFTER_SECONDS)
            now = leases.database_now(session)
            silent = [executor for executor, until in leases.workers(session).items() if until <= now]
        # A lease that has more than half of its time left is not written again: count on half of it.
        pulse.felt(began + DEAD_AFTER_SECONDS / 2 - time.monotonic())
        for executor in silent:
            with self.transaction() as session:
                if leases.bury(session, executor):
                    self._adopt(session, executor)

    def _adopt(self, session: Session, executor: str) -> None:
        if adopted := jobs.adopt(session, executor):
            log.warning("jobs given back to the queue", worker=executor, jobs=adopted)

    def _chores(self) -> None:
        with self.transaction() as session:
            known = leases.workers(session)
            for executor in jobs.unfinished_of(session).keys() - known.keys():
                self._adopt(session, executor)
            if not self._stopping.is_set():
                jobs.forget_done(session, KEEP_DONE_JOBS)

    def _shorten_log(self) -> None:
        if self._file is None or not wal.needs_checkpoint(before := wal.mark(self._file), self._moved):
            return
        with self.transaction() as session:
            ours = leases.take(session, wal.LEASE, self.executor_id, wal.LEASE_SECONDS) is not None
        if not ours:
            return
        if wal.checkpoint(self._file):
            self._moved = wal.mark(self._file)
        else:
            log.info("checkpoint put off", pages=before.pages)


def run_until_told(worker: Worker) -> None:
    """The worker as a process of its own: SIGTERM and Ctrl-C stop it, a second one at once."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, worker.stop)
    worker.run()
    logging.shutdown()
    if any(thread.name.startswith("dbos-executor") for thread in threading.enumerate()):
        os._exit(0)  # a job that hangs would keep the process; its work was given back above
