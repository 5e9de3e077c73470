"""Several processes at once, with real connections and real commits: nothing twice, nothing skipped."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from sqlalchemy.orm import Session, sessionmaker

from amplify.core.db import Base
from amplify.core.errors import Invalid
from amplify.leaderboards import services as leaderboards
from amplify.leaderboards.models import PointsEntry, Standing
from amplify.tracking import conversions, services, visitors
from amplify.tracking.models import Click, ClickVerdict, Conversion, VisitorSalt
from amplify.tracking.schemas import ConversionIn, RefundIn
from tests.leaderboards.test_services import all_standings
from tests.tracking.world import NOON, SECRET, World, click, hit, make_world

Sessions = sessionmaker[Session]


@pytest.fixture
def sessions(new_database: Any, whole_app: APIFlask) -> Iterator[Sessions]:
    """A database of its own, where commits stay. (`whole_app` connects the floors.)"""
    url = sa.make_url(new_database())
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url)
    Base.metadata.create_all(engine)
    yield sessionmaker(engine, expire_on_commit=False)
    engine.dispose()


@pytest.fixture
def world(sessions: Sessions) -> Iterator[World]:
    with sessions() as session:
        world = make_world(session)
        session.commit()
        yield world


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run them in threads that start together."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        gate.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def count(sessions: Sessions, model: Any) -> int:
    with sessions() as session:
        return int(session.scalar(sa.select(sa.func.count()).select_from(model)) or 0)


def test_two_workers_judge_each_click_once_while_clicks_come_in(sessions: Sessions, world: World) -> None:
    advocates = [world.advocate() for _ in range(3)]
    links = [world.link(advocate) for advocate in advocates]
    world.session.commit()
    written = threading.Event()

    def visitors() -> None:
        for n in range(120):
            with sessions() as session:
                # Every visitor clicks each link once, and every third click is a repetition.
                click(World(session, world.brand, world.campaign), links[n % 3], visitor=n // 4)
                session.commit()
        written.set()

    def worker() -> int:
        moved = 0
        while True:
            is_last = written.is_set()
            with sessions() as session:
                now = services.track(session, 7) + leaderboards.project(session, 5)
                session.commit()
            moved += now
            if is_last and not now:
                return moved

    _, first, second = at_once(visitors, worker, worker)
    with sessions() as session:
        human = session.scalar(sa.select(sa.func.count()).where(ClickVerdict.verdict == "human"))
        counted = session.scalar(sa.select(sa.func.sum(Standing.human_clicks)))
        projected = all_standings(session)
        leaderboards.rebuild(session, world.brand.id)
        assert all_standings(session) == projected
    assert count(sessions, Click) == count(sessions, ClickVerdict) == 120
    pairs = {(n % 3, n // 4) for n in range(120)}
    assert human == len(pairs) == count(sessions, PointsEntry)
    assert first + second == 120 + len(pairs)
    assert counted == 3 * len(pairs)  # on the brand's board, the campaign's and the channel's


def late_click_is_judged(sessions: Sessions, world: World, write: Callable[[Session, int], Any]) -> bool:
    """A click gets its id first and commits last, with a later one and a tracker's round in between."""
    link = world.link(world.advocate())
    world.session.commit()
    is_sqlite = world.session.get_bind().dialect.name == "sqlite"
    with sessions() as slow:
        write(slow, link.id)
        if not is_sqlite:  # SQLite has one writer at a time: a later click would wait for the slow one
            with sessions() as fast:
                write(fast, link.id)
                fast.commit()
        with ThreadPoolExecutor(1) as pool:
            round_ = pool.submit(_track_all, sessions)
            threading.Event().wait(0.7)
            slow.commit()
            round_.result(30)
    _track_all(sessions)
    return count(sessions, ClickVerdict) == count(sessions, Click)


def _track_all(sessions: Sessions) -> None:
    with sessions() as session:
        services.track(session, 100)
        session.commit()


