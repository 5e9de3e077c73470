"""Asking and what came of it: one ask per answer, each fact of it once, each refusal with its rule."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.asks import policy
from amplify.asks.models import Ask, AskRefusal
from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.campaigns.services import live_campaign_for
from amplify.core import clock
from amplify.core.bulk import is_among
from amplify.core.db import is_sqlite
from amplify.core.errors import NotFound
from amplify.core.tokens import Signer
from amplify.customers.models import Customer
from amplify.customers.services import anonymous
from amplify.delivery import services as delivery
from amplify.delivery.models import PENDING, Message
from amplify.delivery.pacing import quiet_until
from amplify.sharing.models import Advocate
from amplify.sharing.services import advocate_of
from amplify.sharing.tokens import Visit, share_page_token
from amplify.surveys.models import Response

TEMPLATE = "ask"
# The words of its context that are the reader's own (delivery.form_letters).
OWN_WORDS = ("name", "quote", "link")


def consider(session: Session, brand: Brand, response: Response, mode: str, now: datetime) -> Ask | AskRefusal:
    """Ask after this answer by "page" or "mail" if the policy allows, and store either the ask or the refusal.

    A mail ask has no message yet: see `send`.
    """
    # Two answers of one person at once must see each other's ask. SQLite writes one at a time anyway.
    if response.customer_id is not None and not is_sqlite(session):
        session.get(Customer, response.customer_id, with_for_update=True)
    rule = policy.may_ask(session, brand, response, mode, now)
    campaign = None if rule else _campaign_for(session, brand, response)
    if campaign is None:
        return _refuse(session, response, mode, rule or "no-campaign", now)
    ask = Ask(
        brand_id=brand.id,
        response_id=response.id,
        advocate=advocate_of(session, _customer_of(session, brand, response)),
        campaign=campaign,
        mode=mode,
        created_at=now,
    )
    session.add(ask)
    session.flush()
    return ask


def _campaign_for(session: Session, brand: Brand, response: Response) -> Campaign | None:
    place = {"location_id": response.location_id, "business_line_id": response.business_line_id}
    try:
        return live_campaign_for(session, brand, **place)
    except NotFound:
        return None


def _refuse(session: Session, response: Response, mode: str, rule: str, now: datetime) -> AskRefusal:
    refusal = AskRefusal(brand_id=response.brand_id, response_id=response.id, mode=mode, rule=rule, at=now)
    session.add(refusal)
    session.flush()
    return refusal


def _customer_of(session: Session, brand: Brand, response: Response) -> Customer:
    """Who answered; somebody without any contact becomes an anonymous customer now, so that they can share."""
    if response.customer is None:
        response.customer = anonymous(session, brand, response.locale)
        session.flush()
    return response.customer


def send(
    session: Session, brand: Brand, ask: Ask, signer: Signer, *, base_url: str, link_days: int, now: datetime
) -> Message:
    """Order the mail of a mail ask: the customer's own words, their expiring link, the disclosure first if rewarded.

    It leaves after the customer's quiet hours. `signer` is of sharing.tokens.PURPOSE.
    """
    visit = _visit_of(session, ask)
    customer, response = visit.advocate.customer, visit.response
    if customer is None or response is None or not customer.email:
        raise ValueError(f"ask {ask.id} has nobody to write to")
    locale = customer.locale or response.locale
    message = delivery.queue_message(
        session,
        brand,
        template=TEMPLATE,
        address=customer.email,
        locale=locale,
        context={
            "name": customer.name,
            "quote": response.comment,
            "headline": visit.campaign.text(locale, "headline", brand.default_locale),
            "disclosure": visit.campaign.text(locale, "disclosure", brand.default_locale),
            "is_rewarded": visit.campaign.is_rewarded,
            "link": f"{base_url}/ask/{token_of(signer, visit)}",
            "link_days": link_days,
        },
        person=customer.person,
        timezone=customer.timezone or "",
        not_before=quiet_until(brand, customer.timezone, now),
    )
    ask.message_id = message.id
    session.flush()
    return message


def _visit_of(session: Session, ask: Ask) -> Visit:
    return Visit(ask.advocate, ask.campaign, session.get(Response, ask.response_id))


def token_of(signer: Signer, visit: Visit) -> str:
    """The token of this visit's share page."""
    response_id = visit.response.id if visit.response else None
    return share_page_token(signer, visit.advocate, response_id, visit.campaign.id)


def next_step_for(session: Session, response: Response, signer: Signer) -> str | None:
    """Where the survey's page leads after this answer: the share page, if the person was asked there; else None.

    A later version of the answer (the comment after the score) keeps the ask of the first. `signer` is of
    sharing.tokens.PURPOSE.
    """
    asked = policy.asks_after(response).where(Ask.mode == "page", Ask.declined_at.is_(None))
    ask = session.scalar(asked.limit(1))
    if ask is None or not response.is_promoter:
        return None
    visit = _visit_of(session, ask)
    return f"/share/{share_page_token(signer, visit.advocate, response.id, visit.campaign.id)}"


def ask_of(session: Session, advocate: Advocate, response: Response | None) -> Ask | None:
    """The ask that led this advocate to the share page after this answer."""
    if response is None:
        return None
    return session.scalar(policy.asks_after(response).where(Ask.advocate_id == advocate.id).limit(1))


def mark_shown(ask: Ask, now: datetime) -> None:
    """The ask was on the screen (the first time counts)."""
    ask.shown_at = ask.shown_at or now


def mark_opened(ask: Ask, now: datetime) -> None:
    """The ask was followed (the first time counts)."""
    ask.opened_at = ask.opened_at or now


def decline(session: Session, visit: Visit, now: datetime | None = None) -> None:
    """ "No thanks": remembered, and nobody asks this person again before the brand's rest is over."""
    now = now or clock.now()
    ask = ask_of(session, visit.advocate, visit.response)
    if ask is None and visit.response is not None:
        ids = {"advocate_id": visit.advocate.id, "campaign_id": visit.campaign.id, "response_id": visit.response.id}
        ask = Ask(brand_id=visit.advocate.brand_id, mode="page", created_at=now, shown_at=now, **ids)
        session.add(ask)
    if ask is not None:
        ask.declined_at = ask.declined_at or now
    session.flush()


def call_back(session: Session, customer_id: int, reason: str) -> int:
    """Cancel the ask mails to this person that have not left yet; returns how many."""
    waiting = (
        sa.select(Message.brand_id, Message.message_id)
        .join(Ask, Ask.message_id == Message.id)
        .join(Advocate, Advocate.id == Ask.advocate_id)
        .where(Advocate.customer_id == customer_id, Message.state.in_(PENDING))
    )
    found = session.execute(waiting).all()
    return delivery.cancel(session, found[0].brand_id, [row.message_id for row in found], reason) if found else 0


def withheld(session: Session, messages: Sequence[Message]) -> dict[int, str]:
    """Of these messages the asks that must not leave any more, and the rule (policy.RULES) of each."""
    ours = [message.id for message in messages if message.template == TEMPLATE]
    found: dict[int, str] = {}
    asks = sa.select(Ask.message_id, Ask, Response).join(Response, Response.id == Ask.response_id)
    rows = session.execute(asks.where(is_among(session, Ask.message_id, ours))).all() if ours else ()
    for message_id, ask, response in rows:
        brand, campaign = session.get_one(Brand, ask.brand_id), session.get_one(Campaign, ask.campaign_id)
        if message_id and (rule := policy.may_leave(session, brand, ask, campaign, response)):
            found[message_id] = rule
    return found
