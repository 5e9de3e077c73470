"""Who may be asked to share, and when: every rule has a name, and every refusal names its (rules 6, 10)."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.asks.models import Ask
from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers.models import Customer
from amplify.delivery.services import is_suppressed
from amplify.sharing.models import Advocate
from amplify.surveys.models import Response

RULES = {
    "not-promoter": _l("Only promoters are asked."),
    "superseded": _l("The answer was changed later; only the last version counts."),
    "detractor-since": _l("The same person gave a low score after this answer, and no better one since."),
    "already-asked": _l("They were already asked after this answer."),
    "contact-budget": _l("They were asked less than the brand's number of days ago."),
    "declined": _l("They said no thanks, and the rest after that is not over."),
    "insider": _l("They work for the brand: an insider's praise would need its own disclosure (16 CFR 465.5)."),
    "erased": _l("The person was erased."),
    "no-address": _l("There is no e-mail address to write to."),
    "no-consent": _l("They did not agree to be written to."),
    "suppressed": _l("They unsubscribed, or mail to them came back."),
    "no-campaign": _l("No campaign is live."),
}


def may_ask(session: Session, brand: Brand, response: Response, mode: str, now: datetime) -> str | None:
    """The first rule (see RULES) that forbids asking after this answer, by "page" or "mail"; None if none does."""
    if response.superseded_at is not None:
        return "superseded"
    if not response.is_promoter:
        return "not-promoter"
    if was_asked(session, response):
        return "already-asked"
    if response.customer is None:
        return None if mode == "page" else "no-address"
    return _forbids_person(session, brand, response, now) or (
        _forbids_mail(session, brand, response.customer) if mode == "mail" else None
    )


def was_asked(session: Session, response: Response) -> bool:
    """Whether there is an ask for this answer, in whatever version and by whatever way."""
    return session.scalar(asks_after(response).limit(1)) is not None


def asks_after(response: Response) -> sa.Select[Ask]:
    """The asks that followed this answer, in any of its versions; newest first."""
    same_answer = (
        Response.brand_id == response.brand_id,
        Response.source == response.source,
        Response.external_id == response.external_id,
    )
    return sa.select(Ask).join(Response, Response.id == Ask.response_id).where(*same_answer).order_by(Ask.id.desc())


def may_leave(session: Session, brand: Brand, ask: Ask, campaign: Campaign, response: Response) -> str | None:
    """The rule by which the mail of this ask must not leave any more; None if it may. Its budget was counted before."""
    if campaign.state != "live":
        return "no-campaign"
    if ask.declined_at is not None:
        return "declined"
    if response.customer is None:
        return "no-address"
    customer, since = response.customer, {"detractor-since": _low_score_since(response)}
    return _state_of(customer) or _first_true(session, since) or _forbids_mail(session, brand, customer)


def _state_of(customer: Customer) -> str | None:
    if customer.erased_at is not None:
        return "erased"
    return "insider" if customer.is_employee else None


def _forbids_person(session: Session, brand: Brand, response: Response, now: datetime) -> str | None:
    customer = response.customer
    assert customer is not None  # noqa: S101 - the caller has looked
    asked_ever = sa.exists().where(Ask.advocate_id == Advocate.id, Advocate.customer_id == customer.id)
    rested, spared = (timedelta(days=days) for days in (brand.declined_rest_days, brand.ask_every_days))
    happened = {
        "detractor-since": _low_score_since(response),
        "declined": asked_ever.where(Ask.declined_at > now - rested),
        "contact-budget": asked_ever.where(Ask.created_at > now - spared),
    }
    return _state_of(customer) or _first_true(session, happened)


def _first_true(session: Session, rules: Mapping[str, sa.Exists]) -> str | None:
    """The first of these rules that is true, asked for in one statement."""
    answers = session.execute(sa.select(*rules.values())).one()
    return next((rule for rule, is_true in zip(rules, answers, strict=True) if is_true), None)


def _low_score_since(response: Response) -> sa.Exists:
    return sa.exists().where(
        Response.brand_id == response.brand_id,
        Response.customer_id == response.customer_id,
        Response.superseded_at.is_(None),
        Response.category == "detractor",
        Response.answered_at > response.answered_at,
    )


def _forbids_mail(session: Session, brand: Brand, customer: Customer) -> str | None:
    if not customer.email:
        return "no-address"
    if customer.consent is not True:
        return "no-consent"
    return "suppressed" if is_suppressed(session, brand.id, customer.email) else None
