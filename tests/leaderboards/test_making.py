"""Standings by new rules: made beside the old ones turn by turn, put in their place at once, the old ones removed."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine

from amplify.brands.policy import change_policy
from amplify.leaderboards import making
from amplify.leaderboards.board_links import make_link
from amplify.leaderboards.boards import WHOLE_BRAND, find_board
from amplify.leaderboards.freezing import freeze, freeze_more
from amplify.leaderboards.making import GRACE, go_on, make, order, progress, rebuild, remove_replaced
from amplify.leaderboards.models import Board, DayPoints, ScoreCount, Scoring, Snapshot, Standing, Window
from amplify.leaderboards.scoring import in_force
from amplify.leaderboards.windows import fold_windows
from amplify.sharing.models import Advocate, ShareLink
from tests.leaderboards.scene import advocates_with, catch_up
from tests.leaderboards.test_services import all_standings, convert
from tests.tracking.world import NOON, World, click

ALL = {"kind": "top_percent", "value": 100}
ROWS = (Standing, ScoreCount, Window, Board)


@pytest.fixture
def noon() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def people(world: World, noon: time_machine.Traveller) -> list[Advocate]:
    made = advocates_with(world, 3, 1, 2, 4)
    while fold_windows(world.session, 500):
        pass
    return made


def wish(world: World, **weights: int) -> None:
    """The brand changes its weights."""
    change_policy(world.session, world.brand, {"weights": weights})


def weight(world: World) -> int:
    """What a visit is worth on the boards that are shown."""
    return int(in_force(world.session, world.brand.id).weights["human_click"])


def shown(world: World) -> list[tuple[Any, ...]]:
    """What people see: every standing by the name of its board, and the counts of scores."""
    counted = sa.select(Board.kind, Board.ref_id, Board.days, ScoreCount.level, ScoreCount.bucket, ScoreCount.n)
    mine = counted.join(Board).join(Scoring).where(Scoring.since.is_not(None), Scoring.until.is_(None))
    counts = world.session.execute(mine.where(ScoreCount.n != 0))
    return [*all_standings(world.session), *sorted(tuple(row) for row in counts)]


def all_made(world: World, limit: int = 500) -> int:
    """The worker's turns until nothing is being made; how many."""
    return next(turn for turn in count() if not make(world.session, limit))


def scorings(world: World) -> list[Scoring]:
    return list(
        world.session.scalars(sa.select(Scoring).order_by(Scoring.id).execution_options(populate_existing=True))
    )


@pytest.mark.parametrize("limit", [1, 2, 500])
def test_the_old_ones_are_shown_until_the_new_ones_are_whole(
    world: World, people: list[Advocate], limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "COUNTED_AT_ONCE", 1)
    before = shown(world)
    wish(world, human_click=250)
    seen, turns = [shown(world)], 0
    while make(world.session, limit):
        turns += 1
        seen.append(shown(world))
    assert turns > 3
    assert seen[:-1] == [before] * turns
    after = seen[-1]
    assert after != before
    assert weight(world) == 250
    rebuild(world.session, world.brand.id)
    assert shown(world) == after


@pytest.mark.parametrize("limit", [1, 500])
def test_what_happens_meanwhile_is_in_them(world: World, people: list[Advocate], limit: int) -> None:
    """Whoever was gone through gets further points, and has some taken back; days leave; somebody new comes."""
    links = {who.id: world.link(who, "email") for who in people}
    wish(world, human_click=250)
    for turn in count():
        if turn < 12 or limit > 1:  # to the very end, as long as it can keep up
            something_happens(world, links, turn)
        if not make(world.session, limit):
            break
    assert turn > 8
    catch_up(world)
    while fold_windows(world.session, 500):
        pass
    made = shown(world)
    rebuild(world.session, world.brand.id)
    assert shown(world) == made


def something_happens(world: World, links: dict[int, ShareLink], turn: int) -> None:
    link = list(links.values())[turn % len(links)]
    click(world, link, visitor=100 + turn, later=-timedelta(days=turn * 9))
    convert(world, link, f"A{turn}")
    if turn == 5:
        newcomer = world.advocate()
        links[newcomer.id] = world.link(newcomer)
    catch_up(world)
    if turn % 2:  # the windows lag behind
        fold_windows(world.session, 2)


