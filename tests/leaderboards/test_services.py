"""From ledger entries to standings: in order, once, and the same from nothing."""

import random
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from amplify.core.events import publish
from amplify.leaderboards import boards, services
from amplify.leaderboards.decay import score_at
from amplify.leaderboards.folding import BoardName
from amplify.leaderboards.models import Board, PointsEntry, Standing
from amplify.sharing.events import ShareConfirmed
from amplify.sharing.models import Share, ShareLink
from amplify.tracking.events import ConversionRefunded, Converted, HumansClicked
from amplify.tracking.models import Conversion, Refund
from amplify.tracking.services import track
from tests.leaderboards.shown import IS_SHOWN_BOARD
from tests.tracking.world import NOON, World, click, make_world

KEPT = (*services.FIGURES, "tie")
FIGURES = (Board.kind, Board.ref_id, Board.days, Standing.advocate_id, *(getattr(Standing, name) for name in KEPT))


def standing(world: World, advocate_id: int, board: BoardName = boards.WHOLE_BRAND) -> Standing:
    found = boards.find_board(world.session, world.brand.id, board)
    assert found is not None
    mine = Standing.board_id == found.id, Standing.advocate_id == advocate_id
    return world.session.scalars(sa.select(Standing).where(*mine).execution_options(populate_existing=True)).one()


def all_standings(session: Session) -> list[tuple[Any, ...]]:
    """Every figure of every standing, floats as they are stored."""
    found = sa.select(*FIGURES).join(Board, Board.id == Standing.board_id).where(IS_SHOWN_BOARD)
    return sorted((tuple(row) for row in session.execute(found)), key=repr)


def convert(world: World, link: ShareLink, order: str, at: Any = NOON) -> Conversion:
    """An attributed order."""
    conversion = Conversion(
        brand_id=world.brand.id, order_id=order, body_hash="", amount_minor=100, currency="EUR", occurred_at=at,
        link_id=link.id, attribution="attributed", window_days=90,
    )  # fmt: skip
    world.session.add(conversion)
    world.session.flush()
    publish(world.session, Converted(conversion, link))
    return conversion


def refund(world: World, conversion: Conversion, link: ShareLink) -> None:
    """Its full refund."""
    refund = Refund(
        brand_id=world.brand.id, refund_id=f"R{conversion.id}", conversion_id=conversion.id, amount_minor=100,
        body_hash="", occurred_at=NOON,
    )  # fmt: skip
    world.session.add(refund)
    world.session.flush()
    publish(world.session, ConversionRefunded(conversion, refund, link))


def share(world: World, link: ShareLink, at: Any = NOON) -> None:
    """A confirmed share."""
    made = Share(brand_id=world.brand.id, link_id=link.id, state="confirmed", opened_at=at, confirmed_at=at)
    world.session.add(made)
    world.session.flush()
    publish(world.session, ShareConfirmed(made, link))


