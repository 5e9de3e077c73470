"""Who is asked, by which way, and why the others are not: every refusal is stored with its rule."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.asks import policy, services
from amplify.asks.models import Ask, AskRefusal
from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.core import clock
from amplify.customers.services import withdraw_consent
from amplify.delivery.models import Message
from amplify.delivery.pacing import quiet_until
from amplify.delivery.services import suppress
from amplify.surveys.models import Response
from tests.sharing.making import SIGNER, a_live_brand, an_answer, the_campaign

ANA = {"email": "ana@friends.example", "name": "Ana", "consent": True}


@pytest.fixture
def brand(session: Session) -> Brand:
    return a_live_brand(session, quiet_from_hour=0, quiet_until_hour=0)


def asks(session: Session) -> list[tuple[str, int]]:
    return [(ask.mode, ask.response_id) for ask in session.scalars(sa.select(Ask).order_by(Ask.id))]


def refusals(session: Session) -> list[tuple[str, str]]:
    return [(r.mode, r.rule) for r in session.scalars(sa.select(AskRefusal).order_by(AskRefusal.id))]


def mails(session: Session) -> list[Message]:
    return list(session.scalars(sa.select(Message).order_by(Message.id)))


def webhook(session: Session, brand: Brand, number: int = 1, **said: Any) -> Response:
    """An answer from elsewhere, by default Ana's with her consent."""
    return an_answer(session, brand, **{"source": "signed:shop", "external_id": f"w-{number}", "customer": ANA, **said})


def test_a_promoter_on_the_hosted_page_is_asked_there(session: Session, brand: Brand) -> None:
    response = an_answer(session, brand)
    assert asks(session) == [("page", response.id)]
    assert mails(session) == []
    step = services.next_step_for(session, response, SIGNER)
    assert step is not None
    assert step.startswith("/share/")


def test_a_promoter_without_any_contact_is_asked_and_becomes_an_anonymous_customer(
    session: Session, brand: Brand
) -> None:
    response = an_answer(session, brand)
    assert response.customer is not None
    assert response.customer.email is None


@pytest.mark.parametrize("given", [0, 6, 7, 8])
def test_nobody_but_promoters_is_asked(session: Session, brand: Brand, given: int) -> None:
    response = an_answer(session, brand, given=given)
    assert asks(session) == []
    assert refusals(session) == [("page", "not-promoter")]
    assert services.next_step_for(session, response, SIGNER) is None


def test_a_promoter_from_elsewhere_gets_a_mail(session: Session, brand: Brand) -> None:
    response = webhook(session, brand, comment="Best stay ever")
    assert asks(session) == [("mail", response.id)]
    mail = mails(session)[0]
    assert (mail.template, mail.address, mail.is_marketing) == ("ask", "ana@friends.example", True)
    assert mail.context["quote"] == "Best stay ever"
    assert mail.context["link"].startswith("http://localhost/ask/")
    assert session.scalars(sa.select(Ask)).one().message_id == mail.id


@pytest.mark.parametrize(
    ("customer", "rule"),
    [
        ({}, "no-address"),
        ({"external_id": "c-1"}, "no-address"),
        ({"email": "ana@friends.example"}, "no-consent"),
        ({"email": "ana@friends.example", "consent": False}, "no-consent"),
    ],
)
def test_a_mail_needs_an_address_and_a_consent(
    session: Session, brand: Brand, customer: dict[str, Any], rule: str
) -> None:
    webhook(session, brand, customer=customer)
    assert refusals(session) == [("mail", rule)]
    assert mails(session) == []


def test_a_suppressed_mailbox_gets_none(session: Session, brand: Brand) -> None:
    suppress(session, brand.id, "ana@friends.example", "unsubscribed")
    webhook(session, brand)
    assert refusals(session) == [("mail", "suppressed")]


def test_nobody_is_asked_more_often_than_the_budget_allows_by_whichever_way(
    session: Session, brand: Brand, time_machine: Any
) -> None:
    webhook(session, brand, 1)
    an_answer(session, brand, external_id="h-1", customer=ANA)
    assert refusals(session) == [("page", "contact-budget")]
    time_machine.move_to(clock.now() + timedelta(days=brand.ask_every_days, minutes=1))
    webhook(session, brand, 2)
    assert [mode for mode, _id in asks(session)] == ["mail", "mail"]


def test_a_decline_rests_longer_than_the_budget(session: Session, brand: Brand, time_machine: Any) -> None:
    an_answer(session, brand, customer=ANA)
    ask = session.scalars(sa.select(Ask)).one()
    services.decline(session, services._visit_of(session, ask))
    time_machine.move_to(clock.now() + timedelta(days=brand.ask_every_days + 1))
    webhook(session, brand)
    assert refusals(session) == [("mail", "declined")]
    time_machine.move_to(clock.now() + timedelta(days=brand.declined_rest_days))
    webhook(session, brand, 2)
    assert len(asks(session)) == 2


def test_a_detractor_is_not_asked_before_a_later_positive_answer(session: Session, brand: Brand) -> None:
    now = clock.now()
    old = {"answered_at": now - timedelta(days=3)}
    webhook(session, brand, 1, given=2, answered_at=now - timedelta(days=2))
    webhook(session, brand, 2, given=10, **old)  # an older answer that comes in late
    assert refusals(session) == [("mail", "not-promoter"), ("mail", "detractor-since")]
    webhook(session, brand, 3, given=10, answered_at=now)
    assert len(asks(session)) == 1


