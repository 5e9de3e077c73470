"""Freezing in chunks: the ranking of one moment, whatever happens between them, and nothing twice."""

from typing import Any

import pytest
import sqlalchemy as sa

from amplify.leaderboards import freezing
from amplify.leaderboards.models import Snapshot, SnapshotRow, Standing
from amplify.leaderboards.services import chosen, freeze, freeze_more, project, rebuild
from amplify.sharing.models import Advocate
from amplify.tracking.services import track
from tests.leaderboards.scene import advocates_with, catch_up
from tests.tracking.world import NOON, World, click

ALL: dict[str, Any] = {"kind": "top_percent", "value": 100}


@pytest.fixture
def half(world: World, monkeypatch: pytest.MonkeyPatch) -> Snapshot:
    """Seven on the board, two of them frozen."""
    monkeypatch.setattr(freezing, "AT_ONCE", 2)
    advocates_with(world, 5, 1, 3, 4, 2, 7, 6)
    world.campaign.state, world.campaign.occurrence = "live", 1
    return freeze(world.session, world.campaign, ALL, NOON)


def frozen(world: World) -> list[tuple[int, int]]:
    rows = world.session.scalars(sa.select(SnapshotRow).order_by(SnapshotRow.rank))
    return [(row.rank, row.advocate_id) for row in rows]


@pytest.mark.parametrize("audience", [ALL, {"kind": "top_n", "value": 6}, {"kind": "min_score", "value": 2.5}])
@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_chunks_freeze_what_would_be_chosen_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch, audience: dict[str, Any], size: int
) -> None:
    monkeypatch.setattr(freezing, "AT_ONCE", 2)
    advocates_with(world, 5, 1, 3, 4, 2, 7, 6)
    world.campaign.occurrence = 1
    expected = [(one.rank, one.advocate_id) for one in chosen(world.session, world.brand.id, audience, NOON)]
    snapshot = freeze(world.session, world.campaign, audience, NOON)
    while freeze_more(world.session, snapshot, size):
        pass
    assert frozen(world) == expected
    assert (snapshot.frozen, snapshot.frozen_at is None) == (len(expected), False)


def test_equal_scores_go_on_where_the_chunk_before_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freezing, "AT_ONCE", 2)
    advocates_with(world, 1, 1, 1, 1, 1)
    world.session.execute(sa.update(Standing).values(score_log=3.25, reached_at=NOON))
    world.campaign.occurrence = 1
    snapshot = freeze(world.session, world.campaign, ALL, NOON)
    while freeze_more(world.session, snapshot, 2):
        pass
    standings = world.session.scalars(sa.select(Standing.advocate_id).where(Standing.board_id == snapshot.board_id))
    assert [advocate for _rank, advocate in frozen(world)] == sorted(standings)


def test_standings_hold_still_until_the_ranking_is_whole(world: World, half: Snapshot) -> None:
    last = chosen(world.session, world.brand.id, ALL, NOON)[-1].advocate_id
    link = world.link(world.session.get_one(Advocate, last), "email")
    for visitor in range(200, 230):
        click(world, link, visitor=visitor)
    before = [(one.rank, one.advocate_id) for one in chosen(world.session, world.brand.id, ALL, NOON)]
    track(world.session, 500)
    assert project(world.session, 500) == 0
    with pytest.raises(RuntimeError, match="frozen"):
        rebuild(world.session, world.brand.id)
    while freeze_more(world.session, half, 2):
        pass
    assert frozen(world) == before
    catch_up(world)
    assert chosen(world.session, world.brand.id, ALL, NOON)[0].advocate_id == last


def test_a_campaign_that_is_stopped_half_way_lets_the_standings_go_on(world: World, half: Snapshot) -> None:
    assert freezing.is_freezing(world.session)
    world.campaign.state = "stopped"
    assert not freezing.is_freezing(world.session)


def test_a_whole_ranking_is_not_written_again(world: World, half: Snapshot) -> None:
    while freeze_more(world.session, half, 50):
        pass
    before = frozen(world)
    assert freeze_more(world.session, half, 50) == 0
    assert freeze(world.session, world.campaign, ALL, NOON).id == half.id
    assert frozen(world) == before
