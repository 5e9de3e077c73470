"""The port to the durable engine: what is enqueued with a transaction, retried, parked, adopted and forgotten."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock, jobs
from amplify.core.db import is_sqlite
from amplify.core.jobs import registry
from amplify.core.jobs.queue import Try, dispatched

done: list[dict[str, Any]] = []
trouble: list[Exception] = []


def note(payload: dict[str, Any]) -> None:
    done.append(payload)
    if trouble:
        raise trouble[0]


@pytest.fixture(autouse=True)
def _job() -> Iterator[None]:
    done.clear()
    trouble.clear()
    jobs.job("note", attempts=3, first_wait_seconds=10.0)(note)
    yield
    del registry._jobs["note"]


def _rows(session: Session) -> str:
    """The engine's table of jobs."""
    return "workflow_status" if is_sqlite(session) else "dbos.workflow_status"


def test_a_job_is_done_once(session: Session) -> None:
    jobs.enqueue(session, "note", {"id": 1}, key="1")
    assert jobs.drain(session) == 1
    assert jobs.drain(session) == 0
    assert done == [{"id": 1}]


def test_a_job_vanishes_with_its_transaction(session: Session) -> None:
    jobs.enqueue(session, "note", {"id": 1}, key="1")
    session.rollback()
    assert jobs.drain(session) == 0


def test_a_repeated_key_is_ignored_and_the_transaction_goes_on(session: Session) -> None:
    jobs.enqueue(session, "note", {"id": 1}, key="same")
    session.commit()
    jobs.enqueue(session, "note", {"id": 2}, key="same")
    session.add(Brand(slug="later", name="Later"))
    session.commit()
    jobs.enqueue(session, "note", {"id": 3}, key="same")
    assert jobs.drain(session) == 1
    jobs.enqueue(session, "note", {"id": 4}, key="same")
    assert jobs.drain(session) == 0
    assert done == [{"id": 1}]
    assert session.scalar(sa.select(Brand.name).where(Brand.slug == "later")) == "Later"


def test_an_unknown_job_is_refused_when_enqueued(session: Session) -> None:
    with pytest.raises(LookupError, match="wiring"):
        jobs.enqueue(session, "nothing-like-it", {}, key="1")


def test_a_payload_that_is_not_json_is_refused(session: Session) -> None:
    with pytest.raises(TypeError, match="JSON"):
        jobs.enqueue(session, "note", {"at": clock.now()}, key="1")


def test_a_job_with_a_time_waits_for_it(session: Session) -> None:
    soon = clock.now() + timedelta(hours=9)
    jobs.enqueue(session, "note", {"id": 1}, key="1", not_before=soon)
    assert jobs.drain(session) == 0
    assert jobs.count(session)["delayed"] == 1
    with clock.at(soon + timedelta(seconds=1)):
        assert jobs.drain(session) == 1


def test_a_failing_job_waits_and_is_tried_again(session: Session) -> None:
    trouble.append(OSError("connection refused"))
    jobs.enqueue(session, "note", {"id": 1}, key="1")
    assert jobs.drain(session) == 1
    assert jobs.count(session)["delayed"] == 1
    trouble.clear()
    with clock.at(clock.now() + timedelta(seconds=16)):
        assert jobs.drain(session) == 1
    assert len(done) == 2
    assert jobs.parked(session) == []


def test_what_a_failing_job_wrote_is_undone(session: Session) -> None:
    def half(payload: dict[str, Any]) -> None:
        session.add(Brand(slug="half", name="Half"))
        session.flush()
        raise OSError("gone")

    jobs.job("half")(half)
    try:
        jobs.enqueue(session, "half", {}, key="1")
        jobs.drain(session)
    finally:
        del registry._jobs["half"]
    assert session.scalar(sa.select(sa.func.count()).select_from(Brand).where(Brand.slug == "half")) == 0


