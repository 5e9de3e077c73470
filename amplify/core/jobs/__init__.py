"""Durable work: enqueued in the transaction that wrote the fact, done by a worker, again until it works or is parked.

How to use it:

    @job("deliver-message")                    # a plain function, named in wiring.JOBS so that workers know it
    def deliver(payload: dict[str, Any]) -> None:
        message = db.session.get(Message, payload["id"])   # runs inside the application's context, own session
        ...                                                # commits itself; a rest is rolled back

    enqueue(session, "deliver-message", {"id": message.id}, key=f"message-{message.id}")

- The job row is part of the caller's transaction: it appears with the commit and vanishes with a rollback.
- `key` is said once per job name, for ever: a second enqueue of the same key does nothing (and breaks nothing).
- A job runs at least once. It may run twice (a worker died after the work, before its note of it), so it asks the
  rows it works on whether the work is done. The payload is JSON and carries ids, never addresses or names.
- A job that raises is tried again with growing, jittered waits; one that raises `Permanent`, has used up its
  attempts, or kills its worker again and again is parked: `amplify jobs list`, `amplify jobs retry`.
- A job of many things asks `deaths()`: after some it parts them, so that the one that kills is parked alone.
- Tests call `drain(session)`: the due jobs run here and now, in this transaction, through the same rules.
"""

from amplify.core.jobs.engine import deaths, run_engine, stop_engine
from amplify.core.jobs.queue import (
    Parked,
    adopt,
    count,
    create_tables,
    drain,
    enqueue,
    forget_done,
    parked,
    retry,
    table_names,
    tables_are_current,
    unfinished_of,
    warm_up,
)
from amplify.core.jobs.registry import Job, Permanent, find, job, names

__all__ = [
    "Job",
    "Parked",
    "Permanent",
    "adopt",
    "count",
    "create_tables",
    "deaths",
    "drain",
    "enqueue",
    "find",
    "forget_done",
    "job",
    "names",
    "parked",
    "retry",
    "run_engine",
    "stop_engine",
    "table_names",
    "tables_are_current",
    "unfinished_of",
    "warm_up",
]
