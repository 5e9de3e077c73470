"""Clicks judged again under other rules: verdicts, windows, points, shares and orders as if it had always been so."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.leaderboards import services as boards
from amplify.leaderboards.models import Board, PointsEntry, Standing
from amplify.sharing import services as sharing
from amplify.tracking import conversions, verdicts
from amplify.tracking.models import Click, ClickVerdict, Conversion, Cursor, FirstClick, Reclassification
from amplify.tracking.reclassify import extent_of, open_run, reclassify
from amplify.tracking.schemas import ConversionIn
from amplify.tracking.services import track
from tests.leaderboards.shown import IS_SHOWN_BOARD
from tests.leaderboards.test_services import all_standings
from tests.tracking.world import CHROME, FACEBOOK, IPHONE, NOON, World, click, make_world

TODAY = NOON.replace(hour=0)
CURL = "curl/8.0"
RULES = verdicts.judge


@contextmanager
def other_rules(version: int = 90) -> Iterator[None]:
    """While it lasts an iPhone is a machine, and curl and Facebook's fetcher are people."""

    def judge(hit: Any, *, counted_before: bool, around: verdicts.Around = verdicts.ALONE) -> verdicts.Verdict:
        if hit.user_agent == IPHONE:
            return verdicts.Verdict("scanner", "iphone")
        if hit.user_agent in (CURL, FACEBOOK):
            name, rule = ("duplicate", "again") if counted_before else ("human", "curl")
            return verdicts.Verdict(name, rule)
        return RULES(hit, counted_before=counted_before, around=around)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts, "judge", judge)
        patch.setattr(verdicts, "RULES_VERSION", version)
        yield


def begin(session: Session, brand_id: int | None = None) -> Reclassification:
    return open_run(session, TODAY, brand_id, extent_of(session, TODAY, brand_id))


def judge_again(session: Session, brand_id: int | None = None, *, limit: int = 100) -> Reclassification:
    run = begin(session, brand_id)
    while run.finished_at is None:
        reclassify(session, limit)
    return run


def judged(session: Session) -> list[tuple[int, str, str]]:
    found = sa.select(ClickVerdict.click_id, ClickVerdict.verdict, ClickVerdict.rule).order_by(ClickVerdict.click_id)
    return [(click_id, verdict, rule) for click_id, verdict, rule in session.execute(found)]


def windows(session: Session) -> set[tuple[Any, ...]]:
    found = sa.select(FirstClick.run, FirstClick.link_id, FirstClick.visitor, FirstClick.at)
    return {tuple(row) for row in session.execute(found)}


def ledger(session: Session) -> list[tuple[str, str, int]]:
    found = sa.select(PointsEntry.cause, PointsEntry.cause_key, PointsEntry.milli_points).order_by(PointsEntry.id)
    return [(cause, key, points) for cause, key, points in session.execute(found)]


def project_all(session: Session, limit: int = 500) -> None:
    while boards.project(session, limit):
        pass


def assert_standings_equal_a_rebuild(session: Session, brand_id: int) -> None:
    project_all(session)
    projected = all_standings(session)
    boards.rebuild(session, brand_id)
    assert all_standings(session) == projected


def human_clicks(session: Session) -> int:
    counted = sa.select(sa.func.sum(Standing.human_clicks)).join(Board, Board.id == Standing.board_id)
    return int(session.scalar(counted.where(IS_SHOWN_BOARD, Board.kind == "brand")) or 0)


def test_a_click_that_is_no_persons_any_more_gives_its_points_back(world: World) -> None:
    link = world.link(world.advocate())
    first = click(world, link, agent=IPHONE).id
    track(world.session, 10)
    with other_rules():
        run = judge_again(world.session)
    assert judged(world.session) == [(first, "scanner", "iphone")]
    assert world.session.scalars(sa.select(ClickVerdict.rules_version)).all() == [90]
    assert ledger(world.session) == [
        ("human_click", f"click:{first}", 1000), ("reclassified", f"click:{first}", -1000),
    ]  # fmt: skip
    assert (run.judged, run.changed, run.gained, run.lost) == (1, 1, 0, 1)
    assert_standings_equal_a_rebuild(world.session, world.brand.id)
    assert human_clicks(world.session) == 0


