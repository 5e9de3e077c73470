"""Raw clicks that are kept no longer: they leave, and nothing that anybody sees or earned changes."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.leaderboards import queries as boards
from amplify.leaderboards import services as standing
from amplify.leaderboards.boards import WHOLE_BRAND, find_board
from amplify.leaderboards.explain import why
from amplify.sharing.models import Advocate
from amplify.sharing.outcomes import outcomes
from amplify.tracking import conversions, counting, figures, queries
from amplify.tracking.models import Click, ClickRemoval, ClickVerdict, Conversion
from amplify.tracking.reclassify import reclassify
from amplify.tracking.retention import count_removed, remove_old_clicks, whole_since
from amplify.tracking.schemas import ConversionIn
from amplify.tracking.services import track
from tests.leaderboards.test_services import all_standings
from tests.tracking.test_counting import assert_a_rebuild_changes_nothing, assert_nothing_is_miscounted, rolled_up
from tests.tracking.test_reclassify import begin, judge_again, judged, other_rules, project_all
from tests.tracking.world import CHROME, FACEBOOK, IPHONE, NOON, World, click, make_world

DAYS = 7
LATER = NOON + timedelta(days=DAYS + 1)


def order(world: World, number: str, of: Click | None, at: datetime) -> Conversion:
    """An order that names this click."""
    data = ConversionIn(
        order_id=number, amount_minor=100, currency="EUR", occurred_at=at, click_id=of.token if of else None
    )
    with clock.at(at):
        return conversions.record_conversion(world.session, world.brand.id, data, window_days=90)[0]


def lived(world: World) -> None:
    """Three days of clicks and orders of every kind, judged and ranked; the last click comes on the third day."""
    links = [world.link(world.advocate()) for _ in range(2)]
    for hours in (0, 1, 2, 5, 24, 25, 26, 48):
        for n, link in enumerate(links):
            at = NOON + timedelta(hours=hours)
            first = click(world, link, visitor=n, agent=CHROME, at=at)
            machine = click(world, link, visitor=5, agent=FACEBOOK, at=at)
            order(world, f"{first.id}", first, at)
            order(world, f"{machine.id}", machine, at)
    while track(world.session, 9):
        pass
    project_all(world.session)


def seen(world: World, now: datetime) -> dict[str, Any]:
    """Everything that people are told."""
    session, brand_id = world.session, world.brand.id
    advocates = session.scalars(sa.select(Advocate).where(Advocate.brand_id == brand_id).order_by(Advocate.id)).all()
    links, _total = queries.links(session, brand_id)
    board = find_board(session, brand_id, WHOLE_BRAND)
    assert board is not None
    with clock.at(now):
        return {
            "links": links,
            "reasons": queries.reasons(session, brand_id),
            "of one": [queries.reasons(session, brand_id, link_id=link.id) for link in links],
            "days": [figures.days_of(session, world.brand, link) for link in links],
            "recent": queries.recent(session, brand_id),
            "outcomes": [str(outcomes(session, one)) for one in advocates],
            "why": [why(session, one, now) for one in advocates],
            "board": boards.top(session, board, 10, now),
            "standings": all_standings(session),
        }


def remove_all(session: Session, limit: int = 5) -> int:
    moved = 0
    while some := remove_old_clicks(session, limit):
        moved += some
        assert_nothing_is_miscounted(session)
    return moved


def stored(world: World) -> list[datetime]:
    return list(world.session.scalars(sa.select(Click.at).order_by(Click.id)))


@pytest.fixture
def kept(world: World) -> World:
    """A brand with a past that keeps its clicks for a week."""
    lived(world)
    world.brand.keep_clicks_days = DAYS
    world.session.flush()
    return world


def test_whole_days_leave_and_nothing_that_is_seen_changes(kept: World) -> None:
    before, all_clicks = seen(kept, LATER), len(stored(kept))
    with clock.at(LATER):
        assert remove_all(kept.session) == 16
    # A week and a day after the first noon the first day has left, and not an hour more.
    assert {at.date() for at in stored(kept)} == {NOON.date() + timedelta(days=n) for n in (1, 2)}
    assert len(stored(kept)) == all_clicks - 16 == kept.session.scalar(sa.select(sa.func.count(ClickVerdict.click_id)))
    assert seen(kept, LATER) == before
    assert count_removed(kept.session, kept.brand.id) == 16
    assert_a_rebuild_changes_nothing(kept.session)


def test_the_ledger_makes_the_same_standings_again_without_the_clicks(kept: World) -> None:
    before = all_standings(kept.session)
    with clock.at(LATER + timedelta(days=90)):
        remove_all(kept.session)
    standing.rebuild(kept.session, kept.brand.id)
    assert all_standings(kept.session) == before


def test_the_newest_click_stays_so_that_its_number_is_given_to_no_other(kept: World) -> None:
    newest = kept.session.scalars(sa.select(Click.id).order_by(Click.id.desc())).first()
    assert newest is not None
    with clock.at(LATER + timedelta(days=90)):
        remove_all(kept.session)
        assert kept.session.scalars(sa.select(Click.id)).all() == [newest]
        assert click(kept, kept.link(kept.advocate()), at=clock.now()).id > newest
        assert track(kept.session, 10) == 1


def test_nothing_of_another_brand_is_touched(world: World) -> None:
    other = make_world(world.session, "other")
    for one in (world, other):
        lived(one)
    world.brand.keep_clicks_days = DAYS
    theirs = sa.select(Click.id).where(
        Click.link_id.in_([link.id for link in queries.links(world.session, other.brand.id)[0]])
    )
    before = world.session.scalars(theirs).all(), seen(other, LATER)
    with clock.at(LATER + timedelta(days=90)):
        remove_all(world.session)
    assert (world.session.scalars(theirs).all(), seen(other, LATER)) == before
    assert count_removed(world.session, other.brand.id) == 0
    assert count_removed(world.session, world.brand.id) == 32


def test_a_brand_that_says_nothing_keeps_everything(world: World) -> None:
    lived(world)
    with clock.at(LATER + timedelta(days=3000)):
        assert remove_old_clicks(world.session, 100) == 0
    assert whole_since(world.session) == {}


def test_orders_keep_what_they_were_attributed_to(kept: World) -> None:
    columns = (Conversion.order_id, Conversion.attribution, Conversion.link_id, Conversion.named_link_id)
    orders = sa.select(*columns).order_by(Conversion.id)
    before = kept.session.execute(orders).all()
    with clock.at(LATER):
        remove_all(kept.session)
    assert kept.session.execute(orders).all() == before
    assert len(kept.session.scalars(sa.select(Conversion.id).where(Conversion.click_id.is_(None))).all()) == 16


def test_a_click_for_whose_verdict_an_order_waits_stays_until_it_is_attributed(kept: World) -> None:
    waiting = kept.session.scalars(sa.select(Conversion).order_by(Conversion.id)).first()
    assert waiting is not None
    waiting.attribution, waiting.link_id = "pending", None
    with clock.at(LATER):
        assert remove_all(kept.session) == 0
        track(kept.session, 10)
        assert remove_all(kept.session) == 16
    assert waiting.attribution == "attributed"


def test_what_is_not_judged_yet_stays(kept: World) -> None:
    late = click(kept, kept.link(kept.advocate()), at=NOON + timedelta(hours=49))
    with clock.at(LATER + timedelta(days=90)):
        remove_all(kept.session)
    assert late.id in kept.session.scalars(sa.select(Click.id)).all()


def test_a_batch_that_is_undone_is_done_again(kept: World) -> None:
    before = seen(kept, LATER)
    with clock.at(LATER):
        remove_old_clicks(kept.session, 5)
        cut_off = kept.session.begin_nested()
        remove_old_clicks(kept.session, 5)
        cut_off.rollback()
        kept.session.expire_all()
        assert_nothing_is_miscounted(kept.session)
        assert seen(kept, LATER) == before
        remove_all(kept.session)
    assert count_removed(kept.session, kept.brand.id) == 16
    assert seen(kept, LATER) == before


def test_days_go_on_leaving_and_a_longer_time_brings_none_back(kept: World) -> None:
    left = []
    for days, keep in ((0, DAYS), (1, DAYS), (2, 30), (3, None), (4, DAYS)):
        kept.brand.keep_clicks_days = keep
        with clock.at(LATER + timedelta(days=days)):
            remove_all(kept.session)
        left.append(len(stored(kept)))
    assert left == [16, 4, 4, 4, 1]


def test_no_click_leaves_while_clicks_are_judged_again(kept: World) -> None:
    with other_rules():
        run = begin(kept.session)
        with clock.at(LATER):
            assert remove_old_clicks(kept.session, 5) == 0
        while run.finished_at is None:
            reclassify(kept.session, 5)
    with clock.at(LATER):
        assert remove_old_clicks(kept.session, 5) == 5


def test_what_is_left_of_a_day_keeps_its_verdict_since_it_cannot_be_judged_alone(world: World) -> None:
    link = world.link(world.advocate())
    for minutes in range(6):  # the first counts, the others are its repeats
        click(world, link, agent=IPHONE, later=timedelta(minutes=minutes))
    click(world, link, agent=IPHONE, later=timedelta(days=1))
    track(world.session, 10)
    world.brand.keep_clicks_days = DAYS
    with clock.at(LATER):
        remove_old_clicks(world.session, 3)
    before = judged(world.session)
    assert [verdict for _id, verdict, _rule in before] == ["duplicate"] * 3 + ["human"]
    with other_rules():
        run = judge_again(world.session)
    assert (run.total, run.judged) == (1, 1)
    assert judged(world.session) == [*before[:3], (before[3][0], "scanner", "iphone")]
    assert_nothing_is_miscounted(world.session)
    assert count_removed(world.session, None, NOON.replace(hour=0)) == 3


def test_a_removed_click_that_a_shop_names_is_unknown(kept: World) -> None:
    first = kept.session.scalars(sa.select(Click).order_by(Click.id)).first()
    assert first is not None
    with clock.at(LATER):
        remove_all(kept.session)
        assert order(kept, "late", first, LATER).attribution == "click-unknown"


def test_the_round_looks_no_further_once_a_day_is_done(kept: World) -> None:
    with clock.at(LATER):
        remove_all(kept.session)
        removal = kept.session.get(ClickRemoval, kept.brand.id)
        assert removal is not None
        assert (removal.is_done, removal.before) == (True, (LATER - timedelta(days=DAYS)).replace(hour=0))
    assert {cell.hour // 24 for cell, (_n, gone) in rolled_up(kept.session).items() if gone} == {
        counting.hour_of(NOON) // 24
    }
