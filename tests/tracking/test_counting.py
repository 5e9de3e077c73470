"""Roll-ups: at any moment what counting the judged clicks one by one would give."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from amplify.sharing.models import ShareLink
from amplify.tracking import counting, queries
from amplify.tracking.counting import Cell
from amplify.tracking.models import Click, ClickCount, ClickVerdict, Cursor, Reclassification
from amplify.tracking.reclassify import reclassify
from amplify.tracking.services import track
from tests.tracking.test_reclassify import CURL, TODAY, begin, judge_again, other_rules
from tests.tracking.world import CHROME, FACEBOOK, IPHONE, World, click, make_world


def rolled_up(session: Session) -> dict[Cell, tuple[int, int]]:
    """Cell -> (counted, removed), as stored."""
    names = (*counting.KEY, "brand_id", "n", "removed")
    rows = session.execute(sa.select(*(getattr(ClickCount, name) for name in names)))
    return {Cell(*row[:5]): (row[5], row[6]) for row in rows}


def one_by_one(session: Session) -> Counter[Cell]:
    """The stored clicks that are judged, by cell."""
    columns = sa.select(Click.link_id, Click.at, ClickVerdict.verdict, ClickVerdict.rule, ShareLink.brand_id)
    joined = columns.join(ClickVerdict, ClickVerdict.click_id == Click.id).join(
        ShareLink, Click.link_id == ShareLink.id
    )
    return Counter(
        Cell(link, int(at.timestamp() / 3600), verdict, rule, brand)
        for link, at, verdict, rule, brand in session.execute(joined)
    )


def assert_nothing_is_miscounted(session: Session) -> None:
    found = rolled_up(session)
    assert {cell: n - removed for cell, (n, removed) in found.items() if n > removed} == one_by_one(session)
    assert all(n > 0 and 0 <= removed <= n for n, removed in found.values())


def assert_a_rebuild_changes_nothing(session: Session) -> None:
    before = rolled_up(session)
    counting.rebuild(session)
    assert rolled_up(session) == before


@contextmanager
def rules(are_other: bool) -> Iterator[None]:
    with other_rules() if are_other else nullcontext():
        yield


def test_clicks_of_an_hour_are_one_row_for_each_verdict_and_rule(world: World) -> None:
    link = world.link(world.advocate())
    for minutes, visitor, agent in ((0, 1, CHROME), (59, 2, CHROME), (1, 1, CHROME), (2, 3, FACEBOOK), (60, 4, CHROME)):
        click(world, link, visitor=visitor, agent=agent, later=timedelta(minutes=minutes))
    track(world.session, 10)
    noon = counting.hour_of(TODAY) + 12
    assert {(c.hour - noon, c.verdict, c.rule): n for c, (n, _gone) in rolled_up(world.session).items()} == {
        (0, "human", "first-click"): 2, (0, "duplicate", "visitor-24h"): 1,
        (0, "preview", "agent:facebookexternalhit"): 1, (1, "human", "first-click"): 1,
    }  # fmt: skip
    assert_nothing_is_miscounted(world.session)


def test_a_click_that_is_judged_again_moves_and_leaves_no_empty_row(world: World) -> None:
    click(world, world.link(world.advocate()), agent=IPHONE)
    track(world.session, 10)
    with other_rules():
        judge_again(world.session)
    assert [(cell.verdict, cell.rule, n) for cell, n in rolled_up(world.session).items()] == [
        ("scanner", "iphone", (1, 0))
    ]


def test_a_cursor_that_was_put_back_counts_nothing_twice(world: World) -> None:
    link = world.link(world.advocate())
    for visitor in range(5):
        click(world, link, visitor=visitor)
    track(world.session, 3)
    world.session.execute(sa.update(Cursor).where(Cursor.name == "clicks").values(position=0))
    world.session.expire_all()
    track(world.session, 10)
    assert sum(n for n, _gone in rolled_up(world.session).values()) == 5
    assert_nothing_is_miscounted(world.session)


def test_the_rebuild_of_some_links_leaves_the_others_alone(world: World) -> None:
    links = [world.link(world.advocate()) for _ in range(2)]
    for link in links:
        click(world, link)
    track(world.session, 10)
    right = rolled_up(world.session)
    world.session.execute(sa.update(ClickCount).values(n=7))
    counting.rebuild(world.session, [links[0].id])
    assert {cell.link_id: n for cell, (n, _gone) in rolled_up(world.session).items()} == {
        links[0].id: 1,
        links[1].id: 7,
    }
    counting.rebuild(world.session)
    assert rolled_up(world.session) == right


def test_what_waits_for_its_verdict_is_among_all_requests_and_in_no_roll_up(world: World) -> None:
    other = make_world(world.session, "other")
    link = world.link(world.advocate())
    for _ in range(3):
        click(world, link)
    click(other, other.link(other.advocate()))
    track(world.session, 2)
    assert queries.recent(world.session, world.brand.id)[:2] == (3, 1)
    assert queries.link_of(world.session, world.brand.id, link.id).raw == 3
    assert sum(n for n, _gone in rolled_up(world.session).values()) == 2
    assert {one.verdict: one.n for one in queries.reasons(world.session, world.brand.id)} == {
        "human": 1, "duplicate": 1, None: 1,
    }  # fmt: skip


@contextmanager
def undone(session: Session) -> Iterator[None]:
    nested = session.begin_nested()
    try:
        yield
    finally:
        nested.rollback()
        session.expire_all()


class Course:
    """Clicks come, rules change, and whoever judges does some of it, as chance will have it."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.session, self.chance, self.world = world.session, chance, world
        worlds = [world, make_world(world.session, "other")]
        self.links = [(one, one.link(one.advocate())) for one in worlds for _ in range(2)]
        self.now, self.are_other = TODAY, False

    def go_on(self) -> None:
        some = self.chance.randint(1, 9)
        with rules(self.are_other):
            self.chance.choice([self.clicks, self.track, self.begin, self.reclassify, self.change])(some)

    def clicks(self, some: int) -> None:
        for _ in range(some):
            self.now += timedelta(minutes=self.chance.randrange(90))
            agent = self.chance.choice([CHROME, IPHONE, CURL, FACEBOOK])
            whose, link = self.chance.choice(self.links)
            click(whose, link, visitor=self.chance.randint(1, 3), agent=agent, at=self.now)

    def track(self, some: int) -> None:
        track(self.session, some)

    def reclassify(self, some: int) -> None:
        reclassify(self.session, some)

    def begin(self, _some: int) -> None:
        begin(self.session, self.chance.choice([None, self.world.brand.id]))

    def change(self, _some: int) -> None:
        self.are_other = not self.are_other

    def come_to_rest(self) -> None:
        unfinished = sa.select(sa.func.count()).where(Reclassification.finished_at.is_(None))
        with rules(self.are_other):
            while track(self.session, 7) or reclassify(self.session, 7) or self.session.scalar(unfinished):
                assert_nothing_is_miscounted(self.session)


@given(seed=st.integers(0, 10**9))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_judging_and_judging_again_in_any_order_never_miscounts(world: World, seed: int) -> None:
    """Clicks over two days on links of two brands, rules that change, runs of one brand or of all, in any batches."""
    with undone(world.session):
        course = Course(world, random.Random(seed))  # noqa: S311
        for _ in range(course.chance.randint(5, 40)):
            course.go_on()
            assert_nothing_is_miscounted(world.session)
        course.come_to_rest()
        counted = sum(n for n, _gone in rolled_up(world.session).values())
        assert counted == world.session.scalar(sa.select(sa.func.count(Click.id)))
        assert_a_rebuild_changes_nothing(world.session)
