"""The friend's side: one reward for each friend who came through a link, given by the rules or refused by name."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.core import clock
from amplify.core.errors import AmplifyError, Conflict, NotFound
from amplify.fraud.models import RiskCase, RiskTouch
from amplify.rewards import approving, services
from amplify.rewards.awarding import award
from amplify.rewards.expiring import expire
from amplify.rewards.friends import terms
from amplify.rewards.friends.judging import RULES
from amplify.rewards.models import Friend
from amplify.rewards.uploading import upload_codes
from amplify.sharing.models import Advocate
from amplify.tracking.models import Conversion
from amplify.tracking.services import track
from tests.rewards.befriending import (
    asked,
    buy,
    friend_in,
    friends_balance,
    friends_pushes,
    friends_reward,
    link_of,
    make_befriending,
    refund,
    visit,
)
from tests.rewards.making import catch_up, make_advocates, make_brand, make_rewarded, pushes_of
from tests.rewards.test_reviewing import check, decide
from tests.tracking.world import FACEBOOK


@pytest.fixture
def brand(session: Session) -> Brand:
    return make_brand(session)


@pytest.fixture
def anna(session: Session, brand: Brand) -> Advocate:
    return make_advocates(session, brand, 3)[0]


def test_a_friend_who_arrives_gets_a_code_and_the_same_one_again(
    session: Session, brand: Brand, anna: Advocate
) -> None:
    campaign = make_befriending(session, brand)
    token = visit(session, link_of(session, campaign, anna))
    first = asked(session, brand, token)
    again = asked(session, brand, token)
    assert first.push is not None
    assert again.push is first.push
    assert (first.is_new, again.is_new, first.rule) == (True, False, "")
    assert first.push.code is not None
    assert first.push.code.startswith("HELLO-")
    assert (first.push.state, first.push.amount_minor, first.push.advocate_id) == ("sent", 300, None)
    assert len(friends_pushes(session, campaign)) == 1
    assert friends_balance(session, campaign)


def test_both_sides_of_one_purchase_are_rewarded_each_from_its_own_budget(
    session: Session, brand: Brand, anna: Advocate
) -> None:
    campaign = make_befriending(session, brand)
    token = visit(session, link_of(session, campaign, anna))
    friend = asked(session, brand, token)
    buy(session, brand, token)
    catch_up(session)
    while award(session, 10):
        pass
    (theirs,) = [push for push in pushes_of(session, campaign) if push.advocate_id]
    assert (theirs.advocate_id, theirs.amount_minor) == (anna.id, 500)
    assert friend.push is not None
    assert friend.push.code != theirs.code
    assert friends_reward(session, campaign).spent_minor == 300
    redeemed, is_new = services.redeem(session, brand.id, friend.push.code or "", "signed:shop")
    assert (redeemed.id, redeemed.state, is_new) == (friend.push.id, "redeemed", True)


def test_the_same_visitor_again_that_day_gets_no_second_one(session: Session, brand: Brand, anna: Advocate) -> None:
    campaign = make_befriending(session, brand)
    link, other = link_of(session, campaign, anna), link_of(session, campaign, anna, "email")
    codes = {
        answer.push and answer.push.code
        for answer in (asked(session, brand, visit(session, each)) for each in (link, link, other))
    }
    assert len(codes) == len(friends_pushes(session, campaign)) == 1
    assert asked(session, brand, visit(session, link, visitor=2)).is_new


def test_a_mailbox_gets_one_whichever_way_it_comes(session: Session, brand: Brand, anna: Advocate) -> None:
    campaign = make_befriending(session, brand)
    link = link_of(session, campaign, anna)
    first = asked(session, brand, visit(session, link, 1), email="f@mail.example")
    second = asked(session, brand, visit(session, link, 2), email="F@mail.example")
    assert first.push is not None
    assert second.push is first.push
    third = asked(session, brand, visit(session, link, 1), email="other@mail.example")
    assert (third.push, third.rule) == (None, "had-one")
    assert len(friends_pushes(session, campaign)) == 1
    assert "@" not in str(session.execute(sa.select(Friend.__table__)).all())


def test_a_visit_that_was_refused_before_its_mailbox_was_known_gives_that_mailbox_no_second_one(
    session: Session, brand: Brand, anna: Advocate
) -> None:
    campaign = make_befriending(session, brand)
    link = link_of(session, campaign, anna)
    campaigns.pause(session, campaign, "user:1")
    assert asked(session, brand, visit(session, link, 1)).rule == "campaign-paused"
    assert asked(session, brand, visit(session, link, 2), email="f@mail.example").rule == "campaign-paused"
    campaigns.resume(session, campaign, "user:1")
    one = asked(session, brand, visit(session, link, 1), email="f@mail.example")
    two = asked(session, brand, visit(session, link, 2), email="f@mail.example")
    assert one.push is not None
    assert two.push is one.push
    assert len(friends_pushes(session, campaign)) == 1


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ({"agent": FACEBOOK}, "not-a-person"),
        ({"agent": "curl/8.5"}, "not-a-person"),
        ({"purpose": "prefetch"}, "not-a-person"),
        ({"is_own": True}, "own-visit"),
    ],
)
def test_only_the_visit_of_another_person_counts(
    session: Session, brand: Brand, anna: Advocate, facts: Any, rule: str
) -> None:
    campaign = make_befriending(session, brand)
    answer = asked(session, brand, visit(session, link_of(session, campaign, anna), **facts))
    assert (answer.push, answer.rule) == (None, rule)
    assert friends_reward(session, campaign).spent_minor == 0


def test_a_visit_that_is_not_judged_yet_waits_and_gets_it_then(session: Session, brand: Brand, anna: Advocate) -> None:
    campaign = make_befriending(session, brand)
    token = visit(session, link_of(session, campaign, anna), judged=False)
    assert asked(session, brand, token).rule == "pending"
    track(session, 10)
    assert asked(session, brand, token).is_new


def test_a_visit_nobody_knows_and_one_of_another_brand_are_told_so(
    session: Session, brand: Brand, anna: Advocate
) -> None:
    campaign = make_befriending(session, brand)
    token = visit(session, link_of(session, campaign, anna))
    for whose, which in ((brand, uuid.uuid4()), (make_brand(session, "other"), token), (brand, None)):
        with pytest.raises(NotFound) as refused:
            asked(session, whose, which)
        assert refused.value.rule == "click-unknown"


def test_a_campaign_that_gives_friends_nothing_says_so(session: Session, brand: Brand, anna: Advocate) -> None:
    campaign = make_rewarded(session, brand)
    with pytest.raises(Conflict) as refused:
        asked(session, brand, visit(session, link_of(session, campaign, anna)))
    assert refused.value.rule == "nothing-for-friends"


@pytest.mark.parametrize(
    ("reward", "filled", "rule"),
    [
        ({"budget_minor": 600}, {"budget_minor": 900}, "over-budget"),
        ({"cap_total": 2}, {"cap_total": 3}, "cap"),
        ({"cap_day": 2}, {"cap_day": 3}, "cap"),
        ({"cap_advocate": 2}, {}, "cap-advocate"),
    ],
)
def test_budget_and_caps_hold_and_more_is_given_when_they_are_raised(
    session: Session, brand: Brand, anna: Advocate, reward: Any, filled: Any, rule: str
) -> None:
    campaign = make_befriending(session, brand, **reward)
    link = link_of(session, campaign, anna)
    answers = [asked(session, brand, visit(session, link, number)) for number in (1, 2, 3)]
    assert [answer.rule for answer in answers] == ["", "", rule]
    assert friends_balance(session, campaign)
    if filled:
        terms.attach(session, campaign, friend_in(**reward | filled), "user:1")
        assert asked(session, brand, visit(session, link, 3)).is_new
        assert friends_balance(session, campaign)


def test_a_pool_gives_each_code_once_and_says_when_it_is_dry(session: Session, brand: Brand, anna: Advocate) -> None:
    campaign = make_befriending(session, brand, codes=2)
    link = link_of(session, campaign, anna)
    answers = [asked(session, brand, visit(session, link, number)) for number in (1, 2, 3)]
    assert [answer.rule for answer in answers] == ["", "", "no-code"]
    assert len({answer.push.code for answer in answers if answer.push}) == 2
    upload_codes(session, friends_reward(session, campaign), ["HI-NEW"])
    last = asked(session, brand, visit(session, link, 3))
    assert last.push is not None
    assert last.push.code == "HI-NEW"


def test_the_advocate_is_not_their_own_friend(session: Session, brand: Brand, anna: Advocate) -> None:
    campaign = make_befriending(session, brand)
    link = link_of(session, campaign, anna)
    assert anna.customer is not None
    assert asked(session, brand, visit(session, link), email=anna.customer.email).rule == "own-mailbox"
    assert asked(session, brand, visit(session, link, 2), email="x@mailinator.com").rule == "disposable"


def test_who_bought_before_is_no_new_friend_where_only_new_ones_count(
    session: Session, brand: Brand, anna: Advocate
) -> None:
    campaign = make_befriending(session, brand, new_only=True)
    link = link_of(session, campaign, anna)
    buy(session, brand, visit(session, link, 1), email="old@mail.example")
    assert asked(session, brand, visit(session, link, 2), email="old@mail.example").rule == "not-new"
    assert asked(session, brand, visit(session, link, 2), email="new@mail.example").is_new


def test_a_link_that_is_being_checked_brings_nobody_anything_until_it_is_accepted(
    session: Session, brand: Brand, anna: Advocate
) -> None:
    campaign = make_befriending(session, brand)
    token = visit(session, link_of(session, campaign, anna))
    case = check(session, anna)
    assert asked(session, brand, token).rule == "held"
    decide(session, case, "accepted")
    assert asked(session, brand, token).is_new


def test_a_link_that_was_refused_after_a_check_brings_nobody_anything(
    session: Session, brand: Brand, anna: Advocate
) -> None:
    campaign = make_befriending(session, brand)
    check(session, anna, "refused")
    assert asked(session, brand, visit(session, link_of(session, campaign, anna))).rule == "refused"


def test_an_order_counts_once_the_risk_rules_have_looked_at_it(session: Session, brand: Brand, anna: Advocate) -> None:
    campaign = make_befriending(session, brand, when="purchase")
    token = visit(session, link_of(session, campaign, anna))
    buy(session, brand, token)
    session.add(RiskTouch(brand_id=brand.id, advocate_id=anna.id, hour=clock.now()))
    session.flush()
    assert asked(session, brand, token, "A-1").rule == "pending"
    session.execute(sa.delete(RiskTouch))
    held = RiskCase(
        brand_id=brand.id, subject="order:1", kind="order", advocate_id=anna.id, score=60, state="held", reasons=[],
        conversion_id=session.scalar(sa.select(Conversion.id)),
    )  # fmt: skip
    session.add(held)
    session.flush()
    assert asked(session, brand, token, "A-1").rule == "held"
    session.delete(held)
    session.flush()
    assert asked(session, brand, token, "A-1").is_new


def test_what_each_state_of_the_campaign_means_for_friends(session: Session, brand: Brand, anna: Advocate) -> None:
    campaign = make_befriending(session, brand)
    link = link_of(session, campaign, anna)
    before = asked(session, brand, visit(session, link, 1))
    campaigns.pause(session, campaign, "user:1")
    assert asked(session, brand, visit(session, link, 2)).rule == "campaign-paused"
    assert asked(session, brand, visit(session, link, 1)).push is before.push  # what was given stays
    campaigns.resume(session, campaign, "user:1")
    came_before = visit(session, link, 3)
    campaigns.end(session, campaign, "user:1")
    assert asked(session, brand, came_before).is_new
    late = visit(session, link, 4, at=clock.now() + timedelta(seconds=1))
    assert asked(session, brand, late).rule == "campaign-ended"


def test_a_stop_gives_nothing_more_and_calls_off_what_waits_from_each_budget(
    session: Session, brand: Brand, anna: Advocate
) -> None:
    approving.set_limit(session, brand.id, 100, "user:1")
    campaign = make_befriending(session, brand)
    link = link_of(session, campaign, anna)
    token = visit(session, link, 1)
    assert asked(session, brand, token).rule == "pending"
    buy(session, brand, token)
    catch_up(session)
    assert [push.state for push in pushes_of(session, campaign)] == ["held", "held"]
    campaigns.stop(session, campaign, "user:1")
    assert [push.state for push in pushes_of(session, campaign)] == ["cancelled", "cancelled"]
    assert friends_reward(session, campaign).spent_minor == 0
    assert friends_balance(session, campaign)
    assert asked(session, brand, token).rule == "taken-back"
    assert asked(session, brand, visit(session, link, 2)).rule == "campaign-stopped"


def test_above_the_brands_limit_two_people_agree_first(session: Session, brand: Brand, anna: Advocate) -> None:
    approving.set_limit(session, brand.id, 100, "user:1")
    campaign = make_befriending(session, brand, is_double=False)
    token = visit(session, link_of(session, campaign, anna))
    assert asked(session, brand, token).rule == "pending"
    (waiting,) = approving.waiting(session, brand.id)
    assert waiting.name == "A friend"
    for person in ("user:1", "user:2"):
        approving.approve(session, brand.id, [waiting.Push.id], person)
    assert asked(session, brand, token).is_new


def test_after_the_last_day_nothing_is_given_and_what_was_given_expires(
    session: Session, brand: Brand, anna: Advocate
) -> None:
    campaign = make_befriending(session, brand)
    link = link_of(session, campaign, anna)
    token = visit(session, link, 1)
    assert asked(session, brand, token).is_new
    friends_reward(session, campaign).expires_at = clock.now()
    session.flush()
    assert asked(session, brand, visit(session, link, 2)).rule == "expired"
    assert expire(session) == 1
    assert asked(session, brand, token).rule == "expired"


def test_a_visit_too_long_ago_gives_nothing(session: Session, brand: Brand, anna: Advocate) -> None:
    campaign = make_befriending(session, brand)
    token = visit(session, link_of(session, campaign, anna), at=clock.now() - timedelta(days=31))
    assert asked(session, brand, token).rule == "outside-window"


# For a purchase


@pytest.mark.parametrize("named", ["click", "order", "both"])
def test_for_a_purchase_it_is_given_by_the_order(session: Session, brand: Brand, anna: Advocate, named: str) -> None:
    campaign = make_befriending(session, brand, when="purchase")
    token = visit(session, link_of(session, campaign, anna))
    assert asked(session, brand, token).rule == "order-unknown"
    buy(session, brand, token)
    answer = asked(session, brand, token if named != "order" else None, "A-1" if named != "click" else None)
    assert answer.rule == ("order-unknown" if named == "click" else "")
    assert len(friends_pushes(session, campaign)) == (named != "click")


def test_a_second_purchase_of_the_same_friend_gives_no_second_one(
    session: Session, brand: Brand, anna: Advocate
) -> None:
    campaign = make_befriending(session, brand, when="purchase")
    link = link_of(session, campaign, anna)
    first, second = visit(session, link, 1), visit(session, link, 2)
    buy(session, brand, first, "A-1", "f@mail.example")
    buy(session, brand, second, "A-2", "f@mail.example")
    one, two = asked(session, brand, first, "A-1"), asked(session, brand, second, "A-2")
    assert one.push is not None
    assert two.push is one.push


def test_an_order_of_another_visit_or_not_looked_at_yet_gives_nothing(
    session: Session, brand: Brand, anna: Advocate
) -> None:
    campaign = make_befriending(session, brand, when="purchase")
    link = link_of(session, campaign, anna)
    mine, others = visit(session, link, 1), visit(session, link, 2)
    buy(session, brand, others, "A-1")
    assert asked(session, brand, mine, "A-1").rule == "order-unknown"
    late = buy(session, brand, others, "A-2", occurred_at=(clock.now() - timedelta(hours=1)).isoformat())
    assert (late.attribution, asked(session, brand, others, "A-2").rule) == ("before-click", "order-not-attributed")


@pytest.mark.parametrize("state", ["sent", "held", "redeemed"])
def test_a_refund_takes_it_back_unless_it_was_used(session: Session, brand: Brand, anna: Advocate, state: str) -> None:
    if state == "held":
        approving.set_limit(session, brand.id, 100, "user:1")
    campaign = make_befriending(session, brand, when="purchase")
    token = visit(session, link_of(session, campaign, anna))
    buy(session, brand, token)
    asked(session, brand, token, "A-1")
    (push,) = friends_pushes(session, campaign)
    if state == "redeemed":
        services.redeem(session, brand.id, push.code or "", "signed:shop")
    refund(session, brand)
    (push,) = friends_pushes(session, campaign)
    assert push.state == {"sent": "revoked", "held": "cancelled", "redeemed": "redeemed"}[state]
    assert friends_reward(session, campaign).spent_minor == (0 if state == "held" else 300)
    assert asked(session, brand, token, "A-1").rule == ("" if state == "redeemed" else "taken-back")
    if state == "sent":
        with pytest.raises(Conflict) as refused:
            services.redeem(session, brand.id, push.code or "", "signed:shop")
        assert refused.value.rule == "code-cancelled"


def test_a_welcome_code_stays_whatever_becomes_of_the_order(session: Session, brand: Brand, anna: Advocate) -> None:
    campaign = make_befriending(session, brand)
    token = visit(session, link_of(session, campaign, anna))
    asked(session, brand, token)
    buy(session, brand, token)
    refund(session, brand)
    assert [push.state for push in friends_pushes(session, campaign)] == ["sent"]


def test_a_purchase_before_the_end_gives_it_also_when_it_is_told_after(
    session: Session, brand: Brand, anna: Advocate
) -> None:
    campaign = make_befriending(session, brand, when="purchase")
    link = link_of(session, campaign, anna)
    early, late = visit(session, link, 1), visit(session, link, 2)
    campaigns.end(session, campaign, "user:1")
    assert campaign.finished_at is not None
    buy(session, brand, early, "A-1", occurred_at=(campaign.finished_at - timedelta(seconds=1)).isoformat())
    buy(session, brand, late, "A-2", occurred_at=(campaign.finished_at + timedelta(seconds=1)).isoformat())
    assert asked(session, brand, early, "A-1").is_new
    assert asked(session, brand, late, "A-2").rule == "campaign-ended"


# The terms


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"type": "tremendous", "settings": {"item": "X"}}, "friend.type", "codes-for-friends"),
        ({"type": "manual", "settings": {"item": "a cake"}}, "friend.type", "codes-for-friends"),
        ({"type": "nothing"}, "friend.type", "type-known"),
        ({"currency": "EUR"}, "friend.currency", "currency-of-brand"),
        ({"budget_minor": 100}, "friend.budget_minor", "budget-below-value"),
        ({"settings": {"pattern": "#"}}, "friend.settings.pattern", "value-error"),
    ],
)
def test_terms_that_cannot_be_are_refused_by_their_own_field(
    session: Session, brand: Brand, changes: Any, field: str, rule: str
) -> None:
    with pytest.raises(AmplifyError) as refused:
        make_befriending(session, brand, **changes)
    assert (refused.value.field, refused.value.rule) == (field, rule)


def test_once_live_only_budget_and_caps_change(session: Session, brand: Brand) -> None:
    campaign = make_befriending(session, brand)
    terms.attach(session, campaign, friend_in(budget_minor=9000, cap_day=5, cap_total=50), "user:1")
    with pytest.raises(Conflict) as refused:
        terms.attach(session, campaign, friend_in(value_minor=400), "user:1")
    assert (refused.value.field, refused.value.rule) == ("friend.value_minor", "fixed-once-live")
    with pytest.raises(Conflict):
        terms.detach(session, campaign, "user:1")


def test_a_campaign_with_only_the_friends_side_starts_and_is_disclosed(
    session: Session, brand: Brand, anna: Advocate
) -> None:
    campaign = make_befriending(session, brand, is_double=False)
    assert campaign.is_rewarded
    assert asked(session, brand, visit(session, link_of(session, campaign, anna))).is_new
    assert services.reward_of(session, campaign) is None
    assert friends_balance(session, campaign)


def test_every_rule_has_a_sentence() -> None:
    assert all(str(sentence).endswith(".") for sentence in RULES.values())