def test_a_job_out_of_attempts_is_parked_with_its_reason(session: Session) -> None:
    trouble.append(OSError("connection refused"))
    jobs.enqueue(session, "note", {"id": 1}, key="k")
    for hours in range(3):
        with clock.at(clock.now() + timedelta(hours=hours)):
            jobs.drain(session)
    (parked,) = jobs.parked(session)
    assert (parked.job, parked.key, parked.attempt) == ("note", "k", 3)
    assert parked.error == "OSError: connection refused"
    assert jobs.count(session) == {"waiting": 0, "delayed": 0, "running": 0, "parked": 1}


def test_a_permanent_error_parks_at_once_and_the_key_stays_taken(session: Session) -> None:
    trouble.append(jobs.Permanent("no such mailbox"))
    jobs.enqueue(session, "note", {"id": 1}, key="k")
    jobs.drain(session)
    jobs.enqueue(session, "note", {"id": 1}, key="k")
    assert jobs.drain(session) == 0
    assert [parked.attempt for parked in jobs.parked(session)] == [1]


def test_a_parked_job_that_is_retried_gets_a_fresh_budget(session: Session) -> None:
    trouble.append(jobs.Permanent("no such mailbox"))
    jobs.enqueue(session, "note", {"id": 1}, key="k")
    jobs.drain(session)
    trouble[0] = OSError("connection refused")
    assert jobs.retry(session, "note/1/k")
    jobs.drain(session)
    assert jobs.parked(session) == []
    assert jobs.count(session)["delayed"] == 1
    assert not jobs.retry(session, "note/1/k")


def test_the_work_of_a_dead_worker_goes_back_to_the_queue(session: Session) -> None:
    for number in range(3):
        jobs.enqueue(session, "note", {"id": number}, key=str(number))
    take = "UPDATE {} SET status = 'PENDING', executor_id = 'dead' WHERE workflow_uuid != 'note/1/2'"
    session.execute(sa.text(take.format(_rows(session))))
    assert jobs.unfinished_of(session) == {"dead": 2}
    assert jobs.adopt(session, "alive") == 0
    assert jobs.adopt(session, "dead") == 2
    assert jobs.adopt(session, "dead") == 0
    assert jobs.drain(session) == 3


def test_it_is_known_how_often_a_worker_has_begun_with_a_job(session: Session) -> None:
    jobs.enqueue(session, "note", {"id": 1}, key="1")
    session.commit()
    session.execute(sa.text(f"UPDATE {_rows(session)} SET recovery_attempts = 4"))  # noqa: S608
    assert dispatched(session, Try("note", "1", {})) == 4
    assert dispatched(session, Try("note", "2", {})) == 1


def test_finished_jobs_are_forgotten_after_their_time_and_parked_ones_are_not(session: Session) -> None:
    jobs.enqueue(session, "note", {"id": 1}, key="1")
    jobs.drain(session)
    trouble.append(jobs.Permanent("no"))
    jobs.enqueue(session, "note", {"id": 2}, key="2")
    jobs.drain(session)
    assert jobs.forget_done(session, timedelta(days=30)) == 0
    with clock.at(clock.now() + timedelta(days=31)):
        assert jobs.forget_done(session, timedelta(days=30)) == 1
    assert len(jobs.parked(session)) == 1


def test_urgent_jobs_go_first(session: Session) -> None:
    jobs.job("urgent", priority=1)(note)
    try:
        jobs.enqueue(session, "note", {"id": "bulk"}, key="1")
        jobs.enqueue(session, "urgent", {"id": "urgent"}, key="1")
        jobs.drain(session)
    finally:
        del registry._jobs["urgent"]
    assert [payload["id"] for payload in done] == ["urgent", "bulk"]


def test_waits_grow_to_an_hour_and_obey_the_other_side() -> None:
    job = jobs.find("note")
    assert 5 <= job.wait_seconds(1) <= 15
    assert 40 <= job.wait_seconds(4) <= 120
    assert 1800 <= job.wait_seconds(100) <= 5400

    class Busy(Exception):
        retry_after_seconds = 7000

    assert job.wait_seconds(1, Busy()) == 7000


def test_two_jobs_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match="already"):
        jobs.job("note")(note)


def test_the_engines_tables_are_there_once(session: Session) -> None:
    engine = session.get_bind().engine
    assert jobs.tables_are_current(engine)
