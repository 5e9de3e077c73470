"""Rewards of people who are being checked: they wait, leave when the person is accepted, or never do."""

import pytest
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.core import jobs
from amplify.core.events import publish
from amplify.fraud import services as fraud
from amplify.fraud.events import HoldsChanged
from amplify.fraud.models import RiskCase
from amplify.sharing.models import Advocate
from tests.rewards.making import (
    START,
    is_balanced,
    left_out_of,
    make_rewarded,
    pushes_of,
    reward_of,
)
from tests.rewards.test_start import reward_mails, send, states


def check(session: Session, advocate: Advocate, state: str = "held") -> RiskCase:
    """The advocate as a whole is held (or refused) from now on."""
    case = RiskCase(
        brand_id=advocate.brand_id, subject=f"advocate:{advocate.id}", kind="advocate", advocate_id=advocate.id,
        score=60, state=state, reasons=[],
    )  # fmt: skip
    session.add(case)
    session.flush()
    publish(session, HoldsChanged({advocate.id}))
    return case


def decide(session: Session, case: RiskCase, verdict: str) -> None:
    fraud.decide(session, case, verdict, actor="user:1", reason="looked at it")


def test_who_is_checked_at_a_start_is_left_out_by_its_rule(
    session: Session, brand: Brand, advocates: list[Advocate]
) -> None:
    check(session, advocates[0])
    check(session, advocates[1], "refused")
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    assert left_out_of(session, campaign) == {1: "held", 2: "refused"}


@pytest.mark.parametrize("is_ordered", [False, True])
def test_what_has_not_left_waits_and_leaves_once_the_person_is_accepted(
    session: Session, brand: Brand, advocates: list[Advocate], is_ordered: bool
) -> None:
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    if is_ordered:
        jobs.drain(session)
    case = check(session, advocates[0])
    send(session)
    assert states(session, campaign) == ["earned", "sent", "sent"]
    # The end of a pause is no end of a check.
    campaigns.pause(session, campaign, "user:1")
    campaigns.resume(session, campaign, "user:1")
    send(session)
    assert states(session, campaign) == ["earned", "sent", "sent"]
    decide(session, case, "accepted")
    send(session)
    assert states(session, campaign) == ["sent"] * 3
    assert len(reward_mails(session)) == 3


@pytest.mark.parametrize("is_ordered", [False, True])
def test_what_has_not_left_is_called_off_when_the_person_is_refused(
    session: Session, brand: Brand, advocates: list[Advocate], is_ordered: bool
) -> None:
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    if is_ordered:
        jobs.drain(session)
    case = check(session, advocates[0])
    decide(session, case, "refused")
    send(session)
    assert states(session, campaign) == ["cancelled", "sent", "sent"]
    assert pushes_of(session, campaign)[0].reason == "refused after a check"
    assert reward_of(session, campaign).spent_minor == 1000
    assert is_balanced(session, campaign)


def test_a_pause_outlasts_the_end_of_a_check(session: Session, brand: Brand, advocates: list[Advocate]) -> None:
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    case = check(session, advocates[0])
    campaigns.pause(session, campaign, "user:1")
    decide(session, case, "accepted")
    send(session)
    assert states(session, campaign) == ["earned"] * 3
    campaigns.resume(session, campaign, "user:1")
    send(session)
    assert states(session, campaign) == ["sent"] * 3
