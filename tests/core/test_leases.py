"""Leases: one holder at a time, also under load, and an older fence number comes too late."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.core import leases
from amplify.core.leases import Lease


def run_out(session: Session, name: str) -> None:
    session.execute(sa.update(Lease).where(Lease.name == name).values(until=leases.database_now(session)))


def test_a_free_name_is_taken_and_another_must_wait(session: Session) -> None:
    assert leases.take(session, "clock", "a", 10) == 1
    assert leases.take(session, "clock", "b", 10) is None
    assert leases.take(session, "round", "b", 10) == 1


def test_a_holder_keeps_its_lease_and_its_fence(session: Session) -> None:
    leases.take(session, "clock", "a", 10)
    assert leases.take(session, "clock", "a", 10) == 1


def test_a_lease_that_ran_out_passes_on_with_a_higher_fence(session: Session) -> None:
    leases.take(session, "clock", "a", 10)
    run_out(session, "clock")
    assert leases.take(session, "clock", "b", 10) == 2
    assert leases.take(session, "clock", "a", 10) is None


def test_a_holder_that_comes_back_late_gets_a_new_fence(session: Session) -> None:
    leases.take(session, "clock", "a", 10)
    run_out(session, "clock")
    assert leases.take(session, "clock", "a", 10) == 2


def test_asking_often_writes_seldom(session: Session) -> None:
    leases.take(session, "clock", "a", 10)
    first = session.get_one(Lease, "clock").until
    leases.take(session, "clock", "a", 10)
    assert session.get_one(Lease, "clock").until == first
    leases.take(session, "clock", "a", 100)
    assert session.get_one(Lease, "clock").until > first


def test_a_lease_from_before_the_clock_was_set_back_is_free(session: Session) -> None:
    leases.take(session, "clock", "a", 10)
    leases.take(session, "round", "b", 10)
    session.execute(sa.update(Lease).values(until=leases.database_now(session) + timedelta(hours=1)))
    assert leases.take(session, "clock", "b", 10) == 2
    assert leases.take(session, "clock", "a", 10) is None
    assert leases.take(session, "round", "b", 10) == 2


def test_a_released_lease_is_free_at_once(session: Session) -> None:
    for name in ("clock", "round"):
        leases.take(session, name, "a", 100)
    leases.release(session, "b", "clock")
    assert leases.take(session, "clock", "b", 10) is None
    leases.release(session, "a")
    assert leases.take(session, "clock", "b", 10) == 2
    assert leases.take(session, "round", "b", 10) == 2


def test_only_a_silent_worker_is_buried_and_only_once(session: Session) -> None:
    leases.take(session, "worker:a", "a", 10)
    assert not leases.bury(session, "a")
    run_out(session, "worker:a")
    assert leases.workers(session)["a"] <= leases.database_now(session)
    assert leases.bury(session, "a")
    assert not leases.bury(session, "a")
    assert leases.workers(session) == {}


def test_the_databases_clock_is_the_one_that_counts(session: Session) -> None:
    now = leases.database_now(session)
    assert now.utcoffset() == timedelta(0)


@pytest.fixture
def own_engine(new_database: Callable[[], str]) -> Iterator[Engine]:
    engine = sa.create_engine(new_database(), pool_size=8)
    Lease.__table__.create(engine)  # type: ignore[attr-defined]
    yield engine
    engine.dispose()


def test_of_many_at_once_exactly_one_gets_it(own_engine: Engine) -> None:
    def grab(number: int) -> int | None:
        with Session(own_engine) as session:
            fence = leases.take(session, "clock", f"worker-{number}", 60)
            session.commit()
            return fence

    with ThreadPoolExecutor(8) as pool:
        fences = list(pool.map(grab, range(24)))
    assert [fence for fence in fences if fence] == [1]
