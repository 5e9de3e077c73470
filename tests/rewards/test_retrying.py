"""What failed for good is tried again: the same push, never one that was delivered, never one that must not leave."""

import time

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts.models import AuditEntry
from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core import events, jobs
from amplify.core.errors import Conflict
from amplify.customers.models import Customer
from amplify.customers.services import erase, withdraw_consent
from amplify.delivery import jobs as delivery_jobs
from amplify.delivery import outcomes
from amplify.delivery.events import MessageNotSent
from amplify.delivery.models import Message
from amplify.rewards.retrying import failures, try_again
from tests.client import Client
from tests.rewards.making import START, is_balanced, make_advocates, make_rewarded, pushes_of, reward_of
from tests.world import a_user

FULL = "gave up after 19 attempts: 452 4.2.2 mailbox full"


@pytest.fixture
def campaign(session: Session, brand: Brand) -> Campaign:
    """Three pushes: the mails to the first two failed, the third was sent."""
    make_advocates(session, brand, 3)
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    jobs.drain(session)
    for mail in mails(session)[:2]:
        mail.attempts = 19
        mail.settle("failed", FULL)
        events.publish(session, MessageNotSent(mail))
    send(session)
    assert states(session, campaign) == ["failed", "failed", "sent"]
    return campaign


def mails(session: Session) -> list[Message]:
    return list(session.scalars(sa.select(Message).where(Message.template == "reward").order_by(Message.id)))


def states(session: Session, campaign: Campaign) -> list[str]:
    return [push.state for push in pushes_of(session, campaign)]


def send(session: Session) -> None:
    """What the worker does: order, hand over, send."""
    jobs.drain(session)
    while delivery_jobs.release_due(session):
        jobs.drain(session)
    session.expire_all()


def the_first(session: Session) -> Customer:
    return session.scalars(sa.select(Customer).where(Customer.external_id == "x0")).one()


def test_the_same_code_amount_and_message_id_leave_again(
    session: Session, campaign: Campaign, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failures(session, campaign) == [(FULL, 2)]
    before = [(p.code, p.amount_minor, p.message_id, p.provider_key) for p in pushes_of(session, campaign)]
    capsys.readouterr()
    assert try_again(session, campaign, "user:1") == 2
    assert failures(session, campaign) == []
    send(session)
    assert states(session, campaign) == ["sent"] * 3
    assert [(p.code, p.amount_minor, p.message_id, p.provider_key) for p in pushes_of(session, campaign)] == before
    printed = capsys.readouterr().out
    assert [printed.count(str(message_id)) > 0 for _code, _amount, message_id, _key in before] == [True, True, False]
    assert all(str(code) in printed for code, *_rest in before[:2])
    assert is_balanced(session, campaign)
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "campaign.retried")).one()
    assert (entry.actor, entry.subject_id, entry.detail) == ("user:1", str(campaign.id), {"pushes": 2})


def test_a_reward_that_cannot_be_written_is_given_up_with_its_reason_and_moves_nobody(
    session: Session, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    try_again(session, campaign, "user:1")
    poisoned, other, _sent = mails(session)
    poisoned.context = {**poisoned.context, "value_minor": "no number"}
    monkeypatch.setattr(outcomes, "ATTEMPTS", 1)
    began = time.monotonic()
    send(session)
    assert time.monotonic() - began < 5
    assert other.state == "sent"
    assert states(session, campaign) == ["failed", "sent", "sent"]
    [(reason, count)] = failures(session, campaign)
    assert (reason.rpartition(":")[0], count) == ("gave up after 1 attempts: cannot be rendered", 1)
    poisoned.context = {**poisoned.context, "value_minor": 500}  # somebody has mended it
    assert try_again(session, campaign, "user:1") == 1
    send(session)
    assert states(session, campaign) == ["sent"] * 3


def test_trying_again_twice_sends_once(
    session: Session, campaign: Campaign, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert (try_again(session, campaign, "user:1"), try_again(session, campaign, "user:1")) == (2, 0)
    send(session)
    assert try_again(session, campaign, "user:1") == 0
    send(session)
    first, *_others = pushes_of(session, campaign)
    assert capsys.readouterr().out.count(f"Message-ID: {first.message_id}") == 1


def test_what_fails_again_can_be_tried_again(session: Session, campaign: Campaign) -> None:
    for _time in range(2):
        assert try_again(session, campaign, "user:1") == 2
        for mail in mails(session)[:2]:
            mail.settle("failed", FULL)
            events.publish(session, MessageNotSent(mail))
    try_again(session, campaign, "user:1")
    send(session)
    assert states(session, campaign) == ["sent"] * 3


def test_in_a_pause_it_waits_and_after_a_stop_it_is_refused(session: Session, campaign: Campaign) -> None:
    campaigns.pause(session, campaign, "user:1")
    assert try_again(session, campaign, "user:1") == 2
    send(session)
    assert states(session, campaign) == ["earned", "earned", "sent"]
    campaigns.resume(session, campaign, "user:1")
    send(session)
    assert states(session, campaign) == ["sent"] * 3
    campaigns.stop(session, campaign, "user:1")
    with pytest.raises(Conflict) as refused:
        try_again(session, campaign, "user:1")
    assert refused.value.rule == "retry-from"


@pytest.mark.parametrize("how", ["withdrawn", "erased"])
def test_who_said_no_meanwhile_gets_nothing_and_the_budget_gets_it_back(
    session: Session, campaign: Campaign, how: str
) -> None:
    if how == "withdrawn":
        withdraw_consent(session, the_first(session))
    else:
        erase(session, the_first(session), "user:1")
    try_again(session, campaign, "user:1")
    session.commit()
    send(session)
    assert states(session, campaign) == ["suppressed", "sent", "sent"]
    assert reward_of(session, campaign).spent_minor == 1000
    assert is_balanced(session, campaign)


def test_an_address_that_was_mended_is_used(session: Session, campaign: Campaign) -> None:
    person = the_first(session)
    person.email = person.email_normal = "mended@mail.example"
    session.flush()
    try_again(session, campaign, "user:1")
    send(session)
    assert [(mail.address, mail.state) for mail in mails(session)[:1]] == [("mended@mail.example", "sent")]


def test_the_console_shows_the_reason_and_tries_again(
    session: Session, brand: Brand, campaign: Campaign, client: Client
) -> None:
    client.sign_in(a_user(session, brand, "marketer"))
    results = f"/console/campaigns/{campaign.id}/results"
    page = client.get(results).text
    assert "Could not be delivered" in page
    assert FULL in page
    answer = client.post_form(f"/console/campaigns/{campaign.id}/retries")
    assert answer.status_code == 303
    assert "2 rewards are sent again." in client.get(results).text
    send(session)
    assert states(session, campaign) == ["sent"] * 3
    assert "Could not be delivered" not in client.get(results).text


def test_who_only_looks_sees_the_reason_and_no_button(
    session: Session, brand: Brand, campaign: Campaign, client: Client
) -> None:
    client.sign_in(a_user(session, brand, "brand"))
    page = client.get(f"/console/campaigns/{campaign.id}/results").text
    assert FULL in page
    assert "/retries" not in page
