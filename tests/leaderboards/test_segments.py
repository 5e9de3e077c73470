"""Choosing among some of a board only: by language, channel, time; and by tier or by a campaign's own ranking."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from amplify.customers.models import Customer
from amplify.leaderboards import freezing
from amplify.leaderboards.models import SnapshotRow
from amplify.leaderboards.services import chosen, freeze, freeze_more, how_many
from amplify.sharing.models import Share
from tests.leaderboards.scene import advocates_with, catch_up
from tests.tracking.world import NOON, World, click, make_world

EVERYBODY = {"kind": "top_percent", "value": 100}


@pytest.fixture
def world(session: Session) -> World:
    return make_world(session)


def ids(world: World, **audience: Any) -> list[int]:
    return [one.advocate_id for one in chosen(world.session, world.brand.id, EVERYBODY | audience, NOON)]


def test_a_language_is_the_one_they_are_written_to_in(world: World) -> None:
    made = advocates_with(world, 5, 4, 3, 2, 1)
    for advocate, locale in zip(made, ("es-MX", "EN_us", None, "fr", "es"), strict=True):
        world.session.get_one(Customer, advocate.customer_id).locale = locale
    first, second, third, fourth, fifth = (advocate.id for advocate in made)
    assert ids(world, locale="es") == [first, fifth]
    assert ids(world, locale="en") == [second, third, fourth]  # the brand's own is for whoever has none of ours
    world.brand.default_locale = "es"
    assert ids(world, locale="en") == [second]
    assert ids(world, locale="es") == [first, third, fourth, fifth]


def test_a_channel_counts_once_a_person_followed_a_share_there(world: World) -> None:
    one, other = advocates_with(world, 2, 1, channel="x")
    link = world.link(other, "email")
    share = Share(brand_id=world.brand.id, link_id=link.id)
    world.session.add(share)
    world.session.flush()
    assert ids(world, channel="email") == []
    share.confirmed_at = NOON
    assert ids(world, channel="email") == [other.id]
    assert one.id not in ids(world, channel="email")


def test_days_begin_where_the_brand_is(world: World) -> None:
    world.brand.timezone = "Asia/Tokyo"
    old, new = advocates_with(world, 2, 1)
    old.created_at = datetime(2026, 10, 13, 14, 59, tzinfo=UTC)  # a minute before the 14th in Tokyo
    new.created_at = old.created_at + timedelta(minutes=1)
    assert ids(world, joined_since="2026-10-14") == [new.id]
    assert ids(world, joined_since="2026-10-13") == [old.id, new.id]


def test_whoever_did_nothing_lately_is_not_active(world: World) -> None:
    quiet, busy = advocates_with(world, 3, 1)
    click(world, world.link(busy, "email"), visitor=77, later=timedelta(days=2))
    catch_up(world)
    assert ids(world, active_since="2026-10-15") == [busy.id]
    assert ids(world, active_since="2026-10-01") == [quiet.id, busy.id]


def test_ranks_and_percents_are_of_the_segment(world: World) -> None:
    made = advocates_with(world, *range(10, 0, -1))
    for advocate in made[1::2]:
        world.session.get_one(Customer, advocate.customer_id).locale = "es"
    audience = {"kind": "top_percent", "value": 40, "locale": "es"}
    found = chosen(world.session, world.brand.id, audience, NOON)
    assert [(one.rank, one.advocate_id) for one in found] == [(1, made[1].id), (2, made[3].id)]
    assert how_many(world.session, world.brand.id, audience, NOON) == 2


def test_a_campaigns_own_ranking_can_be_asked(world: World) -> None:
    here, there = advocates_with(world, 2, 1)
    summer = world.another_campaign()
    click(world, world.link(there, "email", summer), visitor=50)
    catch_up(world)
    assert ids(world, campaign_id=summer.id) == [there.id]
    assert set(ids(world, campaign_id=world.campaign.id)) == {here.id, there.id}


@pytest.mark.parametrize(("tier", "ranks"), [(1, [1]), (2, [2, 3, 4]), (3, [5, 6, 7, 8, 9, 10]), (9, [])])
@pytest.mark.parametrize("size", [1, 2, 50])
def test_tiers_follow_each_other_and_freeze_as_they_are_chosen(
    world: World, monkeypatch: pytest.MonkeyPatch, tier: int, ranks: list[int], size: int
) -> None:
    monkeypatch.setattr(freezing, "AT_ONCE", size)
    advocates_with(world, *range(20, 0, -1))
    audience = {"kind": "tier", "value": tier}
    assert [one.rank for one in chosen(world.session, world.brand.id, audience, NOON)] == ranks
    snapshot = freeze(world.session, world.campaign, audience, NOON)
    while freeze_more(world.session, snapshot, size):
        pass
    frozen = world.session.query(SnapshotRow.rank).filter_by(snapshot_id=snapshot.id).order_by(SnapshotRow.rank)
    assert [rank for (rank,) in frozen] == ranks
    assert (snapshot.frozen, snapshot.ranked) == (len(ranks), 20)
