"""Rewards that somebody else makes: ordered once under a key of ours, whatever breaks; sealed; held when funds end."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts.models import AuditEntry
from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core import jobs
from amplify.core.outgoing import Client
from amplify.customers.models import Customer
from amplify.delivery import jobs as delivery_jobs
from amplify.delivery.models import Message
from amplify.delivery.render import render
from amplify.rewards import accounts, ordering, retrying
from amplify.rewards.models import Push
from amplify.rewards.ordering import Span, order_all
from amplify.rewards.providers import Later, Stalled
from amplify.rewards.types import type_of
from tests.rewards.fakes.gift_cards import FakeTango, FakeTremendous
from tests.rewards.fakes.server import Fake, served
from tests.rewards.fakes.shops import FakeShopify, FakeStripe
from tests.rewards.making import START, is_balanced, make_advocates, make_rewarded, pushes_of, reward_of

HERE = Client(allow_loopback=True, timeout_seconds=5)
KEYS = {
    "tremendous": {"api_key": "TEST_key", "funding_source_id": "BALANCE"},
    "tango": {"platform": "QAPlatform", "key": "secret", "customer": "G12345", "account": "A67890"},
    "stripe": {"secret_key": "sk_test_1"},
    "shopify": {"access_token": "shpat_1"},
}
FAKES: dict[str, type[Fake]] = {
    "tremendous": FakeTremendous, "tango": FakeTango, "stripe": FakeStripe, "shopify": FakeShopify,
}  # fmt: skip
GIFTS = ("tremendous", "tango")
ALL = tuple(FAKES)


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)


@pytest.fixture
def fake(request: pytest.FixtureRequest) -> Iterator[Any]:
    with served(FAKES[request.param]()) as found:
        yield found


def name_of(fake: Fake) -> str:
    return next(name for name, kind in FAKES.items() if isinstance(fake, kind))


def started(session: Session, brand: Brand, fake: Fake, people: int = 3, **reward: Any) -> Campaign:
    """A campaign that gives what this provider makes has started; nothing is ordered yet."""
    name = name_of(fake)
    make_advocates(session, brand, people)
    provider = accounts.provider_of(name)
    accounts.write(session, HERE, brand.id, provider, fake.address, KEYS[name], "user:1")
    campaign = make_rewarded(session, brand, type=name, settings=dict(type_of(name).example), **reward)
    campaigns.start_due(session, START)
    session.commit()
    return campaign


def order(session: Session, campaign: Campaign) -> ordering.Round:
    return order_all(session, HERE, Span(campaign.id, 1, 1, 1000))


def finish(session: Session, campaign: Campaign) -> None:
    """Order, then write and send the messages."""
    order(session, campaign)
    jobs.drain(session)
    while delivery_jobs.release_due(session):
        jobs.drain(session)
    session.expire_all()


def reasons(session: Session, campaign: Campaign) -> list[tuple[str, str]]:
    return [(push.state, push.reason) for push in pushes_of(session, campaign)]


@pytest.mark.parametrize("fake", ALL, indirect=True)
def test_each_push_is_ordered_once_and_then_told(session: Session, brand: Brand, fake: Fake) -> None:
    campaign = started(session, brand, fake)
    finish(session, campaign)
    pushes = pushes_of(session, campaign)
    assert [push.state for push in pushes] == ["sent"] * 3
    assert len(fake.made) == len({push.order_ref for push in pushes}) == 3
    assert order(session, campaign).made == 0
    assert len(fake.made) == 3
    assert is_balanced(session, campaign)


@pytest.mark.parametrize("fake", ALL, indirect=True)
def test_no_message_leaves_before_its_reward_is_there(session: Session, brand: Brand, fake: Fake) -> None:
    campaign = started(session, brand, fake)
    fake.faults = [503] * 20
    finish(session, campaign)
    assert [state for state, _reason in reasons(session, campaign)] == ["earned"] * 3
    assert session.scalars(sa.select(Message)).all() == []


@pytest.mark.parametrize("fake", ALL, indirect=True)
@pytest.mark.parametrize("fault", ["drop", "refuse"])
def test_an_order_whose_answer_is_lost_is_never_made_twice(
    session: Session, brand: Brand, fake: Fake, fault: str
) -> None:
    campaign = started(session, brand, fake, people=2)
    fake.faults = [fault, None, fault]
    for _attempt in range(4):
        order(session, campaign)
    assert len(fake.made) == 2
    assert all(push.order_ref for push in pushes_of(session, campaign))


@pytest.mark.parametrize("fake", GIFTS, indirect=True)
def test_a_lost_answer_is_read_again_by_our_key(session: Session, brand: Brand, fake: Fake) -> None:
    campaign = started(session, brand, fake, people=1)
    fake.faults = ["drop"]
    assert order(session, campaign).made == 1
    assert fake.posts() == 1
    [push] = pushes_of(session, campaign)
    assert push.order_key in fake.made


@pytest.mark.parametrize("fake", ALL, indirect=True)
def test_a_worker_that_dies_after_the_order_finds_it_again(
    session: Session, brand: Brand, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = started(session, brand, fake, people=1)
    with monkeypatch.context() as patch:
        patch.setattr(ordering, "_note", _die)
        with pytest.raises(KeyboardInterrupt):
            order(session, campaign)
    session.rollback()
    assert len(fake.made) == 1
    assert pushes_of(session, campaign)[0].ordered_at is None
    assert order(session, campaign).made == 1
    assert len(fake.made) == 1


def _die(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("fake", GIFTS, indirect=True)
def test_the_link_is_in_the_mail_and_nowhere_at_rest(session: Session, brand: Brand, fake: Fake) -> None:
    campaign = started(session, brand, fake, people=1)
    order(session, campaign)
    jobs.find("deliver-pushes")({"campaign_id": campaign.id, "occurrence": 1, "ranks": [1, 1]})
    [mail] = session.scalars(sa.select(Message)).all()
    rendered = render(mail, brand)
    assert "secret1" in rendered.text
    assert "secret1" in rendered.html
    for table in ("pushes", "messages", "audit_log", "provider_accounts"):
        names = {one.name: one for one in Push.metadata.tables.values()}
        if table in names:
            rows = session.execute(sa.select(names[table])).all()
            assert "secret" not in repr(rows), table


@pytest.mark.parametrize("fake", GIFTS, indirect=True)
def test_what_the_provider_refuses_fails_with_its_reason_and_the_others_go_on(
    session: Session, brand: Brand, fake: Fake
) -> None:
    campaign = started(session, brand, fake, people=2)
    first = pushes_of(session, campaign)[0]
    first.amount_minor = 10_000_000  # out of every product's range
    session.commit()
    order(session, campaign)
    (state, reason), (other, _none) = reasons(session, campaign)
    assert state == "failed"
    assert "range" in reason.lower()
    assert other == "earned"
    assert len(fake.made) == 1


@pytest.mark.parametrize("fake", GIFTS, indirect=True)
def test_an_empty_account_holds_the_rest_until_staff_says_go_on(session: Session, brand: Brand, fake: Any) -> None:
    campaign = started(session, brand, fake)
    fake.funds = 7.0
    finish(session, campaign)
    assert [state for state, _reason in reasons(session, campaign)] == ["sent", "earned", "earned"]
    assert "nsufficient" in reward_of(session, campaign).stalled
    asked = len(fake.asked)
    order(session, campaign)
    assert len(fake.asked) == asked  # nobody is asked in vain
    fake.funds = 1_000.0
    retrying.go_on(session, campaign)
    session.commit()
    finish(session, campaign)
    assert [state for state, _reason in reasons(session, campaign)] == ["sent"] * 3
    assert session.scalar(sa.select(sa.func.count(AuditEntry.id)).where(AuditEntry.action == "reward.stalled")) == 1


@pytest.mark.parametrize("fake", ALL, indirect=True)
def test_wrong_keys_hold_the_campaign_instead_of_failing_its_rewards(session: Session, brand: Brand, fake: Any) -> None:
    campaign = started(session, brand, fake)
    wrong = {name: f"{value}x" for name, value in KEYS[name_of(fake)].items()}
    accounts.write(session, HERE, brand.id, accounts.provider_of(name_of(fake)), fake.address, wrong, "user:1")
    order(session, campaign)
    assert [state for state, _reason in reasons(session, campaign)] == ["earned"] * 3
    assert reward_of(session, campaign).stalled.startswith("401")


@pytest.mark.parametrize("fake", ALL, indirect=True)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_too_many_requests_and_faults_are_asked_again_later(
    session: Session, brand: Brand, fake: Fake, status: int
) -> None:
    campaign = started(session, brand, fake, people=1)
    fake.faults = [status]
    done = order(session, campaign)
    assert done.made == 0
    assert isinstance(done.later, Later)
    assert done.later.retry_after_seconds == 1.0
    assert order(session, campaign).made == 1


@pytest.mark.parametrize("fake", ["tremendous"], indirect=True)
def test_another_currency_is_refused_by_name(session: Session, brand: Brand, fake: Any) -> None:
    fake.currency = "EUR"
    campaign = started(session, brand, fake, people=1)
    order(session, campaign)
    [(state, reason)] = reasons(session, campaign)
    assert state == "failed"
    assert "currency_code" in reason


@pytest.mark.parametrize("fake", ["shopify"], indirect=True)
def test_a_shop_with_other_money_gives_no_amounts_off(session: Session, brand: Brand, fake: Any) -> None:
    fake.currency = "EUR"
    campaign = started(session, brand, fake, people=1)
    reward_of(session, campaign).settings = {"item": "", "pattern": "THANKS-####-####"}
    session.commit()
    order(session, campaign)
    assert reasons(session, campaign) == [("failed", "the shop's money is not USD")]


@pytest.mark.parametrize("fake", ["shopify"], indirect=True)
def test_a_code_that_somebody_else_has_at_the_shop_fails(session: Session, brand: Brand, fake: Any) -> None:
    campaign = started(session, brand, fake, people=1)
    code = str(pushes_of(session, campaign)[0].code)
    fake.made[code.lower()] = {"id": "gid://shopify/DiscountCodeNode/9", "codeDiscount": {"title": "Spring sale"}}
    order(session, campaign)
    assert reasons(session, campaign) == [("failed", "the shop has another discount with this code")]


@pytest.mark.parametrize("fake", ["shopify"], indirect=True)
def test_a_shop_that_is_asked_too_often_is_asked_later(session: Session, brand: Brand, fake: Any) -> None:
    campaign = started(session, brand, fake, people=1)
    fake.throttled = 1
    assert order(session, campaign).later is not None
    assert order(session, campaign).made == 1


@pytest.mark.parametrize("fake", ["stripe"], indirect=True)
def test_a_code_stripe_knows_is_found_by_our_key_when_it_has_forgotten_the_other(
    session: Session, brand: Brand, fake: Any
) -> None:
    campaign = started(session, brand, fake, people=1)
    fake.faults = ["drop"]
    order(session, campaign)
    fake.answers.clear()  # Stripe keeps idempotency keys for a day or more
    assert order(session, campaign).made == 1
    assert len(fake.made) == 1


@pytest.mark.parametrize("fake", GIFTS, indirect=True)
def test_an_order_under_review_is_asked_for_again_and_holds_up_nobody(
    session: Session, brand: Brand, fake: Any
) -> None:
    fake.status = "PENDING"
    campaign = started(session, brand, fake, people=2)
    assert order(session, campaign).made == 0
    assert len(fake.made) == 2
    for made in fake.made.values():
        made["status"] = "EXECUTED" if name_of(fake) == "tremendous" else "COMPLETE"
    assert order(session, campaign).made == 2
    assert len(fake.made) == 2


@pytest.mark.parametrize("fake", ["tremendous"], indirect=True)
@pytest.mark.parametrize("how", ["paused", "stopped", "withdrawn"])
def test_nothing_is_ordered_that_must_not_leave(session: Session, brand: Brand, fake: Fake, how: str) -> None:
    campaign = started(session, brand, fake, people=1)
    if how == "withdrawn":
        session.scalars(sa.select(Customer)).one().consent = False
    else:
        getattr(campaigns, {"paused": "pause", "stopped": "stop"}[how])(session, campaign, "user:1")
    session.commit()
    order(session, campaign)
    assert fake.asked == []
    [(state, _reason)] = reasons(session, campaign)
    assert state == {"paused": "earned", "stopped": "cancelled", "withdrawn": "suppressed"}[how]
    assert is_balanced(session, campaign)


@pytest.mark.parametrize("fake", ["tremendous"], indirect=True)
def test_a_gift_bought_while_the_campaign_was_stopped_is_told_to_staff(
    session: Session, brand: Brand, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = started(session, brand, fake, people=1)
    answer = fake.answer

    def stop_meanwhile(asked: Any) -> None:
        fake.answer = answer
        answer(asked)

    fake.answer = stop_meanwhile
    make = type_of("tremendous").order

    def order_and_stop(counter: Any, one: Any) -> Any:
        made = make(counter, one)
        campaigns.stop(session, session.get_one(Campaign, campaign.id), "user:1")
        session.commit()
        return made

    monkeypatch.setattr(type_of("tremendous"), "order", order_and_stop)
    order(session, campaign)
    [push] = pushes_of(session, campaign)
    assert (push.state, push.order_ref) == ("cancelled", "ORDER1")
    actions = session.scalars(sa.select(AuditEntry.action)).all()
    assert "push.ordered-too-late" in actions


@pytest.mark.parametrize("fake", ["tremendous"], indirect=True)
def test_what_was_refused_is_tried_again_under_the_same_key(session: Session, brand: Brand, fake: Any) -> None:
    fake.span = (50.0, 100.0)
    campaign = started(session, brand, fake, people=1)
    order(session, campaign)
    assert reasons(session, campaign)[0][0] == "failed"
    fake.span = (1.0, 100.0)
    assert retrying.try_again(session, campaign, "user:1") == 1
    session.commit()
    finish(session, campaign)
    assert reasons(session, campaign) == [("sent", "")]
    assert list(fake.made) == [pushes_of(session, campaign)[0].order_key]


def test_without_an_account_the_campaign_waits(session: Session, brand: Brand) -> None:
    make_advocates(session, brand, 1)
    campaign = make_rewarded(session, brand, type="tremendous", settings={"item": "ABC"})
    campaigns.start_due(session, START)
    session.commit()
    order(session, campaign)
    assert reward_of(session, campaign).stalled == "there is no account with tremendous"


@pytest.mark.parametrize("fake", ALL, indirect=True)
def test_an_account_is_tried_out_and_nothing_is_made(session: Session, brand: Brand, fake: Any) -> None:
    (name,) = (name for name, kind in FAKES.items() if isinstance(fake, kind))
    for keys, is_taken in ((KEYS[name], True), (dict.fromkeys(KEYS[name], "wrong"), False)):
        accounts.write(session, HERE, brand.id, accounts.provider_of(name), fake.address, keys, "user:1")
        counter = accounts.counter(session, HERE, brand.id, type_of(name))
        if is_taken:
            type_of(name).try_out(counter)
            continue
        with pytest.raises(Stalled, match="401"):
            type_of(name).try_out(counter)
    assert fake.made == {}
