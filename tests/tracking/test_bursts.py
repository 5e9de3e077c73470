"""Bursts that are recognised while they last: what was said of their first clicks is taken back, once, everywhere."""

import random
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.fraud.models import RiskTouch
from amplify.leaderboards import services as boards
from amplify.leaderboards.models import Board, PointsEntry, Standing
from amplify.sharing import services as sharing
from amplify.sharing.models import Share
from amplify.tracking import conversions, verdicts
from amplify.tracking.models import ClickCount, ClickVerdict, Correction, Cursor, FirstClick, RecentClick
from amplify.tracking.reclassify import reclassify
from amplify.tracking.schemas import ConversionIn
from amplify.tracking.services import track
from tests.tracking.test_counting import assert_nothing_is_miscounted, undone
from tests.tracking.test_reclassify import (
    CURL,
    assert_standings_equal_a_rebuild,
    begin,
    human_clicks,
    judged,
    ledger,
    other_rules,
    project_all,
    windows,
)
from tests.tracking.test_surroundings import S, links, mailed
from tests.tracking.world import CHROME, IPHONE, NOON, World, click


def one_by_one(world: World) -> None:
    while track(world.session, 1):
        boards.project(world.session, 10)


def test_points_of_a_bursts_first_clicks_are_taken_back_once(world: World) -> None:
    burst = [click(world, link, later=n * S).id for n, link in enumerate(links(world, "x", "facebook", "email"))]
    one_by_one(world)
    earned = [("human_click", f"click:{one}", 1000) for one in burst[:2]]
    assert ledger(world.session) == [*earned, *(("reclassified", key, -1000) for _cause, key, _points in earned)]
    assert_standings_equal_a_rebuild(world.session, world.brand.id)
    assert human_clicks(world.session) == 0
    assert windows(world.session) == set()
    assert_nothing_is_miscounted(world.session)


def test_a_person_who_comes_back_after_the_burst_counts_after_all(world: World) -> None:
    first, second, third = links(world, "x", "facebook", "email")
    for link, seconds in ((first, 0), (second, 5), (third, 8), (first, 30)):
        click(world, link, later=seconds * S)
    one_by_one(world)
    assert [rule for _id, _verdict, rule in judged(world.session)] == ["links-burst"] * 3 + ["first-click"]
    assert human_clicks(world.session) == 1


def test_a_head_that_follows_takes_back_the_click_before_it_and_its_repeats(world: World) -> None:
    (link,) = links(world, "x")
    for seconds, method in ((0, "GET"), (1, "GET"), (4, "HEAD")):
        click(world, link, later=seconds * S, method=method)
    one_by_one(world)
    assert [rule for _id, _verdict, rule in judged(world.session)] == ["head-burst", "head-burst", "method-head"]
    assert human_clicks(world.session) == 0


def test_a_share_that_a_scanner_confirmed_is_confirmed_by_the_next_person(world: World) -> None:
    pair = links(world, "x", "facebook")
    mailed(world, pair[0], 300 * S)
    with clock.at(NOON):
        shares = [sharing.open_share(world.session, link, "I slept like a stone.") for link in pair]
    for link, visitor, seconds in ((pair[0], 1, 1), (pair[0], 2, 5), (pair[1], 1, 60)):
        click(world, link, visitor=visitor, later=seconds * S)
    one_by_one(world)
    assert [(one.state, one.confirmed_at) for one in shares] == [("confirmed", NOON + 5 * S), ("opened", None)]
    assert_standings_equal_a_rebuild(world.session, world.brand.id)


def test_a_scanner_of_the_same_instant_does_not_undo_what_a_person_confirmed(world: World) -> None:
    pair = links(world, "x", "facebook")
    mailed(world, pair[0], 300 * S)
    with clock.at(NOON):
        share = sharing.open_share(world.session, pair[0], "I slept like a stone.")
    for link, visitor, seconds in ((pair[0], 2, 1), (pair[0], 1, 1), (pair[1], 1, 60)):
        click(world, link, visitor=visitor, later=seconds * S)
    one_by_one(world)
    assert [verdict for _id, verdict, _rule in judged(world.session)] == ["human", "scanner", "scanner"]
    assert share.state == "confirmed"
    causes = world.session.scalars(sa.select(PointsEntry.cause).where(PointsEntry.cause_key.startswith("share:")))
    assert causes.all() == ["share_confirmed"]


def test_an_order_that_came_in_between_stays_where_it_is(world: World) -> None:
    burst = links(world, "x", "facebook", "email")
    token = click(world, burst[0]).token
    one_by_one(world)
    order = ConversionIn(order_id="A", amount_minor=1, currency="EUR", occurred_at=NOON, click_id=token)
    conversion, _ = conversions.record_conversion(world.session, world.brand.id, order, window_days=90)
    for n, link in enumerate(burst[1:], start=1):
        click(world, link, later=n * S)
    one_by_one(world)
    assert human_clicks(world.session) == 0
    assert conversion.attribution == "attributed"


def test_who_asks_too_often_is_a_repeat_and_nothing_more_is_kept_of_them(world: World) -> None:
    (link,) = links(world, "x")
    for n in range(verdicts.OFTEN + 3):
        click(world, link, later=n * S)
    one_by_one(world)
    rules = [rule for _id, _verdict, rule in judged(world.session)]
    assert rules == ["first-click"] + ["visitor-24h"] * (verdicts.OFTEN - 1) + ["visitor-often"] * 3
    assert world.session.scalar(sa.select(sa.func.count()).select_from(RecentClick)) == verdicts.OFTEN
    click(world, link, later=verdicts.OFTEN_WITHIN)
    one_by_one(world)
    assert judged(world.session)[-1][2] == "visitor-24h"