def test_newer_wishes_take_the_place_of_those_that_are_being_made(world: World, people: list[Advocate]) -> None:
    wish(world, human_click=250)
    make(world.session, 1)
    wish(world, human_click=7000)
    all_made(world, 1)
    old, given_up, now = scorings(world)
    assert (old.until is None, given_up.since, given_up.until is None, now.until) == (False, None, False, None)
    assert weight(world) == 7000


def test_whoever_waits_for_one_that_was_given_up_is_told(world: World, people: list[Advocate]) -> None:
    first = order(world.session, world.brand)
    order(world.session, world.brand)
    assert go_on(world.session, first, 500) == 0
    assert first.since is None


@pytest.mark.parametrize("limit", [1, 3, 500])
def test_old_ones_are_removed_when_their_readers_had_time(
    world: World, people: list[Advocate], noon: time_machine.Traveller, limit: int
) -> None:
    rows = {model: number_of(world, model) for model in ROWS}
    days = number_of(world, DayPoints)
    wish(world, human_click=250)
    make(world.session, 3)
    wish(world, human_click=500)
    all_made(world)
    before = shown(world)
    assert remove_replaced(world.session, limit) == 0
    noon.shift(GRACE + timedelta(seconds=1))
    while remove_replaced(world.session, limit):
        assert shown(world) == before
    assert {model: number_of(world, model) for model in ROWS} | {ScoreCount: rows[ScoreCount]} == rows
    assert (number_of(world, DayPoints), len(scorings(world))) == (days, 1)


def number_of(world: World, model: Any) -> int:
    return world.session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def test_links_and_frozen_rankings_point_at_the_new_boards(
    world: World, people: list[Advocate], noon: time_machine.Traveller
) -> None:
    empty = world.location("empty")
    brand = world.brand
    for name in (WHOLE_BRAND, ("location", empty.id)):
        make_link(world.session, brand, name="Wall", board=name, shown=3, days=3, password="", actor="user:1")
    world.campaign.occurrence = 1
    snapshot = freeze(world.session, world.campaign, ALL, NOON)
    assert snapshot.frozen_at
    wish(world, human_click=250)
    all_made(world)
    board, nobodys = (find_board(world.session, brand.id, name) for name in (WHOLE_BRAND, ("location", empty.id)))
    assert board
    assert nobodys
    links = world.session.execute(sa.text("SELECT board_id FROM board_links ORDER BY id")).scalars().all()
    assert links == [board.id, nobodys.id]
    world.session.refresh(snapshot)
    assert snapshot.board_id == board.id
    noon.shift(GRACE + timedelta(seconds=1))
    while remove_replaced(world.session, 500):
        pass
    assert {row.scoring_id for row in world.session.scalars(sa.select(Board))} == {board.scoring_id}


def test_a_ranking_that_is_being_frozen_is_finished_first(
    world: World, people: list[Advocate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amplify.leaderboards.freezing.AT_ONCE", 2)
    world.campaign.occurrence = 1
    half: Snapshot = freeze(world.session, world.campaign, ALL, NOON)
    assert half.frozen_at is None
    wish(world, human_click=250)
    before = shown(world)
    all_made(world, 3)
    assert shown(world) == before
    while freeze_more(world.session, half, 2):
        pass
    assert all_made(world, 3) == 1
    assert weight(world) == 250


def test_how_far_they_are(world: World, people: list[Advocate]) -> None:
    assert progress(world.session, world.brand.id) is None
    wish(world, human_click=250)
    seen = [progress(world.session, world.brand.id)]
    while make(world.session, 4):
        seen.append(progress(world.session, world.brand.id))
    assert seen[:5] == [(0, 4), (2, 4), (3, 4), (4, 4), (4, 4)]
    assert seen[-1] is None


def test_a_brand_nobody_has_points_at_takes_its_wishes_over(world: World) -> None:
    wish(world, human_click=250)
    all_made(world)
    assert weight(world) == 250
