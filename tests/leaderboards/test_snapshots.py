"""Choosing and freezing: who is chosen, in which order, on which board, and that it stays."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from amplify.core.errors import Invalid
from amplify.leaderboards.models import SnapshotRow
from amplify.leaderboards.services import chosen, freeze
from amplify.sharing.services import show_name
from tests.leaderboards.scene import advocates_with, catch_up
from tests.leaderboards.test_services import convert, refund, share
from tests.tracking.world import NOON, World, click


def ids(world: World, audience: dict[str, Any]) -> list[int]:
    return [one.advocate_id for one in chosen(world.session, world.brand.id, audience, NOON)]


def test_top_n_takes_the_best_in_order(world: World) -> None:
    few, many, some = advocates_with(world, 1, 5, 3)
    assert ids(world, {"kind": "top_n", "value": 2}) == [many.id, some.id]
    assert ids(world, {"kind": "top_n", "value": 9}) == [many.id, some.id, few.id]
    assert ids(world, {"kind": "top_n", "value": 0}) == []


@pytest.mark.parametrize(("percent", "n"), [(0.1, 1), (10, 1), (25, 1), (26, 2), (50, 2), (100, 4)])
def test_top_percent_is_of_those_ranked_rounded_up(world: World, percent: float, n: int) -> None:
    advocates = advocates_with(world, 4, 3, 2, 1, 0, 0)
    assert ids(world, {"kind": "top_percent", "value": percent}) == [one.id for one in advocates[:n]]


def test_min_score_counts_what_points_are_worth_now(world: World) -> None:
    world.brand.half_life_days = 1
    (advocate,) = advocates_with(world, 4)  # four points, an hour old
    assert ids(world, {"kind": "min_score", "value": 3.8}) == [advocate.id]
    assert ids(world, {"kind": "min_score", "value": 4}) == []
    later = NOON + timedelta(hours=23)
    assert chosen(world.session, world.brand.id, {"kind": "min_score", "value": 2.1}, later) == []
    (still,) = chosen(world.session, world.brand.id, {"kind": "min_score", "value": 1.9}, later)
    assert still.score == pytest.approx(2.0)


def test_a_location_or_business_line_chooses_from_its_own_board(world: World) -> None:
    madrid, rooms = world.location("madrid"), world.business_line("rooms")
    (in_madrid,) = advocates_with(world, 1, location_id=madrid.id)
    (of_rooms,) = advocates_with(world, 2, business_line_id=rooms.id)
    audience = {"kind": "top_n", "value": 9}
    assert ids(world, audience) == [of_rooms.id, in_madrid.id]
    assert ids(world, {**audience, "location_id": madrid.id}) == [in_madrid.id]
    assert ids(world, {**audience, "business_line_id": rooms.id}) == [of_rooms.id]
    assert ids(world, {**audience, "location_id": world.location("oslo").id}) == []


def test_nobody_is_chosen_for_acts_of_sharing_or_for_what_was_refunded(world: World) -> None:
    sharer, refunded = world.advocate(), world.advocate()
    share(world, world.link(sharer))
    link = world.link(refunded)
    refund(world, convert(world, link, "A"), link)
    catch_up(world)
    for kind, value in (("top_n", 9), ("top_percent", 100), ("min_score", 0)):
        assert ids(world, {"kind": kind, "value": value}) == []


def test_leaving_the_board_keeps_the_reward(world: World) -> None:
    (advocate,) = advocates_with(world, 2)
    show_name(world.session, advocate, None, on_board=False)
    assert ids(world, {"kind": "top_n", "value": 1}) == [advocate.id]


def test_of_equal_scores_the_earlier_advocate_goes_first(world: World) -> None:
    first, second = world.advocate(), world.advocate()
    for advocate in (second, first):
        click(world, world.link(advocate))
    catch_up(world)
    assert ids(world, {"kind": "top_n", "value": 1}) == [first.id]


def test_an_unknown_kind_is_refused(world: World) -> None:
    advocates_with(world, 1)
    with pytest.raises(Invalid) as refused:
        ids(world, {"kind": "lucky_dip", "value": 3})
    assert refused.value.field == "audience.kind"


def test_a_frozen_choice_is_the_choice_and_stays_it(world: World) -> None:
    few, many, some = advocates_with(world, 1, 5, 3)
    world.campaign.occurrence = 1
    audience = {"kind": "top_n", "value": 2}
    expected = chosen(world.session, world.brand.id, audience, NOON)
    snapshot = freeze(world.session, world.campaign, audience, NOON)
    assert (snapshot.ranked, snapshot.audience, snapshot.taken_at, snapshot.occurrence) == (3, audience, NOON, 1)

    click(world, world.link(few, "email"), visitor=77)
    catch_up(world)
    world.brand.half_life_days = 1
    again = freeze(world.session, world.campaign, audience, NOON + timedelta(days=3))
    assert again.id == snapshot.id
    rows = world.session.scalars(sa.select(SnapshotRow).order_by(SnapshotRow.rank)).all()
    assert [row.advocate_id for row in rows] == [many.id, some.id]
    for row, was in zip(rows, expected, strict=True):
        kept = (row.rank, row.score_log, row.human_clicks, row.conversions, row.reached_at)
        assert kept == (was.rank, was.score_log, was.human_clicks, was.conversions, was.reached_at)
        assert row.score == pytest.approx(was.score)


def test_each_start_of_a_campaign_has_its_own_snapshot(world: World) -> None:
    advocates_with(world, 1)
    audience = {"kind": "top_n", "value": 1}
    made = []
    for occurrence in (1, 2):
        world.campaign.occurrence = occurrence
        made.append(freeze(world.session, world.campaign, audience, NOON).id)
    assert len(set(made)) == 2


def test_an_empty_board_freezes_nobody(world: World) -> None:
    snapshot = freeze(world.session, world.campaign, {"kind": "top_percent", "value": 10}, NOON)
    assert snapshot.ranked == 0
    assert world.session.scalars(sa.select(SnapshotRow)).all() == []