def test_two_visitors_clicks_stand_on_the_board_once_each(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    for visitor in (1, 2, 2, 1):
        click(world, link, visitor=visitor)
    assert track(world.session, 100) == 4
    assert services.project(world.session, 100) == 2
    mine = standing(world, advocate.id)
    assert (mine.human_clicks, mine.milli_points, mine.reached_at) == (2, 2000, NOON)
    assert track(world.session, 100) == services.project(world.session, 100) == 0


def test_an_entry_counts_on_every_board_it_belongs_to(world: World) -> None:
    madrid, rooms = world.location("madrid"), world.business_line("rooms")
    advocate = world.advocate()
    link = world.link(advocate, location_id=madrid.id, business_line_id=rooms.id)
    elsewhere = world.link(advocate, "email", world.another_campaign())
    click(world, link)
    click(world, elsewhere)
    track(world.session, 10)
    services.project(world.session, 10)
    counts = {
        name: standing(world, advocate.id, name).human_clicks
        for name in (
            boards.WHOLE_BRAND, ("campaign", link.campaign_id), ("campaign", elsewhere.campaign_id),
            ("location", madrid.id), ("business_line", rooms.id),
        )
    }  # fmt: skip
    assert list(counts.values()) == [2, 1, 1, 1, 1]


def test_acts_of_sharing_are_recognised_and_never_rewarded(world: World) -> None:
    advocate = world.advocate()
    share(world, world.link(advocate))
    services.project(world.session, 10)
    mine = standing(world, advocate.id)
    assert (mine.score_log, mine.milli_points, mine.shares) == (None, 0, 1)
    assert score_at(mine.recognition_log, NOON, world.brand.half_life_days) == 2.0
    entry = world.session.scalars(sa.select(PointsEntry)).one()
    assert entry.is_reward_eligible is False


def test_a_weight_of_the_brand_is_what_an_entry_gives(world: World) -> None:
    world.brand.weights = {"human_click": 250, "conversion": -5}
    advocate = world.advocate()
    link = world.link(advocate)
    click(world, link)
    track(world.session, 10)
    convert(world, link, "A")
    services.project(world.session, 10)
    mine = standing(world, advocate.id)
    assert (mine.milli_points, mine.human_clicks, mine.conversions) == (250, 1, 1)


def test_a_refund_leaves_the_standing_as_if_it_had_never_been(world: World) -> None:
    anna, ben = world.advocate(), world.advocate()
    for advocate in (anna, ben):
        link = world.link(advocate)
        for hour in range(5):
            click(world, link, visitor=hour, later=timedelta(hours=hour))
    track(world.session, 100)
    conversion = convert(world, link, "A", NOON + timedelta(hours=7))
    services.project(world.session, 100)
    assert standing(world, ben.id).conversions == 1
    refund(world, conversion, link)
    services.project(world.session, 100)
    before, after = standing(world, anna.id), standing(world, ben.id)
    assert [getattr(after, name) for name in services.FIGURES] == [getattr(before, name) for name in services.FIGURES]


def test_whose_only_order_was_refunded_is_not_ranked_any_more(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    refund(world, convert(world, link, "A"), link)
    services.project(world.session, 100)
    mine = standing(world, advocate.id)
    assert (mine.score_log, mine.recognition_log, mine.milli_points) == (None, None, 0)
    assert services.chosen(world.session, world.brand.id, {"kind": "top_n", "value": 9}, NOON) == []


def test_a_cause_told_twice_is_one_entry(world: World) -> None:
    link = world.link(world.advocate())
    fact = HumansClicked([(click(world, link), link)])
    publish(world.session, fact)
    publish(world.session, fact)
    assert services.project(world.session, 10) == 1


def test_brands_do_not_meet(world: World) -> None:
    other = make_world(world.session, "other")
    for one in (world, other):
        click(one, one.link(one.advocate()))
    track(world.session, 10)
    services.project(world.session, 10)
    before = all_standings(world.session)
    assert services.rebuild(world.session, world.brand.id) == 3
    assert all_standings(world.session) == before


@given(seed=st.integers(0, 10**9), steps=st.integers(1, 60))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_any_course_of_events_gives_the_same_standings_as_a_rebuild(world: World, seed: int, steps: int) -> None:
    """Clicks, orders, refunds and shares in any order and time, projected in batches of any size."""
    nested = world.session.begin_nested()
    chance = random.Random(seed)  # noqa: S311
    places = [world.location(f"place{seed}-{n}").id for n in range(2)]
    links = [
        world.link(world.advocate(), location_id=chance.choice([*places, None])) for _ in range(chance.randint(1, 4))
    ]
    orders: list[tuple[Conversion, ShareLink]] = []
    for step in range(steps):
        link, at = chance.choice(links), NOON - timedelta(seconds=chance.randint(0, 10_000_000))
        kind = chance.choice(["click", "click", "order", "refund", "share", "project"])
        if kind == "click":
            publish(world.session, HumansClicked([(click(world, link, at=at), link)]))
        elif kind == "order":
            orders.append((convert(world, link, f"{seed}-{step}", at), link))
        elif kind == "refund" and orders:
            refund(world, *orders.pop(chance.randrange(len(orders))))
        elif kind == "share":
            share(world, link, at)
        else:
            services.project(world.session, chance.randint(1, 7))
    while services.project(world.session, chance.randint(1, 7)):
        pass
    projected = all_standings(world.session)
    services.rebuild(world.session, world.brand.id)
    assert all_standings(world.session) == projected
    nested.rollback()
