"""When a message may leave: asked at the moment of sending, put off and never dropped, counted exactly."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from amplify.brands.models import Brand
from amplify.core import clock, jobs, schema
from amplify.core.db import is_sqlite
from amplify.delivery import pacing
from amplify.delivery.jobs import release_due
from amplify.delivery.models import Message, Throttle, Wishes
from amplify.delivery.sending import Batch
from amplify.delivery.services import queue_message
from tests.delivery.conftest import CONTEXT
from tests.delivery.mailserver import MailServer
from tests.world import a_brand

Order = Callable[..., Message]
Send = Callable[..., Batch]
ANA = {"person": "customer:1"}
NIGHT = datetime(2026, 11, 22, 22, 30, tzinfo=UTC)  # 23:30 in Madrid


def test_at_night_where_the_reader_is_a_mail_waits_and_costs_no_attempt(
    brand: Brand, order: Order, send: Send, mailserver: MailServer, time_machine: Any
) -> None:
    brand.quiet_from_hour, brand.quiet_until_hour = 21, 8
    time_machine.move_to(NIGHT, tick=False)
    here, there = order(timezone="Europe/Madrid"), order("ben@friends.example", timezone="America/New_York")
    receipt = order("receipt@friends.example", is_marketing=False)
    assert send(here, there, receipt) == Batch(sent=2, put_off=1)
    assert (here.state, here.reason, here.attempts) == ("waiting", "quiet-hours", 0)
    assert here.not_before == datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
    assert send(here) == Batch()  # not due: an impatient job does not send it
    time_machine.move_to(datetime(2026, 11, 23, 7, 0, tzinfo=UTC), tick=False)
    assert send(here).sent == 1
    assert len(mailserver.mails) == 3


def test_without_a_zone_of_the_reader_the_brands_night_counts(
    brand: Brand, order: Order, send: Send, time_machine: Any
) -> None:
    brand.quiet_from_hour, brand.quiet_until_hour, brand.timezone = 21, 8, "Asia/Tokyo"
    time_machine.move_to(NIGHT, tick=False)  # half past seven in the morning
    message = order()
    assert send(message).put_off == 1
    assert message.not_before == datetime(2026, 11, 22, 23, 0, tzinfo=UTC)


def test_a_mail_that_was_put_off_is_handed_over_again_and_an_older_job_leaves_it_alone(
    session: Session, brand: Brand, order: Order, capsys: pytest.CaptureFixture[str], time_machine: Any
) -> None:
    brand.quiet_from_hour, brand.quiet_until_hour = 21, 8
    time_machine.move_to(NIGHT, tick=False)
    message = order(timezone="Europe/Madrid")
    for due, state in ((1, "waiting"), (0, "waiting")):
        assert release_due(session) == due
        jobs.drain(session)
        session.refresh(message)
        assert message.state == state
    time_machine.move_to(datetime(2026, 11, 23, 7, 1, tzinfo=UTC), tick=False)
    assert release_due(session) == 1
    jobs.drain(session)
    session.refresh(message)
    assert message.state == "sent"
    assert capsys.readouterr().out.count("To: ana@friends.example") == 1


def test_nobody_gets_more_than_the_brand_allows_over_all_campaigns(
    brand: Brand, order: Order, send: Send, time_machine: Any
) -> None:
    brand.cap_messages, brand.cap_days = 2, 7
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    time_machine.move_to(now, tick=False)
    assert send(*[order(**ANA) for _ in range(2)]).sent == 2
    third, other = order(**ANA), order("ben@friends.example", person="customer:2")
    receipt = order(is_marketing=False, **ANA)
    assert send(third, other, receipt) == Batch(sent=2, put_off=1)
    assert (third.state, third.reason, third.not_before) == ("waiting", "frequency-cap", now + timedelta(days=7))
    time_machine.move_to(now + timedelta(days=7), tick=False)
    assert send(third).sent == 1


def test_what_could_not_be_sent_counts_against_nothing(
    brand: Brand, order: Order, send: Send, mailserver: MailServer
) -> None:
    brand.cap_messages = 1
    mailserver.refuse["gone@friends.example"] = "550 5.7.1 no"
    assert send(order("gone@friends.example", **ANA)).not_sent == 1
    assert send(order(**ANA)).sent == 1


def test_a_retry_is_counted_once(brand: Brand, order: Order, send: Send, mailserver: MailServer) -> None:
    brand.cap_messages, brand.per_minute = 1, {"email": 1}
    mailserver.data_answers = ["451 later", "451 later"]
    message = order(**ANA)
    for _ in range(2):
        assert len(send(message).later) == 1
    assert send(message).sent == 1


def test_who_wishes_fewer_mails_gets_one_in_thirty_days(
    session: Session, brand: Brand, order: Order, send: Send
) -> None:
    session.add(Wishes(brand_id=brand.id, person="customer:1", wants_fewer=True))
    first, second = order(**ANA), order(**ANA)
    assert send(first, second) == Batch(sent=1, put_off=1)
    assert second.not_before > clock.now() + timedelta(days=29)


def test_a_channel_sends_so_many_a_minute_and_spreads_the_rest(
    brand: Brand, order: Order, send: Send, time_machine: Any
) -> None:
    brand.per_minute = {"email": 3}
    now = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
    time_machine.move_to(now, tick=False)
    messages = [order(f"p{n}@friends.example") for n in range(10)]
    assert send(*messages) == Batch(sent=3, put_off=7)
    minutes = [message.not_before.minute for message in messages[3:]]
    assert minutes == [1, 1, 1, 2, 2, 2, 3]
    time_machine.move_to(now + timedelta(minutes=10), tick=False)  # the worker was away: no burst all the same
    assert send(*messages) == Batch(sent=3, put_off=4)


@pytest.fixture
def real(new_database: Any) -> sessionmaker[Session]:
    """A database in which commits are commits: two workers at once are two connections."""
    engine = sa.create_engine(new_database().replace("postgresql:", "postgresql+psycopg:"))
    schema.upgrade(engine)
    return sessionmaker(engine, expire_on_commit=False)


def test_two_workers_at_once_never_pass_the_limits(real: sessionmaker[Session]) -> None:
    with real() as session, session.begin():
        brand = a_brand(session, cap_messages=5, per_minute={"email": 12})
        for n in range(40):
            said: dict[str, Any] = {"template": "ask", "locale": "en", "context": CONTEXT}
            queue_message(session, brand, address="ana@friends.example", person=f"customer:{n % 4}", **said)
        ids = list(session.scalars(sa.select(Message.id).order_by(Message.id)))
    now, together, errors = clock.now(), Barrier(2), []

    def work(first: int) -> None:
        together.wait()
        try:
            for start in range(first, 40, 8):
                with real() as session, session.begin():
                    if is_sqlite(session):
                        session.connection()
                    group = sa.select(Message).where(Message.id.in_(ids[start : start + 4])).order_by(Message.id)
                    messages = session.scalars(group.with_for_update()).all()
                    brand = session.scalars(sa.select(Brand)).one()
                    waits = pacing.admit(session, {brand.id: brand}, messages, now)
                    for message in messages:
                        session.refresh(message)
                        if wait := waits.get(message.id):
                            message.put_off(wait.until, wait.rule)
        except Exception as error:
            errors.append(error)

    threads = [Thread(target=work, args=(first,)) for first in (0, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with real() as session:
        admitted = session.scalars(sa.select(Message).where(Message.admitted_at.is_not(None))).all()
        assert len(admitted) == 12
        assert max(sum(one.person == f"customer:{n}" for one in admitted) for n in range(4)) <= 5
        assert session.scalars(sa.select(Throttle)).one().used == 12
    engine = real.kw["bind"]
    engine.dispose()