def test_a_click_that_is_a_persons_after_all_earns(world: World) -> None:
    link = world.link(world.advocate())
    first = click(world, link, agent=CURL).id
    track(world.session, 10)
    assert ledger(world.session) == []
    with other_rules():
        judge_again(world.session)
    assert ledger(world.session) == [("human_click", f"click:{first}", 1000)]
    assert_standings_equal_a_rebuild(world.session, world.brand.id)


def test_there_and_back_again_a_click_counts_once_and_every_step_is_in_the_ledger(world: World) -> None:
    first = click(world, world.link(world.advocate()), agent=IPHONE).id
    track(world.session, 10)
    counted = []
    for version in (90, 91, 92, 93):
        if version % 2:
            judge_again(world.session)
        else:
            with other_rules(version):
                judge_again(world.session)
        project_all(world.session)
        counted.append(human_clicks(world.session))
    assert counted == [0, 1, 0, 1]
    assert [entry[:2] for entry in ledger(world.session)] == [
        ("human_click", f"click:{first}"), ("reclassified", f"click:{first}"),
        ("human_click", f"click:{first}:2"), ("reclassified", f"click:{first}:2"),
        ("human_click", f"click:{first}:3"),
    ]  # fmt: skip
    assert_standings_equal_a_rebuild(world.session, world.brand.id)


def test_the_same_rules_change_nothing(world: World) -> None:
    link = world.link(world.advocate())
    for n, agent in enumerate((CHROME, IPHONE, CURL, FACEBOOK, CHROME)):
        click(world, link, visitor=1, agent=agent, later=timedelta(minutes=n))
    track(world.session, 10)
    before = judged(world.session), windows(world.session), ledger(world.session)
    run = judge_again(world.session, limit=2)
    assert (run.judged, run.changed) == (5, 0)
    assert (judged(world.session), windows(world.session), ledger(world.session)) == before


def test_the_tracker_goes_on_with_the_new_windows(world: World) -> None:
    link = world.link(world.advocate())
    click(world, link, agent=CURL)
    click(world, link, agent=IPHONE)
    track(world.session, 10)
    with other_rules():
        judge_again(world.session)
        for n, agent in enumerate((CURL, IPHONE), start=1):
            click(world, link, agent=agent, later=timedelta(hours=n))
        track(world.session, 10)
    assert [verdict for _id, verdict, _rule in judged(world.session)] == ["human", "scanner", "duplicate", "scanner"]
    assert {run for run, *_window in windows(world.session)} == {0}


def test_clicks_before_the_day_and_of_other_brands_keep_their_verdict(world: World) -> None:
    other = make_world(world.session, "other")
    click(world, world.link(world.advocate()), agent=IPHONE, at=TODAY - timedelta(seconds=1))
    click(world, world.link(world.advocate()), agent=IPHONE, at=TODAY)
    click(other, other.link(other.advocate()), agent=IPHONE)
    track(world.session, 10)
    theirs = {window for window in windows(world.session) if window[3] != TODAY}
    with other_rules():
        run = judge_again(world.session, world.brand.id)
    assert [verdict for _id, verdict, _rule in judged(world.session)] == ["human", "scanner", "human"]
    assert (run.total, run.judged) == (1, 1)
    assert windows(world.session) == theirs


def test_a_run_that_was_cut_off_is_gone_on_with_and_not_begun_anew(world: World) -> None:
    link = world.link(world.advocate())
    for n in range(5):
        click(world, link, visitor=n, agent=IPHONE)
    track(world.session, 10)
    with other_rules():
        run = begin(world.session)
        reclassify(world.session, 2)
        again = begin(world.session)
        assert (again.id, again.judged, again.total) == (run.id, 2, 5)
        assert begin(world.session, world.brand.id).id != run.id
        while reclassify(world.session, 2):
            pass
    assert run.finished_at is not None
    assert len(ledger(world.session)) == 10


def test_a_run_that_meets_a_newer_rule_set_starts_over(world: World) -> None:
    link = world.link(world.advocate())
    clicks = [click(world, link, visitor=n, agent=IPHONE).id for n in range(4)]
    track(world.session, 10)
    with other_rules():
        run = begin(world.session)
        reclassify(world.session, 2)
    judge_again(world.session)
    assert (run.rules_version, run.judged, run.gained) == (verdicts.RULES_VERSION, 4, 2)
    assert judged(world.session) == [(one, "human", "first-click") for one in clicks]
    assert_standings_equal_a_rebuild(world.session, world.brand.id)
    assert human_clicks(world.session) == 4


