"""The last 7, 30 and 90 days: who enters, who leaves, and what is counted when several filters are asked for."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from amplify.core import clock
from amplify.core.errors import Invalid
from amplify.leaderboards import counted, queries, windows
from amplify.leaderboards.asked import Asked, asked
from amplify.leaderboards.boards import WHOLE_BRAND, find_board
from amplify.leaderboards.schemas import BoardFilter
from amplify.leaderboards.services import rebuild
from amplify.sharing.services import show_name
from tests.leaderboards.scene import advocates_with, catch_up
from tests.leaderboards.test_services import all_standings, convert, refund
from tests.tracking.world import NOON, World, click


def fold(world: World) -> None:
    catch_up(world)
    while windows.fold_windows(world.session, 3):
        pass


def points(world: World, days: int) -> dict[int, float]:
    board = find_board(world.session, world.brand.id, WHOLE_BRAND, days=days)
    rows = queries.top(world.session, board, 99, clock.now()) if board else []
    return {row.advocate_id: row.score for row in rows}


def ask(world: World, **wanted: Any) -> Asked:
    found = BoardFilter.model_validate_strings({name: str(value) for name, value in wanted.items()})
    return asked(world.session, world.brand.id, found, 50, clock.now())


def test_an_entry_stands_in_a_window_until_its_day_has_passed(world: World, noon: time_machine.Traveller) -> None:
    early, late = world.advocate(), world.advocate()
    for advocate, days in ((early, 6), (late, 0), (late, 45)):
        click(world, world.link(advocate, f"c{days}"), later=-timedelta(days=days))
    fold(world)
    assert points(world, 7) == points(world, 30) == {early.id: 1.0, late.id: 1.0}
    assert points(world, 90) == {early.id: 1.0, late.id: 2.0}
    noon.shift(timedelta(days=1))
    fold(world)
    assert points(world, 7) == {late.id: 1.0}
    noon.shift(timedelta(days=400))
    fold(world)
    assert [points(world, days) for days in (7, 30, 90)] == [{}, {}, {}]


def test_days_leave_some_at_a_time_and_what_comes_meanwhile_counts_right(
    world: World, noon: time_machine.Traveller
) -> None:
    advocates = [world.advocate() for _ in range(5)]
    links = [world.link(advocate) for advocate in advocates]
    for link in links:
        click(world, link, later=-timedelta(days=6))
    fold(world)
    noon.shift(timedelta(days=1))
    assert windows.fold_windows(world.session, 2) == 2
    assert points(world, 7).keys() == {advocate.id for advocate in advocates[2:]}
    for link in links:  # comes late: for two their day has left, for three it has not yet
        click(world, link, visitor=2, later=-timedelta(days=6))
    catch_up(world)
    fold(world)
    assert points(world, 7) == {}
    before = all_standings(world.session)
    rebuild(world.session, world.brand.id)
    assert all_standings(world.session) == before


def test_a_refund_leaves_the_windows_too(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    order = convert(world, link, "A", NOON - timedelta(days=3))
    fold(world)
    assert points(world, 7) == {advocate.id: 20.0}
    refund(world, order, link)
    fold(world)
    assert points(world, 7) == points(world, 90) == {}


def test_thousands_of_equals_in_a_window_have_true_ranks(world: World) -> None:
    advocates = advocates_with(world, *[1] * 12)  # an hour apart, the last one the earliest
    fold(world)
    board = find_board(world.session, world.brand.id, WHOLE_BRAND, days=30)
    assert board is not None
    ranks = [queries.rank_of(world.session, board, advocate.id) for advocate in advocates]
    assert ranks == list(range(12, 0, -1))


def test_filters_combine_in_a_window_and_one_stands_for_all_time(world: World) -> None:
    madrid, rooms = world.location("madrid"), world.business_line("rooms")
    here, there = world.advocate(), world.advocate()
    click(world, world.link(here, "email", location_id=madrid.id, business_line_id=rooms.id))
    click(world, world.link(here, "x", location_id=madrid.id))
    click(world, world.link(there, "email", location_id=madrid.id))
    fold(world)
    several = ask(world, location=madrid.id, business_line=rooms.id, channel="email", window=30)
    assert [(row.advocate_id, row.score, row.raw_clicks) for row in several.rows] == [(here.id, 1.0, 1)]
    assert (several.kind, several.ranked, several.left_out) == ("location+business_line+channel", 1, ())
    by_channel = ask(world, channel="email", window=7)
    assert [row.advocate_id for row in by_channel.rows] == [here.id, there.id]
    of_all_time = ask(world, location=madrid.id, channel="email")
    assert (of_all_time.kind, of_all_time.ranked, of_all_time.left_out) == ("location", 2, ("channel",))
    assert [row.advocate_id for row in ask(world, channel="x").rows] == [here.id]


def test_what_is_counted_is_what_is_stored(world: World) -> None:
    hidden = advocates_with(world, 3, 5, 1, 5, 2)[1]
    show_name(world.session, hidden, None, on_board=False)
    fold(world)
    stored = ask(world, window=30)
    everything = counted.counted(world.session, world.brand.id, counted.Segment(), counted.last_days(30, clock.now()))
    listed = [row._replace(raw_clicks=row.human_clicks) for row in everything if row.is_listed]
    assert listed == stored.rows
    assert len(everything) == stored.ranked == 5


def test_a_campaigns_period_counts_its_own_days_only(world: World) -> None:
    world.campaign.started_at = NOON - timedelta(days=10)
    world.campaign.finished_at = NOON - timedelta(days=5)
    advocate = world.advocate()
    link = world.link(advocate)
    for visitor, days in enumerate((12, 10, 5, 4)):
        click(world, link, visitor=visitor, later=-timedelta(days=days))
    fold(world)
    (row,) = ask(world, campaign=world.campaign.id, window="campaign").rows
    assert (row.score, row.human_clicks, row.raw_clicks) == (2.0, 2, 2)
    with pytest.raises(Invalid, match="Choose the campaign") as refused:
        ask(world, window="campaign")
    assert (refused.value.field, refused.value.rule) == ("window", "needs-campaign")


def test_a_board_too_large_to_be_counted_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted, "MOST", 2)
    advocates_with(world, 1, 1, 1)
    fold(world)
    with pytest.raises(Invalid) as refused:
        ask(world, channel="x", window=7)
    assert (refused.value.field, refused.value.rule) == ("window", "too-large")