def test_a_burst_that_a_run_and_the_tracker_both_see_is_taken_back_once(world: World) -> None:
    """The run has judged its beginning again before its end comes."""
    burst = links(world, "x", "facebook", "email")
    for n, link in enumerate(burst[:2]):
        click(world, link, later=n * S)
    track(world.session, 10)
    with other_rules():
        run = begin(world.session)
        reclassify(world.session, 2)
        click(world, burst[2], later=2 * S)
        one_by_one(world)
        assert [verdict for _id, verdict, _rule in judged(world.session)] == ["human", "human", "scanner"]
        while run.finished_at is None:
            reclassify(world.session, 2)
    assert [rule for _id, _verdict, rule in judged(world.session)] == ["links-burst"] * 3
    assert_standings_equal_a_rebuild(world.session, world.brand.id)
    assert human_clicks(world.session) == 0


def test_what_a_run_gave_and_a_burst_takes_back_before_anybody_was_told_is_never_told(world: World) -> None:
    burst = links(world, "x", "facebook", "email")
    with other_rules():
        for n, link in enumerate(burst[:2]):
            click(world, link, later=n * S, agent=IPHONE)
        track(world.session, 10)
    run = begin(world.session)
    while run.judged_at is None:
        reclassify(world.session, 10)
    assert world.session.scalars(sa.select(Correction.is_gained)).all() == [True, True]
    click(world, burst[2], later=2 * S, agent=IPHONE)
    one_by_one(world)
    while run.finished_at is None:
        reclassify(world.session, 10)
    assert ledger(world.session) == []
    assert world.session.scalar(sa.select(sa.func.sum(RiskTouch.clicks))) in (None, 0)


class Course:
    """Ten minutes of people, machines and bursts on the links of two advocates, one of whom was just sent a mail."""

    AGENTS = (CHROME, CHROME, CHROME, IPHONE, CURL)

    def __init__(self, world: World, chance: random.Random, many: int) -> None:
        self.world, self.session, self.chance = world, world.session, chance
        self.links = [*links(world, "x", "facebook", "email"), *links(world, "x", "copy", "email")]
        mailed(world, self.links[0], -timedelta(seconds=chance.randrange(300)))
        self.now, self.left = NOON, many

    def some_come(self) -> None:
        for _ in range(self.chance.randint(1, 12)):
            self.now += timedelta(seconds=self.chance.choice([0, 1, 3, 9, 11, 40, 119]))
            link = self.chance.choice(self.links)
            if self.chance.random() < 0.1:
                with clock.at(self.now):
                    sharing.open_share(self.session, link, "I slept like a stone.")
            for _ in range(self.chance.choice([1] * 20 + [23])):
                self.now += timedelta(milliseconds=1)
                click(
                    self.world, link, at=self.now, visitor=self.chance.randint(1, 2),
                    agent=self.chance.choice(self.AGENTS), method=self.chance.choice(["GET"] * 9 + ["HEAD"]),
                    is_own=self.chance.random() < 0.05, purpose=self.chance.choice([""] * 9 + ["prefetch"]),
                )  # fmt: skip
                self.left -= 1

    def run(self) -> None:
        while self.left > 0:
            self.some_come()
            while self.chance.random() < 0.8 and track(self.session, self.chance.randint(1, 9)):
                boards.project(self.session, self.chance.randint(1, 9))
            assert_nothing_is_miscounted(self.session)
        while track(self.session, self.chance.randint(1, 9)):
            pass


def outcome(session: Session) -> dict[str, Any]:
    """All that follows from the clicks."""
    project_all(session)
    found = {
        "counts": sa.select(ClickCount.link_id, ClickCount.hour, ClickCount.verdict, ClickCount.rule, ClickCount.n),
        "shares": sa.select(Share.id, Share.state, Share.confirmed_at),
        "touches": sa.select(RiskTouch.advocate_id, sa.func.sum(RiskTouch.clicks)).group_by(RiskTouch.advocate_id),
    }
    rows = {name: {tuple(row) for row in session.execute(query)} for name, query in found.items()}
    rows["touches"] = {row for row in rows["touches"] if row[1]}
    return {"verdicts": judged(session), "windows": windows(session), "standings": standings(session), **rows}


def standings(session: Session) -> set[tuple[Any, ...]]:
    """Who has what on which board; who has nothing left is as if never there. Scores are sums of floats, in the order
    in which the ledger was written."""
    whole = Board.kind, Board.ref_id, Board.days, Standing.advocate_id, Standing.human_clicks, Standing.shares
    columns = sa.select(*whole, Standing.milli_points, Standing.score_log, Standing.recognition_log)
    rows = session.execute(columns.join(Board, Board.id == Standing.board_id))
    return {(*row[:-2], *(figure and round(figure, 9) for figure in row[-2:])) for row in rows if row[-1] is not None}


def as_if_nothing_had_been_judged(session: Session) -> None:
    for table in (ClickVerdict, ClickCount, FirstClick, RecentClick, RiskTouch, PointsEntry, Standing):
        session.execute(sa.delete(table))
    session.execute(sa.update(Share).values(state="opened", confirmed_at=None))
    session.execute(sa.update(Cursor).values(position=0))
    session.expire_all()


@given(seed=st.integers(0, 10**9), many=st.integers(1, 90))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_however_the_clicks_are_cut_into_batches_the_same_comes_of_them(world: World, seed: int, many: int) -> None:
    with undone(world.session):
        Course(world, random.Random(seed), many).run()  # noqa: S311
        cut = outcome(world.session)
        assert_standings_equal_a_rebuild(world.session, world.brand.id)
        assert_nothing_is_miscounted(world.session)
        as_if_nothing_had_been_judged(world.session)
        track(world.session, 10_000)
        assert outcome(world.session) == cut
