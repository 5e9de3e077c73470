"""What is counted for operators: requests, rounds and jobs as they happen, and the state of the queues when asked.

Counters live in each process; under `amplify serve` the processes share a folder (PROMETHEUS_MULTIPROC_DIR), so that
one answer has the sums. Gauges are read from the database when somebody asks: they are the same from every process.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from flask import Flask, Response, g, request
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from amplify.core import jobs, leases, wal

# The web's own answers lie between a redirect (milliseconds) and an import page (seconds).
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SHARED = "PROMETHEUS_MULTIPROC_DIR"

REQUESTS = Counter("amplify_http_requests", "Answers given.", ["endpoint", "method", "status"])
SECONDS = Histogram("amplify_http_seconds", "Seconds until the answer.", ["endpoint"], buckets=BUCKETS)
MOVED = Counter("amplify_round_rows", "Rows that the worker's rounds moved.", ["round"])
ROUND_FAILURES = Counter("amplify_round_failures", "Rounds that failed and were rolled back.", ["round"])


class State(Collector):
    """Gauges read from the database at the moment of asking."""

    def __init__(self, session: Session, sqlite_file: Path | None) -> None:
        self._session = session
        self._file = sqlite_file

    def collect(self) -> Iterator[Metric]:
        """One family per question."""
        waiting = GaugeMetricFamily("amplify_jobs", "Durable jobs by state.", labels=["state"])
        for state, number in jobs.count(self._session).items():
            waiting.add_metric([state], number)
        yield waiting
        now = leases.database_now(self._session)
        alive = sum(until > now for until in leases.workers(self._session).values())
        yield GaugeMetricFamily("amplify_workers", "Workers that are alive.", value=alive)
        if self._file:
            size = wal.log_bytes(self._file)
            yield GaugeMetricFamily("amplify_sqlite_log_bytes", "Size of SQLite's write-ahead log.", value=size)


def exposition(session: Session, sqlite_file: Path | None) -> bytes:
    """Everything in Prometheus' text format."""
    counted = REGISTRY
    if os.environ.get(SHARED):
        counted = CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    gauges = CollectorRegistry()
    gauges.register(State(session, sqlite_file))
    return generate_latest(counted) + generate_latest(gauges)


def share(folder: Path) -> None:
    """Let the processes started from here on count into one folder, emptied first."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.db"):
        old.unlink()
    os.environ[SHARED] = str(folder)


def install(app: Flask) -> None:
    """Count and time every answer, by endpoint: an address would hold codes and tokens."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.began = time.perf_counter()


def _end(response: Response) -> Response:
    endpoint = request.endpoint or "none"
    REQUESTS.labels(endpoint, request.method, str(response.status_code)).inc()
    if "began" in g:
        SECONDS.labels(endpoint).observe(time.perf_counter() - g.began)
    return response