def test_a_click_that_commits_late_is_not_skipped(sessions: Sessions, world: World) -> None:
    visitors.salt_of(world.session, NOON)  # the first click of a day also waits for its salt, which is another story

    def write(session: Session, link_id: int) -> None:
        services.record_click(session, link_id, hit(), address="192.0.2.1", secret=SECRET, at=NOON)

    assert late_click_is_judged(sessions, world, write)


def test_without_the_fence_postgresql_would_skip_it(sessions: Sessions, world: World) -> None:
    """The planted fault: it shows that the test above can fail."""

    def write(session: Session, link_id: int) -> None:
        session.add(Click(link_id=link_id, method="GET", at=NOON))
        session.flush()

    is_sqlite = world.session.get_bind().dialect.name == "sqlite"
    assert late_click_is_judged(sessions, world, write) is is_sqlite


def test_every_process_gets_the_same_salt_on_a_new_day(sessions: Sessions, world: World) -> None:
    link = world.link(world.advocate())
    world.session.commit()

    def visit() -> str:
        with sessions() as session:
            visitor = click(World(session, world.brand, world.campaign), link).visitor
            session.commit()
            return visitor

    assert len(set(at_once(*[visit] * 6))) == 1
    assert count(sessions, VisitorSalt) == 1


def test_an_order_told_five_times_at_once_is_stored_and_rewarded_once(sessions: Sessions, world: World) -> None:
    token = click(world, world.link(world.advocate())).token
    services.track(world.session, 10)
    world.session.commit()
    data = ConversionIn(order_id="A", amount_minor=900, currency="EUR", occurred_at=NOON, click_id=token)

    def tell() -> bool:
        with sessions() as session:
            is_new = conversions.record_conversion(session, world.brand.id, data, window_days=90)[1]
            session.commit()
            return is_new

    assert sorted(at_once(*[tell] * 5)) == [False, False, False, False, True]
    assert count(sessions, PointsEntry) == 2


def test_refunds_at_once_never_add_up_to_more_than_the_order(sessions: Sessions, world: World) -> None:
    token = click(world, world.link(world.advocate())).token
    services.track(world.session, 10)
    data = ConversionIn(order_id="A", amount_minor=900, currency="EUR", occurred_at=NOON, click_id=token)
    conversions.record_conversion(world.session, world.brand.id, data, window_days=90)
    world.session.commit()

    def tell(n: int) -> bool:
        refund = RefundIn(refund_id=f"R{n}", order_id="A", amount_minor=300, currency="EUR", occurred_at=NOON)
        with sessions() as session:
            try:
                conversions.record_refund(session, world.brand.id, refund)
            except Invalid:
                return False
            session.commit()
            return True

    assert sorted(at_once(*[lambda n=n: tell(n) for n in range(6)])) == [False] * 3 + [True] * 3
    with sessions() as session:
        order = session.scalars(sa.select(Conversion)).one()
        causes = session.scalars(sa.select(PointsEntry.cause).order_by(PointsEntry.id)).all()
    assert (order.refunded_minor, order.refunded_at) == (900, NOON)
    assert causes == ["human_click", "conversion", "refund"]


def test_an_order_and_its_clicks_verdict_at_once_meet_in_the_end(sessions: Sessions, world: World) -> None:
    """Whichever commits first, the order is attributed exactly once."""
    link = world.link(world.advocate())
    for n in range(8):
        token = click(world, link, visitor=n, later=timedelta(seconds=n)).token
        world.session.commit()
        data = ConversionIn(order_id=f"A{n}", amount_minor=1, currency="EUR", occurred_at=NOON, click_id=token)

        def tell(data: ConversionIn = data) -> None:
            with sessions() as session:
                conversions.record_conversion(session, world.brand.id, data, window_days=90)
                session.commit()

        at_once(tell, lambda: _track_all(sessions), lambda: _track_all(sessions))
    _track_all(sessions)
    with sessions() as session:
        assert set(session.scalars(sa.select(Conversion.attribution))) == {"attributed"}
        causes = list(session.scalars(sa.select(PointsEntry.cause)))
    assert (causes.count("human_click"), causes.count("conversion")) == (8, 8)
