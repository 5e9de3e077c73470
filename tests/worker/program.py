"""A worker process for tests: the real one, with a job, a round and an alarm that leave traces in a table.

python -m tests.worker.program DATABASE DATA_DIR
"""

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify import worker
from amplify.core import jobs, logs
from amplify.core.alarms import Alarm
from amplify.core.db import db
from amplify.core.settings import Settings

traces = sa.Table(
    "traces",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(20)),
    sa.Column("key", sa.String(40)),
    sa.Column("by", sa.String(100)),
    sa.Column("at", sa.Float),
)


def leave(session: Session, kind: str, key: str) -> None:
    by = running[0].executor_id if running else "?"
    session.execute(sa.insert(traces).values(kind=kind, key=key, by=by, at=time.time()))


@jobs.job("trace", attempts=5, first_wait_seconds=0.2)
def trace(payload: dict[str, Any]) -> None:
    """Takes a while, may fail the first time, may be poison, then leaves one trace."""
    time.sleep(payload.get("seconds", 0.02))
    if payload.get("poison"):
        import os

        os._exit(9)
    if payload.get("useless"):
        raise jobs.Permanent("no mailbox ana@example.org")
    if payload.get("fails"):
        with db.sessionmaker() as other:
            leave(other, "failed", payload["key"])
            other.commit()
        seen = db.session.scalar(
            sa.select(sa.func.count()).where(traces.c.kind == "failed", traces.c.key == payload["key"])
        )
        if (seen or 0) < payload["fails"]:
            raise OSError("not yet")
    leave(db.session, "job", payload["key"])
    db.session.commit()


def tick(session: Session, limit: int) -> int:
    """A round that says who runs it, ten times a second at most."""
    leave(session, "round", "")
    return 0


def broken(session: Session, limit: int) -> int:
    """A round that always fails: the others go on."""
    leave(session, "never", "")
    raise ValueError("this round is broken")


def ring(session: Session, now: datetime) -> None:
    leave(session, "rang", "")


def due(session: Session) -> list[datetime]:
    return [datetime.now().astimezone()]


running: list[worker.Worker] = []

if __name__ == "__main__":
    settings = Settings(env="test", database_url=sys.argv[1], data_dir=Path(sys.argv[2]), worker_poll_seconds=0.1)
    logs.configure(settings, process="worker")
    made = worker.Worker(settings, rounds=[tick, broken], alarms=[Alarm("ring", due, ring)])
    running.append(made)
    worker.run_until_told(made)
