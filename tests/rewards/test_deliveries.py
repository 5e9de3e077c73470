"""The console's page of deliveries: what left, what did not and why, and trying again what failed for good."""

import re

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core import events, jobs
from amplify.core.errors import AmplifyError
from amplify.delivery.events import MessageNotSent
from amplify.delivery.models import Message
from amplify.delivery.services import queue_message
from amplify.rewards import retrying
from tests.client import Client
from tests.delivery.conftest import CONTEXT
from tests.rewards.making import START, make_advocates, make_brand, make_rewarded, pushes_of
from tests.world import a_user

PAGE = "/console/deliveries"


@pytest.fixture
def campaign(session: Session, brand: Brand) -> Campaign:
    """Three rewards, two of which have failed for good; and an ask that has failed, too."""
    make_advocates(session, brand, 3)
    made = make_rewarded(session, brand, top=3)
    campaigns.start_due(session, START)
    jobs.drain(session)
    said = {"template": "ask", "address": "zoe@friends.example", "locale": "en", "context": CONTEXT}
    ask = queue_message(session, brand, **said)
    rewards = session.scalars(sa.select(Message).where(Message.template == "reward").order_by(Message.id)).all()
    for message in (*rewards[:2], ask):
        message.settle("failed", "550 5.7.1 not from you")
        events.publish(session, MessageNotSent(message))
    session.flush()
    return made


@pytest.fixture
def marketer(session: Session, brand: Brand, client: Client) -> Client:
    client.sign_in(a_user(session, brand, "marketer"))
    return client


def failed(session: Session) -> list[int]:
    return list(session.scalars(sa.select(Message.id).where(Message.state == "failed").order_by(Message.id)))


@pytest.mark.usefixtures("campaign")
def test_what_failed_stands_there_with_what_was_said(marketer: Client) -> None:
    page = marketer.get(f"{PAGE}?state=failed").text
    assert page.count("550 5.7.1 not from you") == 3
    assert marketer.get(PAGE).text.count("p…@mail.example") > page.count("p…@mail.example") >= 3
    # Whom it went to is no list for everybody: a person's name is revealed with a reason, one by one.
    assert not re.search(r"p\d@mail\.example", page + marketer.get(f"{PAGE}/all.csv").text)
    lines = marketer.get(f"{PAGE}/all.csv?state=failed").text.splitlines()
    assert [line.split(",")[5] for line in lines] == ["state", "failed", "failed", "failed"]


def test_the_chosen_ones_are_tried_again_with_their_pushes_and_no_other(
    session: Session, campaign: Campaign, marketer: Client
) -> None:
    first, second, ask = failed(session)
    before = [(push.code, push.message_id) for push in pushes_of(session, campaign)]
    marketer.post_form(f"{PAGE}/retry", {"message": [str(first), str(ask), "x", "9" * 30]})
    assert failed(session) == [second]
    assert [push.state for push in pushes_of(session, campaign)] == ["earned", "failed", "earned"]
    assert [(push.code, push.message_id) for push in pushes_of(session, campaign)] == before
    jobs.drain(session)
    session.expire_all()
    assert [session.get_one(Message, one).state for one in (first, ask)] == ["sent", "sent"]


def test_what_was_stopped_is_not_tried_again(session: Session, campaign: Campaign, marketer: Client) -> None:
    campaigns.stop(session, campaign, "user:1")
    first, second, ask = failed(session)
    assert retrying.try_messages_again(session, campaign.brand_id, [first, second, ask], "user:1") == 1
    assert failed(session) == [first, second]
    with pytest.raises(AmplifyError):
        retrying.try_again(session, campaign, "user:1")


def test_another_brands_messages_are_neither_seen_nor_tried(
    session: Session, campaign: Campaign, client: Client
) -> None:
    other = make_brand(session, "other")
    client.sign_in(a_user(session, other, "marketer"))
    assert "mail.example" not in client.get(PAGE).text
    client.post_form(f"{PAGE}/retry", {"message": [str(one) for one in failed(session)]})
    assert len(failed(session)) == 3


def test_who_only_looks_on_does_not_see_addresses(session: Session, brand: Brand, client: Client) -> None:
    client.sign_in(a_user(session, brand, "brand"))
    assert client.get(PAGE).status_code == 403
