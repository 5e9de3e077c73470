"""Clicks by month on PostgreSQL: parts are there in time, ids begin with their month, none is refused."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify import wiring
from amplify.core import clock, partitions, schema
from amplify.core.db import is_sqlite
from amplify.core.tokens import uuid7
from amplify.tracking.models import Click, ClickVerdict

JULY, AUGUST, DECEMBER = (datetime(2031, month, 3, tzinfo=UTC) for month in (7, 8, 12))


@pytest.fixture
def engine(new_database: Callable[[], str]) -> Iterator[Engine]:
    engine = sa.create_engine(new_database())
    schema.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


def open_at(session: Session, now: datetime) -> list[datetime]:
    """What the clock of a worker does, until nothing is late; what comes next."""
    with clock.at(now):
        while (coming := partitions.upcoming(session)) == [now]:
            partitions.open_months(session, now)
            session.commit()
    return coming


def a_click(session: Session, **fields: Any) -> Click:
    click = Click(**{"link_id": 1, "method": "GET", **fields})
    session.add(click)
    session.flush()
    said = {"verdict": "human", "rule": "first-click", "rules_version": 1}
    session.add(ClickVerdict(click_id=click.id, link_id=click.link_id, **said))
    session.commit()
    return click


def parts(session: Session, *clicks: Click) -> list[str]:
    """Where these clicks are, by PostgreSQL's own word."""
    if is_sqlite(session):
        return []
    found = sa.text("SELECT tableoid::regclass::text FROM clicks WHERE id = :id")
    return [str(session.scalar(found, {"id": click.id})) for click in clicks]


def test_an_id_says_the_month_in_which_its_click_came(session: Session) -> None:
    assert open_at(session, JULY) in ([], [datetime(2031, 8, 1, tzinfo=UTC)])
    first, second = a_click(session), a_click(session)
    open_at(session, AUGUST)
    third = a_click(session)
    assert first.id < second.id < third.id
    if not is_sqlite(session):
        assert [str(one.id)[:6] for one in (first, second, third)] == ["203107", "203107", "203108"]
        assert parts(session, first, second, third) == ["clicks_2031_07", "clicks_2031_07", "clicks_2031_08"]


def test_a_new_database_is_ready_without_a_worker(session: Session) -> None:
    click = a_click(session)
    assert parts(session, click) in ([], [f"clicks_{clock.now():%Y_%m}"])
    assert all(instant > clock.now() for instant in partitions.upcoming(session))
    assert "months" in [alarm.name for alarm in wiring.ALARMS]


def test_with_no_worker_at_all_clicks_go_on_in_the_month_before(session: Session) -> None:
    open_at(session, JULY)
    with clock.at(DECEMBER):
        assert parts(session, a_click(session)) in ([], ["clicks_2031_07"])


def test_what_belongs_to_no_month_is_kept_too(session: Session) -> None:
    assert parts(session, a_click(session, id=5), a_click(session, id=10**17)) in ([], ["clicks_rest", "clicks_rest"])


def test_ids_never_go_back_whatever_a_clock_says(session: Session) -> None:
    open_at(session, AUGUST)
    last = a_click(session)
    open_at(session, JULY)
    assert a_click(session).id == last.id + 1


def test_a_token_is_stored_once(session: Session) -> None:
    token = uuid7()
    a_click(session, token=token)
    with pytest.raises(sa.exc.IntegrityError):
        a_click(session, token=token)


def test_a_month_of_which_nothing_is_left_gives_its_room_back(session: Session) -> None:
    gone: list[int] = []
    kept: list[int] = []
    for now in (JULY, AUGUST, DECEMBER):
        open_at(session, now)
        (kept if now == AUGUST else gone).append(a_click(session).id)
    for model, key in ((ClickVerdict, ClickVerdict.click_id), (Click, Click.id)):
        session.execute(sa.delete(model).where(key.in_(gone)))
    dropped = partitions.drop_empty(session.connection(), DECEMBER)
    session.commit()
    if not is_sqlite(session):
        assert {"clicks_2031_07", "click_verdicts_2031_07"} <= set(dropped)
        assert not {"clicks_2031_08", "clicks_2031_12"} & set(dropped)
    assert session.scalars(sa.select(Click.id)).all() == kept
    assert a_click(session).id > kept[0]


def test_months_that_are_opened_by_two_at_once_are_opened_once(engine: Engine) -> None:
    def open_one(_number: int) -> None:
        with Session(engine) as session:
            try:
                open_at(session, DECEMBER)
            except sa.exc.DBAPIError:  # the other was faster; the alarm is late at the next look and rings again
                session.rollback()
                open_at(session, DECEMBER)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(open_one, range(2)))
    with Session(engine) as session:
        assert a_click(session).id < a_click(session).id


def test_after_an_upgrade_parts_are_no_tables_that_a_migration_would_drop() -> None:
    assert partitions.is_part("clicks_2031_07")
    assert partitions.is_part("click_verdicts_rest")
    assert not partitions.is_part("click_removals")
