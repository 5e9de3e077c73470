"""Friends' codes that a shop's own system makes: chosen by us, made once, handed out when they are there."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core import jobs
from amplify.rewards import accounts, retrying
from amplify.rewards.ordering import Round, Span, order_all
from amplify.rewards.types import type_of
from amplify.sharing.models import Advocate
from tests.rewards.befriending import (
    asked,
    friends_balance,
    friends_pushes,
    friends_reward,
    link_of,
    make_befriending,
    visit,
)
from tests.rewards.fakes.server import Fake, served
from tests.rewards.fakes.shops import FakeShopify, FakeStripe
from tests.rewards.making import make_advocates, make_brand
from tests.rewards.test_ordering import HERE, KEYS

SHOPS: dict[str, type[Fake]] = {"stripe": FakeStripe, "shopify": FakeShopify}


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)


@pytest.fixture
def brand(session: Session) -> Brand:
    return make_brand(session)


@pytest.fixture
def anna(session: Session, brand: Brand) -> Advocate:
    return make_advocates(session, brand, 1)[0]


@pytest.fixture(params=list(SHOPS))
def shop(request: pytest.FixtureRequest, session: Session, brand: Brand) -> Iterator[tuple[str, Any]]:
    name = request.param
    with served(SHOPS[name]()) as fake:
        provider = accounts.provider_of(name)
        accounts.write(session, HERE, brand.id, provider, fake.address, KEYS[name], "user:1")
        yield name, fake


def given_by(session: Session, brand: Brand, name: str, **more: Any) -> Campaign:
    settings = dict(type_of(name).example)
    return make_befriending(session, brand, is_double=False, type=name, settings=settings, **more)


def order(session: Session, campaign: Campaign) -> Round:
    session.commit()
    return order_all(session, HERE, Span(campaign.id, 0, 1, 1000))


def test_a_code_is_handed_out_once_the_shop_has_made_it(
    session: Session, brand: Brand, anna: Advocate, shop: tuple[str, Any]
) -> None:
    campaign = given_by(session, brand, shop[0])
    token = visit(session, link_of(session, campaign, anna))
    assert [asked(session, brand, token).rule for _time in range(2)] == ["pending", "pending"]
    assert order(session, campaign).made == 1
    answer = asked(session, brand, token)
    assert answer.push is not None
    assert str(answer.push.code).lower() in repr(shop[1].made).lower()
    assert order(session, campaign).made == 0
    assert len(shop[1].made) == 1
    assert friends_balance(session, campaign)


def test_what_the_shop_refuses_is_told_and_can_be_tried_again(
    session: Session, brand: Brand, anna: Advocate, shop: tuple[str, Any]
) -> None:
    name, fake = shop
    fake.faults = [400] if name == "stripe" else [403]
    campaign = given_by(session, brand, name)
    token = visit(session, link_of(session, campaign, anna))
    asked(session, brand, token)
    order(session, campaign)
    (push,) = friends_pushes(session, campaign)
    if push.state == "failed":
        assert asked(session, brand, token).rule == "failed"
    else:
        assert friends_reward(session, campaign).stalled
        assert asked(session, brand, token).rule == "pending"
    retrying.try_again(session, campaign, "user:1")
    assert order(session, campaign).made == 1
    assert asked(session, brand, token).push is not None


def test_a_pause_makes_nothing_and_its_end_orders_what_waits(
    session: Session, brand: Brand, anna: Advocate, shop: tuple[str, Any]
) -> None:
    campaign = given_by(session, brand, shop[0])
    token = visit(session, link_of(session, campaign, anna))
    asked(session, brand, token)
    campaigns.pause(session, campaign, "user:1")
    assert order(session, campaign).made == 0
    assert asked(session, brand, token).rule == "campaign-paused"
    waiting = sum(jobs.count(session).values())
    campaigns.resume(session, campaign, "user:1")
    assert sum(jobs.count(session).values()) == waiting + 1
    assert order(session, campaign).made == 1
    assert asked(session, brand, token).push is not None


def test_a_stop_before_it_is_made_cancels_it(
    session: Session, brand: Brand, anna: Advocate, shop: tuple[str, Any]
) -> None:
    campaign = given_by(session, brand, shop[0], budget_minor=300)
    token = visit(session, link_of(session, campaign, anna))
    asked(session, brand, token)
    campaigns.stop(session, campaign, "user:1")
    assert order(session, campaign).made == 0
    assert [push.state for push in friends_pushes(session, campaign)] == ["cancelled"]
    assert friends_reward(session, campaign).spent_minor == 0
    assert shop[1].made == {}