def test_a_mail_that_waits_is_called_back_when_the_person_turns_detractor(session: Session, brand: Brand) -> None:
    webhook(session, brand, 1)
    webhook(session, brand, 2, given=1)
    assert (mails(session)[0].state, mails(session)[0].reason) == ("cancelled", "detractor-since")


def test_nobody_is_asked_twice_for_one_answer(session: Session, brand: Brand) -> None:
    response = webhook(session, brand, customer={"email": "ana@friends.example", "consent": True})
    assert policy.may_ask(session, brand, response, "page", clock.now()) == "already-asked"
    assert policy.may_ask(session, brand, response, "mail", clock.now()) == "already-asked"


def test_a_comment_that_comes_after_the_score_keeps_the_ask_and_reaches_the_page(
    session: Session, brand: Brand
) -> None:
    an_answer(session, brand, external_id="h-1", customer=ANA)
    later = an_answer(session, brand, external_id="h-1", revision=2, comment="And the breakfast!", customer=ANA)
    assert len(asks(session)) == 1
    assert refusals(session) == [("page", "already-asked")]
    step = services.next_step_for(session, later, SIGNER)
    assert step is not None
    assert SIGNER.read(step.removeprefix("/share/"))[2] == later.id


def test_an_answer_that_was_changed_is_judged_by_its_last_version(session: Session, brand: Brand) -> None:
    first = an_answer(session, brand, external_id="h-1", given=10)
    an_answer(session, brand, external_id="h-1", revision=2, given=3)
    session.refresh(first)
    assert policy.may_ask(session, brand, first, "page", clock.now()) == "superseded"


@pytest.mark.parametrize(("change", "rule"), [("is_employee", "insider"), ("erased_at", "erased")])
def test_insiders_and_the_erased_are_not_asked(session: Session, brand: Brand, change: str, rule: str) -> None:
    response = an_answer(session, brand, given=5, customer=ANA)
    response.category = "promoter"
    assert response.customer is not None
    setattr(response.customer, change, True if change == "is_employee" else clock.now())
    assert policy.may_ask(session, brand, response, "page", clock.now()) == rule


def test_without_a_live_campaign_nobody_is_asked(session: Session, brand: Brand) -> None:
    campaigns.pause(session, the_campaign(session, brand), "user:1")
    response = an_answer(session, brand)
    assert refusals(session) == [("page", "no-campaign")]
    assert services.next_step_for(session, response, SIGNER) is None


def test_every_rule_is_explained_in_words() -> None:
    import inspect

    source = inspect.getsource(policy) + inspect.getsource(services)
    assert all(f'"{rule}"' in source and str(text).endswith(".") for rule, text in policy.RULES.items())


@pytest.mark.parametrize(
    ("zone", "now", "until"),
    [
        ("Europe/Madrid", "2026-11-22T14:00Z", None),
        ("Europe/Madrid", "2026-11-22T21:30Z", "2026-11-23T07:00Z"),
        ("Europe/Madrid", "2026-11-23T05:00Z", "2026-11-23T07:00Z"),
        ("America/Mexico_City", "2026-11-22T14:00Z", None),
        ("America/Mexico_City", "2026-11-22T13:30Z", "2026-11-22T14:00Z"),
        ("Pacific/Auckland", "2026-11-22T14:00Z", "2026-11-22T19:00Z"),
        ("Europe/Madrid", "2026-03-28T22:00Z", "2026-03-29T06:00Z"),  # the night is an hour shorter
        ("Europe/Madrid", "2026-10-24T21:00Z", "2026-10-25T07:00Z"),  # and an hour longer
    ],
)
def test_quiet_hours_are_those_where_the_customer_is(brand: Brand, zone: str, now: str, until: str | None) -> None:
    brand.quiet_from_hour, brand.quiet_until_hour = 21, 8
    found = quiet_until(brand, zone, datetime.fromisoformat(now))
    assert (found.astimezone(UTC) if found else None) == (datetime.fromisoformat(until) if until else None)


def test_without_a_zone_the_brands_counts_and_equal_hours_mean_none(brand: Brand) -> None:
    brand.quiet_from_hour, brand.quiet_until_hour, brand.timezone = 13, 15, "Asia/Tokyo"
    noon = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)  # 14:00 in Tokyo
    assert quiet_until(brand, None, noon) == datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
    brand.quiet_until_hour = 13
    assert quiet_until(brand, None, noon) is None


def test_a_mail_waits_for_the_end_of_the_quiet_hours(session: Session, brand: Brand, time_machine: Any) -> None:
    brand.quiet_from_hour, brand.quiet_until_hour = 21, 8
    time_machine.move_to(datetime(2026, 11, 22, 22, 0, tzinfo=UTC), tick=False)
    webhook(session, brand, customer={**ANA, "timezone": "Europe/Madrid"}, answered_at=clock.now())
    assert mails(session)[0].not_before == datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


def test_consent_that_is_taken_back_counts_at_once(session: Session, brand: Brand) -> None:
    response = webhook(session, brand, 1, given=8)
    assert response.customer is not None
    withdraw_consent(session, response.customer)
    webhook(session, brand, 2)
    assert refusals(session)[-1] == ("mail", "no-consent")