def test_a_share_is_confirmed_by_the_click_that_is_now_the_first(world: World) -> None:
    link = world.link(world.advocate())
    share = sharing.open_share(world.session, link, "I slept like a stone.")
    click(world, link, visitor=1, agent=IPHONE, later=timedelta(minutes=1))
    track(world.session, 10)
    states = [(share.state, share.confirmed_at)]
    with other_rules():
        judge_again(world.session)
        states.append((share.state, share.confirmed_at))
        click(world, link, visitor=2, agent=CHROME, later=timedelta(minutes=2))
        track(world.session, 10)
    states.append((share.state, share.confirmed_at))
    first, second = (NOON + timedelta(minutes=n) for n in (1, 2))
    assert states == [("confirmed", first), ("opened", None), ("confirmed", second)]
    acts = [entry for entry in ledger(world.session) if entry[1].startswith("share:")]
    assert [cause for cause, _key, _points in acts] == ["share_confirmed", "reclassified", "share_confirmed"]
    assert_standings_equal_a_rebuild(world.session, world.brand.id)


@pytest.mark.parametrize(
    ("agent", "before", "after"),
    [(IPHONE, "attributed", "attributed"), (CURL, "click-bot", "attributed"), (CHROME, "attributed", "attributed")],
)
def test_a_later_verdict_helps_an_order_and_never_takes_one_away(
    world: World, agent: str, before: str, after: str
) -> None:
    token = click(world, world.link(world.advocate()), agent=agent).token
    track(world.session, 10)
    order = ConversionIn(order_id="A", amount_minor=1, currency="EUR", occurred_at=NOON, click_id=token)
    conversion, _ = conversions.record_conversion(world.session, world.brand.id, order, window_days=90)
    assert conversion.attribution == before
    with other_rules():
        judge_again(world.session)
    assert conversion.attribution == after
    earned = [entry for entry in ledger(world.session) if entry[0] == "conversion"]
    assert len(earned) == 1
    assert_standings_equal_a_rebuild(world.session, world.brand.id)


@given(seed=st.integers(0, 10**9), n=st.integers(1, 40))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_any_clicks_come_out_as_if_judged_by_the_new_rules_from_the_first(world: World, seed: int, n: int) -> None:
    """In batches of any size, with orders and shares, and with the tracker and the boards at work in between."""
    nested = world.session.begin_nested()
    session, chance = world.session, random.Random(seed)  # noqa: S311
    links = [world.link(world.advocate()) for _ in range(chance.randint(1, 3))]

    def some_clicks(many: int, hours: int) -> None:
        for minute in sorted(chance.randrange(600) for _ in range(many)):
            agent = chance.choice([CHROME, IPHONE, CURL, FACEBOOK])
            at = TODAY + timedelta(hours=hours, minutes=minute)
            if chance.random() < 0.1:
                with clock.at(at):
                    sharing.open_share(session, chance.choice(links), "I slept like a stone.")
            made = click(world, chance.choice(links), visitor=chance.randint(1, 2), agent=agent, at=at)
            if chance.random() < 0.2:
                order = ConversionIn(
                    order_id=f"{made.id}", amount_minor=1, currency="EUR", occurred_at=at, click_id=made.token
                )
                with clock.at(at):
                    conversions.record_conversion(session, world.brand.id, order, window_days=90)

    def work() -> None:
        while track(session, chance.randint(1, 9)):
            boards.project(session, chance.randint(1, 9))

    some_clicks(n, 0)
    work()
    with other_rules():
        run = begin(session)
        reclassify(session, chance.randint(1, 9))
        some_clicks(n // 3, 11)
        work()
        while run.finished_at is None:
            reclassify(session, chance.randint(1, 9))
            boards.project(session, chance.randint(1, 9))
        after = judged(session), windows(session)
        assert_standings_equal_a_rebuild(session, world.brand.id)
        counted = human_clicks(session)
        session.execute(sa.delete(ClickVerdict))
        session.execute(sa.delete(FirstClick))
        session.execute(sa.delete(PointsEntry))
        session.execute(sa.update(Cursor).where(Cursor.name == "clicks").values(position=0))
        session.expire_all()
        track(session, 1_000)
    assert (judged(session), windows(session)) == after
    assert counted == sum(verdict == "human" for _id, verdict, _rule in after[0])
    assert set(session.scalars(sa.select(Conversion.attribution))) <= {"attributed", "click-scanner"}
    assert session.scalar(sa.select(sa.func.count(Click.id))) == len(after[0])
    nested.rollback()
