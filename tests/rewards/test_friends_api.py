"""A shop asks for friends over HTTP: signed or with a key, answered once, refusals by rule."""

import uuid
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.core.settings import Settings
from amplify.rewards.models import Friend
from amplify.sharing.models import Advocate
from amplify.tracking.services import track
from tests.client import Client
from tests.rewards.befriending import friends_pushes, link_of, make_befriending, visit
from tests.rewards.making import make_advocates, make_brand
from tests.tracking.signing import Shop
from tests.tracking.world import FACEBOOK, World
from tests.world import a_key

URL = "/api/v1/friends"


@pytest.fixture
def brand(session: Session) -> Brand:
    return make_brand(session)


@pytest.fixture
def anna(session: Session, brand: Brand) -> Advocate:
    return make_advocates(session, brand, 1)[0]


@pytest.fixture
def key(session: Session, brand: Brand) -> dict[str, str]:
    return a_key(session, brand, "rewards:write")


def test_a_friend_is_given_one_and_asking_again_is_200(
    session: Session, client: Client, brand: Brand, anna: Advocate, key: dict[str, str]
) -> None:
    campaign = make_befriending(session, brand)
    body = {"click_id": str(visit(session, link_of(session, campaign, anna), language="es-MX"))}
    first, again = (client.post(URL, json=body, headers=key) for _time in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    (push,) = friends_pushes(session, campaign)
    assert first.json == {
        "state": "given", "code": push.code, "what": "10 % menos", "locale": "es", "amount_minor": 300,
        "currency": "USD", "expires_at": None, "disclosure": "Puedo recibir un premio. #publi",
    }  # fmt: skip


def test_a_signed_question_is_answered_and_a_forged_one_refused(
    session: Session, client: Client, brand: Brand, anna: Advocate, settings: Settings
) -> None:
    campaign = make_befriending(session, brand)
    shop = Shop(World(session, brand, campaign), client, settings, now=True)
    body = {"click_id": str(visit(session, link_of(session, campaign, anna)))}
    assert shop.tell("friends", body, secret="whsec_" + "A" * 44).status_code == 401
    assert friends_pushes(session, campaign) == []
    assert [shop.tell("friends", body).status_code for _time in range(2)] == [201, 200]


def test_what_is_not_decided_is_202_with_a_time_to_ask_again(
    session: Session, client: Client, brand: Brand, anna: Advocate, key: dict[str, str]
) -> None:
    campaign = make_befriending(session, brand)
    body = {"click_id": str(visit(session, link_of(session, campaign, anna), judged=False))}
    waiting = client.post(URL, json=body, headers=key)
    assert (waiting.status_code, waiting.headers["Retry-After"]) == (202, "2")
    assert (waiting.json["state"], waiting.json["code"]) == ("pending", None)
    track(session, 10)
    assert client.post(URL, json=body, headers=key).status_code == 201


def test_a_refusal_names_its_rule_and_is_noted(
    session: Session, client: Client, brand: Brand, anna: Advocate, key: dict[str, str]
) -> None:
    campaign = make_befriending(session, brand)
    link = link_of(session, campaign, anna)
    refused = client.post(URL, json={"click_id": str(visit(session, link, agent=FACEBOOK))}, headers=key)
    assert (refused.status_code, refused.json["rule"]) == (409, "not-a-person")
    campaigns.pause(session, campaign, "user:1")
    refused = client.post(URL, json={"click_id": str(visit(session, link, 2))}, headers=key)
    assert (refused.status_code, refused.json["rule"]) == (409, "campaign-paused")
    rules = session.scalars(sa.select(Friend.rule).order_by(Friend.id)).all()
    assert rules == ["not-a-person", "campaign-paused"]


@pytest.mark.parametrize(
    ("body", "status", "rule"),
    [
        ({"click_id": str(uuid.uuid4())}, 404, "click-unknown"),
        ({"order_id": "A-1"}, 404, "click-unknown"),
        ({}, 422, "required"),
        ({"click_id": "7"}, 422, "uuid-parsing"),
        ({"click_id": str(uuid.uuid4()), "friend_email": "nobody"}, 422, "email"),
        ({"click_id": str(uuid.uuid4()), "code": "X"}, 422, "unknown-field"),
    ],
)
def test_a_question_that_cannot_be_answered_is_told_why(
    client: Client, brand: Brand, key: dict[str, str], body: dict[str, Any], status: int, rule: str
) -> None:
    answer = client.post(URL, json=body, headers=key)
    assert (answer.status_code, answer.json["rule"]) == (status, rule)


def test_a_key_without_the_scope_is_refused(session: Session, client: Client, brand: Brand) -> None:
    other = a_key(session, brand, "responses:read")
    assert client.post(URL, json={"click_id": str(uuid.uuid4())}, headers=other).status_code == 403
    assert client.post(URL, json={"click_id": str(uuid.uuid4())}).status_code == 401
