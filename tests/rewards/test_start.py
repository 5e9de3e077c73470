"""A start: the ranking is frozen, each chosen advocate is in the ledger once, the mail says what the ledger says."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.campaigns import services as campaigns
from amplify.campaigns.events import CampaignStarted
from amplify.core import clock, events, jobs
from amplify.customers.models import Customer
from amplify.customers.services import erase, withdraw_consent
from amplify.delivery import jobs as delivery_jobs
from amplify.delivery.events import MessageNotSent, MessagesSent, Sent
from amplify.delivery.models import Message
from amplify.delivery.services import suppress
from amplify.leaderboards.models import Snapshot
from amplify.rewards import planning
from amplify.rewards.dry_run import dry_run
from amplify.rewards.planning import plan
from amplify.sharing.models import Advocate
from tests.rewards.making import (
    START,
    is_balanced,
    left_out_of,
    make_advocates,
    make_brand,
    make_rewarded,
    pushes_of,
    reward_of,
)


def customer_of(session: Session, advocate: Advocate) -> Customer:
    assert advocate.customer_id is not None
    return session.get_one(Customer, advocate.customer_id)


def reward_mails(session: Session) -> list[Message]:
    return list(session.scalars(sa.select(Message).where(Message.template == "reward").order_by(Message.id)))


def send(session: Session) -> None:
    """What the worker does: order, hand over, send."""
    jobs.drain(session)
    while delivery_jobs.release_due(session):
        jobs.drain(session)
    session.expire_all()


def states(session: Session, campaign: Any) -> list[str]:
    return [push.state for push in pushes_of(session, campaign)]


def test_the_best_are_frozen_and_each_is_owed_one_push(session: Session) -> None:
    brand = make_brand(session)
    advocates = make_advocates(session, brand, 12)
    campaign = make_rewarded(session, brand, top=5)
    campaigns.start_due(session, START)
    pushes = pushes_of(session, campaign)
    assert [push.advocate_id for push in pushes] == [advocate.id for advocate in advocates[:5]]
    assert [push.rank for push in pushes] == [1, 2, 3, 4, 5]
    assert {push.locale for push in pushes} == {"en", "es"}
    assert len({push.code for push in pushes}) == len({push.message_id for push in pushes}) == 5
    assert {(push.state, push.amount_minor, push.currency, push.occurrence) for push in pushes} == {
        ("earned", 500, "USD", 1)
    }
    assert session.scalars(sa.select(Snapshot)).one().ranked == 12
    assert is_balanced(session, campaign)


def test_what_the_dry_run_says_is_what_the_start_does(session: Session) -> None:
    brand = make_brand(session)
    advocates = make_advocates(session, brand, 12)
    customer_of(session, advocates[0]).email = None
    customer_of(session, advocates[1]).consent = None
    suppress(session, brand.id, "p2@mail.example", "unsubscribed")
    advocates[3].customer_id = None
    campaign = make_rewarded(session, brand, top=11, codes=4, budget_minor=3000)
    before = dry_run(session, campaign)
    assert session.scalars(sa.select(Snapshot)).all() == []
    campaigns.start_due(session, START)
    told = {one.rank: one.rule for one in before.first if one.rule}
    assert told == left_out_of(session, campaign)
    assert told == {
        1: "no-email", 2: "no-consent", 3: "suppressed", 4: "erased",
        9: "no-code", 10: "no-code", 11: "over-budget",
    }  # fmt: skip
    assert [one.rank for one in before.first if not one.rule] == [push.rank for push in pushes_of(session, campaign)]
    assert (before.cost_minor, before.codes_missing, before.codes_available) == (2000, 2, 4)
    assert before.cost_minor == reward_of(session, campaign).spent_minor
    assert is_balanced(session, campaign)


def test_a_cap_and_a_milestone_leave_out_by_rule(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 6)  # with 6, 5, 4, 3, 2, 1 human clicks
    rule = {"trigger": "human_click", "at_least": 3}
    campaign = make_rewarded(session, brand, top=6, rule=rule, cap_pushes=2)
    campaigns.start_due(session, START)
    assert left_out_of(session, campaign) == {3: "cap", 4: "cap", 5: "milestone", 6: "milestone"}


def test_a_start_repeated_adds_nothing(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 4)
    campaign = make_rewarded(session, brand)
    [started] = campaigns.start_due(session, START)
    once = [(push.advocate_id, push.code, push.message_id) for push in pushes_of(session, campaign)]
    events.publish(session, CampaignStarted(started, START))
    assert [(push.advocate_id, push.code, push.message_id) for push in pushes_of(session, campaign)] == once
    assert is_balanced(session, campaign)


def test_chunks_make_the_same_plan_as_one_go_and_may_be_replayed(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "AT_ONCE", 0)
    brand = make_brand(session)
    make_advocates(session, brand, 25)
    campaign = make_rewarded(session, brand, top=25, codes=20, budget_minor=500 * 22)
    campaigns.start_due(session, START)
    snapshot = session.scalars(sa.select(Snapshot)).one()
    assert plan(session, campaign, snapshot, 7) == 7
    assert plan(session, campaign, snapshot, 7) == 7
    jobs.drain(session)  # the job that the start enqueued plans the rest
    assert plan(session, campaign, snapshot, 7) == 0
    assert [push.rank for push in pushes_of(session, campaign)] == list(range(1, 21))
    assert left_out_of(session, campaign) == {21: "no-code", 22: "no-code"} | dict.fromkeys((23, 24, 25), "over-budget")
    assert is_balanced(session, campaign)


def test_nobody_to_reward_is_a_start_all_the_same(session: Session) -> None:
    campaign = make_rewarded(session, make_brand(session))
    assert dry_run(session, campaign).chosen == 0
    assert campaigns.start_due(session, START) == [campaign]
    assert pushes_of(session, campaign) == []


def test_each_mail_carries_the_ledgers_code_and_message_id(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 3)
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    jobs.drain(session)
    ledger = {(push.message_id, push.code, push.locale) for push in pushes_of(session, campaign)}
    assert {(mail.message_id, mail.context["code"], mail.locale) for mail in reward_mails(session)} == ledger
    send(session)
    assert states(session, campaign) == ["sent"] * 3
    assert all(push.sent_at for push in pushes_of(session, campaign))


def test_a_delivery_that_is_replayed_orders_no_second_mail(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 3)
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    jobs.drain(session)
    for _again in range(2):
        jobs.find("deliver-pushes")({"campaign_id": campaign.id, "occurrence": 1, "ranks": [1, 3]})
    assert len(reward_mails(session)) == 3


@pytest.mark.parametrize("ordered", [False, True])
def test_a_pause_holds_back_what_has_not_left_and_a_resume_sends_it(session: Session, ordered: bool) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 3)
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    if ordered:
        jobs.drain(session)
        delivery_jobs.release_due(session)  # handed to the engine, not sent
    campaigns.pause(session, campaign, "user:1")
    send(session)
    assert states(session, campaign) == ["earned"] * 3
    assert all(mail.sent_at is None for mail in reward_mails(session))
    campaigns.resume(session, campaign, "user:1")
    send(session)
    assert states(session, campaign) == ["sent"] * 3
    assert len(reward_mails(session)) == 3


def test_a_second_pause_is_no_different(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 2)
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    for _round in range(2):
        jobs.drain(session)
        delivery_jobs.release_due(session)
        campaigns.pause(session, campaign, "user:1")
        send(session)
        campaigns.resume(session, campaign, "user:1")
    send(session)
    assert states(session, campaign) == ["sent"] * 2


def test_what_waits_in_a_pause_is_delivered_when_the_campaign_ends(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 2)
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    campaigns.pause(session, campaign, "user:1")
    send(session)
    campaigns.end(session, campaign, "user:1")
    send(session)
    assert states(session, campaign) == ["sent"] * 2


@pytest.mark.parametrize("when", ["planned", "ordered", "queued", "paused"])
def test_a_stop_cancels_what_has_not_left_and_gives_the_budget_back(session: Session, when: str) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 3)
    campaign = make_rewarded(session, brand, budget_minor=5000)
    campaigns.start_due(session, START)
    if when != "planned":
        jobs.drain(session)
    if when in ("queued", "paused"):
        delivery_jobs.release_due(session)
    if when == "paused":
        campaigns.pause(session, campaign, "user:1")
    campaigns.stop(session, campaign, "user:1")
    send(session)
    assert states(session, campaign) == ["cancelled"] * 3
    assert {mail.state for mail in reward_mails(session)} <= {"cancelled"}
    assert reward_of(session, campaign).spent_minor == 0
    assert is_balanced(session, campaign)


def test_a_stop_leaves_what_was_sent_as_it_is(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 2)
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    send(session)
    campaigns.stop(session, campaign, "user:1")
    assert states(session, campaign) == ["sent"] * 2
    assert is_balanced(session, campaign)


@pytest.mark.parametrize("moment", ["planned", "ordered", "queued"])
@pytest.mark.parametrize("how", ["unsubscribed", "withdrawn", "erased", "no address"])
def test_who_says_no_between_planning_and_sending_gets_no_mail(session: Session, how: str, moment: str) -> None:
    brand = make_brand(session)
    advocates = make_advocates(session, brand, 2)
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    if moment != "planned":
        jobs.drain(session)
    if moment == "queued":
        delivery_jobs.release_due(session)
    person = customer_of(session, advocates[0])
    if how == "unsubscribed":
        suppress(session, brand.id, str(person.email), "unsubscribed")
    elif how == "withdrawn":
        withdraw_consent(session, person)
    elif how == "erased":
        erase(session, person, "user:1")
    else:
        person.email = None
    session.commit()
    send(session)
    called_back = how == "erased" and moment != "planned"
    assert states(session, campaign) == ["cancelled" if called_back else "suppressed", "sent"]
    assert [mail.address for mail in reward_mails(session) if mail.sent_at] == ["p1@mail.example"]
    assert is_balanced(session, campaign)


def test_a_mail_that_failed_stays_on_the_books(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 1)
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    jobs.drain(session)
    [mail] = reward_mails(session)
    mail.settle("failed", "550 no such mailbox")
    events.publish(session, MessageNotSent(mail))
    [push] = pushes_of(session, campaign)
    assert (push.state, push.reason) == ("failed", "550 no such mailbox")
    assert reward_of(session, campaign).spent_minor == 500


def test_a_mail_on_the_wire_when_the_stop_came_is_told_as_sent(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 1)
    campaign = make_rewarded(session, brand, budget_minor=500)
    campaigns.start_due(session, START)
    jobs.drain(session)
    campaigns.stop(session, campaign, "user:1")
    [mail] = reward_mails(session)
    sent = Sent(mail.message_id, mail.brand_id, mail.template, mail.address, 1)
    events.publish(session, MessagesSent([sent], clock.now()))
    assert states(session, campaign) == ["sent"]
    assert is_balanced(session, campaign)


def test_a_campaign_without_a_reward_freezes_and_sends_nothing(session: Session) -> None:
    from tests.campaigns.making import make_campaign

    brand = make_brand(session)
    make_advocates(session, brand, 3)
    campaign = make_campaign(session, brand)
    campaigns.start_now(session, campaign, clock.now() + timedelta(seconds=1), "user:1")
    assert session.scalars(sa.select(Snapshot)).one().campaign_id == campaign.id
    assert pushes_of(session, campaign) == []
