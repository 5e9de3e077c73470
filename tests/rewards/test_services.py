"""What a reward may be, what a start fixes, and redeeming."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from sqlalchemy.orm import Session

from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core.errors import Conflict, Forbidden, Invalid, NotFound
from amplify.rewards import services
from tests.campaigns.making import TEXTS, make_campaign
from tests.rewards.making import (
    BEFORE,
    REWARD_TEXTS,
    START,
    make_advocates,
    make_brand,
    make_rewarded,
    pushes_of,
    reward_in,
    reward_of,
)


@pytest.fixture
def campaign(session: Session) -> Campaign:
    return make_campaign(session, make_brand(session), texts=REWARD_TEXTS)


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"currency": "EUR"}, "currency", "currency-of-brand"),
        ({"budget_minor": 499}, "budget_minor", "budget-below-value"),
        ({"name": {"es": "Regalo"}}, "name.en", "required"),
        ({"type": "gold"}, "reward.type", "type-known"),
        ({"settings": {"pattern": "short"}}, "settings.pattern", "value-error"),
        ({"rule": {"trigger": "moon"}}, "rule.trigger", "trigger"),
    ],
)
def test_a_reward_that_does_not_fit_is_refused_by_field_and_rule(
    session: Session, campaign: Campaign, changes: dict[str, Any], field: str, rule: str
) -> None:
    with pytest.raises(Invalid) as refused:
        services.attach(session, campaign, reward_in(**changes), "user:1")
    assert (refused.value.field, refused.value.rule) == (field, rule)
    assert services.reward_of(session, campaign) is None
    assert not campaign.is_rewarded


@pytest.mark.parametrize("currency", ["XXY", "usdollar", "", "12"])
def test_money_that_does_not_exist_is_refused(currency: str) -> None:
    with pytest.raises(Invalid) as refused:
        reward_in(currency=currency)
    assert refused.value.field == "currency"


@pytest.mark.parametrize("trigger", ["share", "review", "nps", "like"])
def test_a_reward_for_acts_or_opinions_is_refused(session: Session, campaign: Campaign, trigger: str) -> None:
    with pytest.raises(Forbidden) as refused:
        services.attach(session, campaign, reward_in(rule={"trigger": trigger}), "user:1")
    assert (refused.value.field, refused.value.rule) == ("rule.trigger", "pay-to-engage")


def test_the_always_on_campaign_rewards_nobody(session: Session) -> None:
    brand = make_brand(session)
    always = campaigns.ensure_always_on(session, brand, "https://shop.example/", TEXTS)
    with pytest.raises(Conflict):
        services.attach(session, always, reward_in(), "user:1")


def test_a_scheduled_campaign_without_its_disclosure_takes_no_reward(session: Session) -> None:
    campaign = make_campaign(session, make_brand(session), texts={"en": {"headline": "Hi"}})
    campaigns.schedule(session, campaign, BEFORE, "user:1")
    with pytest.raises(Forbidden) as refused:
        services.attach(session, campaign, reward_in(), "user:1")
    assert refused.value.rule == "16-cfr-255.5"


def test_once_started_only_budget_and_cap_change(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 3)
    campaign = make_rewarded(session, brand, budget_minor=1000)
    campaigns.start_due(session, START)
    services.attach(session, campaign, reward_in(budget_minor=9000, cap_pushes=5), "user:1")
    assert reward_of(session, campaign).budget_minor == 9000
    with pytest.raises(Conflict) as refused:
        services.attach(session, campaign, reward_in(value_minor=1, budget_minor=9000, cap_pushes=5), "user:1")
    assert (refused.value.field, refused.value.rule) == ("value_minor", "fixed-once-live")
    with pytest.raises(Conflict):
        services.detach(session, campaign, "user:1")


def test_a_budget_below_what_is_spent_is_refused(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 3)
    campaign = make_rewarded(session, brand, budget_minor=5000)
    campaigns.start_due(session, START)
    with pytest.raises(Invalid) as refused:
        services.attach(session, campaign, reward_in(budget_minor=1000), "user:1")
    assert refused.value.rule == "budget-below-spent"


def test_a_reward_is_taken_away_before_the_start_with_its_codes(session: Session) -> None:
    campaign = make_rewarded(session, make_brand(session), codes=3)
    services.detach(session, campaign, "user:1")
    assert services.reward_of(session, campaign) is None
    assert not campaign.is_rewarded


def test_a_budget_is_never_passed_and_never_put_back_twice(session: Session) -> None:
    campaign = make_rewarded(session, make_brand(session), budget_minor=1200)
    reward = reward_of(session, campaign)
    assert services.spend(session, reward, 1000)
    assert not services.spend(session, reward, 201)
    assert services.spend(session, reward, 200)
    services.release(session, reward, 1200)
    assert reward.spent_minor == 0
    with pytest.raises(RuntimeError):
        services.release(session, reward, 1)


def test_a_code_is_redeemed_once_and_asking_again_changes_nothing(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 1)
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    code = pushes_of(session, campaign)[0].code or ""
    push, is_new = services.redeem(session, brand.id, f" {code}\n", "user:1")
    first = push.redeemed_at
    again, is_new_again = services.redeem(session, brand.id, code, "key:abc")
    assert (is_new, is_new_again, again.redeemed_at, again.state) == (True, False, first, "redeemed")


def test_an_unknown_a_cancelled_and_another_brands_code_are_refused(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 1)
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    code = pushes_of(session, campaign)[0].code or ""
    for brand_id, asked in ((brand.id, "NOPE"), (make_brand(session, "other").id, code)):
        with pytest.raises(NotFound):
            services.redeem(session, brand_id, asked, "user:1")
    campaigns.stop(session, campaign, "user:1")
    with pytest.raises(Conflict) as refused:
        services.redeem(session, brand.id, code, "user:1")
    assert refused.value.rule == "code-cancelled"


def test_a_code_is_good_until_the_end_of_its_last_day_where_the_campaign_is(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 2)
    campaign = make_rewarded(session, brand, expires_on=date(2030, 7, 31))
    campaigns.start_due(session, START)
    first, second = (push.code or "" for push in pushes_of(session, campaign))
    with time_machine.travel(datetime(2030, 7, 31, 21, 59, tzinfo=UTC), tick=False):  # 23:59 in Berlin
        assert services.redeem(session, brand.id, first, "user:1")[1]
    with time_machine.travel(datetime(2030, 7, 31, 22, 0, tzinfo=UTC), tick=False), pytest.raises(Conflict) as refused:
        services.redeem(session, brand.id, second, "user:1")
    assert refused.value.rule == "code-expired"
    assert services.last_day(services.end_of(date(2030, 7, 31), "Europe/Berlin"), "Europe/Berlin") == date(2030, 7, 31)
