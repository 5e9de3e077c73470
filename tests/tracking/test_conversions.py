"""Orders and refunds over signed HTTP: stored once, attributed by rule, taken back in full."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from amplify.core.settings import Settings
from amplify.leaderboards.models import PointsEntry
from amplify.tracking.models import Conversion, Refund
from amplify.tracking.services import track
from tests.client import Client
from tests.tracking.signing import Shop
from tests.tracking.world import FACEBOOK, NOON, World, click, make_world


@pytest.fixture
def shop(world: World, client: Client, settings: Settings) -> Shop:
    return Shop(world, client, settings)


def points(world: World) -> list[tuple[str, int]]:
    found = world.session.execute(sa.select(PointsEntry.cause, PointsEntry.milli_points).order_by(PointsEntry.id))
    return [(cause, milli) for cause, milli in found]


def test_an_order_after_a_judged_click_is_attributed_at_once(world: World, shop: Shop) -> None:
    link = world.link(world.advocate())
    token = click(world, link).token
    track(world.session, 10)
    response = shop.order(click_id=str(token))
    assert (response.status_code, response.json) == (
        201, {"order_id": "A-1", "attribution": "attributed", "refunded_minor": 0},
    )  # fmt: skip
    assert points(world) == [("human_click", 1000), ("conversion", 20000)]


def test_an_order_before_its_clicks_verdict_waits_for_the_tracker(world: World, shop: Shop) -> None:
    link = world.link(world.advocate())
    token = str(click(world, link).token)
    assert shop.order(click_id=token).json["attribution"] == "pending"
    track(world.session, 10)
    assert points(world) == [("human_click", 1000), ("conversion", 20000)]
    assert shop.order(click_id=token).json["attribution"] == "attributed"
    assert track(world.session, 10) == 0


def test_the_same_order_again_is_200_and_changes_nothing(world: World, shop: Shop) -> None:
    token = str(click(world, world.link(world.advocate())).token)
    track(world.session, 10)
    assert [shop.order(click_id=token).status_code for _ in range(3)] == [201, 200, 200]
    spelt_otherwise = {"occurred_at": "2026-10-14T13:00:00+01:00", "click_id": token.upper()}
    assert shop.order(**spelt_otherwise).status_code == 200
    assert points(world) == [("human_click", 1000), ("conversion", 20000)]


@pytest.mark.parametrize("change", [{"amount_minor": 5001}, {"currency": "USD"}, {"click_id": str(uuid.uuid4())}])
def test_the_same_order_with_another_body_is_409(shop: Shop, change: dict[str, Any]) -> None:
    shop.order()
    response = shop.order(**change)
    assert (response.status_code, response.json["rule"]) == (409, "order-changed")


def test_orders_of_two_brands_do_not_meet(world: World, shop: Shop) -> None:
    other = make_world(world.session, "other")
    foreign = click(other, other.link(other.advocate()))
    track(world.session, 10)
    assert shop.order(click_id=str(foreign.token)).json["attribution"] == "click-unknown"
    assert shop.tell("conversions", {}, brand="other").status_code == 401
    assert shop.tell("conversions", {}, brand="nobody").status_code == 404


@pytest.mark.parametrize(
    ("click_facts", "occurred", "expected"),
    [
        ({}, timedelta(days=90), "attributed"),
        ({}, timedelta(days=90, seconds=1), "outside-window"),
        ({}, timedelta(minutes=-5), "attributed"),
        ({}, timedelta(minutes=-6), "before-click"),
        ({"agent": FACEBOOK}, timedelta(), "click-preview"),
        ({"is_own": True}, timedelta(), "click-self"),
        ({"purpose": "prefetch"}, timedelta(), "click-prefetch"),
    ],
)
def test_attribution_says_its_rule(
    world: World, shop: Shop, click_facts: dict[str, Any], occurred: timedelta, expected: str
) -> None:
    at = NOON - timedelta(days=100)
    token = str(click(world, world.link(world.advocate()), at=at, **click_facts).token)
    track(world.session, 10)
    response = shop.order(click_id=token, occurred_at=(at + occurred).isoformat())
    assert response.json["attribution"] == expected
    assert (("conversion", 20000) in points(world)) is (expected == "attributed")


def test_a_second_click_of_the_same_person_still_brings_their_order_home(world: World, shop: Shop) -> None:
    link = world.link(world.advocate())
    click(world, link)
    again = click(world, link)
    track(world.session, 10)
    assert shop.order(click_id=str(again.token)).json["attribution"] == "attributed"


def test_without_a_click_an_order_is_kept_unattributed(world: World, shop: Shop) -> None:
    assert shop.order().json["attribution"] == "no-click"
    assert shop.order("A-2", click_id=str(uuid.uuid4())).json["attribution"] == "click-unknown"
    assert points(world) == []


def test_partial_refunds_add_up_and_the_last_one_takes_the_points_back(world: World, shop: Shop) -> None:
    token = str(click(world, world.link(world.advocate())).token)
    track(world.session, 10)
    shop.order(click_id=token)
    first = shop.refund("R-1", amount_minor=2000)
    assert (first.status_code, first.json["refunded_minor"], first.json["is_full"]) == (201, 2000, False)
    assert shop.refund("R-1", amount_minor=2000).status_code == 200
    assert ("refund", -20000) not in points(world)
    assert shop.refund("R-2", amount_minor=3000).json["is_full"] is True
    assert points(world) == [("human_click", 1000), ("conversion", 20000), ("refund", -20000)]
    earned, reversal = world.session.scalars(sa.select(PointsEntry).where(PointsEntry.cause != "human_click")).all()
    assert (reversal.reverses_id, reversal.occurred_at) == (earned.id, earned.occurred_at)


def test_a_refund_that_came_before_the_verdict_ends_the_same(world: World, shop: Shop) -> None:
    token = str(click(world, world.link(world.advocate())).token)
    shop.order(click_id=token)
    shop.refund()
    track(world.session, 10)
    assert points(world) == [("human_click", 1000), ("conversion", 20000), ("refund", -20000)]


@pytest.mark.parametrize(
    ("change", "status", "rule"),
    [
        ({"order_id": "A-9"}, 404, "order-unknown"),
        ({"amount_minor": 5001}, 422, "more-than-the-order"),
        ({"currency": "USD"}, 422, "currency-of-the-order"),
        ({"occurred_at": (NOON + timedelta(days=1)).isoformat()}, 422, "in-the-future"),
    ],
)
def test_a_refund_that_cannot_be_is_refused(
    world: World, shop: Shop, change: dict[str, Any], status: int, rule: str
) -> None:
    shop.order()
    response = shop.refund(**change)
    assert (response.status_code, response.json["rule"]) == (status, rule)
    assert world.session.scalars(sa.select(Refund)).all() == []


def test_the_same_refund_with_another_body_is_409(shop: Shop) -> None:
    shop.order()
    shop.refund(amount_minor=100)
    response = shop.refund(amount_minor=200)
    assert (response.status_code, response.json["rule"]) == (409, "refund-changed")


def test_a_free_order_can_be_cancelled(world: World, shop: Shop) -> None:
    token = str(click(world, world.link(world.advocate())).token)
    track(world.session, 10)
    shop.order(click_id=token, amount_minor=0)
    assert shop.refund(amount_minor=0).json["is_full"] is True
    shop.refund("R-2", amount_minor=0)
    assert points(world) == [("human_click", 1000), ("conversion", 20000), ("refund", -20000)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount_minor": -1}, "amount_minor"),
        ({"amount_minor": 10**15 + 1}, "amount_minor"),
        ({"amount_minor": 19.99}, "amount_minor"),
        ({"amount_minor": "5000"}, "amount_minor"),
        ({"amount_minor": True}, "amount_minor"),
        ({"currency": "EURO"}, "currency"),
        ({"currency": "eur"}, "currency"),
        ({"currency": "ZZZ"}, "currency"),
        ({"order_id": ""}, "order_id"),
        ({"order_id": "x" * 201}, "order_id"),
        ({"order_id": "a\nb"}, "order_id"),
        ({"occurred_at": "2026-10-14T12:00:00"}, "occurred_at"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": (NOON + timedelta(hours=1)).isoformat()}, "occurred_at"),
        ({"click_id": "91"}, "click_id"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_bad_value_is_refused_by_its_field(world: World, shop: Shop, change: dict[str, Any], field: str) -> None:
    response = shop.order(**change)
    assert (response.status_code, response.json["field"]) == (422, field)
    assert world.session.scalars(sa.select(Conversion)).all() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 422),
        (b'{"order_id": "\\ud800"}', 400),
        (b"[" * 5000, 400),
        (b'{"amount_minor": 1e999}', 400),
    ],
)
def test_what_cannot_be_read_is_refused(shop: Shop, body: bytes, status: int) -> None:
    assert shop.tell("conversions", body).status_code == status


def test_a_wrong_signature_stores_nothing(world: World, shop: Shop) -> None:
    forged = "whsec_" + "A" * 43 + "="
    assert shop.tell("conversions", {"order_id": "A-1"}, secret=forged).status_code == 401
    assert world.session.scalars(sa.select(Conversion)).all() == []
