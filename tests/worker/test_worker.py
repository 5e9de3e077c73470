"""Real worker processes on a real database: they share the work, survive each other's death, and stop when told."""

import random
import signal
import time

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import jobs
from amplify.core.db import db
from amplify.core.settings import Settings
from amplify.worker import Worker
from tests.worker.conftest import Site


def test_a_worker_does_jobs_rounds_and_alarms_and_stops_when_told(site: Site) -> None:
    worker = site.start()
    site.enqueue(20)
    site.until(lambda: len(site.keys_done()) == 20)
    site.until(lambda: site.traces("rang"))
    assert len(site.traces("round")) >= 2
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(15) == 0
    assert len(site.traces("job")) == 20
    assert site.counts() == {"waiting": 0, "delayed": 0, "running": 0, "parked": 0}


def test_a_broken_round_is_named_in_the_log_and_stops_nothing(site: Site) -> None:
    site.start()
    site.until(lambda: len(site.traces("round")) > 5)
    assert ".broken" in site.log()
    assert site.traces("never") == []
    assert site.workers[0].poll() is None


def test_a_job_that_fails_is_tried_again_until_it_works(site: Site) -> None:
    site.start()
    site.enqueue(3, fails=3)
    site.until(lambda: len(site.keys_done()) == 3)
    assert len(site.traces("failed")) == 9


def test_two_hundred_jobs_outlive_many_kills(site: Site) -> None:
    site.enqueue(200)
    dice = random.Random(7)  # noqa: S311 (when to kill, not what to hide)
    for _ in range(6):
        worker = site.start()
        site.until(lambda: site.traces("round"))
        time.sleep(1.5 + dice.random() * 2)
        worker.kill()
        worker.wait(10)
    site.start()
    site.until(lambda: len(site.keys_done()) == 200)
    site.until(lambda: site.counts() == {"waiting": 0, "delayed": 0, "running": 0, "parked": 0})
    # At least once: only what was running when a worker died may have run twice.
    assert len(site.traces("job")) <= 200 + 6 * 4


def test_a_round_goes_on_at_once_only_while_there_is_a_heap_of_work(site: Site) -> None:
    def few(session: Session, limit: int) -> int:
        return 3

    def heap(session: Session, limit: int) -> int:
        return limit

    settings = Settings(env="test", database_url=site.database, data_dir=site.folder, worker_poll_seconds=0.7)
    made = Worker(settings, rounds=[few, heap], alarms=[])
    assert (made._round(few), made._round(heap)) == (0.7, 0.0)
    with made.app.app_context():
        db.engine.dispose()


def test_two_workers_share_the_jobs_but_not_the_round(site: Site) -> None:
    site.start()
    site.until(lambda: site.traces("round"))
    site.start()
    site.until(lambda: "worker ready" in site.log(1))
    site.enqueue(80, seconds=0.1)
    site.until(lambda: len(site.keys_done()) == 80)
    assert len({row.by for row in site.traces("job")}) == 2
    assert len({row.by for row in site.traces("round")}) == 1
    assert len(site.traces("job")) == 80


def test_another_worker_takes_over_the_clock_within_ten_seconds(site: Site) -> None:
    first = site.start()
    site.until(lambda: site.traces("rang"))
    site.start()
    site.until(lambda: "worker ready" in site.log(1))
    first.kill()
    dead_since = time.time()
    site.until(lambda: len({row.by for row in site.traces("rang")}) == 2, 20)
    took_over = min(row.at for row in site.traces("rang") if row.at > dead_since)
    assert took_over - dead_since < 10


def test_the_jobs_of_a_dead_worker_are_adopted_by_a_live_one(site: Site) -> None:
    first = site.start()
    site.until(lambda: "worker ready" in site.log(0))
    site.enqueue(4, seconds=3.0)
    site.until(lambda: site.counts()["running"] == 4)
    first.kill()
    site.start()
    site.until(lambda: len(site.keys_done()) == 4)
    assert "given back" in site.log(1)


def test_a_worker_that_was_frozen_past_its_lease_does_no_harm(site: Site) -> None:
    first = site.start()
    site.until(lambda: site.traces("round"))
    site.start()
    site.until(lambda: "worker ready" in site.log(1))
    site.freeze(first)
    site.until(lambda: len({row.by for row in site.traces("round")}) == 2)
    first.send_signal(signal.SIGCONT)
    woken = time.time()
    time.sleep(3)
    assert len({row.by for row in site.traces("round") if row.at > woken + 0.5}) == 1
    site.enqueue(10)
    site.until(lambda: len(site.keys_done()) == 10)


def test_a_job_that_kills_its_worker_is_parked_in_the_end(site: Site) -> None:
    site.enqueue(1, poison=True, name="poison")
    table = "workflow_status" if site.engine.dialect.name == "sqlite" else "dbos.workflow_status"
    with site.engine.begin() as connection:  # as if it had killed ten workers before: the eleventh is seen here
        connection.execute(sa.text(f"UPDATE {table} SET recovery_attempts = 10"))  # noqa: S608
    worker = site.start()
    assert worker.wait(30) == 9
    site.start()
    site.until(lambda: site.counts()["parked"] == 1)
    site.enqueue(1)
    site.enqueue(1, useless=True, name="useless")
    site.until(lambda: "job-0" in site.keys_done())
    site.until(lambda: site.counts()["parked"] == 2)
    with Session(site.engine) as session:
        reasons = {parked.key: parked.error for parked in jobs.parked(session)}
    assert reasons["useless-0"] == "Permanent: no mailbox <address>"
    assert "died" in reasons["poison-0"]
